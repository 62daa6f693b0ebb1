"""Split a tall level into columns: cut it at gaps that few wires cross, and join the columns by wires over the top.

The wires of a cut keep their order: they run down, right, up the gutter and into the next column as
nested loops. A port of the enclosing group moves to the column that first needs its value.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
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
    best, least = None, shape.cost(routed.width, routed.height)

    def cost(columns: _Columns) -> float:
        return shape.cost(columns.width, columns.height) + columns.cost

    for columns in sorted(_candidates(level, routed, spacing), key=cost)[:MOST_TIGHTENED]:
        tight = columns.tightened()
        if cost(tight) < least - 1e-9:
            best, least = tight, cost(tight)
    return best.fold() if best else routed


def lower_columns(level: Level, routed: Routed, spacing: Spacing, height: float | None) -> Routed:
    """Return the level in the fewest columns that keep it within ``height``; the lowest one found if none does."""
    if height is None or routed.height <= height:
        return routed
    best, least = None, routed.height
    for columns in sorted(_candidates(level, routed, spacing), key=lambda c: len(c.cuts)):
        if columns.height < 0.8 * least:
            best, least = columns, columns.height
        if least <= height:
            break
    return best.tightened().fold() if best else routed


def _candidates(level: Level, routed: Routed, spacing: Spacing) -> Iterator[_Columns]:
    crossing = crossing_wires(level)
    seen: set[tuple[int, ...]] = set()
    for most in MOST_WIRES:
        cuts = [gap for gap, trunks in crossing.items() if len(trunks) <= most]
        for count in _counts(routed, len(cuts)) if cuts else ():
            chosen = tuple(partition(routed, cuts, count))
            if chosen and chosen not in seen:
                seen.add(chosen)
                columns = _Columns(level, routed, spacing, {cut: crossing[cut] for cut in chosen})
                if min(columns.heights) >= LOWEST_COLUMN * max(columns.heights):
                    yield columns
        if len(cuts) == len(crossing) or (seen and len(routed.tops) > MANY_LAYERS):
            return


def _counts(routed: Routed, cuts: int) -> list[int]:
    """Return the numbers of columns to try: all for small levels, those around a square shape for large ones."""
    most = min(MOST_COLUMNS, cuts + 1)
    if len(routed.tops) <= MANY_LAYERS:
        return list(range(2, min(FEW_COLUMNS, most) + 1))
    square = round((1.5 * routed.height / max(1.0, routed.width)) ** 0.5)
    return sorted({max(2, min(most, square + more)) for more in (-1, 0)})


class _Columns:
    """A level cut into columns that stand side by side.

    Attributes:
        crossing: for each cut the trunks that cross the gutter.
        starts: column of each port in the top border: the first one that needs its value.
        shifts: offset of each column; gutters: x of the innermost lane before it.
    """

    def __init__(self, level: Level, routed: Routed, spacing: Spacing, crossing: dict[int, set[int]]) -> None:
        self.level, self.routed, self.spacing, self.crossing = level, routed, spacing, crossing
        self.cuts = list(crossing)
        self.marks = [cut - 0.5 for cut in self.cuts]
        starts, ends = [0, *self.cuts], [*self.cuts, len(routed.tops)]
        self.heights = [routed.bottoms[end - 1] - routed.tops[start] for start, end in zip(starts, ends, strict=True)]
        self.starts: dict[int, int] = {}
        for link in level.links:
            if level.nodes[link.tail].end < 0:
                column = 0 if level.nodes[link.head].end > 0 else self.column(level.layer[link.head])
                self.starts[link.tail] = min(self.starts.get(link.tail, column), column)
        self.shifts: list[tuple[float, float]] = []
        self.gutters: list[float] = []
        self.width, self.height = self._place()

    def _place(self) -> tuple[float, float]:
        """Place the columns side by side, and return the width and height."""
        spans = [(float("inf"), float("-inf"))] * len(self.heights)
        for column, left, right in self._pieces():
            low, high = spans[column]
            spans[column] = min(low, left), max(high, right)
        loops = [(len(self.crossing[cut]) - 1) * self.spacing.track for cut in self.cuts]
        top = 2 * LOOP + max(loops)
        x = 0.0
        for (low, high), start, room in zip(spans, [0, *self.cuts], [0.0, *loops], strict=True):
            x += room
            self.shifts.append((x - low, top - self.routed.tops[start]))
            self.gutters.append(x - self.spacing.column / 2 - room)
            x += high - low + self.spacing.column
        lowest = max(height + room for height, room in zip(self.heights, [*loops, 0.0], strict=True))
        return x - self.spacing.column, top + LOOP + 4 + lowest

    @property
    def cost(self) -> float:
        """Cost of empty area and of wires over gutters."""
        emptiness = 1 - sum(self.heights) / len(self.heights) / max(self.heights)
        return EMPTINESS * emptiness + WIRES * sum(log(len(trunks), 2) for trunks in self.crossing.values())

    def tightened(self) -> _Columns:
        """Return the same columns, each as narrow as it can be alone."""
        assign_x(self.level, self.spacing, self.cuts)
        return _Columns(self.level, Router(self.level, self.spacing).run(), self.spacing, self.crossing)

    def column(self, layer: float) -> int:
        """Return the column of a layer, or of a gap given as half a layer."""
        return bisect_left(self.marks, layer)

    def fold(self) -> Routed:
        """Return the level in columns."""
        level, old, ranks = self.level, self.routed, self._ranks()
        new = Routed(width=self.width, height=self.height, tops=old.tops, bottoms=old.bottoms)
        for node in range(len(level.nodes)):
            dx, dy = self.shifts[self.column(level.layer[node])]
            new.x.append(old.x[node] + dx)
            new.y.append(old.y[node] + dy)
        for i, (link, corners) in enumerate(zip(level.links, old.corners, strict=True)):
            new.corners.append(self._moved(i, corners, ranks))
            for node, point in ((link.tail, 0), (link.head, -1)):
                if level.nodes[node].end:
                    new.x[node] = new.corners[i][point][1].x
        return new

    def _pieces(self) -> Iterator[tuple[int, float, float]]:
        """Yield column, left end and right end of everything that takes space in a column."""
        level, x = self.level, self.routed.x
        columns = cache(self.column)
        for n, node in enumerate(level.nodes):
            if node.solid:
                yield columns(level.layer[n]), x[n], x[n] + node.width
        marks = set(self.marks)
        for i, corners in enumerate(self.routed.corners):
            first, last = self._range(i)
            nodes = [node for segment in level.chains[i] for node in (segment.upper, segment.lower)]
            places = [(level.layer[n], x[n]) for n in nodes if level.nodes[n].lane]
            for tag, at in [*places, *((tag, p.x) for tag, p in corners if tag not in marks)]:
                if first <= columns(tag) <= last:
                    yield columns(tag), at, at

    def _range(self, i: int) -> tuple[int, int]:
        """Return the first and last column in which a wire is drawn; a port at its end may have moved to a column."""
        link = self.level.links[i]
        tail = self.column(self.level.layer[link.tail])
        last = tail if self.level.nodes[link.head].end > 0 else len(self.cuts)
        return self.starts.get(link.tail, tail), last

    def _ranks(self) -> dict[tuple[int, int], int]:
        """Rank the wires of each cut: the leftmost wire at the end of a column runs outside all others."""
        ranks: dict[tuple[int, int], int] = {}
        for cut, crossing in self.crossing.items():
            exits: dict[int, float] = {}
            for i, corners in enumerate(self.routed.corners):
                trunk = self.level.chains[i][0].trunk
                beyond = i not in self.level.upwards and self.level.layer[self.level.links[i].head] >= cut
                if beyond and trunk in crossing:
                    before = [p.x for tag, p in corners if tag <= cut - 1]
                    exits[trunk] = before[-1] if before else corners[0][1].x
            for rank, trunk in enumerate(sorted(exits, key=lambda t: (-exits[t], t))):
                ranks[cut, trunk] = rank
        return ranks

    def _moved(self, i: int, corners: list[Corner], ranks: dict[tuple[int, int], int]) -> list[Corner]:
        """Return the corners of a wire moved with their columns, with a connector where it crosses a cut."""
        first, last = self._range(i)
        moved: list[Corner] = []
        column, x = self.column(corners[0][0]), corners[0][1].x
        for tag, group in groupby(corners, key=lambda corner: corner[0]):
            points = [point for _, point in group]
            at = bisect_right(self.marks, tag)
            while column < min(at, last):
                column += 1
                entering = points[-1].x if self.marks[column - 1] == tag else x
                if column > first:
                    rank = ranks[self.cuts[column - 1], self.level.chains[i][0].trunk]
                    moved += self._connector(column, rank, x, entering)
                elif column == first:
                    moved.append((self.marks[column - 1], Point(entering + self.shifts[column][0], 0.0)))
                x = entering
            if column < at:
                break
            if tag not in self.marks:
                x = points[-1].x
                dx, dy = self.shifts[column]
                moved += [(tag, Point(point.x + dx, point.y + dy)) for point in points if column >= first]
        if self.level.nodes[self.level.links[i].head].end > 0:
            moved.append((corners[-1][0], Point(moved[-1][1].x, self.height)))
        return moved

    def _connector(self, column: int, rank: int, leave: float, enter: float) -> list[Corner]:
        """Return the connector from the bottom of the previous column over the top to a column."""
        outwards = rank * self.spacing.track
        bottom = self.routed.bottoms[self.cuts[column - 1] - 1] + self.shifts[column - 1][1] + LOOP + outwards
        top, lane = LOOP + outwards, self.gutters[column] + outwards
        leave, enter = leave + self.shifts[column - 1][0], enter + self.shifts[column][0]
        path = [(leave, bottom), (lane, bottom), (lane, top), (enter, top)]
        return [(self.marks[column - 1], Point(*corner)) for corner in path]
