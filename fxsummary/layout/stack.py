"""Stack the stops of a line and the frames around them, with room for the wires that leave the spine between them."""

from __future__ import annotations

from dataclasses import dataclass

from fxsummary.layout.arcs import Line
from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Box, Spacing
from fxsummary.layout.places import entry_of, place_of

FOOT = 10.0
"""Space below the contents of a frame."""
UNDER_HEADER, OVER_FIRST = 4.0, 12.0
"""Space between two headers, and between a header and the first box."""
TAP, BELOW_TAP = 12.0, 15.0
"""Space between a box and a wire that leaves the spine below it, and between that wire and the next box."""
LOOP = 4.0
"""Space above a wire that goes back up, for the description of its value."""
UNRELATED = 14.0
"""Space between two boxes without a wire between them."""
ABOVE = 8.0
"""Space between the top of branches and a wire that comes from a lane."""


@dataclass(slots=True)
class Frame:
    """A frame in progress: its box, vertical extent, and extent on both sides of the spine."""

    box: Box
    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0


class Stack:
    """The vertical part of the layout of a line.

    Attributes:
        places: the stops with their sizes; frames: the frames around them, by key.
        taps: y at which wires leave the spine, by the stop above and the frame that they enter before, or "".
        loops: y at which wires that go back up leave the spine, by the stop above.
        numbers: number of the stop of each leaf.
        tapped: stops below which a wire leaves the column; looped: those below which one goes back up.
        extra: space to add before stops.
        starts, ends: numbers of the first and the last stop in each frame.
    """

    def __init__(self, line: Line, bodies: dict[int, Body], spacing: Spacing, *, rises: bool = False) -> None:
        self.line, self.spacing, self.rises = line, spacing, rises
        self.numbers = {leaf.key: at for at, stop in enumerate(line.stops) for leaf in stop.unit.leaves()}
        self.tapped = {arc.tail for arc in line.arcs if not arc.enters and not arc.loops}
        self.looped = {arc.tail for arc in line.arcs if arc.loops}
        self.loops: dict[int, float] = {}
        self.extra: dict[int, float] = {}
        self.ends = {frame.key: at for at, stop in enumerate(line.stops) for frame in stop.frames}
        self.starts = {frame.key: at for at, stop in reversed([*enumerate(line.stops)]) for frame in stop.frames}
        self.places = [place_of(stop, bodies.get(at), spacing) for at, stop in enumerate(line.stops)]
        self.frames: dict[str, Frame] = {}
        self.taps: dict[tuple[int, str], float] = {}
        self.body = Body()

    @property
    def height(self) -> float:
        """Height of the column."""
        self.stack()
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
        y = 0.0
        before: tuple[Box, ...] = ()
        for at, place in enumerate(self.places):
            frames = place.stop.frames
            closed = [frame for frame in before if frame not in frames]
            opened = [frame for frame in frames if frame not in before]
            y = self._close(closed, self._loop(at - 1, y))
            wired = at - 1 in self.line.steps
            if at:
                y = self._gap(at - 1, y, bool(closed), bool(opened), wired=wired, tapped=at - 1 in self.tapped)
                y += self.extra.get(at, 0.0)
            y = self._open(at, opened, y, inside)
            place.y = y
            y = place.bottom
            before = frames
        y = self._close(list(before), self._loop(len(self.places) - 1, y))
        if len(self.places) - 1 in self.tapped:
            y += TAP
            self.taps[len(self.places) - 1, ""] = y
        self.body.height = y

    def _loop(self, at: int, y: float) -> float:
        if at in self.looped:
            self.loops[at] = y = y + TAP + LOOP
        return y

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

    def _entry_at(self, at: int) -> float:
        place = self.places[at]
        if place.body is not None:
            return place.y - ABOVE
        return place.y + place.inset + entry_of(place.box)
