"""Lay out a U: encoders go down, the decoder goes up beside them, skips are straight lines on common levels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Edge, Label, Point, Wire
from fxsummary.layout.column import ABOVE_WIRE, Column

GUTTER, LEAST_GUTTER = 26.0, 44.0
"""Space around the label of a skip, and the least space between two columns."""
ACROSS = 14.0
"""Height of a wire that leads from one column to another."""
PASSES = 4


def bent(encoders: list[Column], middle: Column | None, decoder: Column, skips: list[Edge]) -> Body:
    """Return one or two encoders beside a decoder, and the bottleneck below the gap between one encoder and it."""
    homes = {key: column for column in encoders for key in column.numbers}
    parts = [[edge for edge in skips if homes[edge.source] is column] for column in encoders]
    for column, edges in zip(encoders, parts, strict=True):
        column.tapped |= {column.numbers[edge.source] for edge in edges}
    _level(encoders, decoder, parts)
    if len(encoders) > 1:
        _make_room(encoders, decoder, parts)
    placing = _Placing(encoders, decoder, parts)
    placing.add_skips()
    if middle is not None:
        placing.add_middle(middle)
    else:
        placing.join()
    placing.leave()
    placing.body.openings.clear()  # they are the ends of the skips
    return placing.body


def _level(encoders: list[Column], decoder: Column, parts: list[list[Edge]]) -> None:
    """Stretch the columns until the ends of the skips of each encoder are as far apart in both."""
    for _ in range(PASSES):
        changed = False
        for column, edges in zip(encoders, parts, strict=True):
            for outer, inner in pairwise(edges):
                down = column.tap_of(inner.source) - column.tap_of(outer.source)
                up = decoder.entry_of(outer.target) - decoder.entry_of(inner.target)
                column.stretch(outer.source, inner.source, up - down)
                decoder.stretch(inner.target, outer.target, down - up)
                changed = changed or abs(up - down) > 0.1
        if not changed:
            return


def _make_room(encoders: list[Column], decoder: Column, parts: list[list[Edge]]) -> None:
    """Stretch the foot of the decoder until it is below both encoders, which lead into it."""
    first = decoder.places[0].stop.unit.box.key
    inner = [edges[-1] for edges in parts]
    below = [column.height - column.tap_of(edge.source) for column, edge in zip(encoders, inner, strict=True)]
    room = [decoder.entry_of(edge.target) - decoder.entry_of(first) for edge in inner]
    missing = max(each - has for each, has in zip(below, room, strict=True))
    decoder.stretch(first, min((edge.target for edge in inner), key=decoder.entry_of), missing + ACROSS)


class _Placing:
    """The columns of a U on the page; the spine of the first encoder is at 0."""

    def __init__(self, encoders: list[Column], decoder: Column, parts: list[list[Edge]]) -> None:
        self.encoders, self.decoder, self.parts = encoders, decoder, parts
        self.body = Body()
        bodies, up = [column.lay_out() for column in encoders], decoder.lay_out()
        gutters = [max([LEAST_GUTTER, *(GUTTER + column.label_of(edge.source) for edge in edges)])
                   for column, edges in zip(encoders, parts, strict=True)]  # fmt: skip
        self.spine = bodies[0].right + gutters[0] + up.left
        self.spines = [0.0, self.spine + up.right + gutters[-1] + bodies[-1].left][: len(encoders)]
        levels = [
            up.height - decoder.entry_of(edges[0].target) - column.tap_of(edges[0].source)
            for column, edges in zip(encoders, parts, strict=True)
        ]
        self.top = max(0.0, *(-level for level in levels))
        self.tops = [self.top + level for level in levels]
        self.over = min([self.top, *self.tops[1:]]) - ACROSS * bool(decoder.outgoing)
        lowest = min(0.0, self.over, *self.tops)
        self.top, self.tops, self.over = self.top - lowest, [each - lowest for each in self.tops], self.over - lowest
        self.gaps = [
            (bodies[0].right, self.spine - up.left),
            (self.spine + up.right, self.spines[-1] - bodies[-1].left),
        ]
        for body, x, y in zip(bodies, self.spines, self.tops, strict=True):
            self.body.add(body, x, y)
        self.body.add(up.flipped(), self.spine, self.top)
        self.feet = [y + body.height for y, body in zip(self.tops, bodies, strict=True)]
        self.foot = self.top + up.height
        self.body.left = bodies[0].left
        self.body.right = max(self.spine + up.right, self.spines[-1] + bodies[-1].right)
        self.body.height = max(self.foot, *self.feet)

    def add_skips(self) -> None:
        """Add the straight wires across, with labels."""
        for column, edges, x, top, gap in zip(
            self.encoders, self.parts, self.spines, self.tops, self.gaps, strict=False
        ):
            for edge in edges:
                box, y = self.body.boxes[edge.target], top + column.tap_of(edge.source)
                end = box.x if x < self.spine else box.right
                start = [(x, self.body.boxes[edge.source].bottom)] if column.ends_with(edge.source) else []
                self._wire(edge.source, (edge.target,), [*start, (x, y), (end, y)], arrow=True, skips=True)
                self.body.labels.append(Label(edge.source, sum(gap) / 2, y - ABOVE_WIRE))

    def add_middle(self, middle: Column) -> None:
        """Add the bottleneck, and lead from the encoder into it, and from it up to the decoder."""
        body, (foot,) = middle.lay_out(), self.feet
        x = min(self.spine / 2, self.spine - ACROSS - body.right)
        top = max(foot, self.foot) + 2 * ACROSS
        self.body.add(body, x, top)
        self.body.left = max(self.body.left, body.left - x)
        for value, targets in _joined(self.encoders[0], middle):
            corners = [(0.0, foot), (0.0, top - ACROSS), (x, top - ACROSS), (x, top)]
            self._wire(value, targets, corners, arrow=middle.starts_bare)
        end = top + body.height + ACROSS
        for value, targets in _joined(middle, self.decoder):
            corners = [(x, top + body.height), (x, end), (self.spine, end), (self.spine, self.foot)]
            self._wire(value, targets, corners, arrow=self.decoder.starts_bare)
        self.body.height = end

    def join(self) -> None:
        """Lead from the ends of the encoders into the decoder: below it, or from both sides."""
        for column, x, foot in zip(self.encoders, self.spines, self.feet, strict=True):
            for value, targets in _joined(column, self.decoder):
                box, alone = self.body.boxes[targets[0]], len(self.encoders) == 1
                y = max(self.foot, foot) + ACROSS if alone else self.foot - self.decoder.entry_of(targets[0])
                ends = [(self.spine, y), (self.spine, self.foot)]
                if not alone:
                    ends = [(box.x if x < self.spine else box.right, y)]
                self._wire(value, targets, [(x, foot), (x, y), *ends], arrow=not alone or self.decoder.starts_bare)
                self.body.height = max(self.body.height, y)

    def leave(self) -> None:
        """Lead in from above, and from the top of the decoder around it to below the U."""
        for edge in self.encoders[0].incoming:
            arrow = self.encoders[0].starts_bare
            self._wire(edge.source, (edge.target,), [(0.0, 0.0), (0.0, self.tops[0])], arrow=arrow)
        if not self.decoder.outgoing:
            return
        lane, end = self.body.right + ACROSS, self.body.height + ACROSS
        for edge in self.decoder.outgoing:
            corners = [(self.spine, self.top), (self.spine, self.over), (lane, self.over), (lane, end)]
            self._wire(edge.source, (edge.target,), [*corners, (0.0, end), (0.0, end + 2.0)])
        self.body.right, self.body.height = lane, end + 2.0

    def _wire(
        self, value: str, targets: tuple[str, ...], corners: Iterable[tuple[float, float]], *, arrow: bool = False,
        skips: bool = False,
    ) -> None:  # fmt: skip
        self.body.wires.append(Wire(value, targets, tuple(Point(*corner) for corner in corners), arrow, skips))


def _joined(above: Column, below: Column) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the values that flow from the end of one column to the beginning of another, with their targets."""
    for edge in above.outgoing:
        if edge.target in below.numbers:
            yield edge.source, (edge.target,)
