"""Draw many models as points: one cost over another, on logarithmic axes, with as many names as fit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from math import ceil, log10
from typing import NamedTuple

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.markup import END, MIDDLE, element, number, text, tooltip
from fxsummary.drawing.peak_bar import USES
from fxsummary.drawing.style import stylesheet
from fxsummary.drawing.svg_page import MARGIN, Entry, document, heading
from fxsummary.errors import InputError
from fxsummary.graph.modeltable import Cell, Column, Table, text_of
from fxsummary.text import numbers as fmt

PLOT_WIDTH, PLOT_HEIGHT, AXIS = 720.0, 440.0, 64.0
"""Width and height of the plot, and room for the numbers on its left."""
RADIUS, LABEL, LABEL_HEIGHT = 3.6, 9.5, 11.0
"""Radius of a point, font size and height of a name."""
_SIDES = ((8.0, 3.4, "start"), (-8.0, 3.4, "end"), (0.0, -7.5, "middle"), (0.0, 15.0, "middle"))
"""Places of a name beside its point, as offsets and anchor, the best first."""
BUCKET = 24.0
"""Side of the squares in which neighbours are looked up."""


class Point(NamedTuple):
    """A model in the picture: place, name, lines of its tooltip, marks of its numbers, CSS class of its group."""

    x: float
    y: float
    name: str
    tip: tuple[str, ...]
    marks: frozenset[str]
    style: str = ""


class Rect(NamedTuple):
    """The place of a name."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rect) -> bool:
        """Return whether two rectangles have a place in common."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def buckets(self) -> Iterator[tuple[int, int]]:
        """Yield the squares that it lies in."""
        for i in range(int(self.left // BUCKET), int(self.right // BUCKET) + 1):
            for j in range(int(self.top // BUCKET), int(self.bottom // BUCKET) + 1):
                yield i, j


class Axis(NamedTuple):
    """A logarithmic axis: the exponents of its ends, and its length in px."""

    low: float
    high: float
    length: float

    def at(self, value: float) -> float:
        """Return the distance of a value from the start in px."""
        return (log10(value) - self.low) / (self.high - self.low) * self.length

    def ticks(self, base: int = 1000) -> list[float]:
        """Return 1, 10 and 100 times the powers of 1000 (1024 for bytes) on the axis; more of them if there are few.

        >>> Axis(6, 8, 100).ticks(), Axis(6.2, 7, 100).ticks(), Axis(6.5, 9.1, 100).ticks(1024)
        ([1000000, 10000000, 100000000], [2000000, 5000000, 10000000], [10485760, 104857600, 1073741824])
        """
        powers = [tens * float(base) ** power for power in range(-4, 8) for tens in (1, 10, 100)]
        found = [each for each in powers if self._has(each)]
        if len(found) < 3:
            found = [m * each for each in powers for m in (1, 2, 5) if self._has(m * each)]
        return [round(each) if each >= 1 else each for each in found]

    def _has(self, value: float) -> bool:
        return self.low - 1e-9 <= log10(value) <= self.high + 1e-9


def draw(table: Table, *, x: str = "parameters", y: str = "flops", title: str = "", theme: str = "auto") -> str:
    """Return the picture as a complete SVG document; equal tables give equal bytes.

    Raises:
        UnknownNameError: the table has no such column, or the theme is unknown.
        InputError: no model has a number of more than 0 in both columns.
    """
    style = stylesheet(theme, uses=True, scope=f".fx-{theme}")
    across, up = (table.columns[table.place(name)] for name in (x, y))
    shown = list(_shown(table, x, y))
    if not shown:
        raise InputError(f"no model has a number of more than 0 in both {x!r} and {y!r}: choose other columns.")
    axes = _axis([each.x for each in shown], PLOT_WIDTH), _axis([each.y for each in shown], PLOT_HEIGHT)
    groups = _groups([each.name for each in shown])
    missing = len(table) - len(shown)
    facts = [f"{fmt.count(len(shown))} models"]
    facts += [f"{fmt.count(missing)} more without a number in both columns"] if missing else []
    entries = [Entry(style, name) for name, style in groups.items()] if len(groups) > 1 else []
    marks = [mark for mark in ("≥", "≈") if any(mark in each.marks for each in shown)]
    entries += [Entry(mark, f"a ring: {fmt.MARKS[mark]}", text_width(mark, 10.5, bold=True) + 5, 13) for mark in marks]
    name = title or f"{up.title} and {_inside(across.title)}"
    head = heading(name, [" · ".join(facts)], entries, PLOT_WIDTH + AXIS)
    left, top = MARGIN + AXIS + (head.width - 2 * MARGIN - AXIS - PLOT_WIDTH) / 2, head.bottom + 32
    points = [
        each._replace(
            x=left + axes[0].at(each.x),
            y=top + PLOT_HEIGHT - axes[1].at(each.y),
            name=_short(each.name),
            style=groups[_group(each.name, groups)],
        )
        for each in shown
    ]
    frame = Rect(left, top, left + PLOT_WIDTH, top + PLOT_HEIGHT)
    body = chain(_grid(axes, (across, up), frame), map(_dot, points), _names(points, frame))
    described = f"{up.title} of {len(shown)} models over their {_inside(across.title)}, both on logarithmic axes."
    size = head.width, float(ceil(frame.bottom + 44 + 12))
    return document(theme, (f"{name}: scatter plot", name, described), style, size, [*head.elements, *body])


def _shown(table: Table, x: str, y: str) -> Iterator[Point]:
    """Yield the models that have both numbers, with these as their places."""
    places = table.place(x), table.place(y)
    for row in table.rows:
        cells = [row.cells[place] for place in places]
        a, b = (cell.value for cell in cells)
        if isinstance(a, (int, float)) and isinstance(b, (int, float)) and a > 0 and b > 0:
            lines = [
                f"{table.columns[place].title}: {text_of(cell, table.columns[place])}"
                for place, cell in zip(places, cells, strict=True)
            ]
            yield Point(a, b, row.name, (row.name, *lines), frozenset(cell.mark for cell in cells))


def _axis(values: Sequence[float], length: float) -> Axis:
    """Return the axis of these values, with some room at both ends."""
    low, high = log10(min(values)), log10(max(values))
    room = max((high - low) * 0.04, 0.12)
    return Axis(low - room, high + room, length)


def _groups(names: Sequence[str]) -> dict[str, str]:
    """Return the CSS class of each group, the largest first: what stands before ``:``; small groups are "other"."""
    found = [name for name, _ in Counter(name.rpartition(":")[0] for name in names).most_common()]
    styles = [f"use-{use}" for use in USES if use != "outlives"]
    shown = dict(zip(found, styles, strict=False))
    return shown if len(found) <= len(styles) else {**shown, "other": "use-outlives"}


def _group(name: str, groups: dict[str, str]) -> str:
    prefix = name.rpartition(":")[0]
    return prefix if prefix in groups else "other"


def _short(name: str) -> str:
    return fmt.shorten(name.rpartition(":")[2] or name, 32)


def _dot(point: Point) -> str:
    circle = element("circle", cx=point.x, cy=point.y, r=RADIUS, class_=f"{point.style} cut", fill_opacity="0.8")
    hole = element("circle", cx=point.x, cy=point.y, r=RADIUS / 2, class_="page") if point.marks - {""} else ""
    return element("g", tooltip(point.tip) + circle + hole)


def _grid(axes: Sequence[Axis], columns: Sequence[Column], frame: Rect) -> Iterator[str]:
    across, up = axes
    bottom, left = frame.bottom, frame.left
    for value in across.ticks(_base(columns[0])):
        x = round(left + across.at(value)) + 0.5
        yield element("path", d=f"M{number(x)} {number(frame.top)}V{number(bottom)}", class_="line", stroke_width=1)
        yield text(x, bottom + 16, _tick(value, columns[0]), 10.5, "mu", **MIDDLE)
    for value in up.ticks(_base(columns[1])):
        y = round(bottom - up.at(value)) + 0.5
        yield element("path", d=f"M{number(left)} {number(y)}H{number(frame.right)}", class_="line", stroke_width=1)
        yield text(left - 8, y + 3.6, _tick(value, columns[1]), 10.5, "mu", **END)
    yield text((left + frame.right) / 2, bottom + 36, columns[0].title, 11, "mu", **MIDDLE)
    yield text(left - AXIS, frame.top - 10, columns[1].title, 11, "mu")


def _inside(title: str) -> str:
    """Return a title as it is inside a sentence: in lower case, except for abbreviations."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _base(column: Column) -> int:
    return 1024 if column.form == "bytes" else 1000


