"""Stops along one spine, and the wires that skip some of them: where those leave the spine, and on which side they run.

A wire that skips stops leaves the spine at its tap, runs in a lane beside what it passes, and enters its target from
the side. Wires on one side do not cross if they are nested or apart. A wire that would cross on both sides, or would be
the fourth in a bundle, is not drawn: its value is named at both ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from fxsummary.layout.arcs import Arc, Lane, Line, Stop
from fxsummary.layout.boxes import Box, Edge
from fxsummary.layout.units import LEFT, RIGHT, Flow, Unit

MOST_LANES = 3
"""Maximum number of lanes side by side."""
MOST_LEGS = 6
"""Maximum number of targets of one value beside a spine."""
NO_VALUES: Mapping[str, int] = {}
BLOCKED, WRONG = 1000, 1000000
"""Costs of a side at which an arc must be named, and of the side at which its bypass is not."""


def line_of(units: Sequence[Unit], flow: Flow, values: Mapping[str, int] = NO_VALUES) -> Line:
    """Return the line of units; frames in it are opened.

    Args:
        values: values that flow between columns, with the side from which they come.
    """
    line = Line([*_stops(units)], loops=flow.loops)
    number = {leaf.key: at for at, stop in enumerate(line.stops) for leaf in stop.unit.leaves()}
    inputs = {leaf.key for stop in line.stops for leaf in stop.unit.inputs()}
    outputs = {leaf.key for stop in line.stops for leaf in stop.unit.outputs()}
    beside = {box.key: box for stop in line.stops for _, box in stop.unit.beside}
    line.lonely = {key for key, box in beside.items() if box.role == "aside" and not flow.into(key)}
    ports = {stop.unit.value: at for at, stop in enumerate(line.stops) if stop.unit.kind == "port"}
    number |= ports
    outputs |= ports.keys()
    for key, tail in number.items():
        if key in values:
            line.blocked.add((2.0 * tail + 1.0, -values[key]))
        for target in flow.out_of(key):
            head = number.get(target)
            if head is None:
                if (key not in ports and key not in values and tail < len(line.stops) - 1) or key not in outputs:
                    line.named.append(Edge(key, target))
            elif head != tail:
                box = beside.get(target)
                if key not in outputs or (target not in inputs and box is None):
                    line.named.append(Edge(key, target))
                elif head == tail + 1 and box is None:
                    line.steps.setdefault(tail, {}).setdefault(key, []).append(target)
                else:
                    line.arcs.append(Arc(key, target, tail, head, box=box))
        for source in flow.into(key) if key not in ports else ():
            if source in values and source not in number:
                line.openings.append((tail, key))
                line.blocked.add((2.0 * tail, values[source]))
            elif source not in number and (tail > 0 or key not in inputs):
                line.named.append(Edge(source, key))
    for edge in flow.loops:
        if edge.source in outputs and edge.target in inputs:
            line.arcs.append(Arc(*edge, number[edge.source], number[edge.target], loops=True))
    for arc in line.arcs:
        _tap(line, arc)
    _choose_sides(line)
    return line


def _stops(units: Sequence[Unit]) -> Iterator[Stop]:
    pending: list[tuple[Unit, tuple[Box, ...]]] = [(unit, ()) for unit in reversed(units)]
    while pending:
        unit, frames = pending.pop()
        if unit.kind == "frame":
            pending += [(inner, (*frames, unit.box)) for inner in reversed(unit.units)]
        else:
            yield Stop(unit, frames)


def _tap(line: Line, arc: Arc) -> None:
    """Find where an arc leaves the spine: below its source, or inside a frame that its value enters next."""
    tail, head = line.stops[arc.tail].frames, line.stops[arc.head].frames
    arc.trunk = arc.value in line.steps.get(arc.tail, {})
    after = line.stops[arc.tail + 1].frames if arc.tail + 1 < len(line.stops) else ()
    entered = (
        [frame for frame in head if frame in after and frame not in tail] if arc.trunk and arc.head > arc.tail else []
    )
    if entered:
        arc.frame, arc.enters = entered[-1], True
    else:
        shared = [frame for frame in head if frame in tail]
        arc.frame = shared[-1] if shared else None
    arc.drops = arc.box is not None and arc.frame is (head[-1] if head else None)


def _choose_sides(line: Line) -> None:
    """Choose the sides of all arcs, shorter ones first; arcs that would cross or be too many are named instead."""
    sides = _Sides(line)
    choice = _Choice(sides.boxes)
    for arc in sorted(line.arcs, key=lambda each: (each.span[1] - each.span[0], each.span)):
        if not choice.takes(arc) and not arc.loops:
            line.named.append(Edge(arc.value, arc.target))
    line.arcs = []
    sides.place(choice.sets())


class _Choice:
    """The arcs that can be drawn without a crossing, in sets whose sides depend on each other.

    Attributes:
        kept: the arcs, with their lanes and spans; link: for each another one, and whether that is on the other side.
            The first is on the right, and no arc of the line.
        boxes: sides of the boxes beside stops.
        near: numbers of the arcs over each cell; legs: number of targets of each lane.
    """

    def __init__(self, boxes: Mapping[str, int]) -> None:
        self.boxes = boxes
        self.kept = [Arc("", "", 0, 0)]
        self.lanes: list[Lane] = [self.kept[0].lane]
        self.spans = [self.kept[0].span]
        self.link = [(0, 0)]
        self.near: dict[int, list[int]] = {}
        self.legs: dict[Lane, int] = {}

    def takes(self, arc: Arc) -> bool:
        """Keep an arc, unless it cannot be drawn."""
        span, lane, cells, number = arc.span, arc.lane, arc.cells, len(self.kept)
        legs = self.legs.get(lane, 0)
        if legs >= MOST_LEGS or any(self._is_crowded(at, lane) for at in cells):
            return False
        around = {n for at in (*cells[:1], *cells[-1:]) for n in self.near.get(at, ())}
        wanted: dict[int, int] = {}
        if arc.box is not None:
            root, parity = self.root(0)
            wanted[root] = parity ^ (self.boxes[arc.box.key] == RIGHT)
        for rival in sorted(around):
            if _cross(self.spans[rival], span):
                root, parity = self.root(rival)
                if wanted.setdefault(root, parity) != parity:
                    return False
        self.kept.append(arc)
        self.lanes.append(lane)
        self.spans.append(span)
        self.link.append((number, 0))
        self.legs[lane] = legs + 1
        for root, parity in wanted.items():
            self.link[root] = number, parity ^ 1
        for at in cells:
            self.near.setdefault(at, []).append(number)
        return True

    def _is_crowded(self, cell: int, lane: Lane) -> bool:
        """Return whether there are too many lanes over a cell for one more."""
        near = self.near.get(cell, ())
        return len(near) >= 2 * MOST_LANES and len({lane, *map(self.lanes.__getitem__, near)}) > 2 * MOST_LANES

    def root(self, number: int) -> tuple[int, int]:
        """Return the number that represents the set of an arc, and whether the arc is on its other side."""
        passed, parity = [], 0
        while self.link[number][0] != number:
            passed.append((number, parity))
            number, flip = self.link[number]
            parity ^= flip
        for each, before in passed:  # the next way is shorter
            self.link[each] = number, parity ^ before
        return number, parity

    def sets(self) -> list[list[tuple[Arc, int]]]:
        """Return the arcs with their parities, by set."""
        found: dict[int, list[tuple[Arc, int]]] = {}
        for number, arc in enumerate(self.kept[1:], 1):
            root, parity = self.root(number)
            found.setdefault(root, []).append((arc, parity))
        return [*found.values()]


def _cross(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] < b[0] < a[1] < b[1] or b[0] < a[0] < b[1] < a[1]


class _Sides:
    """The sides that are taken.

    Attributes:
        entries: number of wires at each side of a stop; blocked: sides with a box; lanes: the lanes beside each cell.
        crossed: places on the spine where a wire to another column is on a side, in order.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.entries: dict[tuple[int, int], int] = {}
        self.blocked: set[tuple[int, int]] = set()
        self.lanes: dict[tuple[int, int], set[Lane]] = {}
        self.crossed = {turn: sorted(at for at, side in line.blocked if side == turn) for turn in (LEFT, RIGHT)}
        self.boxes: dict[str, int] = {}
        for at, stop in enumerate(line.stops):
            for side, box in stop.unit.beside:
                self.blocked.add((at, side))
                self.boxes[box.key] = side

    def place(self, sets: list[list[tuple[Arc, int]]]) -> None:
        """Turn each set to the side that is free at its targets, or to the right."""
        for arcs in sets:
            costs = {turn: sum(self._cost(arc, turn * (1 - 2 * p)) for arc, p in arcs) for turn in (RIGHT, LEFT)}
            turn = RIGHT if costs[RIGHT] <= costs[LEFT] else LEFT
            for arc, parity in arcs:
                arc.side = turn * (1 - 2 * parity) if arc.box is None else self.boxes[arc.box.key]
                self._take(arc)

    def _cost(self, arc: Arc, side: int) -> int:
        if arc.box is not None:
            return 0 if self.boxes[arc.box.key] == side else WRONG
        if self._is_blocked(arc, side):
            return BLOCKED
        crowd = max([len(self.lanes.get((at, side), ())) for at in arc.cells])
        return 10 * self.entries.get((arc.head, side), 0) + 100 * max(0, crowd + 1 - MOST_LANES) + crowd

    def _is_blocked(self, arc: Arc, side: int) -> bool:
        """Return whether an arc would cross a wire between columns, or run through a box beside its target."""
        if arc.box is None and (arc.head, side) in self.blocked:
            return True
        (start, end), places = arc.span, self.crossed[side]
        first = bisect_right(places, start)
        return first < len(places) and places[first] <= end

    def _take(self, arc: Arc) -> None:
        lane, lanes = arc.lane, [self.lanes.setdefault((at, arc.side), set()) for at in arc.cells]
        is_full = any(len(each) >= MOST_LANES and lane not in each for each in lanes)
        if is_full or self._is_blocked(arc, arc.side):
            self.line.named += [Edge(arc.value, arc.target)] * (not arc.loops)
            return
        for each in lanes:
            each.add(lane)
        self.entries[arc.head, arc.side] = self.entries.get((arc.head, arc.side), 0) + 1
        self.line.arcs.append(arc)
