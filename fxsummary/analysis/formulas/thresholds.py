"""Finds the value of a size beyond which the costs are others, as at the length of a sliding window."""

from __future__ import annotations

from collections import Counter
from functools import cache

from fxsummary.analysis.formulas.axis import Axis, Growth
from fxsummary.analysis.formulas.explore import Explorer
from fxsummary.analysis.formulas.observe import Observation, Observer

MOST_GUESSES = 2
"""Number of dimensions beyond a threshold that may be its value."""


def bend(explorer: Explorer, observer: Observer) -> tuple[Axis, int] | None:
    """Return an axis with a threshold, and the largest value below it; None if there is none."""
    axis = next((each for each in explorer.axes if each.kink is not None), None)
    return None if axis is None else (axis, _Threshold(explorer, observer, axis).find())


class _Threshold:
    """Looks for the threshold between the last value of an axis and one beyond it."""

    def __init__(self, explorer: Explorer, observer: Observer, axis: Axis) -> None:
        self._explorer, self._observer, self._axis = explorer, observer, axis
        self._last = max(axis.values)
        near = explorer.points[tuple({**explorer.base, axis.name: self._last}.values())]
        self._growth = Growth(explorer.first, self._last - axis.base, near)

    def find(self) -> int:
        """Return the largest value up to which dimensions grow evenly: guessed, else found by bisection."""
        assert self._axis.kink is not None
        low, high = self._last, self._axis.kink
        holds = cache(self._is_even)
        for guess in self._guesses():
            if low <= guess < high and holds(guess) and not holds(guess + 1):
                return guess
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        return low

    def _seen(self, size: int) -> Observation | None:
        return self._observer.at({**self._explorer.base, self._axis.name: size})

    def _guesses(self) -> list[int]:
        """Return values at which a dimension would have the size that it has beyond the threshold."""
        beyond = [seen for size in self._axis.beyond if (seen := self._seen(size)) is not None]
        if self._axis.bent:
            dims = self._growth.dims(beyond[0], self._axis.bent)
            steps = [(c - a) * self._growth.step // (b - a) for a, b, c in dims if b > a]
            return [self._axis.base + min(steps)] if steps else []
        constant = set.intersection(*(set(seen.dims) for seen in beyond)) - set(self._growth.near.dims)
        counts = Counter(size for size in beyond[0].dims if size in constant and size > self._last)
        return [size - less for size, _ in counts.most_common(MOST_GUESSES) for less in (0, 1)]

    def _is_even(self, size: int) -> bool:
        """Whether the dimensions grow up to a value as they do from the base to the values of the axis."""
        seen = self._seen(size)
        if seen is None or not self._explorer.is_same(seen):
            return False
        return self._growth.is_even(size - self._axis.base, seen, self._axis.bent)
