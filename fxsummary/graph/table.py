"""The classes behind the attribute tables: `Attribute`, one row, and `Attributes`, a table."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fxsummary.graph.fields import Field
from fxsummary.graph.records import differing, known
from fxsummary.graph.spec import without_device
from fxsummary.support.registry import Registry
from fxsummary.text import numbers as fmt

Rule = Literal["sum", "union", "any", "max", "worst", ""]
"""Rules to combine an attribute of several operations.

"sum": the sum over all copies; None (unknown) if one is None. "union": the tuples concatenated. "any": true if one is.
"max": the largest. "worst": the last one in the order of `fxsummary.graph.records.TRUST`. "": none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Field):
    """One row of a table of attributes.

    Attributes:
        title: column heading; an attribute without a title is not a column.
        text: formats a value for tables.
        exact: formats a value for tooltips; `text` if None.
        adds: rule to combine values, or a function that recomputes the value from the operation's other attributes.
        rests_on: "outputs" or "flops": values are marked ``≈`` if these are assumed.
        folds: whether a difference in this attribute keeps blocks from being folded.
        compared: whether a comparison reports it: "own" for a change of the operation itself; "follows" for a change
            that may result from other inputs.
        tip: whether tooltips and the page list values other than the default.
        always: whether every operation has it, even with its default.
        is_own: whether exporters know it by name; they show all other attributes alike.
        saved: whether JSON contains it.
    """

    title: str = ""
    text: Callable[[Any], str] = str
    exact: Callable[[Any], str] | None = None
    adds: Rule | Callable[[Mapping[str, Any]], Any] = ""
    rests_on: tuple[str, ...] = ()
    folds: bool = True
    compared: Literal["own", "follows", ""] = "follows"
    tip: bool = True
    always: bool = False
    saved: bool = True
    is_own: bool = False

    @property
    def label(self) -> str:
        """The title in front of a value: in lower case, except for abbreviations."""
        return self.title if self.title[1:2].isupper() else self.title[:1].lower() + self.title[1:]

    def is_assumed(self, data: Mapping[str, object]) -> bool:
        """Return whether its value in an operation depends on assumed values."""
        shapes, flops = data.get("assumed", False) is True, data.get("trust") == "assumed"
        return ("outputs" in self.rests_on and shapes) or ("flops" in self.rests_on and flops)


class Attributes(Registry[Attribute]):
    """A table of attributes by name.

    Attributes:
        added: names of the attributes that passes add to fxsummary's own.
        sums, unions, flags, largest: names of the attributes with each rule of `adds`.
        recomputed: functions of the attributes that are recomputed.
        folding, compared, following, tips, unsaved: names of the attributes with that property.
        columns: names of the attributes with a title.
    """

    def __init__(self, noun: str, own: Mapping[str, Attribute]) -> None:
        super().__init__(noun)
        self._items.update(own)
        self._own = len(own)
        self._update()

    def __getitem__(self, name: str) -> Attribute:
        return self._items[name]

    def register(self, name: str, value: Attribute) -> Attribute:
        """Add an attribute that your pass sets."""
        super().register(name, value)
        self._update()
        return value

    def unregister(self, name: str) -> None:
        """Remove an attribute."""
        super().unregister(name)
        self._update()

    def _update(self) -> None:
        """Collect the names by property once, because views look them up often."""
        self.added = self._where(lambda each: not each.is_own)
        self.sums, self.unions, self.flags, self.largest = (
            tuple(name for name, each in self.items() if each.adds == rule) for rule in ("sum", "union", "any", "max")
        )
        self.recomputed = {name: each.adds for name, each in self.items() if callable(each.adds)}
        self.folding = self._where(lambda each: each.folds)
        self.compared = self._where(lambda each: each.compared != "")
        self.following = frozenset(self._where(lambda each: each.compared == "follows"))
        self.tips = self._where(lambda each: each.tip)
        self.columns = self._where(lambda each: each.title != "")
        self.unsaved = self._where(lambda each: not each.saved)

    def _where(self, holds: Callable[[Attribute], bool]) -> tuple[str, ...]:
        return tuple(name for name, each in self.items() if holds(each))

    def differ(self, one: Mapping[str, object], other: Mapping[str, object], name: str) -> bool:
        """Return whether two operations differ in an attribute; devices do not count."""
        a, b = (each.get(name, self[name].default) for each in (one, other))
        return bool(a != b) and bool(without_device(a) != without_device(b))

    def cell(self, name: str, data: Mapping[str, Any]) -> str:
        """Format a value for a table: "" for the default, ``?`` for an unknown number."""
        if (each := differing(data, name)) and self[name].type.is_number:
            return self._of_copies(name, data, each, self[name].text)
        return self._told(name, data, self[name].text)

    def tip(self, name: str, data: Mapping[str, Any]) -> str:
        """Format a value for a tooltip: first for one copy, then for all."""
        attribute = self[name]
        times = data["multiplicity"] if attribute.adds == "sum" else 1
        exact = attribute.exact or attribute.text
        if (each := differing(data, name)) and attribute.type.is_number:
            return self._of_copies(name, data, each, exact)
        return self._told(
            name, data, lambda n: exact(n) if times == 1 else f"{exact(n)} × {times} = {exact(n * times)}"
        )

    def _told(self, name: str, data: Mapping[str, Any], text: Callable[[Any], str]) -> str:
        attribute = self[name]
        value = data.get(name, attribute.default)
        least = known(data, name) if value is None and attribute.adds == "sum" else None
        if value is None and not least:
            return fmt.UNKNOWN if attribute.type.is_number else ""
        if value == attribute.default:
            return ""
        shown = fmt.about(text(least or value), attribute.is_assumed(data))
        return f"≥ {shown}" if least else shown

    def _of_copies(self, name: str, data: Mapping[str, Any], each: Sequence[Any], text_of: Callable[[Any], str]) -> str:
        """Format the values of copies that differ: the sum of a cost, the range of another number."""
        attribute, known = self[name], [value for value in each if value is not None]
        if len(known) < len(each):
            return fmt.UNKNOWN
        ends = text_of(min(known)), text_of(max(known))
        text = f"Σ {text_of(sum(known))}" if attribute.adds == "sum" else "…".join(dict.fromkeys(ends))
        return fmt.about(text, attribute.is_assumed(data))

    def described(self, always: bool = True) -> str:
        """Return the names with their descriptions, for a docstring."""
        own = [(name, self[name]) for name in [*self][: self._own] if self[name].always == always]
        lines = [
            textwrap.fill(f"- {name}: {each.description}", 120, initial_indent=" " * 8, subsequent_indent=" " * 10)
            for name, each in own
        ]
        return "\n".join(lines).lstrip()
