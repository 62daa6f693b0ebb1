"""Long series of blocks that are alike in size, class and path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.fold.symbols import DIGITS

FIRST, LAST = 2, 2
"""Number of blocks that stay at the ends of a series, at least two each."""
LEAST_OPERATIONS = 1000
"""Number of operations that must be left out to be worth the search."""
MOST_LEVELS = 4
"""Number of levels of modules in which a series is sought, outer ones first."""

Stack = tuple[ModuleCall, ...]


class Series(NamedTuple):
    """Blocks in a row: the place of the first operation, operations per block, the level and calls of the blocks."""

    start: int
    size: int
    level: int
    calls: Sequence[ModuleCall]

    @property
    def left_out(self) -> int:
        """Number of blocks that are left out."""
        return len(self.calls) - FIRST - LAST

    def places(self, number: int) -> slice:
        """Return the places of the operations of a block."""
        start = self.start + number * self.size
        return slice(start, start + self.size)


def longest(graph: ModelGraph) -> Series | None:
    """Return the longest series of the outermost level that has one."""
    stacks = segments([data["module_stack"] for _, data in graph.nodes(data=True)])
    for level in range(MOST_LEVELS):
        found = max(_series(stacks, level), key=lambda each: each.left_out * each.size, default=None)
        if found is not None and found.left_out * found.size >= LEAST_OPERATIONS:
            return found
    return None


def segments(stacks: Sequence[Stack]) -> list[tuple[Stack, int]]:
    """Return the stacks without repetitions, each with its number of operations."""
    groups = [list(group) for _, group in groupby(stacks, key=id)]
    return [(group[0], len(group)) for group in groups]


def _series(stacks: Sequence[tuple[Stack, int]], level: int) -> Iterator[Series]:
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
        members = list(alike)
        if len(members) > FIRST + LAST and types[members[0][0][-1].type] == len(members):
            yield Series(members[0][1], members[0][2], level, [stack[-1] for stack, _, _ in members])
