"""Compute the x of the nodes: first straight chains, then positions close to the spine and to the neighbours.

Segments become straight greedily by priority, as long as no two of them cross. Nodes that straight segments
connect form a block and move together. All blocks are packed to the left, then moved towards the median of
their neighbours as far as there is room; the spine's block stays in place.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import chain, pairwise

from fxsummary.layout.boxes import Spacing
from fxsummary.layout.level import Level, Segment

SWEEPS = 6
MOST_DRIFT, DRIFT_ROOM = 1.6, 60.0
"""Maximum width of a straight chain, as a factor of its widest box plus a number of px."""


@dataclass(slots=True, eq=False)
class _Block:
    """Nodes that straight segments connect.

    Attributes:
        low, high: left and right end relative to x.
        left, right: its neighbours and the minimum distance to them.
        pulls: the (own offset, other block, other offset) that a straight segment would make equal.
    """

    x: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    left: dict[_Block, float] = field(default_factory=dict)
    right: dict[_Block, float] = field(default_factory=dict)
    pulls: list[tuple[float, _Block, float]] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """x of the middle relative to x."""
        return (self.low + self.high) / 2

    def wish(self) -> float:
        """Return the offset that would align it with its median neighbour."""
        shifts = sorted(other.x + theirs - own for own, other, theirs in self.pulls)
        if not shifts:
            return 0.0
        half = len(shifts) // 2
        median = shifts[half] if len(shifts) % 2 else (shifts[half - 1] + shifts[half]) / 2
        return median - self.x


_Places = dict[int, tuple[_Block, float]]
"""The block of each node, and the x of the node relative to its block."""


def assign_x(level: Level, spacing: Spacing, cuts: Container[int] = ()) -> None:
    """Set ``level.x``, the left border of each node, and mark the straight segments.

    The parts above and below a gap in ``cuts`` are placed independently.
    """
    _align(level, cuts)
    places = _find_blocks(level)
    order = _separate(level, places, spacing)
    for block in order:  # packed to the left
        block.x = max((left.x + distance for left, distance in block.left.items()), default=0.0)
    _collect_pulls(level, places, cuts)
    weights: dict[_Block, float] = {}
    for head in (level.links[i].head for i in sorted(level.spine)):
        block, _ = places[head]
        weights[block] = weights.get(block, 0.0) + level.nodes[head].weight
    fixed = max(weights, key=weights.__getitem__, default=None)  # has the heaviest part of the spine
    for _ in range(SWEEPS):
        if not _relax(order, fixed):
            break
    level.x = [places[node][0].x + places[node][1] for node in range(len(level.nodes))]
    least = min(level.x, default=0.0)
    level.x = [x - least for x in level.x]


def _align(level: Level, cuts: Container[int]) -> None:
    """Mark the segments that become straight: at most one above and one below a node, none crossing.

    A chain that drifts sideways, because wires enter its boxes on one side and leave on the other, is broken: `reaches`
    has x of the last box, both ends and the widest box of the chain down to each node.
    """
    where = level.places()
    reaches = [(0.0, 0.0, node.width, node.width) for node in level.nodes]
    for segment in chain.from_iterable(level.gaps):
        segment.aligned = segment.broken = False
    for number, gap in enumerate(level.gaps):
        if number in cuts:
            continue
        taken: list[tuple[int, int]] = []
        lowers: set[int] = set()
        uppers: set[int] = set()
        middles = _middles(gap, where)
        for segment in sorted(gap, key=lambda s: (-s.priority, middles[id(s)], where[s.upper], where[s.lower])):
            if segment.upper in uppers or segment.lower in lowers:
                continue
            ends = where[segment.upper], where[segment.lower]
            at = bisect_left(taken, ends)
            if (at > 0 and taken[at - 1][1] > ends[1]) or (at < len(taken) and taken[at][1] < ends[1]):
                continue
            x, low, high, widest = reaches[segment.upper]
            x, width = x + level.leave_at(segment) - level.enter_at(segment), level.nodes[segment.lower].width
            low, high, widest = min(low, x), max(high, x + width), max(widest, width)
            segment.broken = high - low > MOST_DRIFT * widest + DRIFT_ROOM
            uppers.add(segment.upper)
            lowers.add(segment.lower)
            if not segment.broken:
                insort(taken, ends)
                reaches[segment.lower] = x, low, high, widest
                segment.aligned = True


def _middles(gap: list[Segment], where: list[int]) -> dict[int, float]:
    """Return for each segment its distance from the middle segment of its upper and of its lower node."""
    fans: dict[tuple[str, int], list[Segment]] = {}
    for segment in gap:
        fans.setdefault(("upper", segment.upper), []).append(segment)
        fans.setdefault(("lower", segment.lower), []).append(segment)
    distance = {id(segment): 0.0 for segment in gap}
    for (end, _), fan in fans.items():
        fan.sort(key=lambda s: where[s.lower if end == "upper" else s.upper])
        for place, segment in enumerate(fan):
            distance[id(segment)] += abs(place - (len(fan) - 1) / 2)
    return distance


def _find_blocks(level: Level) -> _Places:
    places: _Places = {}
    straight = {s.lower: s for gap in level.gaps for s in gap if s.aligned}
    for node in chain.from_iterable(level.layers):
        block, offset = _Block(), 0.0
        if segment := straight.get(node):
            block, above = places[segment.upper]
            offset = above + level.leave_at(segment) - level.enter_at(segment)
        places[node] = block, offset
        block.low = min(block.low, offset)
        block.high = max(block.high, offset + level.nodes[node].width)
    return places


def _separate(level: Level, places: _Places, spacing: Spacing) -> list[_Block]:
    """Compute the minimum distances between blocks; return the blocks from left to right, after those that limit it."""
    for layer in level.layers:
        for a, b in pairwise(layer):
            (left, x), (right, to) = places[a], places[b]
            solid = level.nodes[a].solid + level.nodes[b].solid
            beside = level.sides.get(a) == b or level.sides.get(b) == a
            gap = spacing.horizontal if beside or solid == 2 else (spacing.track, spacing.horizontal * 0.75)[solid]
            distance = x + level.nodes[a].width + gap - to
            left.right[right] = right.left[left] = max(distance, left.right.get(right, distance))
    waiting = {block: len(block.left) for block, _ in places.values()}
    order = [block for block, number in waiting.items() if not number]
    for block in order:
        for right in block.right:
            waiting[right] -= 1
            if not waiting[right]:
                order.append(right)
    return order


def _collect_pulls(level: Level, places: _Places, cuts: Container[int]) -> None:
    for number, gap in enumerate(level.gaps):
        for segment in gap if number not in cuts else ():
            (upper, leave), (lower, enter) = places[segment.upper], places[segment.lower]
            leave += level.leave_at(segment)
            enter += level.enter_at(segment)
            if segment.broken:
                leave, enter = upper.middle, lower.middle
            if upper is not lower:
                upper.pulls.append((leave, lower, enter))
                lower.pulls.append((enter, upper, leave))
    for lane, target in level.sides.items():
        (beside, own), (block, other) = places[lane], places[target]
        if beside is not block:
            beside.pulls.append((own, block, other))


def _relax(order: list[_Block], fixed: _Block | None) -> bool:
    """Move each block towards the median of its neighbours, first to the right; return whether any moved."""
    moved = False
    for sign, least in ((1, min), (-1, max)):
        for block in order[::-sign]:
            wish = block.wish() if block is not fixed else 0.0
            beside = block.right if sign > 0 else block.left
            ends = [other.x - sign * distance for other, distance in beside.items()]
            step = least(wish, least(ends, default=sign * float("inf")) - block.x)
            if sign * step > 0.01:
                block.x += step
                moved = True
    return moved
