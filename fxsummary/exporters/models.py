"""Export a table of models as text, Markdown, CSV, LaTeX and pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fxsummary.exporters import latex, markdown
from fxsummary.exporters.tables import table as lines
from fxsummary.graph.modeltable import MARKS, Row, Table, Value, text_of
from fxsummary.text import html
from fxsummary.text import numbers as fmt

if TYPE_CHECKING:
    import pandas

MIN_WIDTH, LEAST_NAME, LEAST_TEXT = 40, 8, 12
"""Minimum widths of the whole text, and to which names and texts may be cut."""


def is_numeric(table: Table, place: int) -> bool:
    """Return whether a column is aligned as numbers."""
    return not table.columns[place].is_text and not any(isinstance(row.cells[place].value, str) for row in table.rows)


def facts(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the number of models and of failures, and the meaning of the marks, as headings and texts."""
    failed = sum(row.has_failed for row in table.rows)
    yield "Models", fmt.count(len(table.rows)) + (f", {fmt.count(failed)} failed" if failed else "")
    marks = {cell.mark for row in table.rows if not row.has_failed for cell in row.cells}
    for mark in ("≈", "≥", "?"):
        if mark in marks:
            yield mark, fmt.MARKS[mark]


def to_text(table: Table, *, width: int = 80) -> str:
    """Return aligned text; a model that failed is its name and the reason.

    If all names start with the same ``library:``, that is the heading of the first column. A name that has no room is
    a line of its own.
    """
    width, prefix = max(width, MIN_WIDTH), _prefix(table)
    cells = [texts_of(row, table) for row in table.rows]
    columns = []
    room = width
    for place, column in enumerate(table.columns):
        is_number = is_numeric(table, place)
        widest = max(map(lines.display_width, (column.title, *(texts[place] for texts in cells))))
        columns.append(lines.Column(column.title, is_number, None if is_number else LEAST_TEXT))
        room -= lines.GAP + (widest if is_number else min(widest, LEAST_TEXT))
    rows: list[tuple[str, ...] | str] = []
    for row, texts in zip(table.rows, cells, strict=True):
        name = fmt.clean(row.name.removeprefix(prefix))
        if not row.has_failed:
            fits = lines.display_width(name) <= max(room, LEAST_NAME)
            rows += [] if fits else [lines.fit(name, width)]
            rows.append((name if fits else "", *texts))
        if row.reason:
            rows += lines.wrap(f"{name}: {row.reason}" if row.has_failed else f"  {row.reason}", width, "  ")
    widest = max((lines.display_width(row[0]) for row in rows if not isinstance(row, str)), default=0)
    heading = lines.fit(prefix, max(widest, 16)) if prefix else "Model"
    shown = lines.render_table([lines.Column(heading), *columns], rows, width)
    shown.append("─" * lines.display_width(shown[1]))
    return "\n".join([*shown, *(f"{name:<11}{text}" for name, text in facts(table))])


def _prefix(table: Table) -> str:
    """Return what all names start with, up to their last colon; "" if they differ or are few."""
    found = {row.name[: row.name.rfind(":") + 1] for row in table.rows}
    return fmt.clean(found.pop()) if len(found) == 1 and len(table.rows) > 1 else ""


def to_markdown(table: Table) -> str:
    """Return GitHub-flavoured Markdown: a table, then facts; a model that failed has its reason in the last column."""
    has_reasons = any(row.reason for row in table.rows)
    titles = ["Model", *(column.title for column in table.columns), *(["Failed"] * has_reasons)]
    marks = [":--", *("--:" if is_numeric(table, place) else ":--" for place in range(len(table.columns)))]
    shown = [titles, [*marks, *([":--"] * has_reasons)]]
    for row in table.rows:
        cells = [markdown.escaped(text) for text in texts_of(row, table)]
        shown.append([markdown.name(row.name), *cells, *([markdown.escaped(row.reason, 300)] * has_reasons)])
    rows = [f"| {' | '.join(cells)} |" for cells in shown]
    rows[1] = f"|{'|'.join(shown[1])}|"
    items = [f"- **{name}:** {markdown.escaped(text)}" for name, text in facts(table)]
    return "\n".join([*rows, "", *items]) + "\n"


