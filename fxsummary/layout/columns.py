"""Split a tall level into columns: cut it at gaps that few wires cross, and join the columns by wires over the top.

The wires of a cut keep their order: they run down, right, up the gutter and into the next column as
nested loops. A port of the enclosing group moves to the column that first needs its value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from math import log

from fxsummary.layout.boxes import Point, Spacing
from fxsummary.layout.coordinates import assign_x
from fxsummary.layout.cuts import MOST_WIRES, crossing_wires, partition
from fxsummary.layout.level import Level
from fxsummary.layout.routing import Corner, Routed, Router

FEW_COLUMNS, MOST_COLUMNS = 8, 40
MANY_LAYERS = 100
"""With more layers than this, the number of columns follows from the size of the level."""
LOWEST_COLUMN = 0.2
"""Minimum height of the lowest column, as a share of the highest."""
EMPTINESS, WIRES = 1.0, 0.08
"""Cost of empty area below columns, and of each doubling of the wires over a gutter."""
MOST_TIGHTENED = 4
LOOP = 16.0
"""Distance of the connector below the column that it leaves and above the column that it enters."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The desired shape of a level: its ratio of width to height, and the maximum length of its sides."""

    ratio: float = 1.5
    tallest: float = 1400.0
    limit: float = float("inf")

    def cost(self, width: float, height: float) -> float:
        """Return the cost of a size: 0 for the desired ratio, more the farther from it, much more beyond the limit."""
        over = max(0.0, log(max(width, height, 1.0) / self.limit)) if self.limit < float("inf") else 0.0
        return abs(log(max(width, 1.0) / max(height, 1.0) / self.ratio)) + 20 * over


def fold_columns(level: Level, routed: Routed, spacing: Spacing, shape: Shape) -> Routed:
    """Return the level in the number of columns with the lowest cost; levels that are not too tall stay unchanged."""
    if routed.height <= shape.tallest:
        return routed
    best, least = routed, shape.cost(routed.width, routed.height)

    def cost(columns: _Columns) -> float:
        return shape.cost(columns.width, columns.height) + columns.cost

    for columns in sorted(_candidates(level, routed, spacing), key=cost)[:MOST_TIGHTENED]:
        tight = columns.tightened()
        if cost(tight) < least - 1e-9:
            best, least = tight.fold(), cost(tight)
    return best


def lower_columns(level: Level, routed: Routed, spacing: Spacing, height: float) -> Routed:
    """Return the level in the fewest columns that keep it within ``height``; the lowest one found if none does."""
    if routed.height <= height:
        return routed
    best, least = None, routed.height
    for columns in sorted(_candidates(level, routed, spacing), key=lambda c: len(c.cuts)):
        if columns.height < 0.8 * least:
            best, least = columns, columns.height
        if least <= height:
            break
    return best.tightened().fold() if best else routed


def _counts(routed: Routed, cuts: int) -> list[int]:
    """Return the numbers of columns to try: all for small levels, those around a square shape for large ones."""
    most = min(MOST_COLUMNS, cuts + 1)
    if len(routed.tops) <= MANY_LAYERS:
        return list(range(2, min(FEW_COLUMNS, most) + 1))
    square = round((1.5 * routed.height / max(1.0, routed.width)) ** 0.5)
    return sorted({max(2, min(most, square + more)) for more in (-1, 0)})


def _candidates(level: Level, routed: Routed, spacing: Spacing) -> Iterator[_Columns]:
    crossing = crossing_wires(level)
    seen: set[tuple[int, ...]] = set()
    for most in MOST_WIRES:
        cuts = [gap for gap, trunks in crossing.items() if len(trunks) <= most]
        for count in _counts(routed, len(cuts)) if cuts else ():
            chosen = tuple(partition(routed, cuts, count))
            if not chosen or chosen in seen:
                continue
            seen.add(chosen)
            columns = _Columns(level, routed, spacing, list(chosen), {cut: crossing[cut] for cut in chosen})
            if columns.balanced:
                yield columns.placed()
        if len(cuts) == len(crossing) or (seen and len(routed.tops) > MANY_LAYERS):
            return


