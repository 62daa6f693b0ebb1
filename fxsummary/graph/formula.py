"""Records of one formula: `Formula`, a cost as exact polynomials, each on a range of sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from fxsummary.errors import InputError
from fxsummary.graph.polynomial import Polynomial
from fxsummary.support.registry import hint

QUANTITIES = {
    "flops": "FLOPs", "output_bytes": "Output bytes", "saved_bytes": "Saved bytes", "kv_cache": "Cache", "peak": "Peak"
}  # fmt: skip
"""Titles of what formulas are for."""


class Range(NamedTuple):
    """The values that a size may have.

    Attributes:
        name: the name of the size.
        least: the smallest value that was checked.
        most: the largest value; None for no limit.
        step, residue: the values are those with this residue modulo `step`.
    """

    name: str
    least: int = 1
    most: int | None = None
    step: int = 1
    residue: int = 0

    def refusal(self, value: int) -> str:
        """Say why a value is outside; "" if it is not."""
        if value % self.step != self.residue:
            return f"{self.name} = {value} is not ≡ {self.residue} (mod {self.step})"
        if value < self.least:
            return f"{self.name} = {value} is below {self.least}, the least value that was checked"
        if self.most is not None and value > self.most:
            return f"{self.name} = {value} is above {self.most}"
        return ""

    @property
    def residue_class(self) -> str:
        """The residue class as text, without the name; "" for all integers."""
        return f"≡ {self.residue} (mod {self.step})" if self.step > 1 else ""

    @property
    def limits(self) -> str:
        """The smallest and the largest value as text; "" if there is no limit."""
        least = [f"{self.name} ≥ {self.least}"] if self.least > max(self.residue or self.step, 1) else []
        return ", ".join([*least, *([f"{self.name} ≤ {self.most}"] if self.most is not None else [])])


class Part(NamedTuple):
    """One of the polynomials that a value is the largest of.

    Attributes:
        polynomial: the polynomial.
        at: the operation that it is for, as it is shown; "" for a sum.
    """

    polynomial: Polynomial
    at: str = ""


@dataclass(frozen=True)
class Piece:
    """A formula on a range of sizes.

    Attributes:
        ranges: the values that each size may have.
        parts: the value is the largest of these polynomials; the first is the largest near the captures.
        exceptions: sizes, by name, at which forward takes another way.
    """

    ranges: tuple[Range, ...]
    parts: tuple[Part, ...]
    exceptions: tuple[tuple[tuple[str, int], ...], ...] = ()

    def refusal(self, sizes: Mapping[str, int]) -> str:
        """Say why sizes are outside; "" if they are not."""
        for each in self.exceptions:
            if all(sizes[name] == size for name, size in each):
                return f"forward takes another way at {_listed(each)}"
        return next(filter(None, (each.refusal(sizes[each.name]) for each in self.ranges)), "")

    def value(self, sizes: Mapping[str, int]) -> Fraction:
        """Return the value at these sizes."""
        return max(part.polynomial(**sizes) for part in self.parts)

    @property
    def domain(self) -> str:
        """The ranges as text; "" if every size is allowed."""
        classes: dict[str, list[str]] = {}
        for each in self.ranges:
            classes.setdefault(each.residue_class, []).append(each.name)
        same = [f"{', '.join(names)} {text}" for text, names in classes.items() if text]
        others = [f"not at {_listed(each)}" for each in self.exceptions]
        return ", ".join(filter(None, [*same, *(each.limits for each in self.ranges), *others]))


def _listed(sizes: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes)


@dataclass(frozen=True)
class Formula:
    """What a model or a module costs, as a function of the sizes of its inputs: ``formula(B=8, T=2048)``.

    Attributes:
        quantity: one of `QUANTITIES`.
        names: the names of the sizes.
        pieces: a formula for each range of sizes; empty if none was found.
        mark: "≈" if it depends on assumed values, "≥" if part of it is unknown, "?" if nothing is known, or "".
        samples: if none was found, sizes and values that were captured.
    """

    quantity: str
    names: tuple[str, ...]
    pieces: tuple[Piece, ...]
    mark: str = ""
    samples: tuple[tuple[tuple[int, ...], int], ...] = ()

    def __call__(self, **sizes: int) -> int:
        """Return the exact value at these sizes, given by name.

        Raises:
            InputError: a size is missing, unknown or outside of the ranges, or there is no formula.
        """
        self._check(sizes)
        refusals = [piece.refusal(sizes) for piece in self.pieces]
        if "" not in refusals:
            raise InputError(f"the formula for {self.quantity} does not hold there: {'; '.join(refusals)}.")
        value = self.pieces[refusals.index("")].value(sizes)
        if value.denominator != 1:
            raise AssertionError(f"{self.quantity} at {sizes} is {value}, which is not an integer")
        return value.numerator

    def _check(self, sizes: Mapping[str, int]) -> None:
        wanted = ", ".join(f"{name}=" for name in self.names)
        for name, value in sizes.items():
            if name not in self.names:
                raise InputError(f"unknown size {name!r}. {hint(name, self.names)}Pass {wanted or 'none'}.")
            if type(value) is not int:
                raise InputError(f"{name}={value!r} is not an integer.")
        if missing := [name for name in self.names if name not in sizes]:
            raise InputError(f"the value of {' and '.join(missing)} is missing: pass {wanted}.")
        if not self.pieces:
            raise InputError(f"there is no formula for {self.quantity}: {self}.")

    @property
    def polynomial(self) -> Polynomial:
        """The polynomial of the first piece; that of the largest part at the smallest sizes."""
        if not self.pieces:
            raise InputError(f"there is no formula for {self.quantity}: {self}.")
        return self.pieces[0].parts[0].polynomial

    @property
    def is_zero(self) -> bool:
        """Whether it is nothing at all sizes."""
        return bool(self.pieces) and not any(part.polynomial.terms for piece in self.pieces for part in piece.parts)

    @property
    def key(self) -> tuple[object, ...]:
        """What two equal formulas have in common."""
        return self.pieces, self.mark, self.samples

    def __str__(self) -> str:
        if self.pieces:
            return self.mark + str(self.polynomial)
        if not self.samples:
            return "?"
        listed = ", ".join(f"{'×'.join(map(str, sizes))}: {value}" for sizes, value in self.samples)
        return f"not a polynomial; at {'×'.join(self.names)} = {listed}"
