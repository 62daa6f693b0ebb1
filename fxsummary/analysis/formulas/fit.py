"""Exact polynomials through captured values: which terms can occur, their coefficients, whether all points agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product

from fxsummary.graph.polynomial import Exponents

Point = tuple[int, ...]
Support = tuple[Exponents, ...]
"""The exponents of the terms that a polynomial may have."""


def newton(points: Sequence[int], values: Sequence[int]) -> list[Fraction]:
    """Return the coefficients, lowest first and without zeros at the end, of the polynomial through these points.

    >>> newton([1, 2, 3], [5, 8, 13])
    [Fraction(4, 1), Fraction(0, 1), Fraction(1, 1)]
    """
    divided = [Fraction(value) for value in values]
    for order in range(1, len(points)):
        for place in range(len(points) - 1, order - 1, -1):
            divided[place] = (divided[place] - divided[place - 1]) / (points[place] - points[place - order])
    found: list[Fraction] = []
    for point, number in zip(reversed(points), reversed(divided), strict=True):
        shifted = [Fraction(0), *found]
        found = [one - point * other for one, other in zip(shifted, [*found, Fraction(0)], strict=True)]
        found[0] += number
    while found and not found[-1]:
        found.pop()
    return found


class Solver:
    """Finds the coefficients of a fixed set of terms from values at points, in integers without rounding.

    Args:
        support: the exponents of the terms.
        points: the points; the values at independent ones of them decide, those at all others only check.
        held: the number of points at the end that do not decide.

    Attributes:
        is_possible: whether the points determine the coefficients.
    """

    def __init__(self, support: Support, points: Sequence[Point], held: int = 0) -> None:
        self._support = support
        matrix = [[_monomial(each, point) for point in points] for each in support]
        self._weights, self._chosen, self._scale = reduced(matrix)
        self._others = [place for place in range(len(points)) if place not in self._chosen]
        self._columns = [[row[place] for row in matrix] for place in self._chosen]
        self._inverse: list[list[int]] = []
        is_enough = len(self._chosen) == len(support)
        self.is_possible = is_enough and all(place < len(points) - held for place in self._chosen)

    def terms(self, values: Sequence[int]) -> dict[Exponents, Fraction] | None:
        """Return the coefficients that give these values at all points; None if there are none."""
        chosen = [values[place] for place in self._chosen]
        for place in self._others:
            expected = sum([row[place] * number for row, number in zip(self._weights, chosen, strict=True)])
            if expected != self._scale * values[place]:
                return None
        if not self._inverse:
            size = range(len(self._support))
            rows, _, self._determinant = reduced([
                [*column, *(int(place == other) for other in size)] for place, column in enumerate(self._columns)
            ])  # fmt: skip
            self._inverse = [row[len(size) :] for row in rows]
        found = [sum([a * b for a, b in zip(row, chosen, strict=True)]) for row in self._inverse]
        terms = zip(self._support, found, strict=True)
        return {exponents: Fraction(number, self._determinant) for exponents, number in terms if number}


def reduced(matrix: Iterable[Sequence[int]]) -> tuple[list[list[int]], list[int], int]:
    """Return the rows of a matrix in reduced echelon form times a number, its pivot columns, and the number.

    Fraction-free elimination after Gauss, Jordan and Bareiss: each division is exact.

    >>> reduced([[1, 2, 5], [3, 4, 11]])
    ([[-2, 0, -2], [0, -2, -4]], [0, 1], -2)
    """
    rows = [list(row) for row in matrix]
    pivots: list[int] = []
    last = 1
    for column in range(len(rows[0])):
        place = len(pivots)
        found = next((number for number in range(place, len(rows)) if rows[number][column]), None)
        if found is None:
            continue
        rows[place], rows[found] = rows[found], rows[place]
        own = rows[place]
        pivot = own[column]
        for number, row in enumerate(rows):
            if number != place:
                factor = row[column]
                rows[number] = [(pivot * a - factor * b) // last for a, b in zip(row, own, strict=True)]
        last = pivot
        pivots.append(column)
    return rows, pivots, last


def _monomial(exponents: Exponents, point: Point) -> int:
    found = 1
    for power, size in zip(exponents, point, strict=True):
        found *= size**power
    return found


@cache
def supports(axes: tuple[frozenset[int], ...], batch: int | None) -> tuple[Support, ...]:
    """Return sets of terms that may occur, the smallest first.

    Args:
        axes: for each size, the exponents that occur while the others are constant.
        batch: the place of the size that is a batch, if there is one.
    """
    found = _supports(axes, batch)
    if all(axes):
        return found
    wider = tuple([each | {0, 1} for each in axes])  # terms may cancel each other at the base
    return tuple(dict.fromkeys([*found, *_supports(wider, batch)]))


def _supports(axes: tuple[frozenset[int], ...], batch: int | None) -> tuple[Support, ...]:
    rest = [place for place in range(len(axes)) if place != batch]
    inner = list(dict.fromkeys(_inner([axes[place] for place in rest])))
    constant = (0,) * len(rest)
    inner += [tuple([each for each in one if each != constant]) for one in inner if constant in one and len(one) > 1]
    inner += [(constant,)] if any(constant in one for one in inner) else []
    found: dict[frozenset[Exponents], None] = {}
    if batch is None:
        found = dict.fromkeys(map(frozenset, inner))
    elif len(axes[batch]) < 2:
        power = max(axes[batch], default=0)
        found = dict.fromkeys(frozenset(_put(each, batch, power) for each in one) for one in inner)
    for one, other in product(inner, inner) if batch is not None else ():
        found[frozenset([*(_put(each, batch, 1) for each in one), *(_put(each, batch, 0) for each in other)])] = None
    usual = sorted((tuple(sorted(each)) for each in found if each), key=len)
    squared = [] if batch is None else [tuple(_put(each, batch, n) for n in range(3) for each in one) for one in inner]
    return (*usual, *sorted(squared, key=len))  # a batch is compared with itself, as in a contrastive loss


def _put(exponents: Exponents, place: int | None, power: int) -> Exponents:
    assert place is not None
    return (*exponents[:place], power, *exponents[place:])


def _inner(axes: Sequence[frozenset[int]]) -> Iterator[Support]:
    """Yield sets of terms in sizes that are no batch: in their product, in one of them, of limited degree, all."""
    every = [tuple(sorted(each)) or (0,) for each in axes]
    full = tuple(product(*every))
    if len(axes) > 1 and len(set(every)) == 1:
        yield tuple([(power,) * len(axes) for power in every[0]])
    highest = max((max(each) for each in every), default=0)
    yield tuple([each for each in full if sum(map(bool, each)) <= 1])
    yield tuple([each for each in full if sum(each) <= highest])
    yield full
    yield tuple(product(*(range(max(each) + 1) for each in every)))


@cache
def axis_exponents(points: tuple[tuple[int, int], ...], step: int) -> frozenset[int] | None:
    """Return the exponents that occur in the polynomial through these pairs of size and value.

    None if it is not whole at further sizes, as any count is.
    """
    pairs = sorted(points)
    found = newton([size for size, _ in pairs], [number for _, number in pairs])
    if any(number.denominator > 1 for number in found):
        for size in range(pairs[0][0], pairs[0][0] + step * (len(pairs) + 1), step):
            if sum(number * size**power for power, number in enumerate(found)).denominator > 1:
                return None
    return frozenset(power for power, number in enumerate(found) if number)