def _tick(value: float, column: Column) -> str:
    form = column.form if column.form in ("bytes", "parameters") else "short"
    return text_of(Cell(value), Column("", "", form))


def _names(points: Sequence[Point], frame: Rect) -> Iterator[str]:
    """Yield the names that have room, those with the fewest neighbours first; none lies on a point or another name."""
    taken: dict[tuple[int, int], list[Rect]] = defaultdict(list)
    for point in points:
        dot = Rect(point.x - RADIUS, point.y - RADIUS, point.x + RADIUS, point.y + RADIUS)
        _take(dot, taken)
    crowds = Counter((int(p.x // 48), int(p.y // 48)) for p in points)
    order = sorted(points, key=lambda p: (crowds[int(p.x // 48), int(p.y // 48)], p.y, p.x, p.name))
    for point in order:
        for x, y, anchor in _SIDES:
            place = _place(point, x, y, anchor)
            others = (each for key in place.buckets() for each in taken[key])
            if _is_inside(place, frame) and not any(map(place.meets, others)):
                _take(place, taken)
                yield text(point.x + x, point.y + y, point.name, LABEL, text_anchor=anchor)
                break


def _place(point: Point, x: float, y: float, anchor: str) -> Rect:
    width = text_width(point.name, LABEL) + 2
    left = point.x + x - {"start": 1.0, "middle": width / 2, "end": width - 1}[anchor]
    return Rect(left, point.y + y - LABEL_HEIGHT + 2, left + width, point.y + y + 2)


def _is_inside(place: Rect, frame: Rect) -> bool:
    return (
        frame.left <= place.left and place.right <= frame.right
        and frame.top <= place.top and place.bottom <= frame.bottom
    )  # fmt: skip


def _take(place: Rect, taken: dict[tuple[int, int], list[Rect]]) -> None:
    for key in place.buckets():
        taken[key].append(place)
