"""Records of a table of models: `Table`, its `Row`s and `Cell`s."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.support import files
from fxsummary.support.registry import call, unknown
from fxsummary.text import numbers as fmt

if TYPE_CHECKING:
    import pandas

Value = int | float | str | None
"""A value in a table; None if unknown."""
MARKS = {"": "exact", "≈": "assumed", "≥": "at least", "?": "unknown"}
"""Marks of a number, with the trust that they express."""
FORMATS = {".txt": "text", ".md": "markdown", ".csv": "csv", ".tex": "latex", ".html": "html", ".svg": "svg"}
"""Formats by file suffix."""


class Cell(NamedTuple):
    """A value, and how far it can be trusted.

    Attributes:
        value: a number or a text; None if unknown.
        mark: "" if it is exact, "≈" if it depends on assumed values, "≥" if it is a lower bound, "?" if unknown.
    """

    value: Value
    mark: str = ""


UNKNOWN = Cell(None, "?")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of models.

    Attributes:
        name: name, such as "flops".
        title: heading, such as "FLOPs".
        form: how values are written: "count" in full, "short" with an SI suffix, "parameters" with B for billions,
            "bytes" with a binary unit, "text"; "" for what the value's type suggests.
    """

    name: str
    title: str
    form: str = ""

    @property
    def is_text(self) -> bool:
        """Whether its values are texts, which carry no mark."""
        return self.form == "text"


@dataclass(frozen=True, slots=True)
class Row:
    """One model.

    Attributes:
        name: its name.
        cells: one for each column.
        reason: why the model, or one of its columns, failed; "" if all went well.
    """

    name: str
    cells: tuple[Cell, ...]
    reason: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether nothing is known."""
        return bool(self.reason) and all(cell == UNKNOWN for cell in self.cells)


@dataclass(frozen=True)
class Table:
    """Many models, one in each row.

    ``table["timm:resnet18"]["flops"]`` is a value; rows and columns are tuples in their order.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> dict[str, Value]:
        """Return the values of a model by column."""
        row = next((row for row in self.rows if row.name == name), None)
        if row is None:
            raise UnknownNameError(unknown("model", name, [row.name for row in self.rows]))
        return {column.name: cell.value for column, cell in zip(self.columns, row.cells, strict=True)}

    def place(self, name: str) -> int:
        """Return the place of a column, or raise an UnknownNameError that lists the columns."""
        names = [column.name for column in self.columns]
        if name not in names:
            raise UnknownNameError(unknown("column of this table", name, names))
        return names.index(name)

    def sorted(self, by: str, *, ascending: bool | None = None) -> Table:
        """Return the table sorted by a column, or by "name": numbers from the largest, texts from A; unknown last."""
        if by == "name":
            return replace(self, rows=tuple(sorted(self.rows, key=lambda row: row.name, reverse=ascending is False)))
        place = self.place(by)
        known = [row for row in self.rows if row.cells[place].value is not None]
        has_texts = any(isinstance(row.cells[place].value, str) for row in known)
        rises = has_texts if ascending is None else ascending
        known.sort(key=lambda row: _order(row.cells[place].value, has_texts), reverse=not rises)
        return replace(self, rows=(*known, *(row for row in self.rows if row.cells[place].value is None)))

    def to_text(self, *, width: int = 80) -> str:
        """Return the table as aligned text; names and texts are cut if lines would be wider than ``width``."""
        text: str = call("fxsummary.exporters.models:to_text", self, width=width)
        return text

    def to_markdown(self) -> str:
        """Return the table as GitHub-flavoured Markdown."""
        text: str = call("fxsummary.exporters.models:to_markdown", self)
        return text

    def to_csv(self) -> str:
        """Return exact numbers as CSV; see `fxsummary.exporters.models.to_csv`."""
        text: str = call("fxsummary.exporters.models:to_csv", self)
        return text

    def to_latex(self, *, longtable: bool = False) -> str:
        """Return the table for LaTeX with the package booktabs, and longtable if it may span several pages."""
        text: str = call("fxsummary.exporters.models:to_latex", self, longtable=longtable)
        return text

    def to_html(self, *, title: str = "Models", theme: str = "auto") -> str:
        """Return the table as one HTML file that sorts by a click on a heading and finds names."""
        text: str = call("fxsummary.exporters.page.models:to_html", self, title=title, theme=theme)
        return text

    def to_svg(self, *, x: str = "parameters", y: str = "flops", title: str = "", theme: str = "auto") -> str:
        """Return a picture with a point for each model: column ``y`` over column ``x``, both on logarithmic axes."""
        text: str = call("fxsummary.drawing.scatter:draw", self, x=x, y=y, title=title, theme=theme)
        return text

    def to_pandas(self) -> pandas.DataFrame:
        """Return a DataFrame with the columns of `to_csv`, indexed by name; unknown numbers are ``<NA>``."""
        frame: pandas.DataFrame = call("fxsummary.exporters.models:to_pandas", self)
        return frame

    def render(self, path: str | Path, **options: object) -> Path:
        """Write the table to a file in the format that the suffix names, and return the path.

        Raises:
            UnknownNameError: unknown suffix; the message lists the known ones.
            OutputError: the file cannot be written; an existing file stays unchanged.
        """
        form = format_of(path)
        files.write(Path(path), getattr(self, f"to_{form}")(**options).encode("utf-8"))
        return Path(path)

    def __str__(self) -> str:
        return self.to_text(width=shutil.get_terminal_size((80, 24)).columns)

    def __repr__(self) -> str:
        return f"<Table: {len(self.rows)} models, {len(self.columns)} columns>"

    def _repr_html_(self) -> str:
        """Return a table for Jupyter."""
        text: str = call("fxsummary.exporters.models:to_cell", self)
        return text


