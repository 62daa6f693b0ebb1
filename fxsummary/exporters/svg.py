"""Export to SVG: the picture, with fxsummary's own layout and painting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from fxsummary.drawing import roofline as roofline_plot
from fxsummary.drawing import timeline
from fxsummary.drawing.choose import picture
from fxsummary.drawing.compose import inputs_text
from fxsummary.drawing.look import check_name, look
from fxsummary.drawing.sheet import FONT_SIZE, sheet
from fxsummary.drawing.svg_page import draw
from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.passes.memory import known_memory
from fxsummary.passes.roofline import roofline
from fxsummary.views.shown import Fold

VIEWS = ("model", "memory", "roofline")


def to_svg(
    graph: ModelGraph,
    *,
    view: str = "model",
    title: str | Literal[False] | None = None,
    page: str = "screen",
    depth: int | None = None,
    fold: Fold = "similar",
    theme: str = "auto",
    color: str = "kind",
    show: Iterable[str] | None = None,
    direction: str = "TB",
    source_url: str | None = None,
    subtitle: bool = True,
    legend: bool = True,
    background: str = "page",
    font: str | None = None,
    font_size: float = FONT_SIZE,
) -> str:
    """Return the graph as an SVG picture.

    Runs of identical blocks are drawn once with ×N. ``<desc>`` lists the hidden and folded operations, and tooltips
    show everything known about an operation.

    Args:
        graph: graph to draw; it is not changed.
        view: "model", or "memory" for the memory of the forward pass: bytes over operations by what holds them, and the
            peak, or "roofline" for the time at best: FLOP/s over FLOP/B, on the device of ``g.roofline(device).graph``
            or else on an H100. The latter two have the options ``title`` and ``theme``, and those from ``subtitle`` on.
        title: heading; the model's class name if None, no heading if False.
        page: the page for which the picture is laid out: "screen" (1,400 px wide), "column" (760 px, for a paper or a
            documentation page), "a4" (860 px) or "slide" (16:9). Type is 11 px in each; what a narrow page has no room
            for is left out of the rows and stays in the tooltips.
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
        fold: "similar" draws runs of equal and of similar copies once, "exact" only equal ones, False every copy.
        theme: "auto" follows the reader's colour scheme; "light" and "dark" are fixed.
        color: background colour of a row: by "kind", or by "flops", "parameters", "memory" (bytes in use
            while it runs) or "time" (at best, as above) relative to the largest row; all but memory are over all
            copies.
        show: facts next to the name of an operation, from "path", "config", "shape", "parameters" and
            "flops"; all if None.
        direction: "TB", from top to bottom, or "LR", from left to right.
        source_url: URL template for source lines, such as
            ``https://github.com/me/repo/blob/main/{file}#L{line}``; rows and groups become links. File paths are
            relative to the folder from which the code was imported.
        subtitle: whether to draw the muted line below the heading; it stays in ``<desc>``.
        legend: whether to draw the legend.
        background: "page", the ground of the colour scheme, or "none", so that the ground of your page shows. With
            "none", fix the ``theme``: "auto" follows the reader's system, and your page may not.
        font: font family of the texts, except for paths and shapes, which are monospaced; the families of ``font=None``
            follow it. Texts are measured for Helvetica, Arial and Liberation Sans: no text leaves its place in a
            family that is no wider, such as Times New Roman. The picture contains no font; PNG and PDF take it from
            the fonts of this machine.
        font_size: size of most texts in px: the whole picture is scaled by ``font_size / 11``, and its layout stays.

    Raises:
        UnknownNameError: unknown name; the message lists the known ones.
        InputError: ``depth`` is not a number of levels, ``source_url`` is not an http, https or relative URL with
            ``{file}``, ``title``, ``font`` or ``font_size`` is not what it must be, or the view is not "model" and
            shapes are unknown or another option is given.
    """
    around = sheet(title, subtitle, legend, background, font, font_size)
    check_name("view", view, VIEWS)
    if view != "model":
        given = {
            "page": page != "screen",
            "depth": depth is not None,
            "fold": fold != "similar",
            "color": color != "kind",
            "show": show is not None,
            "direction": direction != "TB",
            "source_url": source_url is not None,
        }
        _check_alone(view, [name for name, is_given in given.items() if is_given])
        options: dict[str, Any] = {"inputs": inputs_text(graph), "theme": theme, "sheet": around}
        options["title"] = title or graph.name
        if view == "memory":
            return timeline.draw(known_memory(graph), **options)
        return roofline_plot.draw(graph.roofline_found or roofline(graph), **options)
    wished = look(color, direction, show, source_url, page)
    if color == "time":
        graph = (graph.roofline_found or roofline(graph)).graph
    found = picture(graph, title=None if title is False else title, depth=depth, fold=fold, look=wished)
    return draw(found.scene, theme, around)


def _check_alone(view: str, others: list[str]) -> None:
    if others:
        raise InputError(f'{others[0]}= has no meaning for view="{view}": leave it out.')
