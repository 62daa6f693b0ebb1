"""`Polynomial`: an exact polynomial in named sizes with rational coefficients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

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
        found = [(each, Fraction(number)) for each, number in terms.items() if number]
        return cls(tuple(names), tuple(sorted(found, key=lambda term: _order(term[0]))))

    def __call__(self, **sizes: int | Fraction) -> Fraction:
        """Return the value at these sizes."""
        total = Fraction(0)
        for exponents, number in self.terms:
            for name, power in zip(self.names, exponents, strict=True):
                number *= Fraction(sizes[name]) ** power
            total += number
        return total

    def __add__(self, other: Polynomial) -> Polynomial:
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

    def without(self, names: Iterable[str]) -> Polynomial:
        """Return the polynomial divided by the lowest power of these sizes in it."""
        places = [self.names.index(name) for name in names]
        lowest = {place: min((exponents[place] for exponents, _ in self.terms), default=0) for place in places}
        divided = [
            (tuple([power - lowest.get(place, 0) for place, power in enumerate(exponents)]), number)
            for exponents, number in self.terms
        ]
        return Polynomial(self.names, tuple(divided))

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
