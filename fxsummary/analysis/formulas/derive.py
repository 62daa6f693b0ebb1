"""`formulas`: what a model costs as exact polynomials in the sizes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import lcm
from typing import Any

from torch import nn

from fxsummary.analysis.formulas.assemble import Region, assembled
from fxsummary.analysis.formulas.explore import Explorer, Limits, OddError, RefusedError
from fxsummary.analysis.formulas.make import Fitting
from fxsummary.analysis.formulas.observe import Extra, Key, Observer, saved_for_backward
from fxsummary.analysis.formulas.sizes import BATCH, FEATURES, IMAGE, SEQUENCE, Named, Sizes, given, inferred, starts
from fxsummary.analysis.formulas.thresholds import bend
from fxsummary.api import graph
from fxsummary.errors import InputError
from fxsummary.graph.formulas import Formulas
from fxsummary.graph.polynomial import Polynomial
from fxsummary.support.gc_pause import paused

ROWS = 32
"""Kernels of attention on CUDA pad what they keep to a multiple of this many rows."""
MOST_STEP = 4096
"""Largest number by which the side of an image may have to be divisible."""
MOST_IN_PIECES = 24
"""Number of captures from which no further range of sizes is begun."""
MOST_PIECES = 3
"""Number of ranges of one size for which formulas are made."""


@paused()
def formulas(
    model: nn.Module,
    /,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    input_shape: Sequence[int | str] | Sequence[Sequence[int | str]] | Mapping[str, Sequence[int | str]] | None = None,
    input_dtype: Any = None,
    leaf: Any = None,
    training: bool = False,
    device: str = "cuda",
) -> Formulas:
    """Return what a model costs as exact polynomials in the sizes of its inputs, in total and per module.

    It captures the model at about ten sizes, and solves for the coefficients exactly. Each polynomial agrees with every
    capture, and with at least two that it was not made from.

    Args:
        model: a module on any device, ``meta`` included.
        args, kwargs: example inputs, as for `fxsummary.graph`; only tensors by position or by name.
        input_shape: instead, a shape, a list of shapes, or a dict of shapes by name, with names for the sizes that may
            vary: ``("B", 3, "H", "W")``. Without inputs they are inferred, and get names: B for the batch, T and S for
            sequences, H and W for images.
        input_dtype, leaf: as for `fxsummary.graph`.
        training: whether to make formulas for the bytes that are saved for backward too, which takes longer.
        device: the device whose kernels save them, "cuda" or "cpu".

    Raises:
        InputError: the inputs do not fit the model, or forward accepts only one value of a size with a name.

    It also raises the errors of `fxsummary.graph`.

    >>> f = formulas(nn.Linear(8, 4), input_shape=("B", "T", 8))
    >>> print(f["flops"])
    64·B·T
    >>> f["flops"](B=2, T=10)
    1280
    """
    options = {} if leaf is None else {"leaf": leaf}
    saved = partial(saved_for_backward, device=device) if training else None
    if input_shape is None:
        observer = _inferred(model, args, kwargs, options, saved)
        _check_shapes(observer, bool(args or kwargs))
    elif args or kwargs:
        raise InputError("got both example inputs and input_shape=: pass one of them.")
    else:
        observer = _given(model, given(model, input_shape, input_dtype), options, saved)
    found = _found(observer)
    return _with_padding(found, observer, device) if training else found


def _check_shapes(observer: Observer, is_given: bool) -> None:
    """Raise if shapes alone do not lead to the operations that the example inputs lead to."""
    start, batch = observer.named.start, [name for name, role in observer.named.roles.items() if role == BATCH]
    first = observer.at(start)
    larger = observer.at({**start, **{name: start[name] + 2 for name in batch if name in start}})
    if (larger is None or first is None or larger.structure != first.structure) and not observer.again() and is_given:
        raise InputError(
            "forward depends on more than the shapes of these inputs, such as a flag: pass input_shape= with names, "
            "and set the flag in the model's config."
        )


def _found(observer: Observer, steps: Mapping[str, int] | None = None) -> Formulas:
    """Return the formulas around the start; ``steps`` are numbers by which differences of sizes must be divisible."""
    search = _Search(observer, steps)
    regions = search.regions()
    return assembled(observer, regions, search.notes)


def _with_padding(found: Formulas, observer: Observer, device: str) -> Formulas:
    """Return the formulas with those for saved bytes; for padded kernels, they hold for multiples of the padding."""
    saved, captures = found.table["saved_bytes"], found.captures
    if any(not each.pieces for each in saved.values()):
        sequences = [name for name in found.names if observer.named.roles[name] == SEQUENCE]
        again = _found(observer, dict.fromkeys(sequences, ROWS))
        saved, captures = again.table["saved_bytes"], again.captures
    return replace(found, table={**found.table, "saved_bytes": saved}, captures=captures, device=device)


def _inferred(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    saved: Extra | None,
) -> Observer:
    """Return an observer that starts with example inputs, or with those that fxsummary infers."""
    captured = graph(model, *args, kwargs=kwargs, **options)
    observer = Observer(model, inferred(captured), options, saved)
    observer.keep(captured)
    if observer.at(observer.named.start) is None:
        raise InputError(f"{captured.name} cannot be captured as a whole: {'; '.join(captured.notes)}.")
    return observer


def _given(model: nn.Module, named: Named, options: Mapping[str, Any], saved: Extra | None) -> Observer:
    """Return an observer that has captured the model at the first sizes that forward accepts."""
    refusals = []
    for start in starts(model, named, options):
        observer = Observer(model, named.starting(start), options, saved)
        if observer.at(start) is not None:
            return observer
        refusals += [(dict(start), error) for error in observer.refusals]
    why = "forward cannot be captured as a whole"
    if refusals:
        start, error = refusals[0]
        why = f"at {', '.join(f'{name} = {size}' for name, size in start.items())}: {error}"
    raise InputError(f"no sizes were found that forward accepts; {why}")


class _Search:
    """Looks for the ranges of sizes on which there are formulas."""

    def __init__(self, observer: Observer, steps: Mapping[str, int] | None = None) -> None:
        self._said: dict[str, str] = {}
        self._tied: dict[str, str] = {}
        self._observer = observer
        self._moved: dict[str, int] = {}
        self._steps = dict(steps or {})

    @property
    def notes(self) -> list[str]:
        """Remarks on sizes that were fixed."""
        return list(self._said.values())

    def regions(self) -> list[Region]:
        """Return the ranges, the one around the first sizes first."""
        found: list[Region] = []
        limits: Limits = {}
        known: Mapping[str, Sequence[int]] = {}
        base: Sizes | None = None
        while len(found) < MOST_PIECES:
            explorer = self._explored(base, limits, known)
            if explorer is None:
                break
            bent = bend(explorer, self._observer)
            if bent is not None:
                axis, most = bent
                explorer.reach(axis, most)
            fitting = Fitting(explorer, self._observer)
            fitting.fit()
            if self._widen(explorer, fitting.windows()):
                continue
            self._narrow(explorer, fitting)
            found.append(Region(explorer, fitting, dict(limits) if bent is None else explorer.limits))
            if bent is None or self._observer.count > MOST_IN_PIECES or fitting.sums["flops", ""] is None:
                break
            limits = {**limits, axis.name: (most + 1, None)}
            base = {**explorer.base, axis.name: most + 1 + (axis.base - most - 1) % axis.step}
            known = {axis.name: sorted([size for size in axis.beyond if size > base[axis.name]], reverse=True)}
        return found

    def _widen(self, explorer: Explorer, windows: set[int]) -> bool:
        """Keep to sizes that windows divide too, which only arguments show; return whether that is new."""
        images = [axis for axis in explorer.axes if axis.role == IMAGE]
        steps = {axis.name: lcm(axis.step, *windows) for axis in images}
        if not windows or self._steps or not images or max(steps.values()) > MOST_STEP:
            return False
        self._steps = steps
        return True

    def _narrow(self, explorer: Explorer, fitting: Fitting) -> None:
        """Take back steps that were made too large: a capture between them shows whether the formulas hold there."""
        axes = [axis for axis in explorer.axes if axis.name in self._steps]
        if not axes:
            return
        sums = {key: each for key, each in fitting.sums.items() if each is not None}
        for prime in (2, 3, 5, 7, 11, 13):
            while all(axis.step % (prime * axis.least) == 0 for axis in axes):
                moved = {axis.name: axis.base + axis.step // prime for axis in axes}
                each = [{**explorer.base, name: size} for name, size in moved.items()]
                points = [*filter(self._observer.has, each), {**explorer.base, **moved}]
                if not all(self._agree(sums, sizes) for sizes in points):
                    break
                for axis in axes:
                    axis.step //= prime

    def _agree(self, sums: Mapping[Key, Polynomial], sizes: Sizes) -> bool:
        """Whether polynomials give what a capture shows."""
        seen = self._observer.at(sizes)
        return seen is not None and all(each(**sizes) == seen.values.get(key) for key, each in sums.items())

    def _explored(self, base: Sizes | None, limits: Limits, known: Mapping[str, Sequence[int]]) -> Explorer | None:
        """Return an explorer; fix or tie sizes, and move the base, where needed. None if it cannot be this base."""
        for _ in range(8):
            named = self._observer.named
            sizes = self._base() if base is None else base
            first = self._observer.at(sizes)
            try:
                if first is None:
                    raise RefusedError(self._refused(sizes))
                return Explorer(self._observer, sizes, first, limits, self._steps, known)
            except (RefusedError, OddError) as error:
                if base is not None:
                    return None
                self._change(error, named)
        raise InputError(f"no formulas for {dict(sizes)}: the operations are others at each size.")

    def _change(self, error: RefusedError | OddError, named: Named) -> None:
        if isinstance(error, OddError):
            self._move(error, named)
        else:
            self._fix(error.name)

    def _base(self) -> dict[str, int]:
        named = self._observer.named
        batches = {name: size + 2 for name, size in named.start.items() if named.roles[name] == BATCH}
        return {**named.start, **batches, **{name: size for name, size in self._moved.items() if name in named.start}}

    def _refused(self, sizes: Sizes) -> str:
        """Return the size that forward refuses: one that differs from the start."""
        start = self._observer.named.start
        name = next((name for name, size in sizes.items() if size != start[name]), None)
        if name is None:
            raise InputError(
                "forward depends on more than the shapes of the inferred inputs, such as values or a flag: pass "
                "input_shape= with names for the inputs that it needs."
            )
        return name

    def _fix(self, name: str) -> None:
        """Tie the sides of an image, or fix a size, because forward accepts no other value of it."""
        named = self._observer.named
        start = named.start[name]
        others = [each for each in named.start if named.roles[each] == IMAGE == named.roles[name] and each != name]
        tied = next((each for each in others if named.start[each] == start), None)
        if not named.is_inferred:
            reason = self._observer.refusals[-1] if self._observer.refusals else None
            why = f": {str(reason).partition(chr(10))[0].rstrip('.')}" if reason else ""
            raise InputError(
                f"forward accepts {name} = {start}, but no other value of {name} alone{why}. "
                "Write the number instead of the name, or one name for sizes that must be equal."
            ) from reason
        self._moved.pop(name, None)
        self._observer.named = named.renamed({name: start if tied is None else tied})
        if tied is not None:
            self._said[name] = f"{name} = {tied}, because forward accepts no other {name}"
            self._tied[name] = tied
            return
        for each in [*(other for other, by in self._tied.items() if by == name), name]:
            if named.roles[each] != FEATURES:
                self._said[each] = f"{each} is fixed at {start}, because forward accepts no other value"

    def _move(self, error: OddError, named: Named) -> None:
        """Move the base to where the structure is the usual one."""
        if error.name in self._moved:
            self._fix(error.name)
        elif error.is_longer:
            self._moved[error.name] = 8
        elif named.roles[error.name] == IMAGE:
            names = [name for name, role in named.roles.items() if role == IMAGE and name in named.start]
            self._moved |= {name: named.start[name] * (2 + place) for place, name in enumerate(names)}
        else:
            self._moved[error.name] = named.start[error.name] + 1
