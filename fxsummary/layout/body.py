"""A laid-out part of a picture, relative to the spine that enters it from above."""

from __future__ import annotations

from dataclasses import dataclass, field

from fxsummary.layout.boxes import Rect, Wire


@dataclass(slots=True)
class Body:
    """Boxes and wires around a spine, which enters at (0, 0) and leaves at (0, height).

    Attributes:
        left, right: extent on both sides of the spine.
        gap: whether the wires that enter touch nothing but the spine above the first box.
    """

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    boxes: dict[str, Rect] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)

    @property
    def width(self) -> float:
        """The whole extent."""
        return self.left + self.right

    def add(self, other: Body, x: float, y: float) -> None:
        """Add the contents of another body, whose spine is at ``x`` and whose top is at ``y``."""
        self.boxes |= {key: box._replace(x=box.x + x, y=box.y + y) for key, box in other.boxes.items()}
        self.wires += [wire.moved(x, y) for wire in other.wires]
