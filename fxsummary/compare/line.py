"""A line of a comparison, and several lines that say the same of different items as one."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from fxsummary.graph.records import summed
from fxsummary.text.numbers import in_one, run_name

Costs = tuple["int | None", "int | None"]

MOST_LABELS = 3
"""Number of labels that name a line for several operations."""
LEAST_PLAIN = 3
"""Number of neighbouring operations without names and costs from which they are one line."""

MOST_NUMBERS = 4
"""Number of decimal numbers that a line lists."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?(?:…\d+)?")


@dataclass(slots=True)
class Line:
    """One or more modules or operations that changed.

    Attributes:
        change: added, removed, changed or moved; "" for a remark.
        name: path relative to the parent line; path: path from the model.
        head: description, or the differences.
        parameters, flops: totals inside, before and after; None if unknown.
        source: ``file:line``, "" if unknown.
        is_run: whether the number of siblings in it changed.
        copies, unit: how many blocks or operations it represents, for each copy of the parent line; "steps" of a loop.
        names: all their names, if there are several.
        tail: what follows the number of copies.
        count, counts: a number of operations over all copies, and where the text says it.
    """

    change: str
    name: str
    head: str
    path: str = ""
    parameters: Costs = (0, 0)
    flops: Costs = (0, 0)
    source: str = ""
    is_run: bool = False
    children: list[Line] = field(default_factory=list)
    copies: int = 1
    unit: str = ""
    names: tuple[str, ...] = ()
    tail: str = ""
    count: int = 0
    counts: str = ""

    @property
    def text(self) -> str:
        """Everything that it says."""
        copied = f" ×{self.copies} {self.unit}".rstrip() if self.copies > 1 else ""
        return self.head + copied + self.tail + self.counts.format(operations(self.count))


def operations(count: int) -> str:
    """Format a number of operations."""
    return f"{count:,} operation{'s' * (count != 1)}"


def add_up(pairs: Sequence[Costs]) -> Costs:
    """Return the sums before and after."""
    before, after = zip(*pairs, strict=True)
    return summed(before), summed(after)


def joined(lines: Sequence[Line]) -> list[Line]:
    """Return one line for those that differ only in numbers, such as the numbers of layers, at the first one's place.

    >>> one, other = Line("added", "layers.3", "Block", copies=2), Line("added", "layers.7", "Block")
    >>> [(line.name, line.text) for line in joined([one, Line("removed", "fc", "Linear"), other])]
    [('layers.3, 7', 'Block ×3'), ('fc', 'Linear')]
    """
    groups: dict[Hashable, list[Line]] = {}
    for line in lines:
        groups.setdefault((_stem_of_name(line), _key(line)), []).append(line)
    once = [_as_one(group) if len(group) > 1 else group[0] for group in groups.values()]
    return [line for plain, group in groupby(once, _plain) for line in (_listed(list(group)) if plain else group)]


def _plain(line: Line) -> str:
    """Return the change of an added or removed operation without a name, parameters and FLOPs; "" for other lines."""
    is_plain = line.parameters == line.flops == (0, 0) and not (line.name or line.children or line.counts)
    return line.change if is_plain and line.change in ("added", "removed") else ""


def _listed(lines: list[Line]) -> list[Line]:
    """Return one line for several neighbouring plain operations."""
    if len(lines) < LEAST_PLAIN:
        return lines
    labels = list(dict.fromkeys(line.head.partition(" ")[0] for line in lines))
    head = " · ".join(labels[:MOST_LABELS]) + " · …" * (len(labels) > MOST_LABELS)
    return [replace(lines[0], head=head, copies=1, tail="", counts=", {}", count=sum(line.count for line in lines))]


def _key(line: Line) -> Hashable:
    """Return what lines have in common that differ only in numbers and costs."""
    said = (line.head, line.tail) if line.is_run else (_stem(line.head), _stem(line.tail))
    inside = tuple([(child.name, child.copies, _key(child)) for child in line.children])
    return line.change, said, line.is_run, line.unit, line.counts, inside


def _stem(text: str) -> str:
    return _NUMBER.sub("#", text)


def _stem_of_name(line: Line) -> str:
    return (
        re.sub(r"\d+", "#", line.names[0] if line.names else line.name)
        if line.names or "…" not in line.name
        else line.name
    )


def _as_one(lines: Sequence[Line]) -> Line:
    """Return one line for several items."""
    one, names = _summed(lines), [name for line in lines for name in line.names or [line.name]]
    copies = sum(line.copies for line in lines) if one.change else 1
    return replace(one, name=name_of(names), names=tuple(names), copies=copies)


def _summed(lines: Sequence[Line]) -> Line:
    """Return the sum of lines, at the place of the first."""
    columns = zip(*[line.children for line in lines], strict=True)
    return replace(
        lines[0],
        head=_spanned([line.head for line in lines]),
        tail=_spanned([line.tail for line in lines]),
        parameters=add_up([line.parameters for line in lines]),
        flops=add_up([line.flops for line in lines]),
        count=sum(line.count for line in lines),
        children=[_summed(column) for column in columns],
    )


def name_of(names: Sequence[str]) -> str:
    """Return the names of several items as one.

    >>> name_of(["layers.2", "layers.10", "layers.1"]), name_of(["0.1", "1.0"]), name_of(["fc"])
    ('layers.1, 2, 10', '0.1…1.0', 'fc')
    """
    found = sorted(
        set(names), key=lambda name: [int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", name)]
    )
    varying = sum(len(set(column)) > 1 for column in zip(*[re.findall(r"\d+", name) for name in found], strict=True))
    return in_one(found) if varying < 2 else run_name(found[0], found[-1])


def _spanned(texts: Sequence[str]) -> str:
    """Return texts that differ only in numbers as one.

    >>> _spanned(["0.1, row", "0.25, row"]), _spanned(["16→64", "32→64"]), _spanned(["[3…5]", "[6]"])
    ('0.1, 0.25, row', '16, 32→64', '[3…6]')
    """
    columns = zip(*map(_NUMBER.findall, texts), strict=True)
    numbers = [column[0] if len({*column}) == 1 else _span(column) for column in columns]
    parts = zip(_NUMBER.split(texts[0]), [*numbers, ""], strict=True)
    return "".join(part for pair in parts for part in pair)


def _span(numbers: Sequence[str]) -> str:
    """Return different numbers, or spans of them, as one text; decimal ones are listed."""
    spans = [number.split("…") for number in numbers]
    if all(end.isdigit() for span in spans for end in span):
        return in_one(
            [str(each) for first, *last in spans for each in range(int(first), int((last or [first])[0]) + 1)]
        )
    found = list(dict.fromkeys(numbers))
    return ", ".join(found if len(found) <= MOST_NUMBERS else [*found[:2], "…", found[-1]])
