"""Chooses the sizes at which a model is captured, so that its cost is a polynomial between them.

A capture on the meta device takes the same time at any size, so that large steps are as cheap as small ones. The first
steps show by which numbers a size must be divisible: a result whose dimension grows by 1/32 of the image's height
allows formulas only for heights with one residue modulo 32. Later steps keep to that residue class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import lcm

from fxsummary.analysis.formulas.axis import Axis, Growth, kinks
from fxsummary.analysis.formulas.observe import Observation, Observer
from fxsummary.analysis.formulas.sizes import BATCH, FEATURES, IMAGE, SEQUENCE, Sizes

STEPS = {IMAGE: (6720, 960, 96), SEQUENCE: (6720, 960, 240, 48, 12), FEATURES: (6720, 960)}
"""Steps to try, the largest first: divisible by many strides, patches and windows."""

MOST_COMPUTED = 1920
"""Largest step if forward depends on values, because to compute these takes longer at larger sizes."""

Point = tuple[int, ...]
Limits = Mapping[str, tuple[int, int | None]]
"""The least and the largest value of a size; None for no limit."""


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


LEAST_KNOWN = 2
"""Number of known captures that show how dimensions grow without others."""

MOST_UNROLLED = 16
"""Largest size to start with if the number of operations grows with it."""


class Explorer:
    """Captures around a base: along each axis, then at mixed sizes, and at sizes that only check.

    Attributes:
        axes: the sizes in order.
        points: the captures that formulas are made from, those along the axes first.
        held: the captures that check them, the largest last.
        dropped: further captures at small sizes, with which some formulas do not agree.
        is_unrolled: whether the number of operations grows with a size.
        is_widened: whether steps were given.
        limits: the least and the largest value of sizes.

    Args:
        steps: numbers by which the differences of sizes must be divisible.
        known: values of a size at which captures with the same other sizes were made.
    """

    def __init__(
        self,
        observer: Observer,
        base: Sizes,
        first: Observation,
        limits: Limits,
        steps: Mapping[str, int],
        known: Mapping[str, Sequence[int]],
    ) -> None:
        self.base, self.first = dict(base), first
        self.points: dict[Point, Observation] = {tuple(base.values()): first}
        self.held: dict[Point, Observation] = {}
        self.dropped: dict[Point, Observation] = {}
        self.is_unrolled, self.is_widened = False, bool(steps)
        self._others: dict[str, list[int]] = {}
        self._observer, self.limits, self._mixed, self._steps, self._known = observer, dict(limits), 0, steps, known
        axes: dict[str, Axis] = {}
        roles = observer.named.roles
        for name in sorted(base, key=lambda name: roles[name] == BATCH):  # the base may have to move for other sizes
            axes[name] = self._axis(name, roles[name])
        self.axes = [axes[name] for name in base]

    # --- along one axis --------------------------------------------------------------------------

    def _axis(self, name: str, role: str) -> Axis:
        start = self.base[name]
        if role == BATCH:
            if self._seen(name, start + 1) is None:
                raise RefusedError(name)
            return Axis(name, role, start, 1, [start, start + 1])
        is_next = role in (SEQUENCE, FEATURES) and len(self._known.get(name, ())) < LEAST_KNOWN
        following = self._at(name, start + 1) if is_next else None
        if following is not None and self._grows(following):
            if start > MOST_UNROLLED:
                raise OddError(name, is_longer=True)
            self.is_unrolled = True
            found = [value for value in range(start, start + 4) if self._seen(name, value) is not None]
            return Axis(name, role, start, 1, found)
        if is_next and following is None and self._at(name, start + STEPS[role][-1]) is None:
            raise RefusedError(name)
        is_like = following is not None and self.is_same(following)
        near = Growth(self.first, 1, following) if following is not None and is_like else None
        steps = self._accepted(name, role, near)
        if not steps and following is None:
            raise RefusedError(name)
        return self._stepped(name, role, steps, near)

    def _accepted(self, name: str, role: str, near: Growth | None) -> dict[int, Observation]:
        """Return the captures after large steps that forward accepts, down to one that shows how dimensions grow."""
        found: dict[int, Observation] = {}
        others: list[int] = []
        known = [value - self.base[name] for value in self._known.get(name, ())]
        most = MOST_COMPUTED if any(is_assumed for _, is_assumed in self.first.doubts) else max(STEPS[role])
        for step in (*known, *(min(step, most) for step in STEPS[role])):
            if role == IMAGE and not found and not others and min(STEPS[role]) < step < most:
                continue  # forward refuses the largest: try the smallest, then give up
            seen = self._at(name, self.base[name] + step)
            if seen is not None and not self.is_same(seen):
                others.append(step)
                if len(others) > 1 and not found:
                    break
            elif seen is not None:
                found[step] = seen
                is_stride = role == IMAGE and Growth(self.first, step, seen).denominator <= min(STEPS[role])
                if len(found) > 1 or is_stride or (near is not None and near.is_even(step, seen)):
                    break
        if others and not found and near is None:
            raise OddError(name)
        self._others[name] = others
        return dict(sorted(found.items()))

    def _stepped(self, name: str, role: str, steps: Mapping[int, Observation], near: Growth | None) -> Axis:
        start = self.base[name]
        bends = {**kinks(self.first, steps, near), **dict.fromkeys(self._others[name], ())}
        kink = min(bends, default=None)
        usable = {step: seen for step, seen in steps.items() if kink is None or step < kink}
        least = lcm(1, *(Growth(self.first, after, seen).denominator for after, seen in usable.items()))
        step = lcm(least, self._steps.get(name, 1))
        known = len(self._known.get(name, ())) >= LEAST_KNOWN
        tried = [start + after for after in (*([] if known else [step]), *usable) if after % step == 0]
        found = [start, *(value for value in dict.fromkeys(tried) if self._seen(name, value) is not None)]
        if kink is None:
            return Axis(name, role, start, step, sorted(found), least)
        beyond = tuple(sorted([start + after for after in (*self._others[name], *steps) if after >= kink]))
        return Axis(name, role, start, step, sorted(found), least, start + kink, beyond, bends[kink])

    def _at(self, name: str, value: int) -> Observation | None:
        """Return the capture with another value of one size; None if forward or a limit refuses it."""
        return self._observer.at({**self.base, name: value}) if self._is_allowed(name, value) else None

    def reach(self, axis: Axis, most: int) -> None:
        """Keep the capture with the largest value that a size may have, and make none with larger ones."""
        self.limits[axis.name] = (self.limits.get(axis.name, (1, None))[0], most)
        if most not in axis.values and self._seen(axis.name, most) is not None:
            axis.values.append(most)

    def _seen(self, name: str, value: int) -> Observation | None:
        """Return and keep the capture with another value of one size, if its operations correspond."""
        seen = self._at(name, value)
        if seen is None or not self.is_same(seen):
            return None
        self.points[tuple({**self.base, name: value}.values())] = seen
        return seen

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

    def hold_large(self) -> None:
        """Make a capture that only checks, at sizes that are larger than all others."""
        each = [axis.large(place) for place, axis in enumerate(self.axes)]
        self._keep_first(self.held, zip(*each, strict=True))

    def hold_small(self, disagreeing: Callable[[Point, Observation], int]) -> None:
        """Make a capture that only checks, at small sizes or, if some formulas do not agree there, above the base.

        Args:
            disagreeing: how many formulas do not agree with a capture.
        """
        tried: dict[Point, Observation] = {}
        numbers: dict[Point, int] = {}
        for options in self._small_options():
            point = self._keep_first(tried, options)
            if point is not None:
                numbers[point] = disagreeing(point, tried[point])
                if not numbers[point]:
                    break
        best = min(numbers, key=lambda point: numbers[point], default=None)
        for point, seen in tried.items():
            kept = self.held if point == best or not self.is_below(point) else self.dropped
            kept[point] = seen
        self.held = dict(sorted(self.held.items(), key=lambda each: each[0]))

    def is_below(self, point: Point) -> bool:
        """Whether a size is smaller than that of the base."""
        return any(map(int.__lt__, point, self.base.values()))

    def _small_options(self) -> Iterator[Iterable[Point]]:
        """Yield options for small sizes: with ones where that shows more, with none, and above the base."""
        each = [axis.small(place) for place, axis in enumerate(self.axes)]
        short = [axis.role == SEQUENCE and axis.step == 1 and self._is_allowed(axis.name, 1) for axis in self.axes]
        batch = {axis.name: 1 for axis in self.axes if axis.role == BATCH}
        if any(short) or not self._observer.has({**self.base, **batch}):
            is_one = [axis.role == BATCH or is_short for axis, is_short in zip(self.axes, short, strict=True)]
            yield zip(*((1,) * 4 if one else sizes for one, sizes in zip(is_one, each, strict=True)), strict=True)
        yield zip(*each, strict=True)
        yield zip(*(sizes[1:] for sizes in each), strict=True)

    def _keep_first(self, found: dict[Point, Observation], options: Iterable[Point]) -> Point | None:
        """Capture at the first of these sizes that forward accepts, and that no axis and no other check has."""
        return next((point for point in options if self._is_apart(point) and self._keep(found, point)), None)

    def _is_apart(self, sizes: Sequence[int]) -> bool:
        """Whether no size is one of an axis or of another check."""
        used = [{*axis.values, *(point[place] for point in self.held)} for place, axis in enumerate(self.axes)]
        return not any(size in known for size, known in zip(sizes, used, strict=True))

    def more(self) -> bool:
        """Make one more capture at mixed sizes; return whether forward accepts them."""
        self._mixed += 1
        return self._keep(
            self.points, tuple([axis.between(place, self._mixed) for place, axis in enumerate(self.axes)])
        )

    def _keep(self, found: dict[Point, Observation], point: Point) -> bool:
        is_allowed = all(self._is_allowed(name, size) for name, size in zip(self.base, point, strict=True))
        if not is_allowed or point in self.points or point in self.held:
            return False
        seen = self._observer.at(dict(zip(self.base, point, strict=True)))
        if seen is None or not self.is_same(seen):
            return False
        found[point] = seen
        return True
