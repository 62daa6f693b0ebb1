"""Measure pictures from their SVG alone: size, empty ground, crossings, texts and boxes that a wire touches, type.

Run it with ``python -m benchmarks.figures FILE.svg ...``. Wires are painted below boxes and headers, so the picture
does not show a wire that runs through a box or below a text; the figures do.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy
from PIL import Image

from fxsummary.drawing.fonts import SLACK, text_width
from fxsummary.exporters.png import png_of

SVG = "{http://www.w3.org/2000/svg}"
WIRES, FRAMES = {"e", "sk"}, {"page", "badge", "bar", "bt", "g0", "g1", "h0", "h1"}
"""Classes of paths that are wires, and of rectangles and circles that are no boxes."""
LEAST_BOX = 18.5
"""Width and height of the smallest box in px: chips, badges and the legend are smaller."""
CELL, HEADING = 24, 90
"""Side of a cell that counts as empty or not, and the height of the heading, which is left out; in px."""
PRINT_WIDTH, COLUMN = 170 / 25.4 * 72, 760
"""Width of a printed page in pt, and of a column on a screen in px."""
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Faults(NamedTuple):
    """What is wrong with the wires of a picture.

    Attributes:
        crossings: points where wires of different values cross.
        texts: texts that a wire touches.
        boxes: tables, signs and pills through which a wire runs.
    """

    crossings: list[Point]
    texts: list[str]
    boxes: list[Box]


class Figures(NamedTuple):
    """Figures of a picture.

    Attributes:
        width, height: in px.
        empty: share of the cells below the heading that have one colour.
        faults: what is wrong with its wires.
        type: the smallest font size in px.
    """

    width: float
    height: float
    empty: float
    faults: Faults
    type: float

    @property
    def points(self) -> float:
        """The smallest font size in pt if the picture is printed 170 mm wide."""
        return self.type * PRINT_WIDTH / self.width

    @property
    def pixels(self) -> float:
        """The smallest font size in px if the picture is shown in a column of 760 px."""
        return self.type * min(1, COLUMN / self.width)


def figures(svg: str) -> Figures:
    """Measure a picture."""
    root = ElementTree.fromstring(svg)
    smallest = min((float(each.get("font-size", 99)) for each in root.iter(f"{SVG}text")), default=0.0)
    return Figures(float(root.get("width", 0)), float(root.get("height", 0)), _empty(svg), faults(svg), smallest)


def faults(svg: str) -> Faults:
    """Find what is wrong with the wires of a picture."""
    elements = [(each.tag.removeprefix(SVG), each, _styles(each)) for each in ElementTree.fromstring(svg).iter()]
    paths = [each.get("d") or "" for tag, each, styles in elements if tag == "path" and WIRES & styles]
    wires = [line for path in paths for line in lines(path)]
    segments = [(*a, *b) for wire in wires for a, b in pairwise(wire)]
    texts = [each for tag, each, _ in elements if tag == "text"]
    touched = _touched(segments, [_around(each) for each in texts])
    boxes = _boxes([box for tag, each, styles in elements if not FRAMES & styles and (box := _box(tag, each))])
    run_through = _touched(segments, [_grown(box, -3) for box in boxes])
    return Faults(
        sorted(_crossings(wires)),
        ["".join(each.itertext()) for each, hit in zip(texts, touched, strict=True) if hit],
        [box for box, hit in zip(boxes, run_through, strict=True) if hit],
    )


def _styles(element: ElementTree.Element) -> set[str]:
    return set(element.get("class", "").split())


def lines(path: str) -> Iterator[list[Point]]:
    """Yield the lines of path data with M, L, H, V and Q; round corners become sharp, straight parts become one.

    >>> list(lines("M0 0V5L0 10Q0 20 10 20H30M5 5H9"))
    [[(0.0, 0.0), (0.0, 20.0), (30.0, 20.0)], [(5.0, 5.0), (9.0, 5.0)]]
    """
    line: list[Point] = []
    for command, text in re.findall(r"([MLHVQ])([^A-Za-z]*)", path):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        if command == "M" and line:
            yield _straight(line)
        x, y = (0.0, 0.0) if command == "M" else line[-1]
        line = [] if command == "M" else line
        if command in "HV":
            line += [(number, y) if command == "H" else (x, number) for number in numbers]
        else:
            line += zip(numbers[::2], numbers[1::2], strict=True)
    if line:
        yield _straight(line)


def _straight(line: list[Point]) -> list[Point]:
    """Leave out the points between which a line goes straight on."""
    kept = line[:1]
    for point, after in zip(line[1:], [*line[2:], None], strict=True):
        if after is None or abs(_turn(kept[-1], point, after)) > 0.5:
            kept.append(point)
    return kept


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _crossings(wires: list[list[Point]]) -> set[Point]:
    """Return the points where wires of different values cross; ends that touch and shared parts are no crossings."""
    parts = [(pair, value) for wire, value in zip(wires, _values(wires), strict=True) for pair in pairwise(wire)]
    across = [(min(a[0], b[0]), max(a[0], b[0]), a[1], value) for (a, b), value in parts if abs(a[1] - b[1]) < 1]
    down = [(a[0], min(a[1], b[1]), max(a[1], b[1]), value) for (a, b), value in parts if abs(a[0] - b[0]) < 1]
    return {
        (round(x), round(y))
        for left, right, y, value in across
        for x, top, bottom, other in down
        if left + 2 < x < right - 2 and top + 2 < y < bottom - 2 and value != other
    }


def _values(wires: list[list[Point]]) -> list[int]:
    """Number the values of wires: a wire that starts on another one has the same value."""
    values = list(range(len(wires)))
    starts = [_grown((*wire[0], *wire[0]), 0.6) for wire in wires]
    for at, wire in enumerate(wires):
        met = _touched([(*a, *b) for a, b in pairwise(wire)], starts)
        same = {values[at], *(value for value, hit in zip(values, met, strict=True) if hit)}
        values = [min(same) if value in same else value for value in values]
    return values


def _touched(segments: Sequence[Box], boxes: Sequence[Box]) -> list[bool]:
    """Return which boxes a segment touches, from its start to its end; all segments run across or down."""
    a, b = numpy.array(segments).reshape(-1, 4), numpy.array(boxes).reshape(-1, 1, 4)
    low, high = numpy.minimum(a[:, :2], a[:, 2:]), numpy.maximum(a[:, :2], a[:, 2:])
    return [bool(each.any()) for each in ((low < b[:, :, 2:]) & (high > b[:, :, :2])).all(2)]


def _grown(box: Box, by: float) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _around(text: ElementTree.Element) -> Box:
    """Return the box around the letters of a text."""
    size, x, y = (float(text.get(name, 0)) for name in ("font-size", "x", "y"))
    mono, bold = "m" in _styles(text), text.get("font-weight") == "bold"
    width = text_width("".join(text.itertext()), size, bold=bold, mono=mono) / (1 if mono else SLACK)
    x -= {"end": width, "middle": width / 2}.get(text.get("text-anchor", ""), 0)
    return x, y - 0.72 * size, x + width, y + 0.2 * size


def _box(tag: str, shape: ElementTree.Element) -> Box | None:
    """Return the bounds of a rectangle or circle that is large enough for a table, sign or pill."""
    names = {"rect": ("x", "y", "width", "height"), "circle": ("cx", "cy", "r", "r")}.get(tag, ())
    x, y, width, height = (float(shape.get(name, 0)) for name in names) if names else [0.0] * 4
    if tag == "circle":
        x, y, width, height = x - width, y - height, 2 * width, 2 * height
    return (x, y, x + width, y + height) if min(width, height) > LEAST_BOX else None


def _boxes(found: list[Box]) -> list[Box]:
    """Leave out boxes inside others, and the sheets that show further copies 4 and 8 px behind a box."""
    rounded = {tuple(map(round, box)) for box in found}
    kept: list[Box] = []
    for box in sorted(set(found), key=lambda box: (box[0] - box[2]) * (box[3] - box[1])):
        is_sheet = any(tuple(round(side - shift) for side in box) in rounded for shift in (4, 8))
        if not is_sheet and not any(_contains(each, box) for each in kept):
            kept.append(box)
    return kept


def _contains(outer: Box, inner: Box) -> bool:
    return all(a < b + 1 for a, b in zip(outer[:2] + inner[2:], inner[:2] + outer[2:], strict=True))


def _empty(svg: str) -> float:
    """Return the share of cells below the heading that have one colour."""
    picture = numpy.asarray(Image.open(io.BytesIO(png_of(svg, 1.0))).convert("RGB"), dtype=int)[HEADING:]
    rows, columns = (side // CELL for side in picture.shape[:2])
    cells = picture[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL, 3)
    spread = cells.max((1, 3)) - cells.min((1, 3))
    return float((spread <= 6).all(2).mean()) if spread.size else 0.0


HEADER = f"{'width':>6} {'height':>6} {'empty':>6} {'cross':>5} {'texts':>5} {'boxes':>5} {'pt':>5} {'px':>5}"


def row(each: Figures) -> str:
    """Return the figures as a row of a table, below `HEADER`."""
    counts = " ".join(f"{len(found):5}" for found in each.faults)
    return f"{each.width:6.0f} {each.height:6.0f} {each.empty:6.0%} {counts} {each.points:5.1f} {each.pixels:5.1f}"


def main() -> None:
    """Print the figures of the pictures in files."""
    print(f"{'picture':28} {HEADER}")
    for name in sys.argv[1:]:
        print(f"{Path(name).stem:28} {row(figures(Path(name).read_text(encoding='utf-8')))}")


if __name__ == "__main__":
    main()
