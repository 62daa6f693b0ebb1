"""Lay out a line of stops as one column: every box is centred on the spine, what skips boxes runs beside them."""

from __future__ import annotations

from collections.abc import Sequence

from fxsummary.layout.arcs import Arc, Lane, Line
from fxsummary.layout.bands import Bands, Span
from fxsummary.layout.body import Body, Opening
from fxsummary.layout.boxes import Box, Edge, Label, Point, Rect, Spacing, Wire
from fxsummary.layout.places import Place, entry_of, foot_of, head_of
from fxsummary.layout.stack import TAP, Frame, Stack
from fxsummary.layout.units import LEFT, RIGHT

LANE = 13.0
"""Distance from a box to the first lane, and from a lane to the enclosing frame."""
BESIDE_LABEL = 6.0
"""Space between a lane, or the spine, and the description of a value that goes back up."""
ABOVE_WIRE = 4.0
LEANS = 0.0, 25.0, 50.0, 75.0, 100.0, 125.0
"""Distances by which tables may be moved to the left."""


class Column(Stack):
    """The layout of one line.

    Args:
        bodies: contents of the stops that are branches, by number.
        incoming: edges that enter the first stop from above; outgoing: edges that leave the last one downwards.
        rises: whether it will be turned upside down, so that frames need room for their headers at the end.
        leans: whether tables may be moved to the left if the column is narrower then.
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
        super().__init__(line, bodies, spacing, rises=rises)
        self.incoming, self.outgoing = incoming, outgoing
        self.leans = LEANS if leans else (0.0,)
        self.offsets: dict[tuple[Lane, int], float] = {}
        self.drops: dict[str, float] = {}
        self.bypasses = {arc.box.key for arc in line.arcs if arc.box is not None}

    @property
    def starts_bare(self) -> bool:
        """Whether a wire from outside ends at its first leaf, since no frame is around that."""
        return self.places[0].body is None and not self.places[0].stop.frames

    def ends_with(self, key: str) -> bool:
        """Return whether a leaf is at the end, and no wire leads on from there."""
        return self.numbers[key] == len(self.places) - 1 and not self.outgoing

    def lay_out(self) -> Body:
        """Return the finished column."""
        if self.places:
            self.stack()
            widths = {lean: self._width_at(lean) for lean in self.leans}
            least = min(widths, key=lambda lean: (widths[lean], lean))
            if least != self.leans[-1]:
                self._width_at(least)
            self._emit()
        return self.body

    def _width_at(self, lean: float) -> float:
        """Move tables to the left, compute all extents, and return the width."""
        for place in self.places:
            place.lean(lean, self.spacing)
        self._spread()
        return self.body.width

    def _spread(self) -> None:
        """Compute the extents of all frames, inner ones first, with the lanes inside them."""
        contents: dict[str, list[Span]] = {}
        arcs: dict[str, list[Arc]] = {}
        for arc in self.line.arcs:
            arcs.setdefault(arc.frame.key if arc.frame else "", []).append(arc)
        for place in self.places:
            inner = place.stop.frames[-1].key if place.stop.frames else ""
            right = place.right + (place.box.overhang if place.body is None else 0.0)
            contents.setdefault(inner, []).append(Span(place.y, place.bottom, place.left, right))
        around = {frame.key: (outer.key if outer else "") for place in self.places
                  for outer, frame in zip((None, *place.stop.frames), place.stop.frames, strict=False)}  # fmt: skip
        for key in sorted(self.frames, key=lambda key: self.frames[key].bottom - self.frames[key].top):
            frame = self.frames[key]
            self._extend(frame, *self._lanes(Bands(contents[key]), arcs.get(key, [])), self._is_entered(key))
            over = frame.box.overhang
            span = Span(frame.top, frame.bottom + over, frame.left, frame.right + over)
            contents.setdefault(around[key], []).append(span)
        self.body.left, self.body.right = self._lanes(Bands(contents[""]), arcs.get("", []))

    def _is_entered(self, key: str) -> bool:
        """Return whether a wire runs through the header of a frame."""
        if self.rises:
            last = self.ends[key]
            goes_on = last in self.line.steps or last in self.tapped
            return goes_on or (bool(self.outgoing) and last == len(self.places) - 1)
        first = self.starts[key]
        return bool(self.incoming) if first == 0 else first - 1 in self.line.steps

    def _extend(self, frame: Frame, left: float, right: float, entered: bool) -> None:
        padding, header = frame.box.padding, frame.box.header
        left, right = left + padding.left, right + padding.right
        if entered:  # the wire goes through the header between its texts
            left, right = max(left, header.left), max(right, header.right)
        missing = max(0.0, header.left + header.right - left - right, frame.box.width - left - right)
        frame.left, frame.right = left + missing / 2, right + missing / 2

    def _lanes(self, bands: Bands, arcs: list[Arc]) -> tuple[float, float]:
        """Give each lane in a frame its distance from the spine, short ones first; return the extents of the contents.

        A bypass moves outwards until the wire that comes down onto it passes what is nearer.
        """
        lanes: dict[tuple[Lane, int, str], list[float]] = {}
        least: dict[tuple[Lane, int, str], float] = {}
        bypasses: dict[tuple[Lane, int, str], tuple[Arc, Box]] = {}
        for arc in arcs:
            ends = sorted((self._tap(arc), self._entry(arc)))
            lane = arc.lane, arc.side, ""
            if arc.box is not None and arc.drops:
                lane = arc.lane, arc.side, arc.target
                bypasses[lane] = arc, arc.box
            elif arc.loops:
                least[lane] = self.line.loops[Edge(arc.value, arc.target)] + 2 * BESIDE_LABEL
            low, high = lanes.get(lane, ends)
            lanes[lane] = [min(low, ends[0]), max(high, ends[1])]
        extents = {LEFT: 0.0, RIGHT: 0.0}
        for lane in sorted(lanes, key=lambda lane: (lanes[lane][1] - lanes[lane][0], lane)):
            (low, high), side = lanes[lane], lane[1]
            if lane in bypasses:
                offset = self._move_bypass(*bypasses[lane], bands)
            else:
                offset = max(bands.reach(side, low, high) + LANE, least.get(lane, 0.0))
                self.offsets[lane[:2]], extents[side] = offset, max(offset, extents[side])
            bands.add_beside(side, low - 4, high + 4, offset + self.spacing.track - LANE)
        return max(bands.left, extents[LEFT]), max(bands.right, extents[RIGHT])

    def _move_bypass(self, arc: Arc, box: Box, bands: Bands) -> float:
        """Move a bypass outwards until its wire passes all that is nearer; return the distance of that wire."""
        place = self.places[arc.head]
        top = place.y + place.inset + place.offsets[box.key]
        low, high = sorted((self._tap(arc), top))
        reach, x = bands.reach(arc.side, low, high), place.x[box.key]
        far = max(-x if arc.side == LEFT else x + box.width, reach + LANE + LANE)
        place.x[box.key] = -far if arc.side == LEFT else far - box.width
        bands.add_beside(arc.side, top, top + box.height, far)
        self.drops[arc.target] = drop = max(reach + LANE, far - box.width / 2)
        return drop

    def _tap(self, arc: Arc) -> float:
        """y at which an arc leaves the spine."""
        if arc.loops:
            return self.loops[arc.tail]
        if arc.enters and arc.frame is not None:
            return self.taps[arc.tail, arc.frame.key]
        return self.taps.get((arc.tail, ""), self.places[arc.tail].bottom + TAP)

    def _entry(self, arc: Arc) -> float:
        """y at which an arc enters its target."""
        if arc.box is not None:
            place = self.places[arc.head]
            return place.y + place.inset + place.offsets[arc.box.key] + arc.box.height / 2
        return self._entry_at(arc.head)

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
                y = place.y + place.inset + entry_of(place.box)
                self.body.openings.append(Opening(self.body.boxes[key].x, y, (key,), ends=True))
        first, last = self.places[0], self.places[-1]
        for edge in self.incoming:
            points = Point(0.0, 0.0), Point(0.0, head_of(first))
            self.body.wires.append(Wire(edge.source, (edge.target,), points, arrow=first.body is None))
        for edge in self.outgoing:
            points = Point(0.0, foot_of(last)), Point(0.0, self.body.height)
            self.body.wires.append(Wire(edge.source, (edge.target,), points, arrow=False))

    def _emit_step(self, at: int) -> None:
        for value, targets in self.line.steps.get(at, {}).items():
            upper, lower = self.places[at], self.places[at + 1]
            points = Point(0.0, foot_of(upper)), Point(0.0, head_of(lower))
            self.body.wires.append(Wire(value, tuple(targets), points, arrow=lower.body is None))

    def _emit_beside(self, place: Place) -> None:
        host = self.body.boxes[place.box.key]
        for side, box in place.stop.unit.beside:
            x, y = place.x[box.key], host.y + place.offsets[box.key]
            self.body.boxes[box.key] = Rect(x, y, box.width, box.height)
            inner, border = (x, host.right) if side == RIGHT else (x + box.width, host.x)
            points = Point(inner, y + box.height / 2), Point(border, y + box.height / 2)
            if box.key in self.line.lonely:
                continue
            if box.role == "aside":
                self.body.wires.append(Wire(place.box.key, (box.key,), points[::-1]))
            else:
                self.body.wires.append(Wire(box.key, (place.box.key,), points, skips=box.key in self.bypasses))

    def _emit_arc(self, arc: Arc) -> None:
        tap, place = self._tap(arc), self.places[arc.head]
        start = [] if arc.trunk else [Point(0.0, foot_of(self.places[arc.tail]))]
        if arc.box is not None and arc.drops:
            box = self.body.boxes[arc.box.key]
            x = arc.side * self.drops[arc.target]
            points = [*start, Point(0.0, tap), Point(x, tap), Point(x, box.y)]
        else:
            x, y = arc.side * self.offsets[arc.lane, arc.side], self._entry(arc)
            points = [*start, Point(0.0, tap), Point(x, tap), Point(x, y)]
            if place.body is not None:
                points += [Point(0.0, y), Point(0.0, place.y)]
            else:
                target = self.body.boxes[arc.target]
                points.append(Point(target.right if arc.side == RIGHT else target.x, y))
        self.body.wires.append(Wire(arc.value, (arc.target,), tuple(points), place.body is None, skips=True))
        if arc.loops:
            self.body.labels.append(Label(arc.value, x / 2, tap - ABOVE_WIRE, arc.target))
