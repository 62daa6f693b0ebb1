"""Compute the x of the nodes: first straight chains, then positions close to the spine and to the neighbours.

Segments become straight greedily by priority, as long as no two of them cross. Nodes that straight segments
connect form a block and move together. All blocks are packed to the left, then moved towards the median of
their neighbours as far as there is room; the spine's block stays in place.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from fxsummary.layout.boxes import Spacing
from fxsummary.layout.level import Level, Segment

SWEEPS = 6
MOST_DRIFT, DRIFT_ROOM = 1.6, 60.0
"""Maximum width of a straight chain, as a factor of its widest box plus a number of px."""


@dataclass(slots=True)
class _Blocks:
    """Blocks: nodes that straight segments connect.

    Attributes:
        of: the block of each node; offset: x of a node relative to its block.
        middle: x of each block's middle relative to the block.
        x: x of each block; order: blocks from left to right, each after the blocks that limit it.
        left, right: for each block its neighbours and the minimum distance to them.
        pulls: for each block the (own offset, other block, other offset) that a straight segment would make equal.
    """

    of: list[int]
    offset: list[float]
    middle: list[float] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    left: list[dict[int, float]] = field(default_factory=list)
    right: list[dict[int, float]] = field(default_factory=list)
    pulls: list[list[tuple[float, int, float]]] = field(default_factory=list)


def assign_x(level: Level, spacing: Spacing, cuts: Container[int] = ()) -> None:
    """Set ``level.x``, the left border of each node, and mark the straight segments.

    The parts above and below a gap in ``cuts`` are placed independently.
    """
    where = {node: place for layer in level.layers for place, node in enumerate(layer)}
    _align(level, where, cuts)
    blocks = _build_blocks(level)
    _separate(level, blocks, spacing)
    for block in blocks.order:  # packed to the left
        blocks.x[block] = max((blocks.x[left] + d for left, d in blocks.left[block].items()), default=0.0)
    _collect_pulls(level, blocks, cuts)
    fixed = _spine_block(level, blocks)
    for _ in range(SWEEPS):
        if not _relax(blocks, fixed):
            break
    level.x = [blocks.x[blocks.of[node]] + blocks.offset[node] for node in range(len(level.nodes))]
    least = min(level.x, default=0.0)
    level.x = [x - least for x in level.x]


def _align(level: Level, where: dict[int, int], cuts: Container[int]) -> None:
    """Mark the segments that become straight: at most one above and one below a node, none crossing.

    A chain that drifts sideways, because wires enter its boxes on one side and leave on the other, is broken.
    """
    reaches = [_Reach(0.0, 0.0, node.width, node.width) for node in level.nodes]
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
            reach = _extended(level, reaches[segment.upper], segment)
            segment.broken = reach.high - reach.low > MOST_DRIFT * reach.widest + DRIFT_ROOM
            uppers.add(segment.upper)
            lowers.add(segment.lower)
            if not segment.broken:
                insort(taken, ends)
                reaches[segment.lower] = reach
                segment.aligned = True


class _Reach(NamedTuple):
    """The extent of a straight chain so far: x of its last box, its ends on both sides, its widest box."""

    x: float
    low: float
    high: float
    widest: float


def _extended(level: Level, reach: _Reach, segment: Segment) -> _Reach:
    """Return the extent of a chain with one more segment."""
    x = reach.x + level.leave(segment.upper, segment.value) - level.enter(segment.lower, segment.value)
    width = level.nodes[segment.lower].width
    return _Reach(x, min(reach.low, x), max(reach.high, x + width), max(reach.widest, width))


def _middles(gap: list[Segment], where: dict[int, int]) -> dict[int, float]:
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


def _build_blocks(level: Level) -> _Blocks:
    blocks = _Blocks(of=[-1] * len(level.nodes), offset=[0.0] * len(level.nodes))
    straight = {s.lower: s for gap in level.gaps for s in gap if s.aligned}
    for layer in level.layers:
        for node in layer:
            segment = straight.get(node)
            if segment is None:
                blocks.of[node] = len(blocks.x)
                blocks.x.append(0.0)
                continue
            blocks.of[node] = blocks.of[segment.upper]
            pin = blocks.offset[segment.upper] + level.leave(segment.upper, segment.value)
            blocks.offset[node] = pin - level.enter(node, segment.value)
    ends = [(float("inf"), float("-inf"))] * len(blocks.x)
    for node, block in enumerate(blocks.of):
        low, high = ends[block]
        left = blocks.offset[node]
        ends[block] = min(low, left), max(high, left + level.nodes[node].width)
    blocks.middle = [(low + high) / 2 for low, high in ends]
    return blocks


def _separate(level: Level, blocks: _Blocks, spacing: Spacing) -> None:
    """Compute the minimum distances between blocks, and the blocks from left to right."""
    count = len(blocks.x)
    blocks.left = [{} for _ in range(count)]
    blocks.right = [{} for _ in range(count)]
    for layer in level.layers:
        for a, b in pairwise(layer):
            distance = blocks.offset[a] + level.nodes[a].width + _gap(level, a, b, spacing) - blocks.offset[b]
            left, right = blocks.of[a], blocks.of[b]
            distance = max(distance, blocks.right[left].get(right, distance))
            blocks.right[left][right] = blocks.left[right][left] = distance
    waiting = [len(items) for items in blocks.left]
    blocks.order = [block for block in range(count) if not waiting[block]]
    for block in blocks.order:
        for right in blocks.right[block]:
            waiting[right] -= 1
            if not waiting[right]:
                blocks.order.append(right)


def _gap(level: Level, a: int, b: int, spacing: Spacing) -> float:
    solid = level.nodes[a].solid + level.nodes[b].solid
    if level.sides.get(a) == b or level.sides.get(b) == a:
        return spacing.horizontal
    return (spacing.track, spacing.horizontal * 0.75, spacing.horizontal)[solid]


def _collect_pulls(level: Level, blocks: _Blocks, cuts: Container[int]) -> None:
    blocks.pulls = [[] for _ in blocks.x]
    for number, gap in enumerate(level.gaps):
        for segment in gap if number not in cuts else ():
            upper, lower = blocks.of[segment.upper], blocks.of[segment.lower]
            if upper == lower:
                continue
            leave = blocks.offset[segment.upper] + level.leave(segment.upper, segment.value)
            enter = blocks.offset[segment.lower] + level.enter(segment.lower, segment.value)
            if segment.broken:
                leave, enter = blocks.middle[upper], blocks.middle[lower]
            blocks.pulls[upper].append((leave, lower, enter))
            blocks.pulls[lower].append((enter, upper, leave))
    for lane, target in level.sides.items():
        beside, block = blocks.of[lane], blocks.of[target]
        if beside != block:
            blocks.pulls[beside].append((blocks.offset[lane], block, blocks.offset[target]))


def _spine_block(level: Level, blocks: _Blocks) -> int:
    """Return the block with the heaviest part of the spine."""
    weights: dict[int, float] = {}
    for i in sorted(level.spine):
        block = blocks.of[level.links[i].head]
        weights[block] = weights.get(block, 0.0) + level.nodes[level.links[i].head].weight
    return max(weights, key=weights.__getitem__) if weights else -1


def _relax(blocks: _Blocks, fixed: int) -> bool:
    """Move each block towards the median of its neighbours, first to the right; return whether any moved."""
    moved = False
    for sign, beside, least in ((1, blocks.right, min), (-1, blocks.left, max)):
        for block in blocks.order[::-sign]:
            wish = _wish(blocks, block) if block != fixed else 0.0
            ends = [blocks.x[other] - sign * distance for other, distance in beside[block].items()]
            step = least(wish, least(ends, default=sign * float("inf")) - blocks.x[block])
            if sign * step > 0.01:
                blocks.x[block] += step
                moved = True
    return moved


def _wish(blocks: _Blocks, block: int) -> float:
    """Return the offset that would align a block with its median neighbour."""
    shifts = sorted(blocks.x[other] + theirs - own for own, other, theirs in blocks.pulls[block])
    if not shifts:
        return 0.0
    middle = len(shifts) // 2
    median = shifts[middle] if len(shifts) % 2 else (shifts[middle - 1] + shifts[middle]) / 2
    return median - blocks.x[block]
