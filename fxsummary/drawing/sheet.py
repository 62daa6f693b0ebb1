"""Options for the page around a picture: what stands above it, its ground, its font and its size."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from fxsummary.drawing.look import check_name
from fxsummary.drawing.style import SANS
from fxsummary.errors import InputError

BACKGROUNDS = ("page", "none")
FONT_SIZE = 11.0
"""Size of most texts at 1:1, in px."""

_FAMILY = re.compile(r"[^\W_](?:[\w .+-]*[^\W_])?")


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page around a picture; `sheet` creates one from user options.

    Attributes:
        title, subtitle, legend: whether the heading, the muted line below it and the legend are drawn.
        transparent: whether the page has no ground.
        font: family that precedes the others; "" for none.
        scale: size of the picture relative to that with `FONT_SIZE`.
    """

    title: bool = True
    subtitle: bool = True
    legend: bool = True
    transparent: bool = False
    font: str = ""
    scale: float = 1.0

    def styled(self, css: str) -> str:
        """Return a style sheet with the chosen font."""
        return css.replace(SANS, f'"{self.font}",{SANS}', 1) if self.font else css


PLAIN = Sheet()


def sheet(
    title: str | Literal[False] | None, subtitle: bool, legend: bool, background: str, font: str | None, size: float
) -> Sheet:
    """Return the page for user options.

    Raises:
        UnknownNameError: unknown background; the message lists the known ones.
        InputError: a wrong title, font or font size.

    >>> sheet(False, True, True, "none", "Times New Roman", 9).scale < 1
    True
    >>> sheet(None, True, True, "page", "serif; color: red", 11)
    Traceback (most recent call last):
    ...
    fxsummary.errors.InputError: font='serif; color: red' is not the name of one font family, such as 'Times New Roman'.
    """
    check_name("background", background, BACKGROUNDS)
    if title is not None and title is not False and not isinstance(title, str):
        raise InputError(f"title={title!r} is neither a text nor False, for no heading, nor None, for the class name.")
    if font is not None and not (isinstance(font, str) and _FAMILY.fullmatch(font)):
        raise InputError(f"font={font!r} is not the name of one font family, such as 'Times New Roman'.")
    if isinstance(size, bool) or not isinstance(size, (int, float)) or not math.isfinite(size) or size <= 0:
        raise InputError(f"font_size={size!r} is not a positive number, such as {FONT_SIZE:g}.")
    has_title = title is not False
    return Sheet(has_title, bool(subtitle), bool(legend), background == "none", font or "", size / FONT_SIZE)
