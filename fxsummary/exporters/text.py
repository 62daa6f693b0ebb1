"""Export the summary as text: the module hierarchy with shapes, parameters and FLOPs, then totals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from fxsummary.exporters.reports.comparison import changes
from fxsummary.exporters.tables.summary import VIEWS
from fxsummary.exporters.tables.table import Row, Table, display_width, fit, fit_start, render_table, tree, wrap
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.support.gc_pause import paused
from fxsummary.text.numbers import clean
from fxsummary.views.depth import check_depth

_COPIES = re.compile(r"(?:^| )(×\d+(?: steps| calls)?)(?=$| = | like )")
_REFERENCE = re.compile(r"(^|\d )(=|like) ")
_CLOSED = re.compile(r"\(\d+ rows?\)(, )?")

MIN_WIDTH = 60
LEAST_TYPE = 6
"""Minimum width to which a function name, or a remark such as ``like NAME``, is cut before it is left out."""
LEAST_REMARK = 8
"""Minimum width to which a remark in words is cut before it is left out."""


@paused()
def to_text(
    graph: ModelGraph,
    *,
    width: int = 80,
    depth: int | None = None,
    view: str | None = None,
    fold: Fold = "similar",
    columns: Iterable[str] | str | None = None,
) -> str:
    """Return the graph as text; see `ModelGraph.to_text`."""
    width, depth = max(width, MIN_WIDTH), check_depth(depth)
    if view is None and graph.comparison is not None:
        return "\n".join(changes(graph, graph.comparison, width, depth))
    table = VIEWS.get_or_raise(view or "summary")(graph, depth, fold, columns)
    is_tree = table.facts or any(row.type for row in table.rows)
    rows = _fitted(table, width) if is_tree else [(row.head, *row.cells) for row in table.rows]
    lines = render_table(table.columns, rows, width)
    if not table.facts:
        return "\n".join(lines)
    facts = [
        f"{name if number == 0 else '':<11}{line}"
        for name, text in table.facts
        for number, line in enumerate(wrap(text, width - 11, ""))
    ]
    heading = wrap(f"{graph.name} · {table.inputs}", width, "  ")
    return "\n".join([*heading, "", *lines, "─" * display_width(lines[1]), *facts])


def _fitted(table: Table, width: int) -> list[tuple[str, ...] | str]:
    """Return the cells of the rows, with as many settings in the first cell as fit its width.

    A name that does not fit the first cell is a line of its own.
    """
    room = width
    for index, column in enumerate(table.columns[1:]):
        widest = max([display_width(column.title), *(display_width(row.cells[index]) for row in table.rows)])
        room -= 2 + (min(widest, column.shrinks or widest) if column.wraps else widest)
    room = max(room, table.columns[0].shrinks or 0)
    lines: list[tuple[str, ...] | str] = []
    for row in table.rows:
        if row.name and display_width(_shortest(row)) > room:
            lines.append(fit(f"{tree(row.branches)}{clean(row.name)}", width))
            row = replace(row, name="", goes_on=True)
        lines.append((_first_cell(row, room), *row.cells))
    return lines


def _shortest(row: Row) -> str:
    """Return what the first cell of a row must show: branch lines, name, number of copies and of closed rows."""
    found, closed = _COPIES.search(row.type), _CLOSED.match(row.settings)
    parts = [f" {found[1]}" if found else "", f" {closed[0].removesuffix(', ')}" if closed else ""]
    return f"{tree(row.branches)}{clean(row.name)}{''.join(parts)}"


def _first_cell(row: Row, room: int) -> str:
    """Return branch lines, name, type and settings in ``room`` columns; the number of closed rows stays."""
    settings, closed = clean(row.settings), ""
    if found := _CLOSED.match(settings):
        closed, settings = found[0].removesuffix(", "), settings[found.end() :]
        room -= display_width(closed) + 1
    if settings.startswith("carry ") and (found := _COPIES.search(row.type)):
        short = row.lead + " ".join(filter(None, (clean(row.name), found[1], settings)))
        if display_width(f"{row.head} {settings}") > room >= display_width(short):
            return short
    text = _with_settings(_head(row, room), settings, room)
    return f"{text} {closed}" if closed else text


def _head(row: Row, room: int) -> str:
    """Return branch lines, name and type in ``room`` columns; the type is left out before the name, never its ×N."""
    head, lead = clean(row.head), row.lead
    left = room - display_width(lead)
    if display_width(head) <= room or left < LEAST_TYPE:
        return head
    found = _COPIES.search(row.type)
    copies = f" {found[1]}" if found else ""
    if not row.name:
        kept = copies if row.type.endswith(copies) else ""
        return f"{lead}{fit_start(clean(row.type).removesuffix(kept), left - display_width(kept))}{kept}"
    name = clean(row.name)
    rest = left - display_width(name) - 1
    if rest >= LEAST_TYPE and _REFERENCE.search(row.type):
        return f"{lead}{name} {fit_start(clean(row.type), rest)}"
    return f"{lead}{name}{copies}"


def _with_settings(head: str, settings: str, room: int) -> str:
    parts = settings.split(", ") if settings else []
    for end in range(len(parts), 0, -1):
        text = f"{head} {', '.join(parts[:end])}" + ("…" if end < len(parts) else "")
        if display_width(text) <= room:
            return text
    if parts and parts[0].startswith("tied to "):
        return fit(f"{head} tied to …{parts[0].rpartition('.')[2]}", room)
    left = room - display_width(head) - 1
    if parts and parts[0][0].isalpha() and left >= LEAST_REMARK and not parts[0].startswith("carry "):
        return f"{head} {fit(parts[0], left)}"
    return fit(head, room)
