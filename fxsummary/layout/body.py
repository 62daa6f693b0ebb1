"""A laid-out part of a picture, relative to the spine that enters it from above."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fxsummary.layout.boxes import Rect, Wire


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
    """

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    boxes: dict[str, Rect] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)

    @property
    def width(self) -> float:
        """The whole extent."""
        return self.left + self.right

    def add(self, other: Body, x: float, y: float) -> None:
        """Add the contents of another body, whose spine is at ``x`` and whose top is at ``y``."""
        self.boxes |= {key: box._replace(x=box.x + x, y=box.y + y) for key, box in other.boxes.items()}
        self.wires += [wire.moved(x, y) for wire in other.wires]
        self.openings += [each._replace(x=each.x + x, y=each.y + y) for each in other.openings]
