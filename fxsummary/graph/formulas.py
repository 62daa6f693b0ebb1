"""Records of formulas: `Formulas`, what a model costs as exact polynomials in the sizes of its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.polynomial import Polynomial
from fxsummary.support.registry import call, hint, unknown

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

    def __str__(self) -> str:
        limits = [f"{self.name} ≤ {self.most}"] if self.most is not None else []
        if self.step > 1:
            limits.insert(0, f"{self.name} ≡ {self.residue} (mod {self.step})")
        if self.least > max(self.residue or self.step, 1):
            limits.insert(0, f"{self.name} ≥ {self.least}")
        return ", ".join(limits)


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
        parts: the value is the largest of these polynomials; the first is the largest at the smallest sizes.
    """

    ranges: tuple[Range, ...]
    parts: tuple[Part, ...]

    def refusal(self, sizes: Mapping[str, int]) -> str:
        """Say why sizes are outside; "" if they are not."""
        return next(filter(None, (each.refusal(sizes[each.name]) for each in self.ranges)), "")

    def value(self, sizes: Mapping[str, int]) -> Fraction:
        """Return the value at these sizes."""
        return max(part.polynomial(**sizes) for part in self.parts)

    @property
    def domain(self) -> str:
        """The ranges as text; "" if every size is allowed."""
        return ", ".join(filter(None, map(str, self.ranges)))


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


class Crossover(NamedTuple):
    """From where on one part of a model costs more than another.

    Attributes:
        more, less: what is compared, as it is shown.
        quantity: what they cost.
        name: the size that decides.
        at: where both cost the same; the least integer at which the first costs more, if that is irrational.
        is_exact: whether both cost the same there.
    """

    more: str
    less: str
    quantity: str
    name: str
    at: Fraction
    is_exact: bool

    def __str__(self) -> str:
        return f"{self.more} overtakes {self.less} {'at' if self.is_exact else 'from'} {self.name} = {self.at}"


@dataclass(frozen=True)
class Formulas:
    """What a model costs as exact polynomials in the sizes of its inputs.

    ``f["flops"]`` is the `Formula` of the whole model, ``f.module("layers.0")["flops"]`` that of a module.

    Attributes:
        model: class name of the model.
        inputs: shape of each input by name, with the names of sizes.
        table: formulas by quantity and module path; "" is the model itself.
        types: class names of the modules by path.
        base: sizes near which the captures were made.
        crossovers: where one part overtakes another.
        captures: number of captures that were made.
        checked: sizes of the captures that no formula was made from, and that agree.
        notes: remarks on where the formulas hold.
        device: the device whose kernels save bytes for backward; "" if these were not asked for.
    """

    model: str
    inputs: Mapping[str, tuple[int | str, ...]]
    table: Mapping[str, Mapping[str, Formula]]
    types: Mapping[str, str]
    base: Mapping[str, int]
    crossovers: tuple[Crossover, ...] = ()
    captures: int = 0
    checked: tuple[Mapping[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    device: str = ""
    path: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sizes."""
        return tuple(self.base)

    def __getitem__(self, quantity: str) -> Formula:
        if quantity in self.table and self.path in self.table[quantity]:
            return self.table[quantity][self.path]
        if quantity == "saved_bytes" and quantity not in self.table:
            raise InputError("saved bytes were not asked for: call formulas() with training=True.")
        raise UnknownNameError(unknown("quantity", quantity, list(self)))
