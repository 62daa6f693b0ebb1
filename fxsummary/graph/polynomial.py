"""`Polynomial`: an exact polynomial in named sizes with rational coefficients."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import NamedTuple

Exponents = tuple[int, ...]

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Polynomial:
    """A sum of products of powers of named sizes, each with a rational coefficient.

    Attributes:
        names: the names of the sizes.
        terms: exponents, one per name, and the coefficient of each term, highest degree first; none is 0.

    >>> cost = Polynomial.of(("B", "T"), {(1, 2): 3, (1, 0): -5})
    >>> print(cost)
    3·B·T² − 5·B
    >>> cost(B=2, T=10)
    Fraction(590, 1)
    """

    names: tuple[str, ...]
    terms: tuple[tuple[Exponents, Fraction], ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], terms: Mapping[Exponents, Fraction | int]) -> Polynomial:
        """Return the polynomial with these terms in its normal form."""
        found = [
            (each, number if type(number) is Fraction else Fraction(number)) for each, number in terms.items() if number
        ]
        return cls(tuple(names), tuple(sorted(found, key=lambda term: _order(term[0]))))

    def __call__(self, **sizes: int | Fraction) -> Fraction:
        """Return the value at these sizes."""
        total = Fraction(0)
        values = [sizes[name] for name in self.names]
        for exponents, number in self.terms:
            total += number * prod(map(pow, values, exponents))
        return total

    def __add__(self, other: Polynomial) -> Polynomial:
        if not self.terms or not other.terms:
            return self if self.terms else other
        terms = dict(self.terms)
        for exponents, number in other.terms:
            terms[exponents] = terms.get(exponents, Fraction(0)) + number
        return Polynomial.of(self.names, terms)

    def __sub__(self, other: Polynomial) -> Polynomial:
        negative = tuple([(exponents, -number) for exponents, number in other.terms])
        return self + Polynomial(other.names, negative)

    def degree(self, name: str) -> int:
        """Return the highest exponent of a size; 0 if it does not occur."""
        place = self.names.index(name)
        return max((exponents[place] for exponents, _ in self.terms), default=0)

    def leading(self, name: str) -> Polynomial:
        """Return the terms in which a size has its highest exponent."""
        place, highest = self.names.index(name), self.degree(name)
        return Polynomial(self.names, tuple([term for term in self.terms if term[0][place] == highest]))

    def fixed(self, sizes: Mapping[str, int]) -> Polynomial:
        """Return the polynomial in the other sizes that remains if these have their values."""
        places = {self.names.index(name): size for name, size in sizes.items()}
        terms: dict[Exponents, Fraction] = {}
        for exponents, number in self.terms:
            rest = tuple([0 if place in places else power for place, power in enumerate(exponents)])
            known = prod(size ** exponents[place] for place, size in places.items())
            terms[rest] = terms.get(rest, Fraction(0)) + number * known
        return Polynomial.of(self.names, terms)

    def in_one_size(self) -> tuple[str, dict[int, Fraction]] | None:
        """Return coefficients by power of the one size, or product of sizes, that decides the sign; None if several do.

        Factors that all terms have in common are left out.

        >>> Polynomial.of(("B", "H", "W"), {(1, 2, 2): 3, (1, 1, 1): -5}).in_one_size()
        ('H·W', {1: Fraction(3, 1), 0: Fraction(-5, 1)})
        """
        lowest = [min(powers) for powers in zip(*(exponents for exponents, _ in self.terms), strict=True)]
        divided = {tuple([a - b for a, b in zip(each, lowest, strict=True)]): number for each, number in self.terms}
        used = [place for place in range(len(self.names)) if any(each[place] for each in divided)]
        powers = [{each[place] for place in used} for each in divided]
        if not used or any(len(each) > 1 for each in powers):
            return None
        name = "·".join(self.names[place] for place in used)
        return name, {each.pop(): number for each, number in zip(powers, divided.values(), strict=True)}

    def __str__(self) -> str:
        return self._joined(str, lambda name, power: name + (str(power).translate(_RAISED) if power > 1 else ""), "·")

    def to_latex(self) -> str:
        r"""Return the polynomial as LaTeX for math mode.

        >>> print(Polynomial.of(("H",), {(2,): Fraction(9, 16), (0,): -1}).to_latex())
        \frac{9}{16}\,H^{2} - 1
        """
        return self._joined(_fraction, lambda n, power: _name(n) + (f"^{{{power}}}" if power > 1 else ""), r"\,", "-")

    def _joined(
        self, number: Callable[[Fraction], str], raised: Callable[[str, int], str], times: str, minus: str = "−"
    ) -> str:
        text = ""
        for exponents, each in self.terms:
            factors = [raised(name, power) for name, power in zip(self.names, exponents, strict=True) if power]
            shown = [] if abs(each) == 1 and factors else [number(abs(each))]
            sign = minus if each < 0 else "+" if text else ""
            space = " " if text else ""
            text += f"{space}{sign}{space}{times.join([*shown, *factors])}"
        return text or "0"


def _order(exponents: Exponents) -> tuple[int, tuple[int, ...]]:
    """Return the key by which terms are sorted: highest degree first, then by the last sizes."""
    return -sum(exponents), tuple([-power for power in reversed(exponents)])


def _fraction(number: Fraction) -> str:
    above, below = number.numerator, number.denominator
    return f"{above}" if below == 1 else rf"\frac{{{above}}}{{{below}}}"


def _name(name: str) -> str:
    return name if len(name) == 1 else rf"\mathrm{{{name}}}".replace("_", r"\_")


class Crossing(NamedTuple):
    """Where one polynomial becomes larger than another, as one size or product of sizes grows.

    Attributes:
        name: the size, or sizes with "·" between them.
        at: the value at which both are equal; the least integer at which the first is larger if there is none.
        is_exact: whether both are equal there.
    """

    name: str
    at: int
    is_exact: bool

    def __str__(self) -> str:
        return f"{'at' if self.is_exact else 'from'} {self.name} = {self.at}"


def crossing(more: Polynomial, less: Polynomial) -> Crossing | None:
    """Return where a polynomial overtakes another for good; None if it does not, or if several sizes decide.

    By Descartes' rule there is one such place if the coefficients of the difference change their sign once.

    >>> names = ("B", "T")
    >>> print(crossing(Polynomial.of(names, {(1, 2): 3072}), Polynomial.of(names, {(1, 1): 9437184})))
    at T = 3072
    """
    found = (more - less).in_one_size() if more != less else None
    if found is None:
        return None
    name, numbers = found
    signs = [numbers[power] > 0 for power in sorted(numbers)]
    if signs != sorted(signs) or signs[0] or not signs[-1]:
        return None

    def is_over(size: int) -> bool:
        return bool(sum(number * size**power for power, number in numbers.items()) > 0)

    high = 1
    while not is_over(high):
        high *= 2
    at = bisect_left(range(high + 1), True, key=is_over)
    is_exact = sum(number * (at - 1) ** power for power, number in numbers.items()) == 0
    return Crossing(name, at - is_exact, is_exact)
