"""Fits a polynomial to each number of each operation, and keeps it only if it agrees with every capture."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, cached_property
from itertools import accumulate

from fxsummary.analysis.formulas.explore import Explorer, Point
from fxsummary.analysis.formulas.fit import Solver, Support, axis_exponents, supports
from fxsummary.analysis.formulas.observe import Key, Observation, Observer
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

Number = tuple[str, int | str | tuple[int, int]]
"""A quantity, and an operation, the path of a module, or the first and the last operation of a life."""


class Fitting:
    """Fits polynomials to the captures of an explorer; equal columns of numbers are fitted once."""

    def __init__(self, explorer: Explorer, observer: Observer) -> None:
        self._explorer, self._observer = explorer, observer
        self._names = tuple(explorer.base)
        self._lines = [self._on_axis(place) for place in range(len(explorer.axes))]
        self._batch = next((place for place, axis in enumerate(explorer.axes) if axis.role == BATCH), None)
        self._rejected: dict[Number, set[Support]] = defaultdict(set)
        self._found: dict[Number, Polynomial | None] = {}
        self._hopeless: set[Number] = set()

    def fit(self) -> None:
        """Fit all numbers; capture more where that is needed to find their terms."""
        if not self._names:  # one capture is all that there is
            for columns in (self._costs, self._holdings):
                each = columns([self._explorer.first])
                self._found |= {key: Polynomial.of((), {(): column[0]}) for key, column in each}
            return
        self._fit()
        if self.windows() and not self._explorer.is_widened:
            return
        self._explorer.hold_large()
        self._mix()
        self._explorer.hold_small(self._disagreeing)
        self._mix()
        if len(self._explorer.held) < LEAST_HELD:
            self._found = dict.fromkeys(self._found)

    def _disagreeing(self, point: Point, seen: Observation) -> int:
        """Return how many of the polynomials do not give the captured number at a point."""
        sizes = dict(zip(self._names, point, strict=True))
        pairs = {(self._found[key], number) for key, (number,) in self._costs([seen])}
        most = max((each(**sizes) for each in set(self.timeline()) if each is not None), default=None)
        others = sum(found is not None and found(**sizes) != number for found, number in pairs)
        return others + (most is not None and most != seen.whole["peak", ""])

    def _mix(self) -> None:
        """Fit all numbers, with as many captures at mixed sizes as that takes."""
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

    @cached_property
    def sums(self) -> Mapping[Key, Polynomial | None]:
        """The polynomial of each module and quantity, None if it is none; not those of the peak."""
        found = {(quantity, path): each for (quantity, path), each in self._found.items() if isinstance(path, str)}
        first = self._explorer.first
        zero = Polynomial(self._names)
        for quantity in first.parts if not self._explorer.is_unrolled else ():
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

    @property
    def is_known(self) -> bool:
        """Whether the bytes in use are known while each operation runs."""
        found = [each for (quantity, _), each in self._found.items() if quantity in ("workspace", "living")]
        return bool(found) and None not in found

    def timeline(self) -> list[Polynomial | None]:
        """Return the bytes in use while each operation runs; None where they are unknown."""
        end = len(self._explorer.first.structure)
        changes = [Polynomial(self._names)] * (end + 2)
        found = [self._found.get(("workspace", place)) for place in range(end)]
        for (_, life), polynomial in self._found.items():
            if isinstance(life, tuple):
                birth, death = life
                if polynomial is None:
                    found[birth : death + 1] = [None] * len(found[birth : death + 1])
                else:
                    changes[birth] += polynomial
                    changes[death + 1] -= polynomial
        living = accumulate(changes[:end])
        return [None if inside is None else more + inside for more, inside in zip(living, found, strict=True)]

    def _fit(self) -> bool:
        """Fit all numbers; return whether more captures may lead to more polynomials.

        What each operation holds may be other at small sizes, such as a batch of one: there the peak is checked.
        """
        held = self._explorer.held
        above = {point: seen for point, seen in held.items() if not self._explorer.is_below(point)}
        return self._fit_each(self._costs, held) | self._fit_each(self._holdings, above)

    def _fit_each(
        self,
        columns: Callable[[Sequence[Observation]], Iterator[tuple[Number, Column]]],
        held: Mapping[Point, Observation],
    ) -> bool:
        points = [*self._explorer.points, *held]
        solver_of = cache(lambda support: Solver(support, points, len(held)))
        known: dict[Column, tuple[Polynomial | None, bool]] = {}
        for key, column in columns([*self._explorer.points.values(), *held.values()]):
            if column not in known:
                known[column] = self._polynomial(column, solver_of, self._rejected[key])
            self._found[key], may_help = known[column]
            if self._found[key] is None and not may_help:
                self._hopeless.add(key)
        return any(may_help for _, may_help in known.values())

    def _costs(self, seen: Sequence[Observation]) -> Iterator[tuple[Number, Column]]:
        """Yield the numbers of the operations that add up, and of the modules those that do not, in captures."""
        if self._explorer.is_unrolled:
            for key in self._explorer.first.values:
                yield key, tuple([each.values.get(key, 0) for each in seen])
            return
        for quantity in self._explorer.first.parts:
            columns = zip(*(each.parts[quantity] for each in seen), strict=True)
            yield from (((quantity, place), column) for place, column in enumerate(columns))
        for key in self._explorer.first.whole:
            if key not in (("saved_bytes", ""), ("peak", "")):
                yield key, tuple([each.whole.get(key, 0) for each in seen])

    def _holdings(self, seen: Sequence[Observation]) -> Iterator[tuple[Number, Column]]:
        """Yield the bytes that operations hold while they run, and those that they make, in captures."""
        if self._explorer.is_unrolled:
            return
        for place, column in enumerate(zip(*(each.workspaces for each in seen), strict=True)):
            yield ("workspace", place), column
        for life in dict.fromkeys(life for each in seen for life in each.lives):
            yield ("living", life), tuple([each.lives.get(life, 0) for each in seen])

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
        axes = []
        for place, (line, axis) in enumerate(zip(self._lines, self._explorer.axes, strict=True)):
            found = axis_exponents(tuple([(points[number][place], column[number]) for number in line]), axis.step)
            if found is None or max(found, default=0) > max(len(line) - 2, 2):
                return None, False
            axes.append(found)
        may_help = False
        for support in supports(tuple(axes), self._batch):
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
