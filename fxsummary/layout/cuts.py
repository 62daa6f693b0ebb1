"""Find where to cut a level into columns: the gaps, the wires that cross them, and the best cuts."""

from __future__ import annotations

from fxsummary.layout.level import Level
from fxsummary.layout.routing import Routed

MOST_WIRES = (1, 2, 3, 5, 8, 14)
"""Limits for the number of wires that a cut severs, tried in this order."""


def crossing_wires(level: Level) -> dict[int, set[int]]:
    """Return for each gap that can be cut the trunks that would cross to the next column.

    Trunks that start at a port and lead only to later layers do not cross, nor do trunks that end at a port.
    """
    heads: dict[int, int] = {}
    first: dict[int, int] = {}
    tails: dict[int, int] = {}
    for i, link in enumerate(level.links):
        if i in level.upwards:
            continue
        trunk, tail, head = level.trunks[i], link.tail, link.head
        tails[trunk] = -1 if level.nodes[tail].end < 0 else level.layer[tail]
        if level.nodes[head].end <= 0:
            heads[trunk] = max(heads.get(trunk, -1), level.layer[head])
            first[trunk] = min(first.get(trunk, level.layer[head]), level.layer[head])
    ends = [(level.layer[level.links[i].head], level.layer[level.links[i].tail]) for i in level.upwards]
    up = {gap for top, bottom in ends for gap in range(top, bottom + 2)}
    starts: dict[int, list[int]] = {}
    stops: dict[int, list[int]] = {}
    for trunk, last in heads.items():
        starts.setdefault((tails[trunk] if tails[trunk] >= 0 else first[trunk]) + 1, []).append(trunk)
        stops.setdefault(last + 1, []).append(trunk)
    gaps: dict[int, set[int]] = {}
    crossing: set[int] = set()
    for gap in range(1, len(level.layers)):
        crossing.update(starts.get(gap, ()))
        crossing.difference_update(stops.get(gap, ()))
        boxes = gap not in up and _has_box(level, gap - 1) and _has_box(level, gap)
        if boxes and 0 < len(crossing) <= MOST_WIRES[-1]:
            gaps[gap] = set(crossing)
    return gaps


def _has_box(level: Level, layer: int) -> bool:
    return any(level.nodes[node].solid for node in level.layers[layer])


def partition(routed: Routed, cuts: list[int], count: int) -> list[int]:
    """Choose at most ``count - 1`` cuts that minimize the height of the highest column."""
    low, high = 0.0, routed.height
    chosen: list[int] = []
    for _ in range(20):
        limit = (low + high) / 2
        found = _greedy(routed, cuts, limit)
        if found is not None and len(found) < count:
            high, chosen = limit, found
        else:
            low = limit
    return chosen


def _greedy(routed: Routed, cuts: list[int], limit: float) -> list[int] | None:
    """Fill columns up to a height; None if a piece between two cuts is higher."""
    chosen: list[int] = []
    start = 0.0
    stops = [*cuts, len(routed.tops)]
    for place, cut in enumerate(stops):
        if routed.bottoms[cut - 1] - start <= limit:
            continue
        if place == 0:
            return None
        before = stops[place - 1]
        if chosen and chosen[-1] == before:
            return None
        chosen.append(before)
        start = routed.tops[before]
        if routed.bottoms[cut - 1] - start > limit:
            return None
    return chosen
