"""Draw what is in use at the peak: a bar on the scale of the plot, with the names of the largest values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.labels import LONGEST_TIP, short
from fxsummary.drawing.markup import BOLD, element, number, rect, text, tooltip
from fxsummary.graph.memory import Alive, Memory
from fxsummary.text.numbers import shape, size

USES = {
    "outlives": "outlives forward",
    "needed": "needed by later operations",
    "held": "held only by Python",
    "inside": "inside of an operation",
}
"""What holds memory, from the bottom of the stack to its top."""
AXIS, PLOT, HEIGHT = 54.0, 436.0, 224.0
"""Width of the numbers left of the plot, width and height of the plot."""
WIDTH = 704.0
"""Width of the picture without margins."""
BAR, LINE, LABEL = 12.0, 15.0, 12.0
"""Width of the bar, height of the lines right of it, and where they start."""
MOST_NAMES, LEAST_NAMED = 8, 0.03
"""Number of values that are named, and the share of the peak from which they are."""
LEAST_HEIGHT = 2.0
"""Height in px from which a value is a part of the bar; smaller ones share a part."""


class Place(NamedTuple):
    """The plot on the page: its corner, the operations across, and the bytes up to its top."""

    left: float
    top: float
    operations: int
    most: int

    def x(self, place: float) -> float:
        """Return x of a position between operations."""
        return self.left + PLOT * place / max(self.operations, 1)

    def y(self, nbytes: float) -> float:
        """Return y of so many bytes."""
        return self.top + HEIGHT * (1 - nbytes / (self.most or 1))


class Piece(NamedTuple):
    """Memory in use at the peak: its name and that of its module, what holds it, its tooltip."""

    nbytes: int
    name: str
    module: str
    use: str
    tips: tuple[str, ...]


def beside(memory: Memory, at: Place, x: float) -> Iterator[str]:
    """Yield the bar of what is in use at the peak, and the names of the largest values; nothing if nothing is."""
    pieces = list(_pieces(memory))
    if not pieces:
        return
    yield text(x, at.top - 9, "in use at the peak", 10.5, "mu")
    named = _largest(pieces, memory.peak)
    low, wishes = 0, list[tuple[float, Piece]]()
    for piece in _joined(pieces, LEAST_HEIGHT * at.most / HEIGHT):
        y, height = at.y(low + piece.nbytes), HEIGHT * piece.nbytes / at.most
        bar = rect(x, y, BAR, height, f"use-{piece.use} cut", stroke_width=1)
        yield element("g", tooltip(piece.tips) + bar)
        if piece in named:
            wishes.insert(0, (y + height / 2, piece))
        low += piece.nbytes
    for y, (wish, piece) in zip(_apart([wish for wish, _ in wishes], at), wishes, strict=True):
        yield _label(piece, x + BAR, wish, y, at.left - AXIS + WIDTH)
    if rest := len(pieces) - len(named):
        left = size(sum(each.nbytes for each in pieces) - sum(each.nbytes for each in named))
        yield text(x + BAR + LABEL, at.top + HEIGHT + 16, f"and {rest} more, {left}", 10.5, "mu")


def _pieces(memory: Memory) -> Iterator[Piece]:
    """Yield what is in use at the peak, from the bottom of the stack to its top."""
    modules = dict(zip(memory.operations, memory.modules, strict=True))
    pieces = []
    for each in memory.alive:
        use = "held" if each.is_held else "outlives" if each.is_returned else "needed"
        module = around(each.name, each.operation, modules[each.operation])
        pieces.append(Piece(each.nbytes, each.name, module, use, _tips(each)))
    yield from sorted(pieces, key=lambda each: list(USES).index(each.use))
    if memory.inside:
        tips = memory.name, size(memory.inside), "held only while it runs"
        yield Piece(memory.inside, memory.name, "", "inside", tips)


def around(name: str, operation: str, module: str) -> str:
    """Return the module of an operation that is shown by its key; "" if it is shown by its path."""
    return module if name == operation and name != module else ""


def _tips(each: Alive) -> tuple[str, ...]:
    dims = "" if each.shape is None else shape(each.shape)
    return f"{short(each.name, LONGEST_TIP)} {dims}".rstrip(), size(each.nbytes), each.reason


def _largest(pieces: Sequence[Piece], peak: int) -> list[Piece]:
    """Return the largest pieces, which get names; pieces of one size get names together or not at all."""
    ordered = sorted(pieces, key=lambda each: -each.nbytes)
    next_one = ordered[MOST_NAMES].nbytes if len(ordered) > MOST_NAMES else 0
    return [each for each in ordered[:MOST_NAMES] if each.nbytes > max(next_one, LEAST_NAMED * peak)]


def _joined(pieces: Sequence[Piece], least: float) -> Iterator[Piece]:
    """Yield pieces; those below a number of bytes are one for each thing that holds them."""
    for use in USES:
        yield from (each for each in pieces if each.use == use and each.nbytes >= least)
        small = [each.nbytes for each in pieces if each.use == use and each.nbytes < least]
        if small:
            yield Piece(sum(small), "", "", use, (f"{len(small)} more", size(sum(small)), USES[use]))


def _apart(wishes: Sequence[float], at: Place) -> list[float]:
    """Return the heights of lines near those wished, in ascending order, each far enough from the next."""
    placed: list[float] = []
    for wish in wishes:
        placed.append(max(wish, placed[-1] + LINE if placed else at.top + 6))
    limit = at.top + HEIGHT - 4
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = limit = min(placed[index], limit)
        limit -= LINE
    return placed


def _label(piece: Piece, x: float, wish: float, y: float, right: float) -> str:
    """Return the size and the name of a value, with a line from the height of its part of the bar."""
    nbytes = size(piece.nbytes)
    start = x + LABEL + text_width(nbytes, 10.5, bold=True) + 7
    path = f"M{number(x + 1)} {number(wish)}L{number(x + 9)} {number(y)}"
    line = element("path", d=path, class_="line", stroke_width=1)
    name = fitting(piece.name, piece.module, right - start)
    label = text(x + LABEL, y + 3.7, nbytes, 10.5, **BOLD) + text(start, y + 3.7, name, 10.5, "mu")
    return element("g", tooltip(piece.tips) + line + label)


def fitting(name: str, module: str, room: float) -> str:
    """Return the name of an operation as it fits: with its module, the end of its path, or cut in the middle."""
    parts, outer = short(name, LONGEST_TIP).split("."), short(module, LONGEST_TIP).split(".")
    inside = [f"{'.'.join(parts)} in {'.'.join(outer[at:])}" for at in range(len(outer)) if module]
    ends = [".".join(parts[at:]) for at in range(len(parts))]
    cut = (short(parts[-1], width) for width in range(len(parts[-1]), 0, -1))
    return next((each for each in (*inside, *ends, *cut) if text_width(each, 10.5) <= room), "")
