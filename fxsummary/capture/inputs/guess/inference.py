"""Guess example inputs from what the model does with them first; what was guessed is always said.

The graph is traced once, without inputs. The first operation that reads an input bounds its shape
(a convolution its channels, an embedding its dtype, a linear layer its features); the rest is tried on
meta until every operation accepts it, the usual sizes first.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from fxsummary.capture.inputs.example import Inputs, describe, model_device, placeholder_names
from fxsummary.capture.inputs.guess import candidates, repairs, reshaping
from fxsummary.capture.inputs.guess.budget import TooMuchWorkError
from fxsummary.capture.inputs.guess.error_context import Refusal, Scene, refusal_of
from fxsummary.capture.inputs.guess.requirements import (
    Need,
    dtype_for,
    image_shape,
    input_needs,
    shapes_for,
    size_hints,
)
from fxsummary.capture.inputs.hints import NEEDS_INTEGERS
from fxsummary.capture.operations.propagate import OperationError, Propagation, propagate
from fxsummary.capture.operations.twins import spec_of
from fxsummary.capture.symbolic.trace import Trace
from fxsummary.errors import ForwardError, InputError
from fxsummary.graph.spec import TensorSpec, leaves

T = TypeVar("T")

__all__ = ["dtype_for", "infer", "infer_by_trying", "input_needs"]

MAX_SIZE = 1024
MAX_TRIES = 40

MAX_OPERATIONS = 300_000
"""How many operations may run to find inputs."""

MAX_REPAIRS = 8
"""How many changes one error may suggest."""

MAX_USELESS = 8
"""How many changes in a row may fail to get forward any further."""

MAX_SAME = 3
"""How often the same arguments may be refused for reasons that were given before."""

TRIES_FOR_MORE = 8
"""Further tries where one was accepted that is not all there is to have."""


def infer(model: nn.Module, trace: Trace) -> tuple[Inputs, Propagation] | None:
    """Inputs that every operation of the traced forward accepts, and the specs that follow; None if none fit."""
    placeholders = [str(node.target) for node in trace.graph.nodes if node.op == "placeholder"]
    needs = input_needs(model, trace)
    if not placeholders or any(need is None for need in needs):
        return None
    attempts = _Attempts(model, trace, dict(zip(placeholders, [n for n in needs if n is not None], strict=True)))
    found = attempts.usual() or attempts.bisected() or attempts.fallback
    if found is None:
        return None
    specs, propagation = found
    return Inputs(specs, inferred=True), propagation


def infer_by_trying(
    model: nn.Module,
    attempt: Callable[[Inputs], T],
    partial: Trace | None = None,
    why_partial: Callable[[T], Refusal | None] = lambda found: None,
) -> tuple[Inputs, T] | str:
    """The first inputs that an attempt does not refuse, and what it returned; what was tried if it refuses all.

    Args:
        attempt: raises `ForwardError` or `InputError` on inputs that do not fit.
        partial: the trace of forward without inputs, as far as it got.
        why_partial: why an attempt returned only a part of what there is, None if it is all; a part is returned if
            nothing better comes soon, and no attempt that was refused got further.
    """
    trying = _Trying(candidates.Guesses(model, partial), attempt, why_partial)
    return trying.run() or trying.report()


def _kind(inputs: Inputs) -> str:
    """The same for inputs that differ in their sizes only."""
    return ", ".join([f"{name} {len(spec.shape)}" for name, spec in placeholder_names(inputs)])


def with_integers(inputs: Inputs, error: BaseException, fixed: Container[str] = ()) -> Iterator[Inputs]:
    """The inputs with integers for one of them that is not fixed, if an error says that one is read as an index."""
    refusal = refusal_of(error)
    if re.search(NEEDS_INTEGERS, refusal.message):
        for better in reshaping.with_dtype(inputs, refusal, "int64", reshaping.is_float):
            if not any(name in fixed and better.arguments[name] != value for name, value in inputs.arguments.items()):
                yield better


class _Trying(Generic[T]):
    """Tries candidates, and what errors suggest instead: those first whose forward got furthest."""

    def __init__(self, guesses: candidates.Guesses, attempt: Callable[[Inputs], T], why_partial: Any) -> None:
        self._guesses = guesses
        self._attempt = attempt
        self._why_partial = why_partial
        self._tried: set[str] = set()
        self._tries = MAX_TRIES
        self._has_bisected = False
        self._reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._fallback: tuple[Inputs, T] | None = None
        self._best: tuple[Inputs, Refusal] | None = None
        self._is_spent = False

    def report(self) -> str:
        """What was tried, and what came of it."""
        limit = f"; the limit of {MAX_OPERATIONS:,} operations is reached" if self._is_spent else ""
        if self._best is None:
            return limit.lstrip("; ")
        inputs, refusal = self._best
        count = (
            f"{len(self._tried)} inputs were tried; the one that got furthest"
            if len(self._tried) > 1
            else "the one tried"
        )
        where = f" at {refusal.scene.source}" if refusal.scene.source else ""
        message = refusal.message.strip().partition("\n")[0][:200]
        return f"{count}, {describe(inputs)}, failed{where}: {message}{limit}"

    def run(self) -> tuple[Inputs, T] | None:
        """Try the candidates in turn, and what the model itself offers where none fits."""
        for guesses in (self._guesses.candidates(), self._guesses.dummies()):
            self._tries = 0 if self._is_spent else MAX_TRIES
            for candidate in guesses:
                found = None if self._is_stuck(candidate) else self._with_repairs(candidate)
                if found is not None:
                    return found
                if self._tries <= 0:
                    break
            if self._fallback is not None:
                return self._fallback
        return None

    def _is_stuck(self, candidate: Inputs) -> bool:
        """Whether other shapes of the same arguments were refused for the same reason again and again."""
        reasons = self._reasons[_kind(candidate)]
        return sum(reasons.values()) - len(reasons) >= MAX_SAME

    def _with_repairs(self, candidate: Inputs) -> tuple[Inputs, T] | None:
        """A candidate, then what its refusals suggest, while that helps."""
        count = itertools.count()
        waiting: list[tuple[int, int, Inputs, str]] = [(0, 0, candidate, "")]
        furthest, useless = -1, 0
        while waiting and self._tries > 0 and useless < MAX_USELESS:
            _, _, inputs, before = heapq.heappop(waiting)
            if repr(inputs) in self._tried:
                continue
            found, refusal = self._try(inputs)
            if refusal is None:
                return found
            progress = refusal.scene.operations
            useless = useless + 1 if progress <= furthest else 0
            furthest = max(furthest, progress)
            suggested: list[Inputs] = []
            if refusal.key != before or not refusal.message:
                suggested = [*itertools.islice(repairs.repaired(self._guesses, inputs, refusal), MAX_REPAIRS)]
            for better in suggested:
                heapq.heappush(waiting, (-progress, next(count), better, refusal.key))
            reasons = self._reasons[_kind(inputs)]
            if not suggested and not before and reasons[refusal.key] > 1:  # the inputs are not what is wrong
                reasons[refusal.key] += 1
            if not waiting and repairs.compare_features(refusal) is not None:
                return self._bisected(inputs)
        return None

    def _try(self, inputs: Inputs) -> tuple[tuple[Inputs, T] | None, Refusal | None]:
        """What was found, or why it was refused."""
        self._tried.add(repr(inputs))
        self._tries -= 1
        try:
            found = inputs, self._attempt(inputs)
        except TooMuchWorkError:
            self._tries, self._is_spent = 0, True
            return None, Refusal("", Scene())
        except (ForwardError, InputError) as error:
            refusal = refusal_of(error)
            if self._is_furthest(refusal):
                self._fallback, self._best = None, (inputs, refusal)
        else:
            refusal = self._why_partial(found[1])
            if refusal is None:
                return found, None
            if self._is_furthest(refusal):
                self._fallback, self._best = found, (inputs, refusal)
                self._tries = min(self._tries, TRIES_FOR_MORE)
        if refusal.message:
            self._reasons[_kind(inputs)][refusal.key] += 1
        return None, refusal

    def _is_furthest(self, refusal: Refusal) -> bool:
        return self._best is None or refusal.scene.operations > self._best[1].scene.operations

    def _bisected(self, inputs: Inputs) -> tuple[Inputs, T] | None:
        """The smallest image whose features fit the first linear layer: they grow with its size."""
        if self._has_bisected or not any(reshaping.is_image(spec) for spec in leaves(dict(inputs.arguments))):
            return None
        self._has_bisected = True
        low, high = 1, MAX_SIZE
        while low < high:
            middle = (low + high) // 2
            _, refusal = self._try(reshaping.resized(inputs, (middle, middle)))
            if refusal is None or repairs.compare_features(refusal) == 1:
                high = middle
            else:
                low = middle + 1
        return self._try(reshaping.resized(inputs, (low, low)))[0]


class _Attempts:
    """Tries shapes on a traced graph; `fallback` keeps the first that pass but change the batch size."""

    def __init__(self, model: nn.Module, trace: Trace, needs: dict[str, Need]) -> None:
        self._model = model
        self._trace = trace
        self._needs = needs
        self._device = model_device(model)
        self._too_large_or_small = False
        self._batch = 1
        self._channels: tuple[int, int] | None = None
        self.fallback: tuple[dict[str, TensorSpec], Propagation] | None = None

    def usual(self) -> tuple[dict[str, TensorSpec], Propagation] | None:
        """The usual sizes, all inputs at the same place in their list."""
        hints = size_hints(self._model)
        lists = [list(shapes_for(need, hints)) for need in self._needs.values()]
        for index in range(max(map(len, lists))):
            shapes = [shapes[min(index, len(shapes) - 1)] for shapes in lists]
            found, _ = self._attempt(shapes)
            if found is not None:
                return found
            if self._channels is not None:
                return self._with_channels(*self._channels)
        return None

    def _with_channels(self, wanted: int, got: int) -> tuple[dict[str, TensorSpec], Propagation] | None:
        """Once more for a model that folds space into channels before its first convolution."""
        self._channels = None
        for name, need in self._needs.items():
            if need.kind == "image" and need.size * wanted % got == 0 and need.size * wanted >= got:
                self._needs[name] = replace(need, size=need.size * wanted // got)
                return self.usual()
        return None

    def bisected(self) -> tuple[dict[str, TensorSpec], Propagation] | None:
        """The smallest image whose features fit the first linear layer: they grow with its size."""
        if not self._too_large_or_small or any(need.kind != "image" for need in self._needs.values()):
            return None
        low, high = 1, MAX_SIZE
        while low < high:
            middle = (low + high) // 2
            found, comparison = self._attempt([image_shape(need, middle) for need in self._needs.values()])
            if found is not None or comparison >= 0:
                high = middle
            else:
                low = middle + 1
        return self._attempt([image_shape(need, low) for need in self._needs.values()])[0]

    def _attempt(self, shapes: list[tuple[int, ...]]) -> tuple[tuple[dict[str, TensorSpec], Propagation] | None, int]:
        """What follows from these shapes, or None and whether the features are too many (1) or too few (-1)."""
        batched = [(self._batch, *shape[1:]) if shape[0] == 1 else shape for shape in shapes]
        specs = {
            name: self._spec(shape, need) for (name, need), shape in zip(self._needs.items(), batched, strict=True)
        }
        try:
            propagation = propagate(self._model, self._trace, self._device, specs)
        except OperationError as error:
            if self._batch == 1 and re.search(repairs.NEEDS_BATCH, str(error.__cause__)):
                self._batch = 2
                return self._attempt(shapes)
            self._channels = _compare_channels(error, self._model)
            comparison = _compare_features(error, self._model)
            self._too_large_or_small |= comparison is not None
            return None, -1 if comparison is None else comparison
        found = specs, propagation
        if _keeps_batch(propagation, self._batch):
            return found, 0
        self.fallback = self.fallback or found
        return None, 0

    def _spec(self, shape: tuple[int, ...], need: Need) -> TensorSpec:
        dtype = getattr(torch, dtype_for(need, self._model))
        return spec_of(torch.empty(shape, dtype=dtype, device="meta"), self._device)


def _keeps_batch(propagation: Propagation, batch: int) -> bool:
    first = next(leaves(propagation.output), None)
    return first is None or not first.shape or first.shape[0] == batch


def _compare_features(error: OperationError, model: nn.Module) -> int | None:
    """1 if a linear layer (or the view before it) got more features than it takes, -1 if fewer, else None."""
    node, arguments = error.node, error.arguments
    spec = arguments[0] if arguments else None
    if not isinstance(spec, TensorSpec):
        return None
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        if isinstance(module, nn.Linear) and spec.shape and spec.shape[-1] != module.in_features:
            return 1 if spec.shape[-1] > module.in_features else -1
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name in ("view", "reshape"):
        sizes = [size for size in _flat(arguments[1:]) if type(size) is int and size > 1]
        if sizes and spec.numel != sizes[-1]:
            return 1 if spec.numel > sizes[-1] else -1
    return None


def _compare_channels(error: OperationError, model: nn.Module) -> tuple[int, int] | None:
    """Channels that a convolution takes and those that it got, if that is what it refuses."""
    node, spec = error.node, error.arguments[0] if error.arguments else None
    if node.op != "call_module" or not isinstance(spec, TensorSpec) or len(spec.shape) < 2:
        return None
    module = model.get_submodule(str(node.target))
    if isinstance(module, nn.modules.conv._ConvNd) and spec.shape[1] != module.in_channels:
        return module.in_channels, spec.shape[1]
    return None


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value
