"""Draw the memory of a forward pass: bytes over operations by what holds them, the peak, and module bands below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, log10
from typing import NamedTuple

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.labels import LONGEST_TIP, short
from fxsummary.drawing.markup import BOLD, END, MIDDLE, element, number, rect, text, tooltip
from fxsummary.drawing.peak_bar import AXIS, HEIGHT, PLOT, USES, WIDTH, Place, around, beside, fitting
from fxsummary.drawing.sheet import PLAIN, Sheet
from fxsummary.drawing.style import stylesheet
from fxsummary.drawing.svg_page import FRAGMENT_MARGIN, MARGIN, Entry, document, draw_legend, fragment, heading, wrapped
from fxsummary.drawing.tracks import Row, tracks
from fxsummary.graph.memory import Memory
from fxsummary.text.numbers import MARKS, count, marks_in, size

MOST_STEPS = 300
"""Number of steps; each shows the operation of its part with the most bytes in use."""
MARKED = ("≥", "≈", "?")
"""Marks that can stand at a number."""
MOST_DESCRIBED = 8
"""Number of values at the peak in the description."""
TRACK, GAP = 17.0, 22.0
"""Height of a row of bands, and space between the plot and the bar."""
LEAST_NOTCH, LEAST_BAND = 3.0, 4.0
"""Minimum distance of the notches of a run, and minimum width of a band, in px."""


class Step(NamedTuple):
    """A part of the operations: where it starts and ends, and its operation with the most bytes in use."""

    start: int
    end: int
    at: int


def draw(memory: Memory, *, title: str = "Memory", inputs: str = "", theme: str = "auto", sheet: Sheet = PLAIN) -> str:
    """Return the picture as a complete SVG document; equal records give equal bytes."""
    style = stylesheet(theme, uses=True, scope=f".fx-{theme}")
    facts = facts_of(memory, inputs)
    head = heading(short(title, 80), wrapped(" · ".join(facts), WIDTH), _entries(memory, facts), WIDTH, sheet)
    left = MARGIN + (head.width - 2 * MARGIN - WIDTH) / 2
    body, bottom = _chart(memory, left, head.bottom + 14)
    used = [f"{size(each.nbytes)} {each.name}: {each.reason}" for each in memory.alive[:MOST_DESCRIBED]]
    names = f"{title} memory", title, ". ".join([*facts, f"In use at the peak: {'; '.join(used) or 'nothing'}"]) + "."
    return document(theme, names, style, (head.width, float(ceil(bottom + 20))), [*head.elements, *body], sheet)


def draw_fragment(memory: Memory) -> str:
    """Return legend and plot as an SVG element for a page that has the style sheet."""
    width = WIDTH + 2 * FRAGMENT_MARGIN
    legend, bottom = draw_legend(_entries(memory, facts_of(memory)), FRAGMENT_MARGIN, 16, width)
    body, bottom = _chart(memory, FRAGMENT_MARGIN, bottom + 14)
    return fragment(width, float(ceil(bottom + 12)), [*legend, *body])


def facts_of(memory: Memory, inputs: str = "") -> list[str]:
    """Return the muted line: the inputs, the peak, what would lower it, and the memory besides."""
    facts = ["memory of a forward pass", *([short(inputs, LONGEST_TIP)] if inputs else [])]
    facts += [f"{size(memory.weights)} weights"]
    facts += [f"{size(memory.buffers)} buffers"] if memory.buffers else []
    facts += [f"{memory.peak_text} of activations at the peak"]
    if memory.peak_at_last_use < memory.peak:
        facts.append(f"{size(memory.peak_at_last_use)} if each value were freed after its last use")
    return facts


def _entries(memory: Memory, facts: Iterable[str]) -> list[Entry]:
    """Return the legend: what holds memory, where it can be seen, and the marks on the numbers."""
    parts = [_parts(memory, place) for place in range(len(memory.timeline))]
    seen = [max(each) * HEIGHT > memory.peak for each in zip(*parts, strict=True)]
    entries = [Entry(f"use-{use}", name) for (use, name), shown in zip(USES.items(), seen, strict=False) if shown]
    marks = [mark for mark in marks_in(" ".join(facts), repeated=False) if mark in MARKED]
    return entries[::-1] + [Entry(mark, MARKS[mark], text_width(mark, 10.5, bold=True) + 5, 13) for mark in marks]


# --- what is drawn ---------------------------------------------------------------------------------


def steps(timeline: Sequence[int], most: int = MOST_STEPS) -> list[Step]:
    """Divide a timeline into parts and return the maximum of each; there is a limit to their number.

    >>> steps([1, 5, 2, 3], 2)
    [Step(start=0, end=2, at=1), Step(start=2, end=4, at=3)]
    """
    parts = min(len(timeline), most)
    ends = [len(timeline) * part // parts for part in range(parts + 1)] if parts else []
    return [Step(a, b, max(range(a, b), key=timeline.__getitem__)) for a, b in pairwise(ends)]


def _parts(memory: Memory, place: int) -> tuple[int, int, int, int]:
    """Return the bytes in use at an operation by what holds them, in the order of `USES`."""
    outlives, held, inside = memory.outliving[place], memory.held[place], memory.workspaces[place]
    return outlives, memory.timeline[place] - outlives - held - inside, held, inside


def ticks(most: int) -> tuple[int, list[int]]:
    """Return the unit of an axis in bytes, and the bytes of its three to five ticks.

    >>> ticks(10 * 2**20)
    (1048576, [0, 5242880, 10485760])
    """
    unit = next((each for each in (2**40, 2**30, 2**20, 2**10) if most >= each), 1)
    step = round_step(most / unit) * unit
    return unit, [int(step * number) for number in range(floor(most / step) + 1)] if step >= 1 else [0]


def round_step(most: float) -> float:
    """Return the largest step of 1, 2 or 5 times a power of ten that has at least two in this length."""
    if most <= 0:
        return 0.0
    power = 10.0 ** floor(log10(most / 2))
    return max(each * power for each in (1, 2, 5) if 2 * each * power <= most * (1 + 1e-9))


def _chart(memory: Memory, left: float, top: float) -> tuple[list[str], float]:
    """Return the plot with everything around it, and the y of its lower end."""
    at = Place(left + AXIS, top + 22, len(memory.timeline), memory.peak)
    rows = tracks(memory.modules, PLOT, lambda name: text_width(name, 9.5) + 6)
    elements = [*_grid(at), *_stack(memory, at), *_peak(memory, at), *beside(memory, at, at.left + PLOT + GAP)]
    bottom = at.top + HEIGHT + 6
    for level, row in enumerate(rows):
        elements += _bands(row, at, bottom + TRACK * level, f"h{level}")
    numbers, bottom = _numbers(at, bottom + TRACK * len(rows))
    return [each for each in (*elements, *numbers) if each], bottom


def _grid(at: Place) -> Iterator[str]:
    unit, marks = ticks(at.most)
    name = size(unit).removeprefix("1 ")
    return grid(at, [(nbytes, f"{nbytes / unit:g} {name}" if nbytes else "0") for nbytes in marks])


def grid(at: Place, marks: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yield a line across the plot for each value, with its text left of it."""
    for value, name in marks:
        y = round(at.y(value)) + 0.5
        yield element("path", d=f"M{number(at.left)} {number(y)}h{number(PLOT)}", class_="line", stroke_width=1)
        yield text(at.left - 8, y + 3.6, name, 10.5, "mu", **END)


