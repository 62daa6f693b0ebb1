"""Spans: for each position along a dimension of a tensor, the first and the last position that it sees in an input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

Ends = tuple[int, int]
NOTHING: Ends = (1 << 40, -(1 << 40))
"""The ends of a position that sees nothing."""

MOST = 1 << 16
"""The most positions for which ends are listed one by one."""


@dataclass(frozen=True, slots=True)
class Span:
    """What the positions along a dimension see of one dimension of an input.

    Attributes:
        ends: the first and last input position that each sees, for one period.
        shift: the distance by which both move from one period to the next, also beyond the tensor, where padding is;
            None if the ends are those of all positions, beyond which there is nothing.
        of: the size of the input's dimension.
    """

    ends: tuple[Ends, ...]
    shift: int | None
    of: int

    def at(self, place: int) -> Ends:
        """Return the ends of a position."""
        if self.shift is None:
            return self.ends[place] if 0 <= place < len(self.ends) else NOTHING
        turn, place = divmod(place, len(self.ends))
        low, high = self.ends[place]
        return low + turn * self.shift, high + turn * self.shift

    @property
    def is_same(self) -> bool:
        """Whether all positions see the same."""
        return self.shift == 0 and len(self.ends) == 1

    @property
    def is_whole(self) -> bool:
        """Whether all positions see the whole dimension."""
        low, high = self.ends[0]
        return self.is_same and low <= 0 and high >= self.of - 1

    @property
    def stride(self) -> Fraction | None:
        """The input positions from one position to the next; None if the steps differ."""
        return None if self.shift is None else Fraction(self.shift, len(self.ends))

    def size(self, count: int) -> int:
        """Return the most input positions that one of ``count`` positions sees."""
        return max([high - low + 1 for low, high in map(self.at, range(min(count, len(self.ends))))], default=0)

    def slid(self, windows: Sequence[Sequence[int]], step: int, count: int) -> Span | None:
        """Return the span of windows over the positions; None if there are too many positions.

        Args:
            windows: the positions in each window of a period.
            step: how far the windows move from one period to the next.
            count: the number of windows.
        """
        if self.shift is None:
            return _listed(lambda place: self._over(windows, step, place), count, self.of)
        turns = len(self.ends) // gcd(len(self.ends), step)
        if turns * len(windows) > max(count, 1):
            return _listed(lambda place: self._over(windows, step, place), count, self.of)
        ends = [self._over(windows, step, place) for place in range(turns * len(windows))]
        return _reduced(ends, turns * step * self.shift // len(self.ends), self.of)

    def _over(self, windows: Sequence[Sequence[int]], step: int, place: int) -> Ends:
        turn, place = divmod(place, len(windows))
        return _hull(map(self.at, [each + turn * step for each in windows[place]]))

    def mixed(self, count: int) -> Span:
        """Return the span if each position sees what any of ``count`` positions sees."""
        period = min(len(self.ends), count)
        low, high = _hull([self.at(place) for place in (*range(period), *range(count - period, count))])
        return (
            Span(((max(low, 0), min(high, self.of - 1)),), 0, self.of) if low <= high else Span((NOTHING,), 0, self.of)
        )

    def placed(self, size: int, inner: int, outermost: bool) -> Span | None:
        """Return the span along a merged dimension: there are ``inner`` positions inside of each of this one's.

        Args:
            size: the number of its positions.
            outermost: whether no other dimension is outside of it.
        """
        if outermost:
            return self.slid([[0]] * inner, 1, size * inner) if inner <= MOST else None
        if size * inner > MOST:
            return None
        return _reduced([self.at(place // inner) for place in range(size * inner)], 0, self.of)


def joined(spans: Sequence[Span], count: int) -> Span | None:
    """Return the span of ``count`` positions that see what each of the spans sees; None if they are too many."""
    found = spans[0]
    for other in spans[1:]:
        if found == other or found.is_whole:
            continue
        if other.is_whole:
            found = other
            continue
        both = _joined(found, other, count)
        if both is None:
            return None
        found = both
    return found


def _joined(one: Span, other: Span, count: int) -> Span | None:
    def ends(place: int) -> Ends:
        return _hull([one.at(place), other.at(place)])

    period = lcm(len(one.ends), len(other.ends))
    if one.stride is not None and one.stride == other.stride and period <= max(count, 1):
        return _reduced(list(map(ends, range(period))), int(one.stride * period), one.of)
    return _listed(ends, count, one.of)


def listed(ends: Sequence[Ends], of: int) -> Span | None:
    """Return the span of positions with these ends; None if they are too many."""
    return _listed(ends.__getitem__, len(ends), of)


def _listed(ends: Callable[[int], Ends], count: int, of: int) -> Span | None:
    if not 0 < count <= MOST:
        return None
    found = list(map(ends, range(count)))
    steps = {(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(found)}
    step = steps.pop() if len(steps) == 1 else (0, 0) if count == 1 else (0, 1)
    if not steps and step[0] == step[1]:
        return Span((found[0],), step[0], of)
    return Span(tuple(found), None, of)


def _reduced(ends: Sequence[Ends], shift: int, of: int) -> Span:
    """Return the span with the shortest period."""
    count = len(ends)
    for period in range(1, count // 2 + 1):
        if count % period == 0 and shift % (count // period) == 0:
            step = shift // (count // period)
            if all((low + step, high + step) == after for (low, high), after in zip(ends, ends[period:], strict=False)):
                return Span(tuple(ends[:period]), step, of)
    return Span(tuple(ends), shift, of)


def _hull(ends: Iterable[Ends]) -> Ends:
    low, high = NOTHING
    for first, last in ends:
        low, high = min(low, first), max(high, last)
    return low, high
