"""Format tables for a given width: pure functions from cells to lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from unicodedata import combining, east_asian_width

from fxsummary.text.numbers import clean, shorten

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its alignment, and its minimum width.

    Attributes:
        title: heading.
        right: align to the right.
        shrinks: minimum width to which it may be cut; None if it is never cut.
        wraps: whether a text that does not fit goes on in the next line.
    """

    title: str
    right: bool = False
    shrinks: int | None = None
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table.

    Attributes:
        name: name of a module, parameter or run of blocks, relative to its parent; "" for functions.
        cells: cells after the first: costs per copy, shares over all copies.
        branches: for each level down to its own, whether the row is the last of its siblings there.
        type: class name or function, with the number of the call and of copies.
        settings: comma-separated settings.
        goes_on: whether its name is on the line before.
    """

    name: str
    cells: tuple[str, ...]
    branches: tuple[bool, ...] = ()
    type: str = ""
    settings: str = ""
    goes_on: bool = False

    @property
    def lead(self) -> str:
        """The branch lines."""
        return tree((*self.branches, False))[:-2] if self.goes_on else tree(self.branches)

    @property
    def head(self) -> str:
        """The branch lines, name and type."""
        return self.lead + " ".join(filter(None, (self.name, self.type)))


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a model for text, Markdown, LaTeX and documents.

    Attributes:
        columns, rows: the table; in a summary, the first row is the model.
        inputs: in a summary the input names with shapes, or another remark.
        facts: in a summary totals and notes, as pairs of heading and text; continuation lines have no heading.
    """

    columns: tuple[Column, ...]
    rows: list[Row]
    inputs: str = ""
    facts: Sequence[tuple[str, str]] = ()


@lru_cache(maxsize=65_536)
def display_width(text: str) -> int:
    """Return the width of a text in terminal columns.

    >>> display_width("3→16"), display_width("层"), display_width("e\\u0301")
    (4, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(1 + (east_asian_width(char) in "WF") - (combining(char) != 0) for char in text)


def fit(text: str, width: int) -> str:
    """Cut a text in the middle to at most ``width`` columns.

    >>> fit("a very long name", 9), fit("ok", 9)
    ('a ve…name', 'ok')
    """
    cut = shorten(text, width)
    while display_width(cut) > width:
        cut = shorten(text, len(cut) - 1)
    return cut


def fit_start(text: str, width: int) -> str:
    """Cut a text at its end to at most ``width`` columns.

    >>> fit_start("like layer1.0 but", 9), fit_start("ok", 9)
    ('like lay…', 'ok')
    """
    cut = text
    while display_width(cut) > width - (cut != text):
        cut = cut[:-1]
    return cut if cut == text else f"{cut}…"


def render_table(columns: Sequence[Column], rows: Sequence[Sequence[str] | str], width: int) -> list[str]:
    """Return heading, rule and rows; shrinkable columns are cut, the rightmost first, until the lines fit ``width``.

    If the other columns are too wide, lines are longer than ``width``. A row that is a text is a line as it is.
    """
    titles = [column.title for column in columns]
    cells = [titles, *(row if isinstance(row, str) else [clean(cell) for cell in row] for row in rows)]
    widths = [
        max(map(display_width, column)) for column in zip(*(r for r in cells if not isinstance(r, str)), strict=True)
    ]
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    for index in sorted(range(len(columns)), key=lambda i: -widths[i]):
        smallest = columns[index].shrinks
        if excess > 0 and smallest is not None:
            cut = min(excess, max(0, widths[index] - smallest))
            widths[index] -= cut
            excess -= cut
    lines = [line for row in cells for line in ([row] if isinstance(row, str) else _lines(columns, widths, row))]
    lines.insert(1, "─" * (sum(widths) + GAP * (len(widths) - 1)))
    return lines


def _lines(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> list[str]:
    parts = [
        wrap(cell, width, "") if column.wraps else [cell]
        for column, width, cell in zip(columns, widths, row, strict=True)
    ]
    return [_line(columns, widths, line) for line in zip_longest(*parts, fillvalue="")]


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> str:
    padded = []
    for column, width, cell in zip(columns, widths, row, strict=True):
        text = fit(cell, width)
        space = " " * (width - display_width(text))
        padded.append(space + text if column.right else text + space)
    return (" " * GAP).join(padded).rstrip()


def tree(branches: Sequence[bool]) -> str:
    """Return the branch lines in front of a row of a tree, given for each level whether it is the last sibling.

    >>> tree((False, True)), tree(())
    ('│ └ ', '')
    """
    if not branches:
        return ""
    return "".join(["  " if last else "│ " for last in branches[:-1]]) + ("└ " if branches[-1] else "├ ")


def wrap(text: str, width: int, indent: str) -> list[str]:
    """Wrap words in lines of at most ``width`` columns; later lines are indented and long words are cut.

    >>> wrap("tied: a = b", 9, "  ")
    ['tied: a =', '  b']
    """
    lines: list[str] = []
    line = ""
    for word in clean(text).split(" "):
        room = width - (len(indent) if lines else 0)
        if line and display_width(line) + 1 + display_width(word) > room:
            lines.append(line)
            line = ""
            room = width - len(indent)
        line = f"{line} {fit(word, room)}" if line else fit(word, room)
    lines.append(line)
    return [lines[0], *(indent + later for later in lines[1:])]
