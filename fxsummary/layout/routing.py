"""Compute the y of the layers and the corners of every chain, for a level whose nodes have their x.

Between two layers, each trunk has one horizontal track; tracks are ordered so that they cross and touch little.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from fxsummary.layout.boxes import Point, Spacing
from fxsummary.layout.level import Level, Segment

ARROW_ROOM = 10.0
NARROW = 4.0
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
        place: number of the track, counted from the top.
    """

    up: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    place: int = 0

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
        self.segments = {(s.upper, s.lower, s.value): s for gap in level.gaps for s in gap}
        self.tracks: list[dict[tuple[str, int], Track]] = [{} for _ in level.gaps]
        self.result = Routed(x=list(level.x))

    def run(self) -> Routed:
        """Run all steps in order."""
        self._collect_tracks()
        self._stack_layers()
        for i in range(len(self.level.links)):
            self.result.corners.append(self._up(i) if i in self.level.upwards else self._down(i))
        ends = [x + node.width for x, node in zip(self.level.x, self.level.nodes, strict=True)]
        self.result.width = max(ends, default=0.0)
        return self.result

    def _ends(self, segment: Segment) -> tuple[float, float]:
        """Return the x at which a segment leaves its upper node and enters its lower node."""
        leave = self.level.x[segment.upper] + self.level.leave(segment.upper, segment.value)
        return leave, self.pins[segment.lower, segment.upper, segment.value]

    def _collect_tracks(self) -> None:
        for number, gap in enumerate(self.level.gaps):
            for segment in gap:
                leave, enter = self._ends(segment)
                if abs(leave - enter) > 0.01:
                    track = self.tracks[number].setdefault(("trunk", segment.trunk), Track())
                    track.up.append(leave)
                    track.down.append(enter)
        for i in sorted(self.level.upwards):
            chain, value = self.level.chains[i], self.level.links[i].value
            lane, top = self.level.x[chain[1]], self.level.x[chain[-2]]
            leave = self.level.x[chain[0]] + self.level.leave(chain[0], value)
            bottom_gap, top_gap = self.level.layer[chain[0]] + 1, self.level.layer[chain[-1]]
            self.tracks[bottom_gap][("out", i)] = Track(up=[leave, lane])
            self.tracks[top_gap][("in", i)] = Track(down=[top, self.pins[chain[-1], chain[-2], value]])

    def _stack_layers(self) -> None:
        """Compute the y of layers, tracks and nodes."""
        level, y = self.level, 0.0
        self.track_y: list[dict[tuple[str, int], float]] = []
        for number, gap in enumerate(self.tracks):
            room, first = self._room(number, place_tracks(list(gap.values())))
            self.track_y.append({key: y + first + t.place * self.spacing.track for key, t in gap.items()})
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

    def _step(self, corners: list[Corner], segment: Segment) -> None:
        gap = self.level.layer[segment.lower]
        leave, enter = self._ends(segment)
        if abs(leave - enter) > 0.01:
            y = self.track_y[gap]["trunk", segment.trunk]
            corners += [(gap - 0.5, Point(leave, y)), (gap - 0.5, Point(enter, y))]

    def _down(self, i: int) -> list[Corner]:
        level, chain, value = self.level, self.level.chains[i], self.level.links[i].value
        beside = level.sides.get(chain[-2]) == chain[-1] if len(chain) > 2 else False
        stop = len(chain) - 1 if not beside else len(chain) - 2
        tail, head = chain[0], chain[-1]
        bottom = self.result.y[tail] + level.nodes[tail].body_height
        corners: list[Corner] = [(level.layer[tail], Point(level.x[tail] + level.leave(tail, value), bottom))]
        for upper, lower in pairwise(chain[: stop + 1]):
            self._step(corners, self.segments[upper, lower, value])
        if not beside:
            enter = self.pins[head, chain[-2], value]
            return [*corners, (level.layer[head], Point(enter, self.result.y[head]))]
        lane = level.x[chain[-2]]
        y = self.result.y[head] + level.nodes[head].body_height / 2
        edge = level.x[head] + (level.nodes[head].width if lane > level.x[head] else 0.0)
        return [*corners, (level.layer[head], Point(lane, y)), (level.layer[head], Point(edge, y))]

    def _up(self, i: int) -> list[Corner]:
        level, chain, value = self.level, self.level.chains[i], self.level.links[i].value
        tail, head = chain[0], chain[-1]
        bottom_gap, top_gap = level.layer[tail] + 1, level.layer[head]
        leave = level.x[tail] + level.leave(tail, value)
        enter = self.pins[head, chain[-2], value]
        y = self.track_y[bottom_gap]["out", i]
        bottom = self.result.y[tail] + level.nodes[tail].body_height
        corners: list[Corner] = [(level.layer[tail], Point(leave, bottom))]
        corners += [(bottom_gap - 0.5, Point(x, y)) for x in (leave, level.x[chain[1]])]
        for lower, upper in pairwise(chain[1:-1]):
            step: list[Corner] = []
            self._step(step, self.segments[upper, lower, value])
            corners += reversed(step)
        y = self.track_y[top_gap]["in", i]
        corners += [(top_gap - 0.5, Point(x, y)) for x in (level.x[chain[-2]], enter)]
        return [*corners, (level.layer[head], Point(enter, self.result.y[head]))]


def _pins(level: Level) -> dict[tuple[int, int, str], float]:
    """Return the x at which each (node, upper neighbour, value) enters from above."""
    arriving: dict[int, list[tuple[float, int, str, bool]]] = {}
    for gap in level.gaps:
        for s in gap:
            x = level.x[s.upper] + level.leave(s.upper, s.value)
            arriving.setdefault(s.lower, []).append((x, s.upper, s.value, s.aligned))
    for i in level.upwards:
        lane, head = level.chains[i][-2:]
        arriving.setdefault(head, []).append((level.x[lane], lane, level.links[i].value, False))
    pins: dict[tuple[int, int, str], float] = {}
    for node, wires in arriving.items():
        wires.sort()
        offsets = _spread(level, node, [aligned for *_, aligned in wires])
        for (_, upper, value, _), offset in zip(wires, offsets, strict=True):
            pins[node, upper, value] = level.x[node] + level.nodes[node].enter.get(value, offset)
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
    ordered = _ordered(tracks)
    used: list[list[tuple[float, float]]] = []
    for track in ordered:
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
