"""Order the nodes in each layer, with few crossings, especially of the spine; add lanes beside nodes."""

from __future__ import annotations

from bisect import bisect_right

from fxsummary.layout.level import Level, Segment

SWEEPS = 12
SPINE_WEIGHT = 4
# Transposing two nodes compares all pairs of their segments; with more pairs than this, only barycentres are used.
MOST_PAIRS = 400
# Number of sweeps over all segments of a level: fewer for large levels.
MOST_STEPS = 40_000


def order_layers(level: Level) -> None:
    """Sort ``level.layers`` by sweeps down and up, and keep the best order."""
    above, below = _adjacency(level)
    where = level.places()
    best, kept = _crossings(level, where), [list(layer) for layer in level.layers]
    segments = sum(map(len, level.gaps))
    for sweep in range(min(SWEEPS, MOST_STEPS // max(segments, 1))):
        if best == 0:
            break
        _barycentre(level, where, above if sweep % 2 == 0 else below, upwards=sweep % 2 == 1)
        _transpose(level, where, above, below)
        crossings = _crossings(level, where)
        if crossings < best:
            best, kept = crossings, [list(layer) for layer in level.layers]
    level.layers = kept


def _adjacency(level: Level) -> tuple[list[list[Segment]], list[list[Segment]]]:
    above: list[list[Segment]] = [[] for _ in level.nodes]
    below: list[list[Segment]] = [[] for _ in level.nodes]
    for gap in level.gaps:
        for segment in gap:
            below[segment.upper].append(segment)
            above[segment.lower].append(segment)
    return above, below


def _upper_pin(level: Level, where: list[int], segment: Segment) -> float:
    """Return the place of a segment's upper end: the node's place plus the port's share of its width."""
    return where[segment.upper] + level.leave_at(segment) / (level.nodes[segment.upper].width + 1)


def _lower_pin(level: Level, where: list[int], segment: Segment) -> float:
    return where[segment.lower] + level.enter_at(segment) / (level.nodes[segment.lower].width + 1)


def _crossings(level: Level, where: list[int]) -> int:
    """Count the crossings in all gaps; those of the spine count `SPINE_WEIGHT` times."""
    total = 0
    for gap in level.gaps:
        ends = sorted((_upper_pin(level, where, s), _lower_pin(level, where, s), s.priority == 3) for s in gap)
        total += _inversions([lower for _, lower, _ in ends])
        for upper, lower in ((upper, lower) for upper, lower, spine in ends if spine):
            total += (SPINE_WEIGHT - 1) * sum((u - upper) * (low - lower) < 0 for u, low, _ in ends)
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


def _barycentre(level: Level, where: list[int], adjacent: list[list[Segment]], *, upwards: bool) -> None:
    """Sort each layer by the mean place of the neighbours in the previous layer."""
    pin = _lower_pin if upwards else _upper_pin
    wish: dict[int, float] = {}
    for layer in reversed(level.layers) if upwards else level.layers:
        for node in layer:
            pins = [pin(level, where, segment) for segment in adjacent[node]]
            wish[node] = sum(pins) / len(pins) if pins else where[node]
        layer.sort(key=wish.__getitem__)
        for place, node in enumerate(layer):
            where[node] = place


def _transpose(level: Level, where: list[int], above: list[list[Segment]], below: list[list[Segment]]) -> None:
    """Swap neighbours while that removes crossings, in at most four rounds."""
    for _ in range(4):
        swapped = False
        for layer in level.layers:
            for place in range(len(layer) - 1):
                left, right = layer[place], layer[place + 1]
                if _gain(level, where, left, right, above, below) > 0:
                    layer[place], layer[place + 1] = right, left
                    where[left], where[right] = where[right], where[left]
                    swapped = True
        if not swapped:
            return


def _gain(
    level: Level, where: list[int], left: int, right: int, above: list[list[Segment]], below: list[list[Segment]]
) -> int:
    """Return the number of crossings that swapping two neighbours removes."""
    gain = 0
    for adjacent, pin in ((above, _upper_pin), (below, _lower_pin)):
        if len(adjacent[left]) * len(adjacent[right]) > MOST_PAIRS:
            continue
        rights = [(pin(level, where, s), s.priority == 3) for s in adjacent[right]]
        for segment in adjacent[left]:
            at, spine = pin(level, where, segment), segment.priority == 3
            for other, other_spine in rights:
                weight = SPINE_WEIGHT if spine or other_spine else 1
                gain += weight * ((at > other) - (at < other))
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
        top = _from_above(level, segments)
        if top > 0:
            _lead_beside(level, segments[0], right=False)
        if top < len(segments) - 1:
            _lead_beside(level, segments[-1], right=True)


def _from_above(level: Level, segments: list[Segment]) -> int:
    """Return the index of the input that stays on top: the spine's, else a box's, else the middle one."""
    middle = (len(segments) - 1) / 2

    def rank(i: int) -> tuple[bool, bool, float]:
        segment = segments[i]
        return segment.priority != 3, level.nodes[segment.upper].lane, abs(i - middle)

    return min(range(len(segments)), key=rank)


def _lead_beside(level: Level, segment: Segment, *, right: bool) -> None:
    target = segment.lower
    layer = level.layer[target]
    segment.lower = level.add_lane(layer, level.layers[layer].index(target) + int(right))
    level.sides[segment.lower] = target
    if level.nodes[segment.upper].lane:
        segment.priority = max(segment.priority, 2)
