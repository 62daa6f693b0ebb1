"""Fits a polynomial to each number of each operation, and keeps it only if it agrees with every capture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate

from fxsummary.analysis.formulas.explore import Explorer
from fxsummary.analysis.formulas.fit import Solver, Support, axis_exponents, supports
from fxsummary.analysis.formulas.observe import Key, Observation, Observer
from fxsummary.analysis.formulas.sizes import BATCH
from fxsummary.graph.polynomial import Polynomial

MOST_CAPTURES = 14
"""Number of captures at which no more are made to find terms."""

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

    def fit(self) -> None:
        """Fit all numbers; capture more where that is needed to find their terms."""
        self._explorer.hold()
        while self._fit() and self._more():
            pass

    def sums(self) -> dict[Key, Polynomial | None]:
        """Return the polynomial of each module and quantity, None if it is none; not those of the peak."""
        found = {(quantity, path): each for (quantity, path), each in self._found.items() if isinstance(path, str)}
        first = self._explorer.first
        zero = Polynomial(self._names)
        for quantity in first.parts if not self._explorer.is_unrolled else ():
            if quantity == "peak":
                continue
            totals: dict[str, Polynomial | None] = dict.fromkeys({path for paths in first.paths for path in paths}, zero)
            for place, paths in enumerate(first.paths):
                part = self._found[quantity, place]
                if part is None or part.terms:
                    for path in paths:
                        total = totals[path]
                        totals[path] = None if part is None or total is None else total + part
            found |= {(quantity, path): total for path, total in totals.items()}
        return found

    def timeline(self) -> list[Polynomial] | None:
        """Return the bytes in use while each operation runs; None if one is no polynomial."""
        steps = [self._found.get(("peak", place)) for place in range(len(self._explorer.first.structure))]
        known = [each for each in steps if each is not None]
        return list(accumulate(known)) if len(known) == len(steps) else None

    def _more(self) -> bool:
        """Make one more capture at mixed sizes; return whether there is one."""
        return any(self._observer.count < MOST_CAPTURES and self._explorer.more() for _ in range(8))

    def _fit(self) -> bool:
        """Fit all numbers; return whether more captures may lead to more polynomials."""
        points, held = list(self._explorer.points), list(self._explorer.held)
        solver_of = cache(lambda support: Solver(support, [*points, *held], len(held)))
        known: dict[Column, tuple[Polynomial | None, bool]] = {}
        for key, column in self._columns():
            if column not in known:
                known[column] = self._polynomial(column, solver_of, self._rejected[key])
            self._found[key] = known[column][0]
        return any(may_help for _, may_help in known.values())

    def _columns(self) -> Iterator[tuple[tuple[str, int | str], Column]]:
        """Yield the numbers of the operations, and those that do not add up, at all points."""
        seen = [*self._explorer.points.values(), *self._explorer.held.values()]
        for quantity in seen[0].parts if not self._explorer.is_unrolled else ():
            columns = zip(*(each.parts[quantity] for each in seen), strict=True)
            yield from (((quantity, place), column) for place, column in enumerate(columns))
        for key in seen[0].values:
            if self._explorer.is_unrolled or key[0] not in seen[0].parts:
                yield key, tuple([each.values.get(key, 0) for each in seen])

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
        may_help = False
        for support in supports(axes, self._batch):
            if support in rejected:
                continue
            solver = solver_of(support)
            if not solver.is_possible:
                may_help = True
                continue
            terms = solver.terms(column)
            if terms is not None:
                return Polynomial.of(self._names, terms), False
            rejected.add(support)
        return None, may_help
