"""Pages: their formats, and the size of a picture on one, with what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from fxsummary.drawing.narrow import STEPS

NARROW_COST, EMPTY_COST, PART_COST = 0.05, 0.4, 0.3
FAR = 1.1
"""How many times as high as its limit a page is that is far too high."""
SHAPED, SHAPED_HEIGHT = 1.0, 1.35
"""How much a shape that people draw is worth, and how much higher it may be."""
WHOLE_HEIGHT = 1.1
"""How much higher a column may be if it needs much less area than its parts."""


@dataclass(frozen=True, slots=True)
class Format:
    """A page format.

    Attributes:
        width, height: maximum size in px.
        tall: height in px from which a column is cut into parts; columns: the maximum number of parts.
        steps: numbers of steps of leaving texts out that are tried.
    """

    width: float
    height: float
    tall: float = float("inf")
    columns: int = 1
    steps: tuple[int, ...] = (0, 2, 4, STEPS)


SCREEN_STEPS = 0, 2, 4, 5
FORMATS = {
    "screen": Format(1400.0, 1500.0, 1150.0, 4, SCREEN_STEPS),
    "column": Format(760.0, 2200.0),
    "a4": Format(860.0, 1500.0),
    "window": Format(2400.0, 4000.0, 1500.0, 3, (0,)),
    "slide": Format(1400.0, 788.0, 788.0, 4, SCREEN_STEPS),
}


@dataclass(frozen=True, slots=True)
class Page:
    """The size of a picture including title and legend.

    Attributes:
        filled: total area of its items; left_out: number of steps taken to make it narrower.
        parts: number of parts of the column; shaped: whether it is a U or has two sides.
        whole: whether it is one column because its parts would leave more of the page empty.
    """

    width: float
    height: float
    format: Format
    filled: float = 1.0
    left_out: int = 0
    parts: int = 1
    shaped: bool = False
    whole: bool = False

    @property
    def cost(self) -> float:
        """Cost of the page: too large, empty area, texts left out."""
        over = log(max(self.width / self.format.width, self.height / self.tallest))
        empty = log(self.width * self.height / self.filled)
        return (
            (1 + 30 * over if over > 0 else 0.0)
            + EMPTY_COST * empty
            + NARROW_COST * self.left_out
            + PART_COST * self.parts
            - SHAPED * self.shaped
        )

    @property
    def fits(self) -> bool:
        """Whether it is within its format."""
        return self.width <= self.format.width and self.height <= self.tallest

    @property
    def is_far_too_high(self) -> bool:
        """Whether its height is far beyond its limit."""
        return self.height > FAR * self.tallest

    @property
    def tallest(self) -> float:
        """Its maximum height: more for a shape that people draw, and for a column that is smaller than its parts."""
        return self.format.height * (SHAPED_HEIGHT if self.shaped else WHOLE_HEIGHT if self.whole else 1.0)