def _stack(memory: Memory, at: Place) -> Iterator[str]:
    """Yield an area for each thing that holds memory, one upon the other."""
    found = steps(memory.timeline)
    parts = [_parts(memory, step.at) for step in found]
    for index, (use, name) in enumerate(USES.items()):
        lows, highs = ([sum(each[:end]) for each in parts] for end in (index, index + 1))
        if path := _area(found, lows, highs, at):
            shape = element("path", d=path, class_=f"use-{use}", shape_rendering="crispEdges")
            yield element("g", tooltip([name]) + shape)


def _area(found: Sequence[Step], lows: Sequence[int], highs: Sequence[int], at: Place) -> str:
    """Return the path of the area between two step lines, where it has a height."""
    path, run = "", list[int]()
    for place in range(len(found) + 1):
        if place < len(found) and highs[place] > lows[place]:
            run.append(place)
        elif run:
            path += f"M{number(at.x(found[run[0]].start))} {number(at.y(lows[run[0]]))}"
            path += _line([(highs[each], found[each].end) for each in run], at)
            back = [(lows[each], found[each].start) for each in reversed(run)]
            path, run = f"{path}{_line(back, at)}Z", []
    return path


def _line(levels: Sequence[tuple[int, int]], at: Place) -> str:
    """Return steps, each a height and the operation where it ends."""
    ends = [here for here, after in pairwise([*levels, (-1, 0)]) if here[0] != after[0]]
    return "".join(f"V{number(at.y(height))}H{number(at.x(end))}" for height, end in ends)


