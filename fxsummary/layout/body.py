"""A laid-out part of a picture, relative to the spine that enters it from above."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fxsummary.layout.boxes import Label, Point, Rect, Wire


class Opening(NamedTuple):
    """The position at which a wire from the left enters, the leaves that it leads to, and whether it ends there."""

    x: float
    y: float
    targets: tuple[str, ...]
    ends: bool


@dataclass(slots=True)
class Body:
    """Boxes and wires around a spine, which enters at (0, 0) and leaves at (0, height).

    Attributes:
        left, right: extent on both sides of the spine.
        openings: where wires from the left enter.
        labels, upwards: see `Layout`.
    """

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    boxes: dict[str, Rect] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    upwards: set[str] = field(default_factory=set)

    @property
    def width(self) -> float:
        """The whole extent."""
        return self.left + self.right

    def add(self, other: Body, x: float, y: float) -> None:
        """Add the contents of another body, whose spine is at ``x`` and whose top is at ``y``."""
        self.boxes |= {key: box.moved(x, y) for key, box in other.boxes.items()}
        self.wires += [wire.moved(x, y) for wire in other.wires]
        self.labels += [label._replace(x=label.x + x, y=label.y + y) for label in other.labels]
        self.upwards |= other.upwards
        self.openings += [each._replace(x=each.x + x, y=each.y + y) for each in other.openings]

    def flipped(self) -> Body:
        """Return everything upside down, so that values flow upwards."""
        boxes = {key: box._replace(y=self.height - box.bottom) for key, box in self.boxes.items()}
        turned = ([Point(x, self.height - y) for x, y in wire.points] for wire in self.wires)
        wires = [wire._replace(points=tuple(points)) for wire, points in zip(self.wires, turned, strict=True)]
        return Body(self.left, self.right, self.height, boxes, wires, upwards={*boxes} ^ self.upwards)