@dataclass(slots=True)
class _Columns:
    """Moves a level into columns at the given cuts.

    Attributes:
        crossing: for each cut the trunks that cross the gutter.
        ranks: for each cut and trunk the rank of its loop, from the inside out.
        starts: column of each port in the top border.
        shifts: offset of each column; gutters: x of the innermost lane before it.
    """

    level: Level
    routed: Routed
    spacing: Spacing
    cuts: list[int]
    crossing: dict[int, set[int]]
    marks: list[float] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    shifts: list[tuple[float, float]] = field(default_factory=list)
    gutters: list[float] = field(default_factory=list)
    ranks: dict[tuple[int, int], int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0

    def __post_init__(self) -> None:
        self.marks = [cut - 0.5 for cut in self.cuts]
        ends = [*self.cuts, len(self.routed.tops)]
        self.heights = [
            self.routed.bottoms[e - 1] - self.routed.tops[s] for s, e in zip([0, *self.cuts], ends, strict=True)
        ]

    @property
    def balanced(self) -> bool:
        """Whether no column is nearly empty."""
        return min(self.heights) >= LOWEST_COLUMN * max(self.heights)

    @property
    def cost(self) -> float:
        """Cost of empty area and of wires over gutters."""
        emptiness = 1 - sum(self.heights) / len(self.heights) / max(self.heights)
        return EMPTINESS * emptiness + WIRES * sum(log(len(trunks), 2) for trunks in self.crossing.values())

    def tightened(self) -> _Columns:
        """Return the same columns, each as narrow as it can be alone."""
        assign_x(self.level, self.spacing, self.cuts)
        routed = Router(self.level, self.spacing).run()
        return _Columns(self.level, routed, self.spacing, self.cuts, self.crossing).placed()

    def column(self, layer: float) -> int:
        """Return the column of a layer, or of a gap given as half a layer."""
        return bisect_left(self.marks, layer)

    def fold(self) -> Routed:
        """Return the level in columns."""
        self._rank_wires()
        level, old = self.level, self.routed
        new = Routed(width=self.width, height=self.height, tops=old.tops, bottoms=old.bottoms)
        for node in range(len(level.nodes)):
            dx, dy = self.shifts[self.column(level.layer[node])]
            new.x.append(old.x[node] + dx)
            new.y.append(old.y[node] + dy)
        for i, corners in enumerate(old.corners):
            new.corners.append(self._chain(i, corners))
            for node, point in ((level.links[i].tail, 0), (level.links[i].head, -1)):
                if level.nodes[node].end:
                    new.x[node] = new.corners[i][point][1].x
        return new

    def _port_columns(self) -> dict[int, int]:
        """Return the first column that needs the value of each port in the top border."""
        found: dict[int, int] = {}
        for link in self.level.links:
            if self.level.nodes[link.tail].end < 0:
                head = self.level.nodes[link.head].end > 0
                column = 0 if head else self.column(self.level.layer[link.head])
                found[link.tail] = min(found.get(link.tail, column), column)
        return found

    def placed(self) -> _Columns:
        """Place the columns side by side, which gives the width and height."""
        self.starts = self._port_columns()
        spans = [(float("inf"), float("-inf"))] * (len(self.cuts) + 1)
        for column, left, right in self._pieces():
            low, high = spans[column]
            spans[column] = min(low, left), max(high, right)
        loops = [len(self.crossing[cut]) - 1 for cut in self.cuts]
        top = 2 * LOOP + max(loops) * self.spacing.track
        x = 0.0
        self.shifts, self.gutters = [], []
        for (low, high), start, wires in zip(spans, [0, *self.cuts], [0, *loops], strict=True):
            x += wires * self.spacing.track
            self.shifts.append((x - low, top - self.routed.tops[start]))
            self.gutters.append(x - self.spacing.column / 2 - wires * self.spacing.track)
            x += high - low + self.spacing.column
        self.width = x - self.spacing.column
        self.height = top + LOOP + 4
        self.height += max(h + w * self.spacing.track for h, w in zip(self.heights, [*loops, 0], strict=True))
        return self

    def _pieces(self) -> Iterator[tuple[int, float, float]]:
        """Yield column, left end and right end of everything that takes space in a column."""
        level = self.level
        columns = cache(self.column)
        for n, node in enumerate(level.nodes):
            if node.end == 0 and not node.lane:
                yield columns(level.layer[n]), self.routed.x[n], self.routed.x[n] + node.width
        marks = set(self.marks)
        for i, corners in enumerate(self.routed.corners):
            first, last = self._range(i)
            nodes = [node for segment in level.chains[i] for node in (segment.upper, segment.lower)]
            places = [(level.layer[n], self.routed.x[n]) for n in nodes if level.nodes[n].lane]
            for tag, x in [*places, *((tag, p.x) for tag, p in corners if tag not in marks)]:
                if first <= columns(tag) <= last:
                    yield columns(tag), x, x

    def _range(self, i: int) -> tuple[int, int]:
        """Return the first and last column in which a wire is drawn; a port at its end may have moved to a column."""
        link = self.level.links[i]
        ends = self.level.nodes[link.head].end > 0
        first = self.starts.get(link.tail, self.column(self.level.layer[link.tail]))
        return first, self.column(self.level.layer[link.tail]) if ends else len(self.cuts)

    def _rank_wires(self) -> None:
        """Rank the wires of each cut: the leftmost wire at the end of a column runs outside all others."""
        for cut in self.cuts:
            exits: dict[int, float] = {}
            for i, corners in enumerate(self.routed.corners):
                beyond = i not in self.level.upwards and self.level.layer[self.level.links[i].head] >= cut
                if beyond and self.level.trunks[i] in self.crossing[cut]:
                    before = [p.x for tag, p in corners if tag <= cut - 1]
                    exits[self.level.trunks[i]] = before[-1] if before else corners[0][1].x
            for rank, trunk in enumerate(sorted(exits, key=lambda t: (-exits[t], t))):
                self.ranks[cut, trunk] = rank

    def _chain(self, i: int, corners: list[Corner]) -> list[Corner]:
        """Return the corners moved with their columns, with a connector where the chain crosses a cut."""
        start, last_column = self._range(i)
        moved: list[Corner] = []
        column = self.column(corners[0][0])
        x = corners[0][1].x
        passed = [(tag, [point for _, point in group]) for tag, group in groupby(corners, key=lambda corner: corner[0])]
        for tag, points in passed:
            at = bisect_left(self.marks, tag) + (tag in self.marks)
            while column < at and column < last_column:
                column += 1
                entering = points[-1].x if self.marks[column - 1] == tag else x
                if column > start:
                    moved += self._connector(i, column, entering, x)
                elif column == start:
                    dx, dy = self.shifts[column]
                    moved.append((self.marks[column - 1], Point(entering + dx, 0.0)))
                x = entering
            if column < at:
                break
            if tag not in self.marks:
                x = points[-1].x
                if column >= start:
                    dx, dy = self.shifts[column]
                    moved += [(tag, Point(point.x + dx, point.y + dy)) for point in points]
        if self.level.nodes[self.level.links[i].head].end > 0:
            moved.append((corners[-1][0], Point(moved[-1][1].x, self.height)))
        return moved

    def _connector(self, i: int, column: int, x: float, from_x: float) -> list[Corner]:
        """Return the connector from ``from_x`` at the bottom of the previous column over the top to ``x``."""
        cut = self.cuts[column - 1]
        outwards = self.ranks[cut, self.level.trunks[i]] * self.spacing.track
        bottom = self.routed.bottoms[cut - 1] + self.shifts[column - 1][1] + LOOP + outwards
        top, lane = LOOP + outwards, self.gutters[column] + outwards
        leave, enter = from_x + self.shifts[column - 1][0], x + self.shifts[column][0]
        path = [(leave, bottom), (lane, bottom), (lane, top), (enter, top)]
        return [(cut - 0.5, Point(*corner)) for corner in path]
