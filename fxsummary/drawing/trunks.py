"""Draw what several wires share once: lines on top of each other look bold at round corners."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fxsummary.layout import Point

NEAR = 0.05
CELL = 256.0
"""Length of the pieces of a line whose spans are kept together."""
_Line = tuple[bool, float]


class Trunks:
    """The straight lines drawn so far: the spans on each horizontal or vertical line."""

    def __init__(self) -> None:
        self.spans: dict[tuple[_Line, int], list[tuple[float, float]]] = {}

    def own_part(self, points: Sequence[Point]) -> list[Point]:
        """Return the part of a wire that is not drawn yet, without what it shares at both ends, and remember it."""
        first, last = 0, len(points) - 1
        while first < last and self._holds(points[first], points[first + 1]):
            first += 1
        while last > first and self._holds(points[last - 1], points[last]):
            last -= 1
        own = list(points[first : last + 1])
        for a, b in pairwise(own):
            line, (low, high) = _line_of(a, b)
            for cell in range(int(low // CELL), int(high // CELL) + 1):
                self.spans.setdefault((line, cell), []).append((low, high))
        return own if len(own) > 1 else []

    def _holds(self, a: Point, b: Point) -> bool:
        line, (low, high) = _line_of(a, b)
        return any(
            start <= low + NEAR and high <= end + NEAR for start, end in self.spans.get((line, int(low // CELL)), ())
        )


def _line_of(a: Point, b: Point) -> tuple[_Line, tuple[float, float]]:
    if abs(a.x - b.x) < NEAR:
        return (True, round(a.x, 1)), (min(a.y, b.y), max(a.y, b.y))
    return (False, round(a.y, 1)), (min(a.x, b.x), max(a.x, b.x))


def length_of(points: Sequence[Point]) -> float:
    """Return the length of a wire."""
    return sum(abs(a.x - b.x) + abs(a.y - b.y) for a, b in pairwise(points))
