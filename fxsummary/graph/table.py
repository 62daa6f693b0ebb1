"""What the tables of attributes are made of: an `Attribute` says what follows from it, `Attributes` holds them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fxsummary.graph.fields import Field
from fxsummary.graph.records import known
from fxsummary.graph.spec import without_device
from fxsummary.support.registry import Registry
from fxsummary.text import numbers as fmt

Rule = Literal["sum", "union", "any", "max", "worst", ""]
"""How an attribute of several operations together follows from those of each.

"sum": None, which is unknown, if one is None; copies count. "union": one tuple after the other. "any": true if one is.
"max": the largest. "worst": the last in the order of `fxsummary.graph.records.TRUST`. "": not at all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Field):
    """One attribute.

    Attributes:
        title: heading of its column; without one it is no column.
        text: its values as text in tables.
        exact: its values as text in tooltips; `text` if None.
        adds: how it adds up, or a function that computes it again from the other attributes of an operation.
        rests_on: "outputs" or "flops": it is marked ``≈`` where these are assumed.
        folds: whether blocks that differ in it are not folded into one.
        compared: whether comparing shows a difference in it: "own", a change of the operation; "follows", a change
            that may only follow from other inputs.
        tip: whether tooltips and the page list it, unless it has its default.
        always: whether every operation has it, also where it says nothing.
        is_own: whether exporters know it by name; what else there is, all of them show alike.
        saved: whether JSON holds it.
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
        """The title as it stands before a value: in lower case, but for abbreviations."""
        return self.title if self.title[1:2].isupper() else self.title[:1].lower() + self.title[1:]

    def is_assumed(self, data: Mapping[str, object]) -> bool:
        """Whether its value in an operation rests on values that were assumed."""
        shapes, flops = data.get("assumed", False) is True, data.get("trust") == "assumed"
        return ("outputs" in self.rests_on and shapes) or ("flops" in self.rests_on and flops)


class Attributes(Registry[Attribute]):
    """A table of attributes by name.

    Attributes:
        added: names of the attributes that passes add to fxsummary's own.
        sums, unions, flags, largest: names of those that add up, by how; recomputed: functions of those that do not.
        folding, compared, following, tips, unsaved: names of those for which the table says so.
        columns: names of those with a title.
    """

    def __init__(self, noun: str, own: Mapping[str, Attribute]) -> None:
        super().__init__(noun)
        self._items.update(own)
        self._own = len(own)
        self._update()

    def __getitem__(self, name: str) -> Attribute:
        return self._items[name]

    def register(self, name: str, value: Attribute) -> Attribute:
        """Add an attribute that a pass of yours sets."""
        super().register(name, value)
        self._update()
        return value

    def unregister(self, name: str) -> None:
        """Take out an attribute."""
        super().unregister(name)
        self._update()

    def _update(self) -> None:
        """Look the names up once that views ask for many times."""
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
        """Whether an attribute of two operations is not the same; where their tensors are does not count."""
        a, b = (each.get(name, self[name].default) for each in (one, other))
        return bool(a != b) and bool(without_device(a) != without_device(b))

    def cell(self, name: str, data: Mapping[str, Any]) -> str:
        """A value as text in a table: "" if it is the default, ``?`` if it is a number that is not known."""
        return self._told(name, data, self[name].text)

    def tip(self, name: str, data: Mapping[str, Any]) -> str:
        """A value as text in a tooltip: that of one copy, then of all."""
        attribute = self[name]
        times = data["multiplicity"] if attribute.adds == "sum" else 1
        exact = attribute.exact or attribute.text
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

    def described(self, always: bool = True) -> str:
        """The names with their descriptions, for a docstring."""
        own = [(name, self[name]) for name in [*self][: self._own] if self[name].always == always]
        lines = [
            textwrap.fill(f"- {name}: {each.description}", 120, initial_indent=" " * 8, subsequent_indent=" " * 10)
            for name, each in own
        ]
        return "\n".join(lines).lstrip()
