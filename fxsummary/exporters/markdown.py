"""Export the summary as GitHub-flavoured Markdown: a table, and the totals as a list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from fxsummary.exporters.tables.summary import VIEWS
from fxsummary.exporters.tables.table import Column, Row
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.support.gc_pause import paused
from fxsummary.support.registry import call
from fxsummary.text.numbers import clean, shorten
from fxsummary.views.depth import check_depth

LONGEST = 100
"""Maximum number of characters of a name, or of the settings, in a cell."""
LONGEST_FACT = 600

_ENTITIES = {char: f"&#{ord(char)};" for char in '&<>|\\"'} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_MARKS = {char: f"\\{char}" for char in "*`[]~$#"}
_SPECIAL = str.maketrans(_ENTITIES | _MARKS)
_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
"""Underscores at the ends of words; inside words they need no escape."""
_PLAIN_NAME = re.compile(r"[\w.…-]+")


@paused()
def to_markdown(
    graph: ModelGraph,
    *,
    depth: int | None = None,
    view: str | None = None,
    fold: Fold = "similar",
    columns: Iterable[str] | str | None = None,
    title: str | Literal[False] | None = None,
    notes: bool = True,
) -> str:
    """Return the graph as Markdown; see `ModelGraph.to_markdown`."""
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
        heading = f"**{escaped(title or graph.name)}** · {escaped(table.inputs, LONGEST_FACT)}"
        facts = [fact for fact in table.facts if notes or fact[0] != "Note"]
        shown = [*([] if title is False else [heading, ""]), *shown, "", *_facts(facts)]
    return "\n".join(shown) + "\n"


def _cells(row: Row, columns: Sequence[Column]) -> list[str]:
    named = " ".join(filter(None, (row.name and name(row.name), escaped(row.type), escaped(row.settings))))
    rest = [cell if column.right else escaped(cell) for cell, column in zip(row.cells, columns, strict=True)]
    return ["&emsp;" * (len(row.branches) - 1) + named, *rest]  # Markdown strips leading spaces


def _facts(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Return a list with an item for each heading; lines without a heading continue the previous item."""
    lines: list[str] = []
    for title, text in facts:
        if title:
            lines.append(f"- **{title}:** {escaped(text, LONGEST_FACT)}")
        else:
            lines[-1] += f"; {escaped(text, LONGEST_FACT)}"
    return lines


def name(text: str) -> str:
    """Format a name as code; as text if it has characters other than letters, digits, dots, hyphens and underscores.

    >>> print(name("layer1.0"), name("a|b"))
    `layer1.0` a&#124;b
    """
    return f"`{shorten(text, LONGEST)}`" if _PLAIN_NAME.fullmatch(text) else escaped(text)


def escaped(text: str, limit: int = LONGEST) -> str:
    """Escape a text for Markdown, on one line, for use in table cells too.

    >>> print(escaped("_a b_c <b>|*x"))
    \\_a b_c &lt;b&gt;&#124;\\*x
    """
    literal = shorten(clean(text), limit).translate(_SPECIAL)
    return _UNDERSCORES.sub(lambda found: r"\_" * len(found[0]), literal)
