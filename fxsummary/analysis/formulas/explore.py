"""Chooses the sizes at which a model is captured, so that its cost is a polynomial between them.

A capture on the meta device takes the same time at any size, so that large steps are as cheap as small ones. The first
steps show by which numbers a size must be divisible: a result whose dimension grows by 1/32 of the image's height
allows formulas only for heights with one residue modulo 32. Later steps keep to that residue class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm

from fxsummary.analysis.formulas.observe import Observation, Observer
from fxsummary.analysis.formulas.sizes import BATCH, FEATURES, IMAGE, SEQUENCE, Sizes

STEPS = {IMAGE: (6720, 960, 96), SEQUENCE: (6720, 960, 240, 48, 12), FEATURES: (6720, 960)}
"""Steps to try, the largest first: divisible by many strides, patches and windows."""

Point = tuple[int, ...]
Limits = Mapping[str, tuple[int, int | None]]
"""The least and the largest value of a size; None for no limit."""


@dataclass
class Axis:
    """The values of one size.

    Attributes:
        step: formulas hold for values with one residue modulo this.
        least: by what `step` must be divisible, so that all dimensions are whole numbers.
        values: those at which the model was captured while all other sizes had their first value.
        kink: a value beyond which the costs are others; None if there is none.
    """

    name: str
    role: str
    base: int
    step: int
    values: list[int]
    least: int = 1
    kink: int | None = None


class RefusedError(Exception):
    """Forward accepts no other value of a size.

    Attributes:
        name: the size.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class OddError(Exception):
    """The captures with other values of a size have another structure.

    Attributes:
        name: the size.
        is_longer: whether the number of operations grows with it.
    """

    def __init__(self, name: str, is_longer: bool = False) -> None:
        super().__init__(name)
        self.name, self.is_longer = name, is_longer


MOST_UNROLLED = 16
"""Largest size to start with if the number of operations grows with it."""


