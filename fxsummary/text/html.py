"""HTML for notebooks: pictures no wider than their place, and small tables without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from fxsummary.text.numbers import clean

_XML = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}
_NOT_TYPESET = "tex2jax_ignore mathjax_ignore"
"""Classes that keep MathJax from reading dollar signs in a table as formulas."""


@lru_cache(maxsize=8192)
def escape(text: str) -> str:
    """Escape a text for XML or HTML content and attributes: one line, no control characters, no markup.

    >>> escape('a<b> & "c" ]]>\\n\\x00d')
    'a&lt;b&gt; &amp; &quot;c&quot; ]]&gt; d'
    """
    return clean(text).translate(_XML)


def scaled(svg: str) -> str:
    """Return one of our SVGs no wider than the place that it is shown in.

    >>> scaled('<svg width="9">')
    '<svg style="max-width:100%;height:auto" width="9">'
    """
    return svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)


def table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[bool], below: Iterable[str] = ()
) -> str:
    """Return a table as HTML; texts are escaped, and keep their spaces and lines.

    Args:
        titles: headings of the columns; none are shown if all are "".
        rows: the texts of each row.
        numbers: which columns are aligned to the right.
        below: lines of text below the table.
    """
    sides = ["right" if is_number else "left" for is_number in numbers]
    head = f"<thead>{_row(titles, sides, 'th')}</thead>" if any(titles) else ""
    body = "".join([_row(row, sides, "td") for row in rows])
    lines = "".join([f"<div>{_lines(line)}</div>" for line in below])
    return f'<div class="{_NOT_TYPESET}"><table>{head}<tbody>{body}</tbody></table>{lines}</div>'


def _row(texts: Sequence[str], sides: Sequence[str], tag: str) -> str:
    cells = [
        f'<{tag} style="text-align:{side};white-space:pre-wrap">{_lines(text)}</{tag}>'
        for text, side in zip(texts, sides, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.split("\n")))
