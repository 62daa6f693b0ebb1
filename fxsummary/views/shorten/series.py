"""Long series of copies: blocks that are alike in size, class and path, and the steps of a loop in one module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import eq
from typing import NamedTuple

from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.fold.candidates import Lines, first_of_copy
from fxsummary.views.fold.symbols import DIGITS

FIRST, LAST = 2, 2
"""Number of copies that stay at the ends of a series, at least."""
LEAST_OPERATIONS = 1000
"""Number of operations that must be left out to be worth the search."""
MOST_LEVELS = 4
"""Number of levels of modules in which blocks are sought, outer ones first."""
NEIGHBOURS = 8
"""Number of operations whose distance to the next equal ones is a possible length of a step."""
MOST_PERIODS = 8
"""Number of distances between equal operations that are tried as the length of a step, the most frequent first."""

Stack = tuple[ModuleCall, ...]


class Series(NamedTuple):
    """Copies in a row.

    Attributes:
        start: the place of the first operation; size: operations per copy; copies: their number.
        around: the module calls around all of them.
        calls: those of the copies; () if they are steps.
        last: number of copies that stay at the end.
    """

    start: int
    size: int
    copies: int
    around: Stack
    calls: Sequence[ModuleCall] = ()
    last: int = LAST

    @property
    def inner(self) -> range:
        """The numbers of the copies that are left out."""
        return range(FIRST, self.copies - self.last)

    @property
    def end(self) -> int:
        """The place after the last operation."""
        return self.start + self.copies * self.size

    @property
    def saves(self) -> int:
        """Number of operations that are left out."""
        return len(self.inner) * self.size

    def places(self, number: int) -> range:
        """Return the places of the operations of a copy."""
        start = self.start + number * self.size
        return range(start, start + self.size)

    def path(self, number: int) -> str:
        """Return the path of a copy; "" for a step."""
        return self.calls[number].path if self.calls else ""


def segments(stacks: Sequence[Stack]) -> list[tuple[Stack, int]]:
    """Return the stacks without repetitions, each with its number of operations."""
    groups = [list(group) for _, group in groupby(stacks, key=id)]
    return [(group[0], len(group)) for group in groups]


def longest(series: Iterable[Series]) -> list[Series]:
    """Return the series that saves most, and those of the same size, if they are worth the search."""
    found = sorted((each for each in series if each.saves >= LEAST_OPERATIONS), key=lambda each: -each.saves)
    return [each for each in found if each.size == found[0].size]


def blocks(graph: ModelGraph) -> list[Series]:
    """Return the longest series of blocks of the outermost level that has one."""
    stacks = segments([data["module_stack"] for _, data in graph.nodes(data=True)])
    found = (longest(_blocks(stacks, level))[:1] for level in range(MOST_LEVELS))
    return next(filter(None, found), [])


def _blocks(stacks: Sequence[tuple[Stack, int]], level: int) -> Iterator[Series]:
    """Yield the series of siblings with this many calls around them; they are alike in size, class and path.

    No other block is of their class: it could make a longer pattern with them.
    """
    place = 0
    blocks: list[tuple[Stack, int, int]] = []
    for call, group in groupby(stacks, key=lambda each: each[0][level] if len(each[0]) > level else None):
        parts = list(group)
        size = sum([number for _, number in parts])
        blocks.append((parts[0][0][: level + 1] if call else (), place, size))
        place += size
    times = Counter(stack for stack, _, _ in blocks)
    types = Counter(stack[-1].type for stack, _, _ in blocks if stack)

    def look(block: tuple[Stack, int, int]) -> object:
        stack, place, size = block
        if times[stack] > 1 or not stack:
            return place
        return stack[:-1], stack[-1].type, DIGITS.sub("", stack[-1].path), size

    for _, alike in groupby(blocks, key=look):
        (stack, start, size), *others = members = list(alike)
        if len(members) > FIRST + LAST and types[stack[-1].type] == len(members):
            yield Series(start, size, 1 + len(others), stack[:-1], [stack[-1] for stack, _, _ in members])


def loops(graph: ModelGraph) -> list[Series]:
    """Return the longest loop in each module, and the other loops there whose steps have the same size.

    A step repeats the lines of source of the step before. The same number of steps is left out of all loops over the
    same lines, so that they stay alike.
    """
    keys, nodes, start = list(graph), [data for _, data in graph.nodes(data=True)], 0
    place = {key: number for number, key in enumerate(keys)}
    found: dict[object, list[Series]] = {}
    for stack, number in segments([data["module_stack"] for data in nodes]):
        if number > LEAST_OPERATIONS:
            inside, data = keys[start : start + number], nodes[start : start + number]
            labels, sources = [each["label"] for each in data], [each["source"] for each in data]
            reach = partial(_reach, graph, inside, place)
            for each in longest(_steps(labels, Lines(sources, reach), start, stack)):
                step = each.size, sources[each.start - start], stack and stack[-1].type
                found.setdefault(step, []).append(each)
        start += number
    return [
        each._replace(last=each.copies - FIRST - min(len(other.inner) for other in alike))
        for alike in found.values()
        for each in alike
    ]


def _reach(graph: ModelGraph, keys: Sequence[str], places: Mapping[str, int], number: int) -> int:
    """Return how much later than an operation its value is last read, 0 if nothing reads it."""
    key = keys[number]
    return max(map(places.__getitem__, graph.readers(key)), default=places[key]) - places[key]


def _steps(labels: Sequence[str], lines: Lines, start: int, stack: Stack) -> Iterator[Series]:
    """Yield the series of steps in the operations of a module, from a place on."""
    numbers: dict[tuple[str, str], int] = {}
    symbols = [numbers.setdefault(each, len(numbers)) for each in zip(labels, lines.sources, strict=True)]
    distances: Counter[int] = Counter()
    last: dict[object, int] = {}
    for place, gram in enumerate(zip(*[symbols[begin:] for begin in range(NEIGHBOURS)], strict=False)):
        distances[place - last.get(gram, place)] += 1
        last[gram] = place
    del distances[0]
    for period, _ in distances.most_common(MOST_PERIODS):
        place = 0
        for is_equal, group in groupby(map(eq, symbols, symbols[period:])):
            length = len(list(group))
            copies = (length + period) // period
            if is_equal and copies > FIRST + LAST:
                first = first_of_copy(symbols, lines, place, period, length + period)
                yield Series(start + first, period, copies, stack)
            place += length
