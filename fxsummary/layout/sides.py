"""Wires that enter a node from the side: one on the left and one on the right, the middle one from above."""

from __future__ import annotations

from fxsummary.layout.level import Level, Segment


def add_side_lanes(level: Level) -> None:
    """Lead the outer inputs of nodes with `side_entry` through a lane beside the node."""
    where = {node: place for layer in level.layers for place, node in enumerate(layer)}
    inputs: dict[int, list[Segment]] = {}
    arriving: dict[int, list[int]] = {}
    for i, link in enumerate(level.links):
        if i not in level.upwards:
            arriving.setdefault(link.head, []).append(i)
    for gap in level.gaps:
        for segment in gap:
            if level.nodes[segment.lower].side_entry:
                inputs.setdefault(segment.lower, []).append(segment)
    for target, segments in inputs.items():
        if len(segments) < 2:
            continue
        segments.sort(key=lambda s: where[s.upper])
        top = _from_above(level, segments)
        if top > 0:
            _lead_beside(level, segments[0], arriving[target], right=False)
        if top < len(segments) - 1:
            _lead_beside(level, segments[-1], arriving[target], right=True)


def _from_above(level: Level, segments: list[Segment]) -> int:
    """Index of the input that stays on top: the spine's, else a box's, else the middle one."""
    middle = (len(segments) - 1) / 2

    def rank(i: int) -> tuple[bool, bool, float]:
        segment = segments[i]
        return segment.priority != 3, level.nodes[segment.upper].lane, abs(i - middle)

    return min(range(len(segments)), key=rank)


def _lead_beside(level: Level, segment: Segment, arriving: list[int], *, right: bool) -> None:
    target = segment.lower
    layer = level.layer[target]
    lane = level.add_lane(layer, level.layers[layer].index(target) + int(right))
    level.sides[lane] = target
    segment.lower = lane
    if level.nodes[segment.upper].lane:
        segment.priority = max(segment.priority, 2)
    for i in arriving:
        if level.chains[i][-2] == segment.upper and level.links[i].value == segment.value:
            level.chains[i].insert(-1, lane)