def _order(value: Value, as_text: bool) -> tuple[float, str]:
    return (0.0, str(value)) if as_text or isinstance(value, str) or value is None else (float(value), "")


def format_of(path: str | Path) -> str:
    """Return the format for the suffix of a path, or raise an UnknownNameError that lists the known suffixes."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise UnknownNameError(f"unknown suffix {suffix!r} of {str(path)!r}; known: {', '.join(FORMATS)}")
    return FORMATS[suffix]


_WRITTEN = {"count": fmt.count, "short": fmt.short, "parameters": fmt.parameters, "bytes": fmt.size}
_LONG = 100_000
"""The least number that is shortened in a column whose form is left open."""


def text_of(cell: Cell, column: Column) -> str:
    """Return a value as it is shown, with its mark.

    >>> text_of(Cell(25_557_032), Column("parameters", "Parameters", "parameters"))
    '25.6 M'
    >>> text_of(Cell(0.12345, "≈"), Column("own", "Own")), text_of(Cell(None, "?"), Column("own", "Own"))
    ('≈0.1235', '?')
    """
    value, mark = cell
    if value is None:
        return fmt.UNKNOWN
    if isinstance(value, str):
        return value
    form = column.form or ("count" if abs(value) < _LONG else "short")
    text = _WRITTEN[form](value) if isinstance(value, int) else f"{value:.4g}"
    return f"≥ {text}" if mark == "≥" else fmt.about(text, mark == "≈")


def cell_of(value: object) -> Cell:
    """Return a cell for what the function of a column returned: a cell, a number, a text, or None for unknown.

    Raises:
        InputError: it is something else.

    >>> cell_of(3), cell_of(True), cell_of((1, 3)), cell_of(None)
    (Cell(value=3, mark=''), Cell(value='yes', mark=''), Cell(value='1×3', mark=''), Cell(value=None, mark='?'))
    """
    if isinstance(value, Cell):
        return Cell(*value) if value.value is not None else UNKNOWN
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, (int, float)):
        return Cell(int(value) if isinstance(value, int) else float(value)) if value == value else UNKNOWN
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, int) for each in value):
        return Cell("×".join(map(str, value)) or "scalar")
    if isinstance(value, str):
        return Cell(str(value))
    raise InputError(f"it returned a {type(value).__name__}: return a number, a text, or None for unknown.")
