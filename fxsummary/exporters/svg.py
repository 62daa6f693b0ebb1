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
from fxsummary.graph.pictures import Fold
from fxsummary.passes.memory import known_memory
from fxsummary.passes.roofline import roofline
from fxsummary.support.gc_pause import paused

VIEWS = ("model", "memory", "roofline")


def to_svg(
    graph: ModelGraph,
    *,
    view: str = "model",
    title: str | Literal[False] | None = None,
    page: str = "screen",
    depth: int | None = None,
    fold: Fold = "similar",
    ghosts: bool = False,
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
    """Return the graph as an SVG picture; see `ModelGraph.to_svg`."""
    around = sheet(title, subtitle, legend, background, font, font_size)
    check_name("view", view, VIEWS)
    if view != "model":
        given = {
            "page": page != "screen",
            "depth": depth is not None,
            "fold": fold != "similar",
            "ghosts": bool(ghosts),
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
    with paused():
        heading = None if title is False else title
        found = picture(graph, title=heading, depth=depth, fold=fold, ghosts=ghosts, look=wished)
        return draw(found.scene, theme, around)


def _check_alone(view: str, others: list[str]) -> None:
    if others:
        raise InputError(f'{others[0]}= has no meaning for view="{view}": leave it out.')
