"""Export the summary as a LaTeX table, with pandas; the document needs the package booktabs."""

from __future__ import annotations

from collections.abc import Iterable

from fxsummary.exporters.tables.summary import summarise
from fxsummary.exporters.tables.table import Row
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.text.numbers import MARKS, clean, shorten
from fxsummary.views.depth import check_depth

LONGEST = 100
LONGEST_NOTE = 600
_NOTES = (*MARKS, "carry", "= NAME", "like NAME", "Closed")
"""The facts that explain the rows."""

_SPECIAL = str.maketrans({
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}", "×": r"$\times$",
    "→": r"$\to$", "≥": r"$\geq$", "≈": r"$\approx$", "Σ": r"$\Sigma$",
    "…": r"\ldots{}", "·": r"$\cdot$", "-": "{-}", "[": "{[}", "]": "{]}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
})  # fmt: skip


def to_latex(
    graph: ModelGraph,
    *,
    depth: int | None = None,
    fold: Fold = "similar",
    columns: Iterable[str] | str | None = None,
    caption: str | None = None,
    label: str | None = None,
    longtable: bool = False,
) -> str:
    """Return the rows of the summary as a LaTeX table; see `ModelGraph.to_latex`."""
    import pandas

    summary = summarise(graph, check_depth(depth), fold, columns)
    titles = [escaped(column.title) for column in summary.columns]
    rows = [_cells(row) for row in summary.rows]
    frame = pandas.DataFrame(rows, columns=titles, dtype="object")
    aligned = "".join("r" if column.right else "l" for column in summary.columns)
    text: str = frame.to_latex(
        index=False, escape=False, column_format=aligned, caption=caption, label=label, longtable=longtable
    )
    body, end, after = text.partition(r"\end{table}")
    return f"{body}{_note(summary.facts)}{end}{after}"


def _note(facts: Iterable[tuple[str, str]]) -> str:
    """Return the lines that explain the marks, in small print; "" if there are none."""
    lines = [rf"\textbf{{{escaped(name)}}} {escaped(text, LONGEST_NOTE)}\par" for name, text in facts if name in _NOTES]
    return "\n".join([r"\par\smallskip{\footnotesize\raggedright", *lines, "}", ""]) if lines else ""


def _cells(row: Row) -> tuple[str, ...]:
    name = rf"\texttt{{{escaped(row.name)}}}" if row.name else ""
    first = " ".join(filter(None, (name, escaped(row.type), escaped(row.settings))))
    indent = r"\quad" * max(len(row.branches) - 1, 0)
    return (f"{indent} {first}".lstrip(" "), *map(escaped, row.cells))


def escaped(text: str, limit: int = LONGEST) -> str:
    r"""Escape a text for LaTeX.

    >>> print(escaped("a_b & 3×3"), escaped("\\x"))
    a\_b \& 3$\times$3 \textbackslash{}x
    """
    return shorten(clean(text), limit).translate(_SPECIAL)