def _peak(memory: Memory, at: Place) -> Iterator[str]:
    """Yield the line at the peak, and its name above the plot."""
    if not memory.timeline:
        return
    place = memory.operations.index(memory.at)
    x, module = at.x(place + 0.5), memory.modules[place]
    end = at.left + PLOT + (GAP if memory.alive or memory.inside else 0)
    yield element(
        "path",
        d=f"M{number(x)} {number(at.top + HEIGHT)}V{number(at.top)}H{number(end)}",
        class_="peak",
        stroke_width=1,
    )
    yield element("circle", cx=x, cy=at.top, r=3.2, class_="badge")
    label = f"peak {memory.peak_text}"
    width = text_width(label, 11, bold=True) + 8
    name = f"at {fitting(memory.name, around(memory.name, memory.at, module), PLOT - width - 14)}"
    whole = width + text_width(name, 10.5)
    start = min(max(x - whole / 2, at.left), max(at.left + PLOT - whole, at.left))
    yield text(start, at.top - 9, label, 11, **BOLD) + text(start + width, at.top - 9, name, 10.5, "mu")


# --- below the plot --------------------------------------------------------------------------------


def _bands(row: Row, at: Place, y: float, style: str) -> Iterator[str]:
    for band, label in row:
        x, end = at.x(band.start), at.x(band.end)
        if end - x < LEAST_BAND:
            continue
        names = band.path if band.path == band.last else f"{band.path} … {band.last}"
        box = rect(x + 0.5, y + 0.5, end - x - 1, TRACK - 3, f"{style} line", 2.5, stroke_width=1)
        notches = [at.x(place) for place in band.inside]
        if min((b - a for a, b in pairwise(notches)), default=LEAST_NOTCH) < LEAST_NOTCH:
            notches = []
        cuts = "".join(f"M{number(each)} {number(y + TRACK - 5)}v2" for each in notches)
        marks = element("path", d=cuts, class_="e", stroke_width=1) if cuts else ""
        name = text((x + end) / 2, y + 10.6, label, 9.5, **MIDDLE)
        yield element("g", tooltip([names, f"{count(band.end - band.start)} operations"]) + box + marks + name)


def _numbers(at: Place, y: float) -> tuple[list[str], float]:
    """Return the numbers of operations below everything, and the y of their lower end."""
    step = max(int(round_step(at.operations)), 1)
    marks = range(0, at.operations + 1, step)
    numbers = [text(at.x(place), y + 13, count(place), 10.5, "mu", **MIDDLE) for place in marks]
    return [
        *numbers,
        text(at.left + PLOT / 2, y + 29, f"{count(at.operations)} operations in execution order", 10.5, "mu", **MIDDLE),
    ], y + 33