class Explorer:
    """Captures around a base: along each axis, then at mixed sizes, and at sizes that only check.

    Attributes:
        axes: the sizes in order.
        points: the captures that formulas are made from, those along the axes first.
        held: the captures that check them, the largest last.
        dropped: captures at small sizes with which some formulas do not agree.
        is_unrolled: whether the number of operations grows with a size.
        is_widened: whether steps were given.
        limits: the least and the largest value of sizes.

    Args:
        steps: numbers by which the differences of sizes must be divisible.
    """

    def __init__(
        self, observer: Observer, base: Sizes, limits: Limits, first: Observation, steps: Mapping[str, int]
    ) -> None:
        self.base, self.first = dict(base), first
        self.points: dict[Point, Observation] = {tuple(base.values()): first}
        self.held: dict[Point, Observation] = {}
        self.dropped: dict[Point, Observation] = {}
        self.is_unrolled, self.is_widened = False, bool(steps)
        self._others: dict[str, int] = {}
        self._observer, self.limits, self._mixed, self._steps = observer, dict(limits), 0, steps
        self.axes: list[Axis] = []
        for name in base:
            self.axes.append(self._axis(name, observer.named.roles[name]))

    # --- along one axis --------------------------------------------------------------------------

    def _axis(self, name: str, role: str) -> Axis:
        start = self.base[name]
        if role == BATCH:
            if self._seen(name, start + 1) is None:
                raise RefusedError(name)
            return Axis(name, role, start, 1, [start, start + 1])
        is_next = role in (SEQUENCE, FEATURES) and self._is_allowed(name, start + 1)
        following = self._observer.at({**self.base, name: start + 1}) if is_next else None
        if following is not None and self._grows(following):
            if start > MOST_UNROLLED:
                raise OddError(name, is_longer=True)
            self.is_unrolled = True
            found = [value for value in range(start, start + 4) if self._seen(name, value) is not None]
            return Axis(name, role, start, 1, found)
        steps = self._accepted(name, following)
        if not steps and following is None:
            raise RefusedError(name)
        return self._stepped(name, role, steps)

    def _accepted(self, name: str, following: Observation | None) -> dict[int, Observation]:
        """Return the captures after large steps that forward accepts, down to one that shows how dimensions grow."""
        near = following if following is not None and self.is_same(following) else None
        found: dict[int, Observation] = {}
        others: list[int] = []
        steps = STEPS[self._observer.named.roles[name]]
        for step in steps:
            value = self.base[name] + step
            if following is None and not found and not others and step not in (steps[0], steps[-1]):
                continue  # forward refuses the first ones: try the smallest, then give up
            seen = self._observer.at({**self.base, name: value}) if self._is_allowed(name, value) else None
            if seen is not None and not self.is_same(seen):
                others.append(step)
                if len(others) > 1 and not found and near is None:
                    raise OddError(name)
            elif seen is not None:
                found[step] = seen
                if self._is_settled(near, dict(sorted(found.items()))):
                    break
        if others and not found and near is None:
            raise OddError(name)
        if others:
            self._others[name] = min(others)
        return dict(sorted(found.items()))

    def _is_settled(self, near: Observation | None, steps: Mapping[int, Observation]) -> bool:
        """Whether captures show how dimensions grow: evenly, in strides, or evenly up to the smallest step."""
        (step, seen), *larger = steps.items()
        if near is not None and self._is_straight(near, step, seen):
            return True
        if not larger:  # one more point along the first side of an image shows whether there are polynomials
            return near is None and any(axis.role == IMAGE for axis in self.axes)
        bent = self._bent(step, seen, *larger[0])
        dims = list(zip(self.first.dims, near.dims, seen.dims, strict=True)) if near is not None else []
        return all(
            dims[place][2] - dims[place][0] == (dims[place][1] - dims[place][0]) * step for place in bent if dims
        )

    def _is_straight(self, near: Observation, step: int, seen: Observation) -> bool:
        dims = zip(self.first.dims, near.dims, seen.dims, strict=True)
        return all((b - a) * step == c - a for a, b, c in dims)

    def _bent(self, small: int, near: Observation, large: int, far: Observation) -> list[int]:
        """Return the dimensions that grow by less after a small step, by more than rounding explains."""
        dims = enumerate(zip(self.first.dims, near.dims, far.dims, strict=True))
        return [place for place, (a, b, c) in dims if (b - a) * large - (c - a) * small > 2 * large]

    def _stepped(self, name: str, role: str, steps: Mapping[int, Observation]) -> Axis:
        start = self.base[name]
        kink = self._kink(name, steps)
        usable = {step: seen for step, seen in steps.items() if kink is None or step < kink}
        least = lcm(1, *(self._denominator(after, seen) for after, seen in usable.items()))
        step = lcm(least, self._steps.get(name, 1))
        tried = [start + after for after in (step, *usable) if after % step == 0]
        found = [start, *(value for value in dict.fromkeys(tried) if self._seen(name, value) is not None)]
        return Axis(name, role, start, step, sorted(found), least, None if kink is None else start + kink)

    def _kink(self, name: str, steps: Mapping[int, Observation]) -> int | None:
        """Return a step beyond which dimensions grow by less, or operations are others; None if there is none."""
        pairs = pairwise(steps.items())
        bent = next((large for (small, near), (large, far) in pairs if self._bent(small, near, large, far)), None)
        return min((each for each in (bent, self._others.get(name)) if each is not None), default=None)

    def _denominator(self, step: int, seen: Observation) -> int:
        """Return by what a step must be divisible, so that all dimensions grow by whole numbers."""
        pairs = set(zip(self.first.dims, seen.dims, strict=True))
        return lcm(1, *(Fraction(after - before, step).denominator for before, after in pairs))

    def _seen(self, name: str, value: int) -> Observation | None:
        """Return and keep the capture with another value of one size, if its operations correspond."""
        seen = self._observer.at({**self.base, name: value}) if self._is_allowed(name, value) else None
        if seen is None or not self.is_same(seen):
            return None
        self.points[tuple({**self.base, name: value}.values())] = seen
        return seen

    def limit(self, name: str, most: int) -> None:
        """Make no more captures with larger values of a size."""
        self.limits[name] = (self.limits.get(name, (1, None))[0], most)

    def _is_allowed(self, name: str, value: int) -> bool:
        least, most = self.limits.get(name, (1, None))
        return value >= least and (most is None or value <= most)

    def is_same(self, seen: Observation) -> bool:
        if self.is_unrolled:
            return set(seen.structure) == set(self.first.structure)
        return seen.structure == self.first.structure

    def _grows(self, seen: Observation) -> bool:
        """Whether a capture has the same kinds of operations, but another number of them."""
        longer = len(seen.structure) != len(self.first.structure)
        return longer and set(seen.structure) == set(self.first.structure)

    # --- at mixed sizes --------------------------------------------------------------------------

    def hold(self) -> None:
        """Make the captures that only check: a small one and a large one, at sizes that no axis has."""
        for options in (_small, _large):
            each = [options(axis, place) for place, axis in enumerate(self.axes)]
            for sizes in zip(*each, strict=True):
                if self._is_apart(sizes) and self._keep(self.held, sizes):
                    break

    def hold_above(self) -> bool:
        """Check with a size above the base instead of a small one, where costs may be others; return if that works."""
        for point in [each for each in self.held if any(map(int.__lt__, each, self.base.values()))]:
            self.dropped[point] = self.held.pop(point)
        each = [_small(axis, place)[1:] for place, axis in enumerate(self.axes)]
        return any(self._is_apart(sizes) and self._keep(self.held, sizes) for sizes in zip(*each, strict=True))

    def _is_apart(self, sizes: Sequence[int]) -> bool:
        """Whether no size is one of an axis or of another check."""
        used = [{*axis.values, *(point[place] for point in self.held)} for place, axis in enumerate(self.axes)]
        return not any(size in known for size, known in zip(sizes, used, strict=True))

    def more(self) -> bool:
        """Make one more capture at mixed sizes; return whether forward accepts them."""
        self._mixed += 1
        sizes = [_between(axis, place, self._mixed) for place, axis in enumerate(self.axes)]
        return self._keep(self.points, sizes)

    def _keep(self, found: dict[Point, Observation], sizes: Sequence[int]) -> bool:
        point = tuple(sizes)
        is_allowed = all(self._is_allowed(name, size) for name, size in zip(self.base, point, strict=True))
        if not is_allowed or point in self.points or point in self.held:
            return False
        seen = self._observer.at(dict(zip(self.base, point, strict=True)))
        if seen is None or not self.is_same(seen):
            return False
        found[point] = seen
        return True


