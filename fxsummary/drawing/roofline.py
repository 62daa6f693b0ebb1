"""Draw a roofline: FLOP/s at best over FLOPs per byte, the operations under the roof, and the time by kind below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, log10, sqrt
from typing import NamedTuple

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.labels import LONGEST_TIP, short
from fxsummary.drawing.markup import BOLD, END, MIDDLE, element, number, rect, text, tooltip
from fxsummary.drawing.sheet import PLAIN, Sheet
from fxsummary.drawing.style import LEGEND, colour_of, stylesheet
from fxsummary.drawing.svg_page import FRAGMENT_MARGIN, MARGIN, Entry, document, fragment, heading, wrapped
from fxsummary.graph.roofline import Roofline
from fxsummary.text.numbers import duration, rate, ratio, share

WIDTH, AXIS, HEIGHT = 704.0, 72.0, 260.0
"""Width of the picture without margins, width of the numbers left of the plot, height of the plot."""
LARGEST, SMALLEST = 17.0, 2.5
"""Radius in px of the dot of an operation that takes all the time, and the least radius."""
MOST_NAMED = 5
BAR = 20.0


class Dot(NamedTuple):
    """Operations with one label, kind and cost: FLOPs per byte, FLOP/s at best, their number and their time."""

    label: str
    kind: str
    intensity: float
    reached: float
    times: int
    seconds: float


class Plot(NamedTuple):
    """The plot on the page: its corner, and the powers of ten at the ends of its axes."""

    left: float
    top: float
    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def width(self) -> float:
        """Width in px."""
        return WIDTH - AXIS

    def x(self, intensity: float) -> float:
        """Return x of so many FLOPs per byte."""
        return self.left + self.width * (log10(intensity) - self.low[0]) / (self.high[0] - self.low[0])

    def y(self, reached: float) -> float:
        """Return y of so many FLOP/s."""
        return self.top + HEIGHT * (1 - (log10(reached) - self.low[1]) / (self.high[1] - self.low[1]))


def draw(
    found: Roofline, *, title: str = "Roofline", inputs: str = "", theme: str = "auto", sheet: Sheet = PLAIN
) -> str:
    """Return the picture as a complete SVG document; equal records give equal bytes."""
    by_kind = _by_kind(found)
    facts = ["roofline of a forward pass", *([short(inputs, LONGEST_TIP)] if inputs else []), found.device_text]
    facts.append(f"{found.text(found.seconds)} at best, {found.text(found.ideal_seconds)} if all were fused")
    entries = [Entry(kind, LEGEND[kind]) for kind in by_kind]
    head = heading(short(title, 80), wrapped(" · ".join(facts), WIDTH), entries, WIDTH, sheet)
    left = MARGIN + (head.width - 2 * MARGIN - WIDTH) / 2
    body, bottom = _chart(found, left, head.bottom + 18)
    names = f"{title} roofline", title, ". ".join([*facts, *(": ".join(each) for each in found.facts()[1:])]) + "."
    style = stylesheet(theme, scope=f".fx-{theme}")
    return document(theme, names, style, (head.width, float(ceil(bottom + 20))), [*head.elements, *body], sheet)


def draw_fragment(found: Roofline) -> str:
    """Return plot and bar as an SVG element for a page that has the style sheet."""
    body, bottom = _chart(found, FRAGMENT_MARGIN, FRAGMENT_MARGIN + 18)
    return fragment(WIDTH + 2 * FRAGMENT_MARGIN, float(ceil(bottom + 12)), body)


def _chart(found: Roofline, left: float, top: float) -> tuple[list[str], float]:
    """Return the plot with the bar below it, and the y of its lower end."""
    dots = _dots(found)
    at = _plot(found, dots, left + AXIS, top)
    bar, bottom = _bar(found, _by_kind(found), left + AXIS, at.top + HEIGHT + 62)
    return [*_axes(at), *_roofs(found, at), *_drawn(found, dots, at), *bar], bottom


def _dots(found: Roofline) -> list[Dot]:
    """Return the operations with FLOPs, the longest first; equal ones share a dot."""
    seconds: defaultdict[tuple[str, str, int, int, float], list[float]] = defaultdict(list)
    for key, cost in found.operations.items():
        if cost.flops and cost.nbytes:
            data = found.graph.nodes[key]
            seconds[data["label"], data["kind"], cost.flops, cost.nbytes, cost.seconds].append(cost.seconds)
    dots = [
        Dot(label, kind, flops / nbytes, flops / one, len(each), sum(each))
        for (label, kind, flops, nbytes, one), each in seconds.items()
    ]
    return sorted(dots, key=lambda dot: -dot.seconds)


def _by_kind(found: Roofline) -> dict[str, float]:
    """Return the time of each kind of operation, the longest first."""
    times: defaultdict[str, float] = defaultdict(float)
    for key, cost in found.operations.items():
        kind = found.graph.nodes[key]["kind"]
        times[colour_of(kind)] += cost.seconds
    return dict(sorted(((kind, each) for kind, each in times.items() if each), key=lambda item: -item[1]))


def _plot(found: Roofline, dots: Sequence[Dot], left: float, top: float) -> Plot:
    ridges = [peak / _bandwidth(found) for peak in _peaks(found).values()]
    xs = [*[dot.intensity for dot in dots], *[4 * ridge for ridge in ridges], 1.0]
    ys = [*[dot.reached for dot in dots], *[each * factor for each in _peaks(found).values() for factor in (0.25, 2.2)]]
    low, high = (log10(min(xs)) - 0.2, log10(min(ys)) - 0.1), (log10(max(xs)) + 0.1, log10(max(ys)))
    return Plot(left, top, low, high)


def _peaks(found: Roofline) -> dict[str, float]:
    """Return the rates of products, as far as they can be reached; all of the device if there are no products."""
    return {name: peak * found.efficiency[0] for name, peak in (found.peaks or found.device.flops).items()}


def _bandwidth(found: Roofline) -> float:
    return found.device.bandwidth * found.efficiency[1]


def _axes(at: Plot) -> Iterator[str]:
    for power in range(ceil(at.low[1]), floor(at.high[1]) + 1):
        y = at.y(10.0**power)
        yield element("path", d=f"M{number(at.left)} {number(y)}h{number(at.width)}", class_="line", stroke_width=1)
        yield text(at.left - 8, y + 3.6, f"{rate(10.0**power)}FLOP/s", 10.5, "mu", **END)
    for power in range(ceil(at.low[0]), floor(at.high[0]) + 1):
        x = at.x(10.0**power)
        yield element("path", d=f"M{number(x)} {number(at.top + HEIGHT)}v4", class_="line", stroke_width=1)
        yield text(x, at.top + HEIGHT + 16, ratio(10.0**power), 10.5, "mu", **MIDDLE)
    yield text(at.left + at.width / 2, at.top + HEIGHT + 32, "FLOPs per byte moved", 10.5, "mu", **MIDDLE)


def _roofs(found: Roofline, at: Plot) -> Iterator[str]:
    """Yield the roofs: the bandwidth up to the highest rate, and each rate from there on."""
    peaks, bandwidth = sorted(_peaks(found).items(), key=lambda each: -each[1]), _bandwidth(found)
    ridge, right = peaks[0][1] / bandwidth, at.left + at.width
    start = max(10 ** at.low[0], 10 ** at.low[1] / bandwidth)
    slope = (
        f"M{number(at.x(start))} {number(at.y(start * bandwidth))}L{number(at.x(ridge))} {number(at.y(peaks[0][1]))}"
    )
    yield element("path", d=slope, class_="e")
    middle = sqrt(start * ridge)
    label = f"{rate(bandwidth)}B/s"
    yield text(at.x(middle) - 10, at.y(middle * bandwidth) - 6, label, 10.5, "mu", **END)
    for place, (name, peak) in enumerate(peaks):
        y = at.y(peak)
        yield element("path", d=f"M{number(at.x(peak / bandwidth))} {number(y)}H{number(right)}", class_="e")
        yield text(right, y - (6 if place else LARGEST + 4), f"{rate(peak)}FLOP/s {name}", 10.5, "mu", **END)


def _drawn(found: Roofline, dots: Sequence[Dot], at: Plot) -> Iterator[str]:
    """Yield the dots, the largest at the bottom, then the names of those that take the most time."""
    names: list[str] = []
    taken: list[tuple[float, float, float]] = []
    ridge = max(_peaks(found).values()) / _bandwidth(found)
    for dot in dots:
        x, y, radius = at.x(dot.intensity), at.y(dot.reached), _radius(dot, found)
        name = f"{dot.label} ×{dot.times}" if dot.times > 1 else dot.label
        portion = share(round(dot.seconds * 1e12), round(found.seconds * 1e12))
        tips = [
            name, f"{ratio(dot.intensity)} FLOP/B, {rate(dot.reached)}FLOP/s at best",
            f"{duration(dot.seconds)}, {portion} of the time",
        ]  # fmt: skip
        style = f"f-{colour_of(dot.kind)} o-{colour_of(dot.kind)}"
        yield element("g", tooltip(tips) + element("circle", cx=x, cy=y, r=radius, class_=style, stroke_width=1.2))
        width = text_width(name, 10.5)
        start, base = (x + radius + 5, y + 12) if dot.intensity < ridge else (x - width / 2, y + radius + 13)
        is_free = all(abs(base - other) > 13 or a > start + width or b < start for a, b, other in taken)
        is_inside = at.left < start and start + width < at.left + at.width and base < at.top + HEIGHT
        if len(names) < MOST_NAMED and is_free and is_inside:
            taken.append((start, start + width, base))
            names.append(text(start, base, name, 10.5))
    yield from names


def _radius(dot: Dot, found: Roofline) -> float:
    """Return the radius of a dot, whose area is its share of the time."""
    return max(LARGEST * sqrt(dot.seconds / found.seconds), SMALLEST)


def _bar(found: Roofline, by_kind: Mapping[str, float], left: float, top: float) -> tuple[list[str], float]:
    """Return a bar of the time by kind, and the y of its lower end."""
    x, width = left, WIDTH - AXIS
    elements = [text(left, top - 8, f"{found.text(found.seconds)} at best", 11, **BOLD)]
    for kind, seconds in by_kind.items():
        length, portion = width * seconds / found.seconds, share(round(seconds * 1e12), round(found.seconds * 1e12))
        box = rect(x, top, length, BAR, f"f-{kind} o-{kind}", stroke_width=1)
        elements.append(element("g", tooltip([LEGEND[kind], f"{duration(seconds)}, {portion}"]) + box))
        if text_width(portion, 10.5) + 8 < length:
            elements.append(text(x + length / 2, top + 14, portion, 10.5, **MIDDLE))
        x += length
    return elements, top + BAR
