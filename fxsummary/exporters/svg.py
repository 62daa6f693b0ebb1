"""SVG: the picture, laid out and painted by fxsummary itself."""

from __future__ import annotations

from fxsummary.drawing import draw
from fxsummary.exporters.picture import picture
from fxsummary.modelgraph import ModelGraph


def to_svg(graph: ModelGraph, *, title: str | None = None, depth: int | None = None, theme: str = "auto") -> str:
    """The graph as a picture.

    Runs of identical blocks are drawn once with ×N; what is hidden or folded is listed in ``<desc>``, and
    each operation's tooltip says everything known of it.

    Args:
        graph: what to draw; it is not changed.
        title: heading; the model's class name if None.
        depth: levels of modules to open; None for as much as fits a page.
        theme: "auto" follows the reader's colour scheme; "light" and "dark" are fixed.
    """
    return draw(picture(graph, title=title, depth=depth).scene, theme)
