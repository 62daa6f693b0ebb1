"""The values of one size, and how the dimensions of results grow along it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm

from fxsummary.analysis.formulas.observe import Observation
from fxsummary.analysis.formulas.sizes import BATCH, IMAGE


@dataclass
class Axis:
    """The values of one size.

    Attributes:
        step: formulas hold for values with one residue modulo this.
        least: by what `step` must be divisible, so that all dimensions are whole numbers.
        values: those at which the model was captured while all other sizes had their first value.
        kink: a value beyond which the costs are others; None if there is none.
        beyond: values from there on at which the model was captured.
        bent: the dimensions that grow by less beyond the kink; () if the operations are others.
    """

    name: str
    role: str
    base: int
    step: int
    values: list[int]
    least: int = 1
    kink: int | None = None
    beyond: tuple[int, ...] = ()
    bent: tuple[int, ...] = ()

    def small(self, place: int) -> tuple[int, ...]:
        """Return small sizes that the axis has not, to be tried in order; ``place`` is that among the axes."""
        if self.role == BATCH:
            return (self.base + 2,) * 4
        less = self.base * max(1 + 2 * place, 3) // 10 if self.role == IMAGE else self.base * (1 + place) // 20 + 2
        less -= (less - self.base) % self.step
        after = [self.base + self.step * (2 + place + more) for more in range(9)]
        later = [size for size in after if size not in self.values]
        return (less if less > 1 else later[0], *later[:3])

    def large(self, place: int) -> tuple[int, ...]:
        """Return a size larger than all of the axis, then a smaller one."""
        if self.role == BATCH:
            return (self.base + 4,) * 2
        most = max(self.values)
        steps = (most - self.base) // self.step * (2 if self.kink is None else 7) // 8
        return most + self.step * (3 + 2 * place), self.base + self.step * (steps + 1 + place)

    def between(self, place: int, number: int) -> int:
        """Return one of the first sizes of the axis, another combination for each number."""
        if self.role == BATCH:
            return self.base + (0, 1, 3)[(number + 1) % 3]
        return self.base + self.step * (1 + (number * (2 * place + 1) + place) % 6)


@dataclass(frozen=True)
class Growth:
    """How dimensions grow from the first capture.

    Attributes:
        first: the first capture.
        step: by how much a size is larger in a second one.
        near: the second capture.
    """

    first: Observation
    step: int
    near: Observation

    def dims(self, seen: Observation, places: Sequence[int] = ()) -> list[tuple[int, int, int]]:
        """Return dimensions in the first, the second and another capture, all by default."""
        dims = list(zip(self.first.dims, self.near.dims, seen.dims, strict=True))
        return [dims[place] for place in places] or dims

    def is_even(self, step: int, seen: Observation, places: Sequence[int] = ()) -> bool:
        """Whether dimensions, all by default, grow after a step as they do up to the second capture."""
        return all((b - a) * step == (c - a) * self.step for a, b, c in self.dims(seen, places))

    def bent(self, step: int, seen: Observation) -> tuple[int, ...]:
        """Return the dimensions that grow by less after the second capture, by more than rounding explains."""
        dims = enumerate(self.dims(seen))
        return tuple([place for place, (a, b, c) in dims if (b - a) * step - (c - a) * self.step > 2 * step])

    @property
    def denominator(self) -> int:
        """By what a step must be divisible, so that all dimensions grow by whole numbers."""
        pairs = set(zip(self.first.dims, self.near.dims, strict=True))
        return lcm(1, *(Fraction(after - before, self.step).denominator for before, after in pairs))


def kinks(first: Observation, steps: Mapping[int, Observation], near: Growth | None) -> dict[int, tuple[int, ...]]:
    """Return steps beyond which dimensions grow by less, with these dimensions; ``near`` is the growth after one."""
    found = {}
    for (small, seen), (large, far) in pairwise(steps.items()):
        if bent := Growth(first, small, seen).bent(large, far):
            is_small = near is not None and not near.is_even(small, seen, bent)
            found[small if is_small else large] = bent
    return found
