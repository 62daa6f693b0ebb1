"""Find where to cut a level into columns: the gaps, the wires that cross them, and the best cuts."""

from __future__ import annotations

from fxsummary.layout.level import Level
from fxsummary.layout.routing import Routed

MOST_WIRES = (1, 2, 3, 5, 8, 14)
"""Limits for the number of wires that a cut severs, tried in this order."""


def crossing_wires(level: Level) -> dict[int, set[int]]:
    """Return for each gap that can be cut the trunks that would cross to the next column.

    A trunk that starts at a port and leads only to later layers does not cross, nor does one that ends at a port.
    """
    start: dict[int, int] = {}
    end: dict[int, int] = {}
    for i, link in enumerate(level.links):
        if i in level.upwards or level.nodes[link.head].end > 0:
            continue
        trunk, head = level.chains[i][0].trunk, level.layer[link.head]
        tail = head if level.nodes[link.tail].end < 0 else level.layer[link.tail]
        start[trunk] = min(start.get(trunk, tail), tail)
        end[trunk] = max(end.get(trunk, head), head)
    risen = [level.chains[i] for i in level.upwards]
    up = {gap for chain in risen for gap in range(chain[-1].gap, chain[0].gap + 1)}
    gaps: dict[int, set[int]] = {}
    for gap in range(1, len(level.layers)):
        crossing = {s.trunk for s in level.gaps[gap] if s.trunk in start and start[s.trunk] < gap <= end[s.trunk]}
        boxes = gap not in up and _has_box(level, gap - 1) and _has_box(level, gap)
        if boxes and 0 < len(crossing) <= MOST_WIRES[-1]:
            gaps[gap] = crossing
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
    start, before = 0.0, 0
    for cut in (*cuts, len(routed.tops)):
        if routed.bottoms[cut - 1] - start > limit:
            start = routed.tops[before]
            if before == 0 or routed.bottoms[cut - 1] - start > limit:
                return None
            chosen.append(before)
        before = cut
    return chosen