def _small(axis: Axis, place: int) -> tuple[int, ...]:
    """Return small sizes that no axis has, to be tried in order."""
    if axis.role == BATCH:
        return (axis.base + 2,) * 4
    less = axis.base * max(1 + 2 * place, 3) // 10 if axis.role == IMAGE else axis.base * (1 + place) // 20 + 2
    less -= (less - axis.base) % axis.step
    after = [axis.base + axis.step * (2 + place + more) for more in range(9)]
    later = [size for size in after if size not in axis.values]
    return (less if less > 1 else later[0], *later[:3])


def _large(axis: Axis, place: int) -> tuple[int, ...]:
    """Return sizes larger than all of the axis, then smaller ones."""
    if axis.role == BATCH:
        return (axis.base + 4,) * 4
    most = max(axis.values)
    steps = (most - axis.base) // axis.step
    larger = most + axis.step * (3 + 2 * place)
    return (larger, *(axis.base + axis.step * (steps * part // 8 + 1 + place) for part in (7, 5, 2)))


def _between(axis: Axis, place: int, number: int) -> int:
    """Return one of the first sizes of an axis, another combination for each number."""
    if axis.role == BATCH:
        return axis.base + (0, 1, 3)[(number + 1) % 3]
    return axis.base + axis.step * (1 + (number * (2 * place + 1) + place) % 6)
