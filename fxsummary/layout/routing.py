"""Compute the y of the layers and the corners of every chain, for a level whose nodes have their x.

Between two layers, each trunk has one horizontal track; tracks are ordered so that they cross and touch little.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

from fxsummary.layout.boxes import Point, Spacing
from fxsummary.layout.level import Level, Segment

ARROW_ROOM = 10.0
NARROW = 4.0
STRAIGHT = 0.01
"""Maximum horizontal distance between the ends of a straight segment."""
# Ordering compares all pairs of tracks; gaps with more tracks than this are ordered by track ends alone.
MOST_COMPARED = 60
NEAR = 4.0
TOUCH_COST = 50

Corner = tuple[float, Point]
"""The layer of a corner (half numbers are the gaps above the next layer) and its position."""


@dataclass(slots=True)
class Routed:
    """A finished level.

    Attributes:
        x, y: left and top border of the given nodes.
        corners: for each link the corners of its wire.
        tops, bottoms: y of the borders of each layer; width, height: total size.
    """

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    corners: list[list[Corner]] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


@dataclass(slots=True)
class Track:
    """A horizontal wire piece in a gap.

    Attributes:
        up, down: x of its ends at the layer above and at the layer below.
        place: number of the track, counted from the top; y: its position.
    """

    up: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    place: int = 0
    y: float = 0.0

    @property
    def low(self) -> float:
        """Left end."""
        return min(*self.up, *self.down)

    @property
    def high(self) -> float:
        """Right end."""
        return max(*self.up, *self.down)


class Router:
    """Routes one level; the methods are its steps."""

    def __init__(self, level: Level, spacing: Spacing) -> None:
        self.level = level
        self.spacing = spacing
        self.pins = _pins(level)
        self.tracks: list[dict[int, Track]] = [{} for _ in level.gaps]
        self.result = Routed(x=list(level.x))

    def run(self) -> Routed:
        """Run all steps in order."""
        self._collect_tracks()
        self._stack_layers()
        self.result.corners = [self._corners(i) for i in range(len(self.level.links))]
        ends = [x + node.width for x, node in zip(self.level.x, self.level.nodes, strict=True)]
        self.result.width = max(ends, default=0.0)
        return self.result

    def _ends(self, segment: Segment) -> tuple[float, float]:
        """Return the x at which a segment leaves its first node and enters its second."""
        return _leaves(self.level, segment), self.pins.get(id(segment), self.level.x[segment.lower])

    def _collect_tracks(self) -> None:
        for segment in chain.from_iterable(self.level.gaps):
            leave, enter = self._ends(segment)
            if abs(leave - enter) > STRAIGHT:
                track = self.tracks[segment.gap].setdefault(segment.trunk, Track())
                track.up.append(leave)
                track.down.append(enter)
        for i in sorted(self.level.upwards):
            out, *_, into = self.level.chains[i]
            self.tracks[out.gap][out.trunk] = Track(up=[*self._ends(out)])
            self.tracks[into.gap][into.trunk] = Track(down=[*self._ends(into)])

    def _stack_layers(self) -> None:
        level, y = self.level, 0.0
        for number, gap in enumerate(self.tracks):
            room, first = self._room(number, place_tracks(list(gap.values())))
            for track in gap.values():
                track.y = y + first + track.place * self.spacing.track
            y += room
            if number < len(level.layers):
                self.result.tops.append(y)
                y += max((level.nodes[n].height for n in level.layers[number]), default=0.0)
                self.result.bottoms.append(y)
        self.result.height = y
        inputs = {segment.lower for gap in level.gaps for segment in gap}
        for number, node in enumerate(level.nodes):
            top, bottom = self.result.tops[level.layer[number]], self.result.bottoms[level.layer[number]]
            low = number not in inputs and not node.end
            self.result.y.append(bottom - node.height if low and level.layer[number] else top)

    def _room(self, gap: int, tracks: int) -> tuple[float, float]:
        """Return the height of a gap, and the y of its first track in it."""
        level, nodes = self.level, self.level.nodes
        above = level.layers[gap - 1] if gap else []
        below = level.layers[gap] if gap < len(level.layers) else []
        arrows = any(nodes[n].solid for n in below)
        leaving = any(nodes[n].solid for n in above)
        spread = max(0, tracks - 1) * self.spacing.track
        if not above or not below:
            return (spread + 2 * ARROW_ROOM if tracks else 0.0), ARROW_ROOM
        if not tracks:
            return (self.spacing.vertical if leaving else 14.0) if arrows else NARROW * 2, 0.0
        lead = 7.0 if leaving else NARROW
        return lead + spread + (ARROW_ROOM + 9.0 if arrows else 7.0), lead

    def _corners(self, i: int) -> list[Corner]:
        level, segments, head = self.level, self.level.chains[i], self.level.links[i].head
        tail, last, at = segments[0].upper, segments[-1], level.layer[head]
        bottom = self.result.y[tail] + level.nodes[tail].body_height
        corners: list[Corner] = [(level.layer[tail], Point(_leaves(level, segments[0]), bottom))]
        for segment in segments:
            step = self._step(segment)
            rises = i in level.upwards and level.layer[segment.upper] < level.layer[segment.lower]
            corners += reversed(step) if rises else step
        if last.lower == head:
            return [*corners, (at, Point(self.pins[id(last)], self.result.y[head]))]
        lane = level.x[last.lower]  # beside the head
        y = self.result.y[head] + level.nodes[head].body_height / 2
        edge = level.x[head] + (level.nodes[head].width if lane > level.x[head] else 0.0)
        return [*corners, (at, Point(lane, y)), (at, Point(edge, y))]

    def _step(self, segment: Segment) -> list[Corner]:
        leave, enter = self._ends(segment)
        if abs(leave - enter) <= STRAIGHT:
            return []
        place, y = segment.gap - 0.5, self.tracks[segment.gap][segment.trunk].y
        return [(place, Point(leave, y)), (place, Point(enter, y))]


def _leaves(level: Level, segment: Segment) -> float:
    return level.x[segment.upper] + level.leave_at(segment)


def _pins(level: Level) -> dict[int, float]:
    """Return the x at which each segment, by its identity, enters a node from above."""
    arriving: dict[int, list[Segment]] = {}
    for segment in [*chain.from_iterable(level.gaps), *(level.chains[i][-1] for i in level.upwards)]:
        arriving.setdefault(segment.lower, []).append(segment)
    pins: dict[int, float] = {}
    for node, segments in arriving.items():
        segments.sort(key=lambda s: (_leaves(level, s), s.upper, s.value))
        offsets = _spread(level, node, [segment.aligned for segment in segments])
        for segment, offset in zip(segments, offsets, strict=True):
            pins[id(segment)] = level.x[node] + level.enter.get((node, segment.value), offset)
    return pins


def _spread(level: Level, number: int, aligned: list[bool]) -> list[float]:
    """Return the offsets of wires that enter a node from above: the straight one in the middle, others around it."""
    node = level.nodes[number]
    middle = aligned.index(True) if True in aligned else (len(aligned) - 1) / 2
    reach = max(middle, len(aligned) - 1 - middle)
    room = max(0.0, min(node.anchor, node.width - node.anchor) - 8)
    gap = min(node.pin_gap, room / reach) if reach else 0.0
    return [node.anchor + (place - middle) * gap for place in range(len(aligned))]


def place_tracks(tracks: list[Track]) -> int:
    """Number the tracks of a gap from the top, and return the number of rows."""
    used: list[list[tuple[float, float]]] = []
    for track in _ordered(tracks):
        low, high = track.low - NEAR, track.high + NEAR
        place = len(used)
        while place and not any(a < high and low < b for a, b in used[place - 1]):
            place -= 1
        if place == len(used):
            used.append([])
        track.place = place
        used[place].append((track.low, track.high))
    return len(used)


def _ordered(tracks: list[Track]) -> list[Track]:
    """Order tracks from top to bottom: repeatedly choose the one with the lowest cost above all others left."""
    rest = sorted(tracks, key=_by_direction)
    if len(rest) > MOST_COMPARED:
        return rest
    cost = [[_cost(a, b) if a is not b else 0 for b in rest] for a in rest]
    total = {i: sum(cost[i]) - sum(row[i] for row in cost) for i in range(len(rest))}
    ordered: list[Track] = []
    while total:
        best = min(total, key=total.__getitem__)
        del total[best]
        for i in total:
            total[i] -= cost[i][best] - cost[best][i]
        ordered.append(rest[best])
    return ordered


def _by_direction(track: Track) -> tuple[bool, float, float]:
    """Order tracks by their ends: those going right from the right end, then those going left from the left end."""
    rightwards = sum(track.down) * len(track.up) > sum(track.up) * len(track.down)
    start = min(track.up, default=track.low)
    return not rightwards, -start if rightwards else start, track.high


def _cost(above: Track, below: Track) -> int:
    """Return the cost of one track above another: crossings, and touches, which cost more."""
    crossings = sum(above.low < x < above.high for x in below.up) + sum(below.low < x < below.high for x in above.down)
    touches = sum(abs(a - b) < NEAR for a in above.down for b in below.up)
    return crossings + TOUCH_COST * touches
