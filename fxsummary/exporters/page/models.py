"""Export a table of models as one HTML file: sorted by a click on a heading, and searched by name."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from fxsummary.drawing.look import THEMES, check_name
from fxsummary.exporters.models import facts, is_numeric, texts_of
from fxsummary.graph.modeltable import Row, Table
from fxsummary.text.html import escape
from fxsummary.text.numbers import MARKS

_CLASS = ' class="n"'
_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p>{facts}</p>
<label>Find <input type="search" id="find" autocomplete="off"></label></header>
{table}
<script>{script}</script>
</body>
</html>
"""


def to_html(table: Table, *, title: str = "Models", theme: str = "auto") -> str:
    """Return the table as an HTML page that loads nothing.

    Args:
        title: heading.
        theme: colour scheme: "light", "dark", or "auto" for the one of the reader's system.
    """
    check_name("theme", theme, THEMES)
    style, script = _asset("models.css"), _asset("models.js")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'"
    (_, count), *marks = facts(table)
    shown = escape(" · ".join([f"Models: {count}", *(f"{mark} {meaning}" for mark, meaning in marks)]))
    return _PAGE.format(
        theme=escape(theme), policy=policy, title=escape(title), style=style, facts=shown, script=script,
        table=body(table),
    )  # fmt: skip


def body(table: Table) -> str:
    """Return the table as an HTML element; each cell has the value that it is sorted by."""
    numeric = [is_numeric(table, place) for place in range(len(table.columns))]
    heads = [_head("Model", False), *(_head(c.title, n) for c, n in zip(table.columns, numeric, strict=True))]
    rows = [_row(row, table, numeric) for row in table.rows]
    return "\n".join(["<table>", f"<thead><tr>{''.join(heads)}</tr></thead>", "<tbody>", *rows, "</tbody></table>"])


def _head(title: str, is_number: bool) -> str:
    return f'<th scope="col"{_CLASS if is_number else ""}><button type="button">{escape(title)}</button></th>'


def _row(row: Row, table: Table, numeric: list[bool]) -> str:
    name = f'<th scope="row">{escape(row.name)}</th>'
    if row.has_failed:
        empty = '<td data-v=""></td>' * (len(table.columns) - 1)
        return f'<tr class="failed">{name}<td data-v="" class="why">{escape(row.reason)}</td>{empty}</tr>'
    cells = []
    for text, cell, is_number in zip(texts_of(row, table), row.cells, numeric, strict=True):
        value = "" if cell.value is None else escape(str(cell.value))
        tip = f' title="{escape(_tip(value, cell.mark))}"' if is_number and value else ""
        cells.append(f'<td data-v="{value}"{_CLASS if is_number else ""}{tip}>{escape(text)}</td>')
    why = f' title="{escape(row.reason)}"' if row.reason else ""
    return f"<tr{why}>{name}{''.join(cells)}</tr>"


def _tip(value: str, mark: str) -> str:
    text = f"{int(value):,}" if value.lstrip("-").isdigit() else value
    return f"{mark} {text}: {MARKS[mark]}" if mark in MARKS else text


@cache
def _asset(name: str) -> str:
    return resources.files("fxsummary.exporters.page").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
