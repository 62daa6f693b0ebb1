"""A line of a comparison, and several lines that say the same of different items as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import chain, groupby

from fxsummary.graph.records import summed
from fxsummary.text.numbers import run_name
from fxsummary.text.series import in_one

Costs = tuple["int | None", "int | None"]

MOST_LABELS = 3
"""Number of labels that name a line for several operations."""
LEAST_PLAIN = 3
"""Number of neighbouring operations without names and costs from which they are one line."""

MOST_NUMBERS = 4
"""Number of lines with different numbers, and of decimal numbers in a line, up to which each is shown."""

LONGEST_SPAN = 10_000
"""Number of whole numbers in a span up to which it is joined with others."""

_INTEGER = re.compile(r"\d{1,18}")
_NUMBER = re.compile(r"\d{1,18}(?:\.\d+)?(?:e[-+]?\d+)?(?:…\d{1,18})?")


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


def joined(lines: Sequence[Line], separate: int = MOST_NUMBERS) -> list[Line]:
    """Return one line for those that differ only in numbers, such as the numbers of layers, at the first one's place.

    Up to ``separate`` lines with different numbers in their texts stay separate, unless these count up.

    >>> one, other = Line("added", "layers.3", "Block", copies=2), Line("added", "layers.7", "Block")
    >>> [(line.name, line.text) for line in joined([one, Line("removed", "fc", "Linear"), other])]
    [('layers.3, 7', 'Block ×3'), ('fc', 'Linear')]
    """
    texts: dict[Hashable, dict[Hashable, Line]] = {}
    for line in lines:
        texts.setdefault(_key(line, _stem), {})[_key(line, str)] = line
    groups: dict[Hashable, list[Line]] = {}
    for line in lines:
        stem = _key(line, _stem)
        groups.setdefault(stem if _is_series([*texts[stem].values()], separate) else _key(line, str), []).append(line)
    once = [_as_one(group) if len(group) > 1 else group[0] for group in groups.values()]
    return [line for is_plain, group in groupby(once, plain) for line in (_listed(list(group)) if is_plain else group)]


def _key(line: Line, said: Callable[[str], str]) -> Hashable:
    """Return what lines have in common that differ only in the numbers in their names, and in costs."""
    return _INTEGER.sub("#", line.name), _content(line, said)


def _content(line: Line, said: Callable[[str], str]) -> Hashable:
    grown = (line.parameters, line.flops) if line.is_run else ()
    inside = tuple([(child.name, child.copies, _content(child, said)) for child in line.children])
    return line.change, said(line.head), said(line.tail), line.counts, line.unit, grown, inside


def _stem(text: str) -> str:
    return _NUMBER.sub("#", text)


def _is_series(lines: Sequence[Line], separate: int) -> bool:
    """Return whether lines with different numbers in their texts are one: many, or operations that count up."""
    if len(lines) == 1 or len(lines) > separate:
        return True
    columns = [{*column} for column in zip(*[_NUMBER.findall(line.head + line.tail) for line in lines], strict=True)]
    numbers = [_whole(column) for column in columns if len(column) > 1]
    counts_up = all(each and len({*each}) == max(each) - min(each) + 1 for each in numbers)
    return bool(numbers) and counts_up and not any(line.children for line in lines)


def plain(line: Line) -> str:
    """Return the change of an added or removed operation without a name, parameters and FLOPs; "" for other lines."""
    is_plain = line.parameters == line.flops == (0, 0) and not (line.name or line.children or line.counts)
    return line.change if is_plain and line.change in ("added", "removed") else ""


def _listed(lines: list[Line]) -> list[Line]:
    """Return one line for several neighbouring plain operations."""
    if len(lines) < LEAST_PLAIN:
        return lines
    labels = list(dict.fromkeys(line.head.partition(" ")[0] for line in lines))
    head = " · ".join(labels[:MOST_LABELS]) + " · …" * (len(labels) > MOST_LABELS)
    return [replace(lines[0], head=head, copies=1, tail="", counts=" {}", count=sum(line.count for line in lines))]


def _as_one(lines: Sequence[Line]) -> Line:
    """Return one line for several items."""
    copies = sum(line.copies for line in lines) if lines[0].change else 1
    return replace(_summed(lines), name=name_of([line.name for line in lines]), copies=copies)


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


def shortened(lines: Sequence[Line], most: int) -> list[Line]:
    """Return at most ``most`` lines if there is a choice: in others, the lines inside are left out.

    Those that change most are opened first.
    """
    whole = [sum(abs(_delta(getattr(line, name))) for line in lines) or 1 for name in ("parameters", "flops")]
    waiting = [(_weight(line, whole), place, line) for place, line in enumerate(lines)]
    heapify(waiting)
    rows = len(lines)
    opened: set[int] = set()
    while waiting:
        *_, line = heappop(waiting)
        if rows + len(line.children) <= most:
            opened.add(id(line))
            for place, child in enumerate(line.children, start=rows):
                heappush(waiting, (_weight(child, whole), place, child))
            rows += len(line.children)
    return [_only(line, opened) for line in lines]


def _only(line: Line, opened: Container[int]) -> Line:
    """Return a line with the lines in it, or their number if it is not one of those that are opened."""
    if id(line) in opened:
        return replace(line, children=[_only(child, opened) for child in line.children])
    inside = size(line.children)
    return replace(line, children=[], counts=f"{line.counts} ({inside} line{'s' * (inside > 1)})") if inside else line


def size(lines: Sequence[Line]) -> int:
    """Return the number of lines and of all lines in them."""
    return sum(1 + size(line.children) for line in lines)


def _weight(line: Line, whole: Sequence[float]) -> float:
    """Return the share of all changes that are in a line, as a negative number, so that the largest is the first."""
    return -sum(abs(_delta(costs)) / total for costs, total in zip((line.parameters, line.flops), whole, strict=True))


def _delta(costs: Costs) -> int:
    return 0 if None in costs else (costs[1] or 0) - (costs[0] or 0)


def name_of(names: Sequence[str]) -> str:
    """Return the names of several items as one.

    >>> name_of(["layers.2", "layers.10", "layers.1"]), name_of(["0.1", "1.0"]), name_of(["fc"])
    ('layers.1, 2, 10', '0.1…1.0', 'fc')
    """
    found = sorted(set(names), key=lambda name: [*map(int, _INTEGER.findall(name))])
    varying = sum(len({*column}) > 1 for column in zip(*map(_INTEGER.findall, found), strict=True))
    return _spanned(found, _INTEGER) if varying < 2 else run_name(found[0], found[-1])


def _spanned(texts: Sequence[str], number: re.Pattern[str] = _NUMBER) -> str:
    """Return texts that differ only in numbers as one.

    >>> _spanned(["0.1, row", "0.25, row"]), _spanned(["16→64", "32→64"]), _spanned(["[3…5]", "[6]"])
    ('0.1, 0.25, row', '16, 32→64', '[3…6]')
    """
    columns = zip(*map(number.findall, texts), strict=True)
    numbers = [column[0] if len({*column}) == 1 else _span(column) for column in columns]
    parts = zip(number.split(texts[0]), [*numbers, ""], strict=True)
    return "".join(part for pair in parts for part in pair)


def _span(numbers: Sequence[str]) -> str:
    """Return different numbers, or spans of them, as one text; decimal ones are listed."""
    if whole := _whole(numbers):
        return in_one([*map(str, whole)])
    found = list(dict.fromkeys(numbers))
    return ", ".join(found if len(found) <= MOST_NUMBERS else [*found[:2], "…", found[-1]])


def _whole(numbers: Iterable[str]) -> list[int]:
    """Return whole numbers and all of those in spans; none if one is decimal."""
    spans = [number.split("…") for number in numbers]
    if not all(end.isdigit() for span in spans for end in span):
        return []
    ranges = [range(int(span[0]), int(span[-1]) + 1) for span in spans]
    return [*chain.from_iterable(ranges)] if max(map(len, ranges)) <= LONGEST_SPAN else []
