"""SVG: the picture, laid out and painted by fxsummary itself."""

from __future__ import annotations

from collections.abc import Iterable

from fxsummary.drawing.choose import picture
from fxsummary.drawing.look import look
from fxsummary.drawing.svg_page import draw
from fxsummary.graph.modelgraph import ModelGraph


def to_svg(
    graph: ModelGraph,
    *,
    title: str | None = None,
    depth: int | None = None,
    fold: bool = True,
    theme: str = "auto",
    color: str = "kind",
    show: Iterable[str] | None = None,
    direction: str = "TB",
    source_url: str | None = None,
) -> str:
    """The graph as a picture.

    Runs of identical blocks are drawn once with ×N; what is hidden or folded is listed in ``<desc>``, and
    each operation's tooltip says everything known of it.

    Args:
        graph: what to draw; it is not changed.
        title: heading; the model's class name if None.
        depth: levels of modules to open, 0 for the model as one row; None for as much as fits a page.
        fold: whether runs of identical blocks are drawn once; False draws each of them.
        theme: "auto" follows the reader's colour scheme; "light" and "dark" are fixed.
        color: what the ground of a row stands for: "kind", or its part of the largest row's "flops",
            "parameters" or "memory" (bytes that the operations put out), copies counted.
        show: the facts beside the name of an operation, of "path", "config", "shape", "parameters" and
            "flops"; all if None.
        direction: "TB", from top to bottom, or "LR", from left to right.
        source_url: address of a source line, such as ``https://github.com/me/repo/blob/main/{file}#L{line}``;
            rows and groups become links to theirs. Files are named as from the folder they were imported from.

    Raises:
        UnknownNameError: a name is not known; the message lists those that are.
        InputError: ``depth`` is no number of levels, or
            ``source_url`` is not an http, https or relative address with a place for the file.
    """
    wished = look(color, direction, show, source_url)
    return draw(picture(graph, title=title, depth=depth, fold=fold, look=wished).scene, theme)
