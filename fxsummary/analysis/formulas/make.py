"""Fits a polynomial to each number of each operation, and keeps it only if it agrees with every capture."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import accumulate

from fxsummary.analysis.formulas.explore import Explorer
from fxsummary.analysis.formulas.fit import Solver, Support, axis_exponents, supports
from fxsummary.analysis.formulas.observe import Key, Observer
from fxsummary.analysis.formulas.sizes import BATCH
from fxsummary.graph.polynomial import Exponents, Polynomial

MOST_CAPTURES, LEAST_MIXED = 14, 2
"""Number of captures at which no more are made to find terms, except for the first few at mixed sizes."""

MOST_WINDOW = 64
"""Largest window that is looked for in the arguments of operations."""
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")

_WHOLE = frozenset([""])
"""What a whole model is summed over: what modules save is no sum, because they share it."""

Column = tuple[int, ...]
"""A number at all points."""


class Fitting:
    """Fits polynomials to the captures of an explorer; equal columns of numbers are fitted once."""

    def __init__(self, explorer: Explorer, observer: Observer) -> None:
        self._explorer, self._observer = explorer, observer
        self._names = tuple(explorer.base)
        self._lines = [self._on_axis(place) for place in range(len(explorer.axes))]
        self._batch = next((place for place, axis in enumerate(explorer.axes) if axis.role == BATCH), None)
        self._rejected: dict[tuple[str, int | str], set[Support]] = defaultdict(set)
        self._found: dict[tuple[str, int | str], Polynomial | None] = {}
        self._hopeless: set[tuple[str, int | str]] = set()

    def fit(self) -> None:
        """Fit all numbers; capture more where that is needed to find their terms."""
        if not self._names:  # one capture is all that there is
            self._found = {key: Polynomial.of((), {(): column[0]}) for key, column in self._columns()}
            return
        self._fit()
        if self.windows() and not self._explorer.is_widened:
            return
        self._explorer.hold()
        self._checked()
        before, held = self._found, dict(self._explorer.held)
        if self._unknown() and self._explorer.hold_above():
            unknown, self._found = self._unknown(), {}
            self._rejected.clear()
            self._checked()
            if self._unknown() == unknown:  # it was not for the small size
                self._found, self._explorer.held = before, held
                self._explorer.dropped.clear()

    def _unknown(self) -> int:
        """Return how many numbers have no polynomial."""
        return sum(found is None for found in self._found.values())

    def _checked(self) -> None:
        """Fit all numbers, with as many captures at mixed sizes as that takes, and check them."""
        if len(self._explorer.held) < LEAST_HELD:
            self._found = dict.fromkeys(self._found)
            return
        most = max(MOST_CAPTURES, self._observer.count + LEAST_MIXED)
        while self._fit() and any(self._observer.count < most and self._explorer.more() for _ in range(8)):
            pass

    def windows(self) -> set[int]:
        """Return small numbers in the arguments of the operations that have no polynomial."""
        places = {place for _, place in self._hopeless if isinstance(place, int)}
        texts = {self._explorer.first.arguments[place] for place in places}
        return {int(each) for text in texts for each in _NUMBER.findall(text) if 1 < int(each) <= MOST_WINDOW}

    def _is_whole(self, terms: Mapping[Exponents, Fraction]) -> bool:
        """Whether a polynomial has whole values at further sizes, as any count has."""
        if all(number.denominator == 1 for number in terms.values()):
            return True
        polynomial = Polynomial.of(self._names, terms)
        further = [
            {axis.name: axis.base + axis.step * (number + place) for place, axis in enumerate(self._explorer.axes)}
            for number in range(1, 8)
        ]
        return all(polynomial(**sizes).denominator == 1 for sizes in further)

    def sums(self) -> dict[Key, Polynomial | None]:
        """Return the polynomial of each module and quantity, None if it is none; not those of the peak."""
        found = {(quantity, path): each for (quantity, path), each in self._found.items() if isinstance(path, str)}
        first = self._explorer.first
        zero = Polynomial(self._names)
        for quantity in first.parts if not self._explorer.is_unrolled else ():
            if quantity in ("peak", "workspace"):
                continue
            every = [_WHOLE] * len(first.paths) if quantity == "saved_bytes" else first.paths
            totals: dict[str, Polynomial | None] = dict.fromkeys({path for paths in every for path in paths}, zero)
            for place, paths in enumerate(every):
                part = self._found[quantity, place]
                if part is None or part.terms:
                    for path in paths:
                        total = totals[path]
                        totals[path] = None if part is None or total is None else total + part
            found |= {(quantity, path): total for path, total in totals.items()}
        return found

    def timeline(self) -> tuple[list[Polynomial | None], bool]:
        """Return the bytes in use while each operation runs, and whether all of them are known."""
        places = range(len(self._explorer.first.structure))
        changes = [self._found.get(("peak", place)) for place in places]
        inside = [self._found.get(("workspace", place)) for place in places]
        living: list[Polynomial | None] = list(accumulate(changes, _added))
        found = list(map(_added, living, inside))
        return found, None not in found

    def _fit(self) -> bool:
        """Fit all numbers; return whether more captures may lead to more polynomials."""
        points, held = list(self._explorer.points), list(self._explorer.held)
        solver_of = cache(lambda support: Solver(support, [*points, *held], len(held)))
        known: dict[Column, tuple[Polynomial | None, bool]] = {}
        for key, column in self._columns():
            if column not in known:
                known[column] = self._polynomial(column, solver_of, self._rejected[key])
            self._found[key], may_help = known[column]
            if self._found[key] is None and not may_help:
                self._hopeless.add(key)
        return any(may_help for _, may_help in known.values())

    def _columns(self) -> Iterator[tuple[tuple[str, int | str], Column]]:
        """Yield the numbers of the operations, and those that do not add up, at all points."""
        seen = [*self._explorer.points.values(), *self._explorer.held.values()]
        for quantity in seen[0].parts if not self._explorer.is_unrolled else ():
            columns = zip(*(each.parts[quantity] for each in seen), strict=True)
            yield from (((quantity, place), column) for place, column in enumerate(columns))
        for key in seen[0].values if self._explorer.is_unrolled else seen[0].whole:
            if self._explorer.is_unrolled or key not in (("saved_bytes", ""), ("peak", "")):
                yield (
                    key,
                    tuple([(each.values if self._explorer.is_unrolled else each.whole).get(key, 0) for each in seen]),
                )

    def _on_axis(self, place: int) -> list[int]:
        """Return the numbers of the captures in which only one size differs from the base."""
        base = tuple(self._explorer.base.values())
        same = [other for other in range(len(base)) if other != place]
        return [
            number
            for number, point in enumerate(self._explorer.points)
            if all(point[other] == base[other] for other in same)
        ]

    def _polynomial(
        self, column: Column, solver_of: Callable[[Support], Solver], rejected: set[Support]
    ) -> tuple[Polynomial | None, bool]:
        """Return the polynomial through the values, and whether more captures may help if there is none."""
        points = list(self._explorer.points)
        axes = tuple([
            axis_exponents(tuple([(points[number][place], column[number]) for number in line]))
            for place, line in enumerate(self._lines)
        ])  # fmt: skip
        if any(max(axis, default=0) > max(len(line) - 2, 2) for axis, line in zip(axes, self._lines, strict=True)):
            return None, False
        may_help = False
        for support in supports(axes, self._batch):
            if support in rejected:
                continue
            if len(support) > len(points):
                may_help = True
                continue
            solver = solver_of(support)
            if not solver.is_possible:
                may_help = True
                continue
            terms = solver.terms(column)
            if terms is not None and self._is_whole(terms):
                return Polynomial.of(self._names, terms), False
            rejected.add(support)
        return None, may_help


LEAST_HELD = 2
"""Number of captures that a polynomial must agree with, and that it was not made from."""


def _added(one: Polynomial | None, other: Polynomial | None) -> Polynomial | None:
    return None if one is None or other is None else one + other