def to_cell(table: Table) -> str:
    """Return an HTML table for a notebook: as in Markdown, without scripts."""
    has_reasons = any(row.reason for row in table.rows)
    titles = ["Model", *(column.title for column in table.columns), *(["Failed"] * has_reasons)]
    numbers = [False, *(is_numeric(table, place) for place in range(len(table.columns))), *([False] * has_reasons)]
    rows = [(row.name, *texts_of(row, table), *([row.reason] * has_reasons)) for row in table.rows]
    return html.table(titles, rows, numbers, [f"{name}: {text}" for name, text in facts(table)])


def texts_of(row: Row, table: Table) -> list[str]:
    """Return the cells of a row as they are shown; a model that failed has none."""
    if row.has_failed:
        return [""] * len(table.columns)
    return [text_of(cell, column) for cell, column in zip(row.cells, table.columns, strict=True)]


def to_latex(table: Table, *, longtable: bool = False) -> str:
    r"""Return a ``tabular`` with the rules of booktabs, or a ``longtable``, which may span several pages."""
    kind = "longtable" if longtable else "tabular"
    aligned = "".join("r" if is_numeric(table, place) else "l" for place in range(len(table.columns)))
    head = " & ".join(map(latex.escaped, ("Model", *(column.title for column in table.columns)))) + r" \\"
    body = [rf"\begin{{{kind}}}{{l{aligned}}}", r"\toprule", head, r"\midrule", *([r"\endhead"] * longtable)]
    for row in table.rows:
        name = rf"\texttt{{{latex.escaped(row.name)}}}"
        if row.has_failed:
            reason = latex.escaped(f"failed: {row.reason}")
            body.append(rf"{name} & \multicolumn{{{len(table.columns)}}}{{l}}{{{reason}}} \\")
        else:
            body.append(" & ".join([name, *map(latex.escaped, texts_of(row, table))]) + r" \\")
    body += [r"\bottomrule", rf"\end{{{kind}}}"]
    notes = "; ".join(f"{latex.escaped(name)}: {text}" for name, text in facts(table) if name in MARKS)
    return "\n".join([*body, *([rf"\par\smallskip{{\footnotesize {notes}}}"] if notes else [])]) + "\n"


def data(table: Table) -> dict[str, list[Value]]:
    """Return the exact values by column, with a column ``NAME_trust`` after each one of numbers, and ``failed``."""
    found: dict[str, list[Value]] = {}
    for place, column in enumerate(table.columns):
        found[column.name] = [_plain(row.cells[place].value) for row in table.rows]
        if not column.is_text:
            found[f"{column.name}_trust"] = [MARKS[row.cells[place].mark] for row in table.rows]
    return {**found, "failed": [fmt.clean(row.reason) for row in table.rows]}


def _plain(value: Value) -> Value:
    return fmt.clean(value) if isinstance(value, str) else value


def to_csv(table: Table) -> str:
    """Return exact numbers as CSV: a row for each model.

    A column of numbers is followed by ``NAME_trust``: "exact", "assumed" (the number depends on assumed values), "at
    least" (it is a lower bound) or "unknown" (the number is empty). ``failed`` is the reason why a model failed.
    """
    stream, columns = io.StringIO(), data(table)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", *columns])
    for row, *values in zip(table.rows, *columns.values(), strict=True):
        writer.writerow([fmt.clean(row.name), *("" if value is None else value for value in values)])
    return stream.getvalue()


def to_pandas(table: Table) -> pandas.DataFrame:
    """Return a DataFrame with the columns of `to_csv`: integers as "Int64", texts as "string"."""
    import pandas

    index = pandas.Index([fmt.clean(row.name) for row in table.rows], name="model", dtype="string")
    series = {name: pandas.Series(values, index=index, dtype=_dtype(values)) for name, values in data(table).items()}
    return pandas.DataFrame(series, index=index)


def _dtype(values: list[Value]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} and kinds:
        return "Int64"
    return "Float64" if kinds <= {int, float} and kinds else "string" if kinds <= {str} else "object"
