"""How far the contents of a frame reach to both sides of the spine, by height."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fxsummary.layout.units import LEFT, RIGHT

CELL = 256.0
"""Height of the pieces whose spans are kept together."""


class Span(NamedTuple):
    """What stands about the spine from one y to another, and how far it reaches to both sides."""

    top: float
    bottom: float
    left: float
    right: float


class Bands:
    """The spans of a frame.

    Attributes:
        left, right: how far the widest of them reach.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self.cells: dict[int, list[Span]] = {}
        self.left = self.right = 0.0
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        """Add a span."""
        for cell in range(int(span.top // CELL), int(span.bottom // CELL) + 1):
            self.cells.setdefault(cell, []).append(span)
        self.left, self.right = max(self.left, span.left), max(self.right, span.right)

    def add_beside(self, side: int, low: float, high: float, distance: float) -> None:
        """Add what stands on one side only."""
        self.add(Span(low, high, distance * (side == LEFT), distance * (side == RIGHT)))

    def reach(self, side: int, low: float, high: float) -> float:
        """Return how far anything between two y reaches to a side."""
        cells = range(int(low // CELL), int(high // CELL) + 1)
        near = (span for cell in cells for span in self.cells.get(cell, ()) if span.top < high and span.bottom > low)
        return max((span.left if side == LEFT else span.right for span in near), default=0.0)
