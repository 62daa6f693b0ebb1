"""Lay out a line of stops as one column: every box is centred on the spine, what skips boxes runs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fxsummary.layout.body import Body, Opening
from fxsummary.layout.boxes import Box, Edge, Point, Rect, Spacing, Wire
from fxsummary.layout.line import Arc, Line, Stop
from fxsummary.layout.units import LEFT, RIGHT

FOOT = 10.0
"""Space below the contents of a frame."""
UNDER_HEADER, OVER_FIRST = 4.0, 12.0
"""Space between two headers, and between a header and the first box."""
TAP, BELOW_TAP = 12.0, 15.0
"""Space between a box and a wire that leaves the spine below it, and between that wire and the next box."""
UNRELATED = 14.0
"""Space between two boxes without a wire between them."""
LANE = 13.0
"""Space between a box and the first lane beside it, and between a lane and the frame around it."""
LEANS = 0.0, 25.0, 50.0, 75.0, 100.0, 125.0
LEAST_RIGHT = 40.0
"""Width of a table that is always to the right of the spine."""
ABOVE = 8.0
"""Space between the top of branches and a wire that comes from a lane."""


@dataclass(slots=True)
class Place:
    """A stop with its size.

    Attributes:
        left, right: extent of the stop and what stands beside it; body: its contents, for branches.
        inset: distance of a leaf from the top; offsets: distance of each box beside it from the top of the leaf.
        x: left border of each box beside it, relative to the spine.
        anchor: x of the spine, from the left border of a leaf.
    """

    stop: Stop
    height: float
    left: float
    right: float
    body: Body | None = None
    inset: float = 0.0
    offsets: dict[str, float] = field(default_factory=dict)
    x: dict[str, float] = field(default_factory=dict)
    y: float = 0.0
    anchor: float = 0.0

    @property
    def box(self) -> Box:
        """The box of a leaf."""
        return self.stop.unit.box

    @property
    def bottom(self) -> float:
        """y of the lower end."""
        return self.y + self.height

    def lean(self, distance: float, spacing: Spacing) -> None:
        """Place a leaf and what is beside it; a table stands ``distance`` to the left of the middle."""
        box = self.box
        if self.body is not None or self.stop.unit.kind == "port":
            return
        self.anchor = box.width / 2 if box.anchor is None else box.anchor
        if box.rows:
            self.anchor = max(self.anchor, min(self.anchor + distance, box.width - LEAST_RIGHT))
        self.left, self.right = self.anchor, box.width - self.anchor
        for side, each in self.stop.unit.beside:
            if side == LEFT:
                self.x[each.key] = -(self.left + spacing.horizontal + each.width)
                self.left += spacing.horizontal + each.width
            else:
                self.x[each.key] = self.right + spacing.horizontal
                self.right += spacing.horizontal + each.width


@dataclass(slots=True)
class Frame:
    """A frame in progress: its box, vertical extent, and extent on both sides of the spine."""

    box: Box
    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0


class Column:
    """The layout of one line.

    Args:
        bodies: contents of the stops that are branches, by number.
        incoming: edges that enter the first stop from above; outgoing: edges that leave the last one downwards.
        rises: whether it will be turned upside down, so that frames need room for their headers at the end.
        leans: whether tables may be moved to the left if the column is narrower then, because of its headers.

    Attributes:
        numbers: number of the stop of each leaf.
        tapped: stops below which a wire leaves the column.
        extra: space to add before stops.
        starts, ends: numbers of the first and the last stop in each frame.
    """

    def __init__(
        self,
        line: Line,
        bodies: dict[int, Body],
        spacing: Spacing,
        incoming: Sequence[Edge],
        outgoing: Sequence[Edge],
        *,
        rises: bool = False,
        leans: bool = False,
    ) -> None:
        self.line, self.spacing, self.incoming, self.outgoing, self.rises = line, spacing, incoming, outgoing, rises
        self.numbers = {leaf.key: at for at, stop in enumerate(line.stops) for leaf in stop.unit.leaves()}
        self.tapped = {arc.tail for arc in line.arcs if not arc.enters}
        self.extra: dict[int, float] = {}
        self.ends = {frame.key: at for at, stop in enumerate(line.stops) for frame in stop.frames}
        self.starts = {frame.key: at for at, stop in reversed([*enumerate(line.stops)]) for frame in stop.frames}
        self.leans, self.lean = LEANS if leans else (0.0,), 0.0
        self.places = [_place(stop, bodies.get(at), spacing) for at, stop in enumerate(line.stops)]
        self.frames: dict[str, Frame] = {}
        self.taps: dict[tuple[int, str], float] = {}
        self.offsets: dict[tuple[str, bool, int], float] = {}
        self.body = Body()

    def lay_out(self) -> Body:
        """Return the finished column."""
        if self.places:
            self.stack()
            widths = {lean: self._width_at(lean) for lean in self.leans}
            self._width_at(min(widths, key=lambda lean: (widths[lean], lean)))
            self._emit()
        return self.body

    # vertical

    @property
    def leaving(self) -> Sequence[Edge]:
        """Edges that leave the last stop."""
        return self.outgoing

    @property
    def height(self) -> float:
        """Height of the column."""
        return self.body.height

    def tap_of(self, key: str) -> float:
        """y at which a wire leaves the spine below the stop of a leaf."""
        self.stack()
        return self.taps[self.numbers[key], ""]

    def entry_of(self, key: str) -> float:
        """y at which a wire from the side enters a leaf."""
        self.stack()
        return self._entry_at(self.numbers[key])

    def label_of(self, key: str) -> float:
        """Width of the description of the value of a leaf."""
        return self.places[self.numbers[key]].box.label

    def stretch(self, start: str, end: str, length: float) -> None:
        """Add space between two leaves, the same before each stop from the one after the first to the last one."""
        stops = range(self.numbers[start] + 1, self.numbers[end] + 1)
        for at in stops if length > 0 else ():
            self.extra[at] = self.extra.get(at, 0.0) + length / len(stops)

    def stack(self) -> None:
        """Compute y of all stops and frames."""
        inside = {(arc.tail + 1, arc.frame.key) for arc in self.line.arcs if arc.enters and arc.frame is not None}
        y, before = 0.0, ()
        for at, place in enumerate(self.places):
            frames = place.stop.frames
            closed = [frame for frame in before if frame not in frames]
            opened = [frame for frame in frames if frame not in before]
            y = self._close(closed, y)
            wired = at - 1 in self.line.steps
            if at:
                y = self._gap(at - 1, y, bool(closed), bool(opened), wired=wired, tapped=at - 1 in self.tapped)
                y += self.extra.get(at, 0.0)
            y = self._open(at, opened, y, inside)
            place.y = y
            y = place.bottom
            before = frames
        y = self._close(list(before), y)
        if len(self.places) - 1 in self.tapped:
            y += TAP
            self.taps[len(self.places) - 1, ""] = y
        self.body.height = y

    def _close(self, frames: list[Box], y: float) -> float:
        for number, frame in enumerate(reversed(frames)):
            y += FOOT if not self.rises else frame.padding.top + (UNDER_HEADER if number else OVER_FIRST)
            y = max(y, self.frames[frame.key].top + frame.height)
            self.frames[frame.key].bottom = y
        return y

    def _gap(self, at: int, y: float, closed: bool, opened: bool, *, wired: bool, tapped: bool) -> float:
        """Return y of the next stop or of the frame around it, below stop number ``at``."""
        if tapped:
            y += TAP
            self.taps[at, ""] = y
            return y + (9.0 if opened else max(BELOW_TAP, self.spacing.vertical - TAP))
        if opened:
            return y + 16.0
        if closed:
            return y + 18.0
        return y + (self.spacing.vertical if wired else UNRELATED)

    def _open(self, at: int, frames: list[Box], y: float, inside: set[tuple[int, str]]) -> float:
        for frame in frames:
            self.frames[frame.key] = Frame(frame, y)
            y += FOOT - OVER_FIRST if self.rises else frame.padding.top
            last = frame is frames[-1]
            if (at, frame.key) in inside:
                y += 9.0
                self.taps[at - 1, frame.key] = y
                y += BELOW_TAP if last else 9.0
            else:
                y += OVER_FIRST if last else UNDER_HEADER
        return y

    # horizontal

    def _width_at(self, lean: float) -> float:
        """Move tables to the left, compute all extents, and return the width."""
        self.lean = lean
        for place in self.places:
            place.lean(lean, self.spacing)
        self._spread()
        return self.body.width

    def _spread(self) -> None:
        """Compute the extents of all frames, inner ones first, with the lanes inside them."""
        contents: dict[str, list[tuple[float, float, float, float]]] = {}
        arcs: dict[str, list[Arc]] = {}
        for arc in self.line.arcs:
            arcs.setdefault(arc.frame.key if arc.frame else "", []).append(arc)
        for place in self.places:
            inner = place.stop.frames[-1].key if place.stop.frames else ""
            right = place.right + (place.box.overhang if place.body is None else 0.0)
            contents.setdefault(inner, []).append((place.y, place.bottom, place.left, right))
        around = {frame.key: (outer.key if outer else "") for place in self.places
                  for outer, frame in zip((None, *place.stop.frames), place.stop.frames, strict=False)}  # fmt: skip
        for key in sorted(self.frames, key=lambda key: self.frames[key].bottom - self.frames[key].top):
            frame = self.frames[key]
            self._extend(frame, *self._lanes(contents[key], arcs.get(key, [])), self._is_entered(key))
            over = frame.box.overhang
            span = frame.top, frame.bottom + over, frame.left, frame.right + over
            contents.setdefault(around[key], []).append(span)
        self.body.left, self.body.right = self._lanes(contents[""], arcs.get("", []))

    def _is_entered(self, key: str) -> bool:
        """Return whether a wire runs through the header of a frame."""
        if self.rises:
            last = self.ends[key]
            return last in self.line.steps or (bool(self.outgoing) and last == len(self.places) - 1)
        first = self.starts[key]
        return bool(self.incoming) if first == 0 else first - 1 in self.line.steps

    def _extend(self, frame: Frame, left: float, right: float, entered: bool) -> None:
        padding, header = frame.box.padding, frame.box.header
        left, right = left + padding.left, right + padding.right
        if entered:  # the wire goes through the header between its texts
            left, right = max(left, header.left), max(right, header.right)
        missing = max(0.0, header.left + header.right - left - right, frame.box.width - left - right)
        frame.left, frame.right = left + missing / 2, right + missing / 2

    def _lanes(self, spans: list[tuple[float, float, float, float]], arcs: list[Arc]) -> tuple[float, float]:
        """Give each lane in a frame its distance from the spine, and return the extents of the contents."""
        extents = [max((span[2] for span in spans), default=0.0), max((span[3] for span in spans), default=0.0)]
        lanes: dict[tuple[str, bool, int], list[float]] = {}
        for arc in arcs:
            if arc.box is not None:
                self._move_bypass(arc, arc.box, spans, extents)
            else:
                ends = sorted((self._tap(arc), self._entry(arc)))
                low, high = lanes.get((*arc.lane, arc.side), ends)
                lanes[(*arc.lane, arc.side)] = [min(low, ends[0]), max(high, ends[1])]
        placed: list[tuple[float, float, int, float]] = []
        for lane in sorted(lanes, key=lambda lane: (lanes[lane][1] - lanes[lane][0], lane)):
            low, high = lanes[lane]
            side = lane[2]
            reach = max((span[2 if side == LEFT else 3] for span in spans if span[0] < high and span[1] > low), default=0.0)
            offset = reach + LANE
            for start, end, other, distance in placed:
                if other == side and start < high + 4 and end > low - 4:
                    offset = max(offset, distance + self.spacing.track)
            placed.append((low, high, side, offset))
            self.offsets[lane] = offset
            extents[side == RIGHT] = max(extents[side == RIGHT], offset)
        return extents[0], extents[1]

    def _move_bypass(
        self, arc: Arc, box: Box, spans: list[tuple[float, float, float, float]], extents: list[float]
    ) -> None:
        """Move a bypass outwards until the wire that comes down onto it passes all boxes above."""
        place = self.places[arc.head]
        top = place.y + place.inset + place.offsets[box.key]
        low, high = sorted((self._tap(arc), top))
        reach = max((span[2 if arc.side == LEFT else 3] for span in spans if span[0] < high and span[1] > low), default=0.0)
        x = place.x[box.key]
        far = max(-x if arc.side == LEFT else x + box.width, reach + LANE + LANE)
        place.x[box.key] = -far if arc.side == LEFT else far - box.width
        spans.append((top, top + box.height, *((far, 0.0) if arc.side == LEFT else (0.0, far))))
        extents[arc.side == RIGHT] = max(extents[arc.side == RIGHT], far)
        self.offsets[arc.target, False, arc.side] = max(reach + LANE, far - box.width / 2)

    def _tap(self, arc: Arc) -> float:
        """y at which an arc leaves the spine."""
        if arc.enters and arc.frame is not None:
            return self.taps[arc.tail, arc.frame.key]
        return self.taps.get((arc.tail, ""), self.places[arc.tail].bottom + TAP)

    def _entry(self, arc: Arc) -> float:
        """y at which an arc enters its target."""
        return self._entry_at(arc.head)

    def _entry_at(self, at: int) -> float:
        place = self.places[at]
        if place.body is not None:
            return place.y - ABOVE
        return place.y + place.inset + _entry_of(place.box)

    # output

    def _emit(self) -> None:
        for key, frame in self.frames.items():
            size = frame.left + frame.right, frame.bottom - frame.top
            self.body.boxes[key] = Rect(-frame.left, frame.top, *size)
        for at, place in enumerate(self.places):
            self._emit_step(at)
            if place.body is not None:
                self.body.add(place.body, 0.0, place.y)
            elif place.stop.unit.kind == "leaf":
                box = place.box
                top = place.y + place.inset
                self.body.boxes[box.key] = Rect(-place.anchor, top, box.width, box.height)
                self._emit_beside(place)
        for arc in self.line.arcs:
            self._emit_arc(arc)
        for at, key in self.line.openings:
            place = self.places[at]
            if place.body is None:
                y = place.y + place.inset + _entry_of(place.box)
                self.body.openings.append(Opening(self.body.boxes[key].x, y, (key,), ends=True))
        first, last = self.places[0], self.places[-1]
        for edge in self.incoming:
            points = Point(0.0, 0.0), Point(0.0, _head(first))
            self.body.wires.append(Wire(edge.source, (edge.target,), points, arrow=first.body is None))
        for edge in self.outgoing:
            points = Point(0.0, _foot(last)), Point(0.0, self.body.height)
            self.body.wires.append(Wire(edge.source, (edge.target,), points, arrow=False))

    def _emit_step(self, at: int) -> None:
        for value, targets in self.line.steps.get(at, {}).items():
            upper, lower = self.places[at], self.places[at + 1]
            points = Point(0.0, _foot(upper)), Point(0.0, _head(lower))
            self.body.wires.append(Wire(value, tuple(targets), points, arrow=lower.body is None))

    def _emit_beside(self, place: Place) -> None:
        host = self.body.boxes[place.box.key]
        bypasses = {arc.box.key for arc in self.line.arcs if arc.box is not None}
        for side, box in place.stop.unit.beside:
            x, y = place.x[box.key], host.y + place.offsets[box.key]
            self.body.boxes[box.key] = Rect(x, y, box.width, box.height)
            inner, border = (x, host.right) if side == RIGHT else (x + box.width, host.x)
            points = Point(inner, y + box.height / 2), Point(border, y + box.height / 2)
            if box.role == "aside":
                self.body.wires.append(Wire(place.box.key, (box.key,), points[::-1]))
            else:
                self.body.wires.append(Wire(box.key, (place.box.key,), points, skips=box.key in bypasses))

    def _emit_arc(self, arc: Arc) -> None:
        tap, place = self._tap(arc), self.places[arc.head]
        start = [] if arc.trunk else [Point(0.0, _foot(self.places[arc.tail]))]
        if arc.box is not None:
            box = self.body.boxes[arc.box.key]
            x = arc.side * self.offsets[arc.target, False, arc.side]
            points = [*start, Point(0.0, tap), Point(x, tap), Point(x, box.y)]
        else:
            x, y = arc.side * self.offsets[(*arc.lane, arc.side)], self._entry(arc)
            points = [*start, Point(0.0, tap), Point(x, tap), Point(x, y)]
            if place.body is not None:
                points += [Point(0.0, y), Point(0.0, place.y)]
            else:
                target = self.body.boxes[arc.target]
                points.append(Point(target.right if arc.side == RIGHT else target.x, y))
        self.body.wires.append(Wire(arc.value, (arc.target,), tuple(points), place.body is None, skips=True))


def _place(stop: Stop, body: Body | None, spacing: Spacing) -> Place:
    if body is not None:
        return Place(stop, body.height, body.left, body.right, body)
    host = stop.unit.box
    offsets = {}
    for _, each in stop.unit.beside:  # the wire between them is straight
        row = host.height - _entry_of(host) if each.role == "aside" else _entry_of(host)
        offsets[each.key] = row - each.height / 2
    top = min([0.0, *offsets.values()])
    foot = max([host.height, *(offsets[each.key] + each.height for _, each in stop.unit.beside)])
    place = Place(stop, foot - top, 0.0, 0.0, inset=-top, offsets=offsets)
    place.lean(0.0, spacing)
    return place


def _head(place: Place) -> float:
    """y of the upper border of a stop."""
    return place.y + place.inset


def _foot(place: Place) -> float:
    """y of the lower border of a stop."""
    return place.bottom if place.body is not None else place.y + place.inset + place.box.height


def _entry_of(box: Box) -> float:
    return box.height / 2 if box.entry is None else box.entry

