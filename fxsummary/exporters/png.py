"""Export to PNG: the SVG picture, rendered by resvg (the package ``resvg_py``)."""

from __future__ import annotations

import math
import re
from typing import Any

from fxsummary.errors import InputError, OutputError, TooLargeError
from fxsummary.exporters.fontfiles import family_in, find_fonts
from fxsummary.exporters.svg import to_svg
from fxsummary.graph.modelgraph import ModelGraph

LONGEST_SIDE = 32_767
MOST_PIXELS = 400_000_000
"""A larger picture would take more than 1.6 GB of memory."""


def to_png(graph: ModelGraph, *, scale: float = 1.0, theme: str = "light", **options: Any) -> bytes:
    """Return the picture as PNG; see `ModelGraph.to_png`."""
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not math.isfinite(scale) or scale <= 0:
        raise InputError(f"scale={scale!r} is not a positive number, such as 2.")
    svg = to_svg(graph, theme="light" if theme == "auto" else theme, **options)
    return png_of(svg, scale)


def png_of(svg: str, scale: float) -> bytes:
    """Convert one of our SVGs to PNG."""
    import resvg_py

    width, height = (math.ceil(side * scale) for side in size_of(svg))
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        limit = f"{LONGEST_SIDE:,} px a side" if max(width, height) > LONGEST_SIDE else f"{MOST_PIXELS:,} pixels"
        raise TooLargeError(
            f"the PNG would have {width:,} × {height:,} px, and viewers support up to {limit}: "
            "pass a smaller depth= or scale=, or render to .svg, which has no limit."
        )
    fonts = find_fonts(family_in(svg))
    if fonts is None:
        raise OutputError(
            "there is no font on this machine to draw a PNG with: install one, such as DejaVu Sans "
            "(apt install fonts-dejavu-core), or render to .svg."
        )
    try:
        drawn, sans, mono = fonts.fitted(svg), fonts.sans, fonts.mono
        files = [str(path) for path in dict.fromkeys((fonts.regular, fonts.bold, fonts.monospaced))]
        picture = resvg_py.svg_to_bytes(
            svg_string=drawn, zoom=scale, sans_serif_family=sans, monospace_family=mono, font_files=files
        )
    except ValueError as error:
        raise OutputError(f"resvg_py cannot render the picture: {error}. Render to .svg instead.") from error
    return bytes(picture)


def size_of(svg: str) -> tuple[float, float]:
    """Return the width and height in the header of one of our SVGs.

    >>> size_of('<svg width="816" height="99.5" viewBox="0 0 816 99.5">')
    (816.0, 99.5)
    """
    found = re.search(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"', svg)
    assert found is not None
    return float(found[1]), float(found[2])
