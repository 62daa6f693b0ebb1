"""A stop of a column with its size, and what stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fxsummary.layout.arcs import Stop
from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Box, Spacing
from fxsummary.layout.units import LEFT

LEAST_RIGHT = 40.0
"""Width of a table that is always to the right of the spine."""


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


def place_of(stop: Stop, body: Body | None, spacing: Spacing) -> Place:
    if body is not None:
        return Place(stop, body.height, body.left, body.right, body)
    host = stop.unit.box
    offsets = {}
    for _, each in stop.unit.beside:  # the wire between them is straight
        row = host.height - entry_of(host) if each.role == "aside" else entry_of(host)
        offsets[each.key] = row - each.height / 2
    top = min([0.0, *offsets.values()])
    foot = max([host.height, *(offsets[each.key] + each.height for _, each in stop.unit.beside)])
    place = Place(stop, foot - top, 0.0, 0.0, inset=-top, offsets=offsets)
    place.lean(0.0, spacing)
    return place


def head_of(place: Place) -> float:
    """y of the upper border of a stop."""
    return place.y + place.inset


def foot_of(place: Place) -> float:
    """y of the lower border of a stop."""
    return place.bottom if place.body is not None else place.y + place.inset + place.box.height


def entry_of(box: Box) -> float:
    return box.height / 2 if box.entry is None else box.entry
