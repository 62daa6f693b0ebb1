"""Show results in notebooks: tables as HTML, and the interactive page in a frame."""

from __future__ import annotations

from typing import Any

from fxsummary.errors import InputError
from fxsummary.exporters.html import to_html
from fxsummary.exporters.tables.summary import VIEWS
from fxsummary.graph.frame import HEIGHT, Frame
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text import html


def show(graph: ModelGraph, *, height: int = HEIGHT, **options: Any) -> Frame:
    """Return the interactive page in a frame; see `ModelGraph.show`."""
    if isinstance(height, bool) or not isinstance(height, int) or height <= 0:
        raise InputError(f"height={height!r} is not a positive number of pixels, such as {HEIGHT}.")
    return Frame(to_html(graph, **options), f"{graph.name} architecture", height)


def view_table(graph: ModelGraph, view: str) -> str:
    """Return a view of the text summary as an HTML table, with its facts below."""
    table = VIEWS.get_or_raise(view)(graph, None, True, None)
    rows = [(f"{row.head} {row.settings}".rstrip(), *row.cells) for row in table.rows]
    facts = [f"{name}: {text}" if name else text for name, text in table.facts]
    titles, numbers = [each.title for each in table.columns], [each.right for each in table.columns]
    return html.table(titles, rows, numbers, facts)
