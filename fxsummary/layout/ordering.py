"""Order the nodes in each layer, with few crossings, especially of the spine; add lanes beside nodes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain

from fxsummary.layout.level import Level, Segment

SWEEPS = 12
SPINE_WEIGHT = 4
# Transposing two nodes compares all pairs of their segments; with more pairs than this, only barycentres are used.
MOST_PAIRS = 400
# Number of sweeps over all segments of a level: fewer for large levels.
MOST_STEPS = 40_000


_Pins = list[list[tuple[int, float, bool]]]
"""For each node the other ends of its segments: node, share of that node's width, whether it is on the spine."""


def order_layers(level: Level) -> None:
    """Sort ``level.layers`` by sweeps down and up, and keep the best order."""
    above: _Pins = [[] for _ in level.nodes]
    below: _Pins = [[] for _ in level.nodes]
    for segment in chain.from_iterable(level.gaps):
        upper, lower, spine = segment.upper, segment.lower, segment.priority == 3
        above[lower].append((upper, level.leave_at(segment) / (level.nodes[upper].width + 1), spine))
        below[upper].append((lower, level.enter_at(segment) / (level.nodes[lower].width + 1), spine))
    where = level.places()
    best, kept = _crossings(level, where), [list(layer) for layer in level.layers]
    segments = sum(map(len, above))
    for sweep in range(min(SWEEPS, MOST_STEPS // max(segments, 1))):
        if best == 0:
            break
        layers, adjacent = (level.layers[::-1], below) if sweep % 2 else (level.layers, above)
        _barycentre(layers, adjacent, where)
        _transpose(level.layers, where, above, below)
        crossings = _crossings(level, where)
        if crossings < best:
            best, kept = crossings, [list(layer) for layer in level.layers]
    level.layers = kept


def _crossings(level: Level, where: list[int]) -> int:
    """Count the crossings in all gaps; those of the spine count `SPINE_WEIGHT` times."""
    total, width = 0, [node.width + 1 for node in level.nodes]
    for gap in level.gaps:
        uppers = [where[s.upper] + level.leave_at(s) / width[s.upper] for s in gap]
        lowers = [where[s.lower] + level.enter_at(s) / width[s.lower] for s in gap]
        ends = sorted(zip(uppers, lowers, strict=True))
        total += _inversions([lower for _, lower in ends])
        for upper, lower in (pins for *pins, s in zip(uppers, lowers, gap, strict=True) if s.priority == 3):
            total += (SPINE_WEIGHT - 1) * sum((u - upper) * (low - lower) < 0 for u, low in ends)
    return total


def _inversions(values: list[float]) -> int:
    """Count the pairs in descending order.

    >>> _inversions([1.0, 3.0, 2.0, 2.0]), _inversions([3.0, 2.0, 1.0])
    (2, 3)
    """
    seen: list[float] = []
    total = 0
    for value in values:
        place = bisect_right(seen, value)
        total += len(seen) - place
        seen.insert(place, value)
    return total


def _barycentre(layers: Iterable[list[int]], adjacent: _Pins, where: list[int]) -> None:
    """Sort each layer by the mean place of the neighbours in the previous layer."""
    wish: dict[int, float] = {}
    for layer in layers:
        for node in layer:
            pins = [where[other] + share for other, share, _ in adjacent[node]]
            wish[node] = sum(pins) / len(pins) if pins else where[node]
        layer.sort(key=wish.__getitem__)
        for place, node in enumerate(layer):
            where[node] = place


def _transpose(layers: list[list[int]], where: list[int], *sides: _Pins) -> None:
    """Swap neighbours while that removes crossings, in at most four rounds."""
    for _ in range(4):
        swapped = False
        for layer in layers:
            for place in range(len(layer) - 1):
                left, right = layer[place], layer[place + 1]
                if sum(_gain(where, pins[left], pins[right]) for pins in sides) > 0:
                    layer[place], layer[place + 1] = right, left
                    where[left], where[right] = where[right], where[left]
                    swapped = True
        if not swapped:
            return


def _gain(where: list[int], left: list[tuple[int, float, bool]], right: list[tuple[int, float, bool]]) -> int:
    """Return the number of crossings on one side that swapping two neighbours removes."""
    if len(left) * len(right) > MOST_PAIRS:
        return 0
    gain = 0
    for node, share, spine in left:
        at = where[node] + share
        for other, other_share, other_spine in right:
            beyond = where[other] + other_share
            gain += (SPINE_WEIGHT if spine or other_spine else 1) * ((at > beyond) - (at < beyond))
    return gain


def add_side_lanes(level: Level) -> None:
    """Route the outer inputs of nodes with `side_entry` through a lane beside the node."""
    where = level.places()
    inputs: dict[int, list[Segment]] = {}
    for gap in level.gaps:
        for segment in gap:
            if level.nodes[segment.lower].side_entry:
                inputs.setdefault(segment.lower, []).append(segment)
    for segments in inputs.values():
        segments.sort(key=lambda s: where[s.upper])
        middle = (len(segments) - 1) / 2
        rank = [(s.priority != 3, level.nodes[s.upper].lane, abs(i - middle)) for i, s in enumerate(segments)]
        top = rank.index(min(rank))  # stays above: the spine's, else a box's, else the middle one
        if top > 0:
            _lead_beside(level, segments[0], right=False)
        if top < len(segments) - 1:
            _lead_beside(level, segments[-1], right=True)


def _lead_beside(level: Level, segment: Segment, *, right: bool) -> None:
    target = segment.lower
    layer = level.layer[target]
    segment.lower = level.add_lane(layer, level.layers[layer].index(target) + int(right))
    level.sides[segment.lower] = target
    if level.nodes[segment.upper].lane:
        segment.priority = max(segment.priority, 2)
