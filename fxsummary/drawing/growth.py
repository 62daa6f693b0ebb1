"""Draw how the cost of a model grows with one size: the parts of the model stacked, and where one overtakes another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import ceil
from typing import NamedTuple

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.labels import short
from fxsummary.drawing.markup import MIDDLE, element, number, text, tooltip
from fxsummary.drawing.peak_bar import AXIS, HEIGHT, PLOT, Place
from fxsummary.drawing.style import stylesheet
from fxsummary.drawing.svg_page import MARGIN, Entry, document, heading, wrapped
from fxsummary.drawing.timeline import grid, round_step, ticks
from fxsummary.errors import InputError
from fxsummary.graph.formula import QUANTITIES, Formula
from fxsummary.graph.formulas import Formulas
from fxsummary.graph.groups import leaves_of
from fxsummary.graph.polynomial import Polynomial
from fxsummary.text.numbers import count
from fxsummary.text.numbers import short as si

WIDTH = PLOT + AXIS + 24
COLOURS = ("linear", "attention", "convolution", "activation", "norm", "embedding")
"""The kinds whose colours the parts have, and so the number of parts; the others are one more."""
POINTS = 120
MOST_MARKED = 4


class Area(NamedTuple):
    """A part of the model: its name, its colour, and what it costs at each point."""

    name: str
    colour: str
    values: tuple[int, ...]


def draw(
    formulas: Formulas, quantity: str, along: str | None, *, theme: str = "auto", sizes: Mapping[str, int] | None = None
) -> str:
    """Return the picture as a complete SVG document; equal records give equal bytes.

    Raises:
        InputError: there is no formula, or no such size.
    """
    total = formulas[quantity].polynomial
    name = _grown(formulas, total, along)
    others = {each: (sizes or {}).get(each, size) for each, size in formulas.base.items() if each != name}
    end = _end(formulas, name)
    points = [end * step // POINTS for step in range(POINTS + 1)]
    areas = list(_areas(formulas, quantity, name, others, points))
    style = stylesheet(theme, uses=True, scope=f".fx-{theme}")
    facts = [f"growth of {QUANTITIES[quantity]} with {name}", formulas.inputs_text, f"{total}"]
    facts += [", ".join(f"{each} = {count(size)}" for each, size in others.items())] if others else []
    entries = [Entry(area.colour, area.name) for area in reversed(areas)]
    head = heading(short(formulas.model, 80), wrapped(" · ".join(facts), WIDTH), entries, WIDTH)
    top = max(map(sum, zip(*(area.values for area in areas), strict=True)))
    at = Place(MARGIN + AXIS + (head.width - 2 * MARGIN - WIDTH) / 2, head.bottom + 36, end, top)
    marked = _marked(formulas, name, end)
    body = [*_grid(at, quantity), *_stack(areas, points, at), *_marks(marked, at, name), *_numbers(at, name)]
    names = f"{formulas.model} growth", formulas.model, ". ".join([*facts, *marked.values()]) + "."
    return document(theme, names, style, (head.width, float(ceil(at.top + HEIGHT + 52))), [*head.elements, *body])


def _grown(formulas: Formulas, total: Polynomial, along: str | None) -> str:
    """Return the size that grows: the last one with the highest power by default."""
    if along is not None and along not in formulas.names:
        raise InputError(f"along={along!r} is not the name of a size; known: {', '.join(formulas.names)}.")
    if not formulas.names:
        raise InputError("every size is fixed, so that nothing grows.")
    return along or max(reversed(formulas.names), key=total.degree)


def _end(formulas: Formulas, name: str) -> int:
    """Return up to which value the plot goes: beyond the places where parts overtake others."""
    places = [each.crossing.at for each in formulas.crossovers if each.crossing.name == name]
    wanted = max(4 * formulas.base[name], *(5 * place // 4 for place in places), 8)
    step = max(int(round_step(wanted)), 1)
    return -(-wanted // step) * step


def _areas(
    formulas: Formulas, quantity: str, name: str, others: Mapping[str, int], points: Sequence[int]
) -> Iterator[Area]:
    """Yield the parts from the bottom up, the largest first, then all others as one."""

    def values(formula: Formula, times: int = 1) -> tuple[int, ...]:
        line = formula.polynomial.fixed(others)
        return tuple([max(int(times * line(**{**others, name: point})), 0) for point in points])

    table = formulas.table[quantity]
    total = values(table[""])
    depth = 2 if table[""].polynomial.degree(name) > 1 else 1
    parts = [(each.copied, values(table[each.path], each.all_times)) for each in leaves_of(table, depth)]
    parts.sort(key=lambda part: -part[1][-1])
    shown = parts[: len(COLOURS)]
    for (title, numbers), colour in zip(shown, COLOURS, strict=False):
        yield Area(title, colour, numbers)
    rest = tuple([all_ - sum(each) for all_, *each in zip(total, *(numbers for _, numbers in shown), strict=True)])
    if any(each > 0 for each in rest):
        yield Area("all else" if shown else formulas.model, "other", rest)


def _grid(at: Place, quantity: str) -> Iterator[str]:
    if quantity != "flops":
        unit, marks = ticks(at.most)
        suffix = {1: "B", 2**10: "KiB", 2**20: "MiB", 2**30: "GiB", 2**40: "TiB"}[unit]
        return grid(at, [(mark, f"{mark / unit:g} {suffix}" if mark else "0") for mark in marks])
    step = max(int(round_step(at.most)), 1)
    return grid(at, [(mark, si(mark)) for mark in range(0, at.most + 1, step)])


def _stack(areas: Sequence[Area], points: Sequence[int], at: Place) -> Iterator[str]:
    """Yield the areas, one upon the other."""
    levels = [tuple(accumulate(each)) for each in zip(*(area.values for area in areas), strict=True)]
    for place, area in enumerate(areas):
        upper = [(at.x(point), at.y(level[place])) for point, level in zip(points, levels, strict=True)]
        lower = [
            (at.x(point), at.y(level[place - 1] if place else 0)) for point, level in zip(points, levels, strict=True)
        ]
        path = f"M{_joined(upper)}L{_joined(lower[::-1])}Z"
        shape = element("path", d=path, class_=f"f-{area.colour}")
        line = element("path", d=f"M{_joined(upper)}", class_=f"line o-{area.colour}", stroke_width=1.4)
        yield element("g", tooltip([area.name, f"{count(area.values[-1])} at the right"]) + shape + line)


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{number(x)} {number(y)}" for x, y in points)


def _marked(formulas: Formulas, name: str, end: int) -> dict[int, str]:
    """Return the first places where parts overtake others, with what they say."""
    found = {each.crossing.at: str(each) for each in formulas.crossovers if each.crossing.name == name}
    return {place: found[place] for place in sorted(found)[:MOST_MARKED] if place <= end}


def _marks(marked: Mapping[int, str], at: Place, name: str) -> Iterator[str]:
    """Yield a line at each place where a part overtakes another, with its value above the plot."""
    last = at.left - 100.0
    for place, said in marked.items():
        x, label = at.x(place), f"{name} = {count(place)}"
        line = element(
            "path", d=f"M{number(x)} {number(at.top + HEIGHT)}V{number(at.top)}", class_="peak", stroke_width=1
        )
        dot = element("circle", cx=x, cy=at.top, r=3.2, class_="badge")
        width = text_width(label, 10.5)
        is_free = x - width / 2 > last
        name_of = text(x, at.top - 9, label, 10.5, "mu", **MIDDLE) if is_free else ""
        last = x + width / 2 + 4 if is_free else last
        yield element("g", tooltip([said]) + line + dot + name_of)


def _numbers(at: Place, name: str) -> Iterator[str]:
    """Yield the values of the size below the plot."""
    step = max(int(round_step(at.operations)), 1)
    y = at.top + HEIGHT
    for place in range(0, at.operations + 1, step):
        yield text(at.x(place), y + 16, count(place), 10.5, "mu", **MIDDLE)
    yield text(at.left + PLOT / 2, y + 33, name, 10.5, "mu", **MIDDLE)
