"""The summary as Markdown for GitHub and its like: a table, and the totals as a list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fxsummary.exporters.tables.summary import VIEWS
from fxsummary.exporters.tables.table import Column, Row
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.gc_pause import paused
from fxsummary.support.registry import call
from fxsummary.text.numbers import clean, shorten
from fxsummary.views.depth import check_depth

LONGEST = 100
"""Characters of a name, or of the settings, that a cell holds."""
LONGEST_FACT = 600

_ENTITIES = {char: f"&#{ord(char)};" for char in '&<>|\\"'} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_MARKS = {char: f"\\{char}" for char in "*`[]~$#"}
_SPECIAL = str.maketrans(_ENTITIES | _MARKS)
_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
"""Those at the ends of words; inside they mean nothing."""
_PLAIN_NAME = re.compile(r"[\w.…-]+")


@paused()
def to_markdown(
    graph: ModelGraph,
    *,
    depth: int | None = None,
    view: str | None = None,
    fold: bool = True,
    columns: Iterable[str] | str | None = None,
) -> str:
    """The graph as Markdown.

    Args:
        graph: what to show; it is not changed.
        depth: levels of modules to open, 0 for the model as one row; None for all.
        view: "summary", the hierarchy as it runs; "modules", the module tree as ``print(model)`` shows it;
            "parameters", each named parameter; "operations", in execution order. None for "summary", or, of a
            graph that `fxsummary.diff` made, for what differs.
        fold: show a run of identical blocks once, with ``×N``.
        columns: names of the columns behind the first; see `fxsummary.exporters.text.to_text`.

    Raises:
        UnknownNameError: no such view or column.
        InputError: ``depth`` is no number of levels, or the view has columns of its own.
    """
    depth = check_depth(depth)
    if view is None and graph.comparison is not None:
        text: str = call("fxsummary.exporters.reports.comparison:markdown", graph)
        return text
    table = VIEWS.get_or_raise(view or "summary")(graph, depth, fold, columns)
    marks = ["--:" if column.right else ":--" for column in table.columns]
    lines = [[column.title for column in table.columns], *(_cells(row, table.columns[1:]) for row in table.rows)]
    shown = [f"| {' | '.join(cells)} |" for cells in lines]
    shown.insert(1, f"|{'|'.join(marks)}|")
    if table.facts:
        heading = f"**{escaped(graph.name)}** · {escaped(table.inputs, LONGEST_FACT)}"
        shown = [heading, "", *shown, "", *_facts(table.facts)]
    return "\n".join(shown) + "\n"


def _cells(row: Row, columns: Sequence[Column]) -> list[str]:
    named = " ".join(filter(None, (row.name and name(row.name), escaped(row.type), escaped(row.settings))))
    rest = [cell if column.right else escaped(cell) for cell, column in zip(row.cells, columns, strict=True)]
    return [indented(named, len(row.branches)), *rest]


def _facts(facts: Sequence[tuple[str, str]]) -> list[str]:
    """A list with an item for each heading; what has none goes on with the item before."""
    lines: list[str] = []
    for title, text in facts:
        if title:
            lines.append(f"- **{title}:** {escaped(text, LONGEST_FACT)}")
        else:
            lines[-1] += f"; {escaped(text, LONGEST_FACT)}"
    return lines


def indented(cell: str, level: int) -> str:
    """A cell of a tree: spaces before it would be taken off.

    >>> indented("`conv1`", 2)
    '&emsp;`conv1`'
    """
    return "&emsp;" * (level - 1) + cell


def name(text: str) -> str:
    """A name as code; one with other than letters, digits, points and lines as text.

    >>> print(name("layer1.0"), name("a|b"))
    `layer1.0` a&#124;b
    """
    return f"`{shorten(text, LONGEST)}`" if _PLAIN_NAME.fullmatch(text) else escaped(text)


def escaped(text: str, limit: int = LONGEST) -> str:
    """Text that Markdown takes literally, on one line, also in a cell of a table.

    >>> print(escaped("_a b_c <b>|*x"))
    \\_a b_c &lt;b&gt;&#124;\\*x
    """
    literal = shorten(clean(text), limit).translate(_SPECIAL)
    return _UNDERSCORES.sub(lambda found: r"\_" * len(found[0]), literal)
