"""A tall level as several columns: cut where a single wire crosses a gap, joined by a wire over the top."""

from __future__ import annotations

from bisect import bisect_left
from math import log

from fxsummary.layout.boxes import Point, Spacing
from fxsummary.layout.level import Level
from fxsummary.layout.routing import Corner, Routed

MOST_COLUMNS = 12
LEAST_FILLED, LOWEST_COLUMN = 0.6, 0.25
"""Shares of the highest column: of all columns on average, and of the lowest."""
LOOP = 16.0
"""How far the connector runs below the column that it leaves and above the one that it enters."""


def fold_columns(level: Level, routed: Routed, spacing: Spacing, *, ratio: float, tallest: float) -> Routed:
    """The level in the number of columns that comes closest to a ratio of width to height.

    Levels up to ``tallest`` pixels high stay as they are.
    """
    if routed.height <= tallest:
        return routed
    cuts = _cuts(level)
    best, miss = routed, abs(log(routed.width / routed.height / ratio))
    for count in range(2, min(MOST_COLUMNS, len(cuts) + 1) + 1):
        columns = _Columns(level, routed, spacing, _partition(routed, cuts, count))
        candidate = columns.fold()
        distance = abs(log(candidate.width / candidate.height / ratio))
        if distance < miss - 1e-9 and columns.balanced:
            best, miss = candidate, distance
    return best


def _cuts(level: Level) -> list[int]:
    """Gaps that a single wire crosses."""
    up = {gap for i in level.upwards for gap in range(level.layer[level.chains[i][-1]], _below(level, i) + 1)}
    return [g for g in range(1, len(level.layers)) if len(level.gaps[g]) == 1 and g not in up]


def _below(level: Level, i: int) -> int:
    return level.layer[level.chains[i][0]] + 1


def _partition(routed: Routed, cuts: list[int], count: int) -> list[int]:
    """At most ``count - 1`` of the cuts, so that the highest column is as low as can be."""
    low, high = 0.0, routed.height
    chosen: list[int] = []
    for _ in range(30):
        limit = (low + high) / 2
        found = _greedy(routed, cuts, limit)
        if found is not None and len(found) < count:
            high, chosen = limit, found
        else:
            low = limit
    return chosen


def _greedy(routed: Routed, cuts: list[int], limit: float) -> list[int] | None:
    """Fill columns up to a height; None where a piece between two cuts is higher."""
    chosen: list[int] = []
    start = 0.0
    stops = [*cuts, len(routed.tops)]
    for place, cut in enumerate(stops):
        if routed.bottoms[cut - 1] - start <= limit:
            continue
        if place == 0:
            return None
        before = stops[place - 1]
        if chosen and chosen[-1] == before:
            return None
        chosen.append(before)
        start = routed.tops[before]
        if routed.bottoms[cut - 1] - start > limit:
            return None
    return chosen


class _Columns:
    """Moves a level into columns at the given cuts."""

    def __init__(self, level: Level, routed: Routed, spacing: Spacing, cuts: list[int]) -> None:
        self.level = level
        self.routed = routed
        self.spacing = spacing
        self.cuts = cuts
        self.marks = [cut - 0.5 for cut in cuts]

    def column(self, layer: float) -> int:
        """Column of a layer, or of a gap as half a layer."""
        return bisect_left(self.marks, layer)

    def fold(self) -> Routed:
        """The level in columns."""
        self._place_columns()
        level, old = self.level, self.routed
        new = Routed(width=self.width, height=self.height, tops=old.tops, bottoms=old.bottoms)
        for node in range(len(level.nodes)):
            dx, dy = self.shifts[self.column(level.layer[node])]
            new.x.append(old.x[node] + dx)
            new.y.append(old.y[node] + dy)
        new.corners = [self._chain(corners) for corners in old.corners]
        return new

    def _place_columns(self) -> None:
        spans = [(float("inf"), float("-inf"))] * (len(self.cuts) + 1)
        pieces: list[tuple[float, float, float]] = [
            (self.level.layer[n], self.routed.x[n], self.routed.x[n] + node.width)
            for n, node in enumerate(self.level.nodes)
        ]
        pieces += [(tag, p.x, p.x) for corners in self.routed.corners for tag, p in corners if tag not in self.marks]
        for layer, left, right in pieces:
            column = self.column(layer)
            low, high = spans[column]
            spans[column] = min(low, left), max(high, right)
        starts = [0, *self.cuts]
        ends = [*self.cuts, len(self.routed.tops)]
        top = 2 * LOOP if self.cuts else 0.0
        x = 0.0
        self.heights: list[float] = []
        self.shifts: list[tuple[float, float]] = []
        self.gutters: list[float] = []
        for (low, high), start, end in zip(spans, starts, ends, strict=True):
            self.shifts.append((x - low, top - self.routed.tops[start]))
            self.gutters.append(x - self.spacing.column / 2)
            self.heights.append(self.routed.bottoms[end - 1] - self.routed.tops[start])
            x += high - low + self.spacing.column
        self.width = x - self.spacing.column
        self.height = top + max(self.heights) + (LOOP + 4 if self.cuts else 0.0)

    @property
    def balanced(self) -> bool:
        """Whether the columns are about equally high."""
        highest = max(self.heights)
        mean = sum(self.heights) / len(self.heights)
        return min(self.heights) >= LOWEST_COLUMN * highest and mean >= LEAST_FILLED * highest

    def _chain(self, corners: list[Corner]) -> list[Corner]:
        """Corners moved with their columns, with a connector where the chain passes a cut."""
        moved: list[Corner] = []
        last = -1
        straight = corners[0][1]
        for tag, point in corners:
            if tag in self.marks:
                straight = point
                continue
            column = self.column(tag)
            for entered in range(last + 1, column + 1) if last >= 0 else ():
                moved += self._connector(entered, straight.x if entered < column else point.x, moved[-1][1].x)
            dx, dy = self.shifts[column]
            moved.append((tag, Point(point.x + dx, point.y + dy)))
            straight, last = point, column
        return moved

    def _connector(self, column: int, x: float, from_x: float) -> list[Corner]:
        """From the bottom of the column before over the top into a column, where the wire goes on at ``x``."""
        cut = self.cuts[column - 1]
        mark, gutter = cut - 0.5, self.gutters[column]
        bottom = self.routed.bottoms[cut - 1] + self.shifts[column - 1][1] + LOOP
        enter = x + self.shifts[column][0]
        corners = [(from_x, bottom), (gutter, bottom), (gutter, LOOP), (enter, LOOP)]
        return [(mark, Point(*corner)) for corner in corners]
