"""Infers example inputs if none are given; a note says what was inferred.

A model that can be traced without inputs gets inputs from the first operation that reads each of them (a convolution
shows its channels, an embedding its dtype, a linear layer its features); one that is recorded gets them from the names
of its arguments. `Search` tries both the same way.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from torch import nn

from fxsummary.capture.inputs.example import Inputs, model_device
from fxsummary.capture.inputs.guess import repairs
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.case import MAX_BLAMED, changed, in_pairs, is_float, is_image, resized, shaped
from fxsummary.capture.inputs.guess.error_context import ErrorContext, blamed, context_of
from fxsummary.capture.inputs.guess.guesses import NEEDS, NEEDS_BATCH, NEEDS_INTEGERS, SIZES
from fxsummary.capture.inputs.guess.requirements import Need, dtype_for, input_needs
from fxsummary.capture.inputs.guess.rows import Size, options
from fxsummary.capture.inputs.guess.search import Attempt, Search
from fxsummary.capture.inputs.guess.sizes import Settings, Shape, found_sizes
from fxsummary.capture.operations.propagate import OperationError, propagate
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.subject import Subject
from fxsummary.capture.torch_internals import AnyConv
from fxsummary.graph.spec import TensorSpec, contiguous, leaves

T = TypeVar("T")

__all__ = ["dtype_for", "infer", "infer_by_trying", "input_needs", "with_integers"]


def infer(subject: Subject, trace: Trace) -> tuple[Inputs, Propagation] | None:
    """Return inputs that every operation of the traced forward accepts, and the specs that follow; None if none do."""
    model = subject.model
    needs = {name: need for name, need in input_needs(model, trace).items() if need is not None}
    if not needs or len(needs) < sum(node.op == "placeholder" for node in trace.graph.nodes):
        return None
    source = _FirstReaders(model, needs)
    with subject.snapshot.preserved():
        return Search(source, lambda inputs: source.propagated(trace, inputs)).run()


def infer_by_trying(model: nn.Module, attempt: Attempt[T], partial: Trace | None = None) -> tuple[Inputs, T] | str:
    """Return the first inputs that an attempt accepts, and what it returned; what was tried if it accepts none.

    Args:
        attempt: runs forward, and returns what came of it, and why that is nothing or not all.
        partial: the trace of forward without inputs, as far as it got.
    """
    search = Search(_Names(model, partial), attempt)
    return search.run() or search.report()


def with_integers(inputs: Inputs, error: BaseException, fixed: Container[str] = ()) -> Iterator[Inputs]:
    """Yield the inputs with integers for one that is not fixed, if an error says that one is read as an index."""
    context = context_of(error.__cause__ or error)
    names = blamed(inputs, context) if re.search(NEEDS_INTEGERS, context.message) else []
    floats = [name for name in names if name not in fixed and _is_float(inputs.arguments[name])]
    for name in floats[:MAX_BLAMED]:
        better = {**inputs.arguments, name: replace(inputs.arguments[name], dtype="int64")}
        yield replace(inputs, arguments=better, given=None)


def _is_float(value: object) -> bool:
    return isinstance(value, TensorSpec) and is_float(value)


class _Names(Guesses):
    """Inputs from the names of arguments, for models that are recorded."""

    max_same = 3
    tries_for_more = 8

    def repaired(self, inputs: Inputs, error: ErrorContext) -> Iterator[Inputs]:
        return repairs.repaired(self, inputs, error)

    def resized(self, inputs: Inputs, size: int) -> Inputs | None:
        has_image = any(map(is_image, leaves(dict(inputs.arguments))))
        return resized(inputs, (size, size)) if has_image else None


class _FirstReaders:
    """Inputs from the first operations that read them, the usual sizes first, for models that can be traced."""

    max_same = tries_for_more = 1000  # an attempt costs little

    def __init__(self, model: nn.Module, needs: Mapping[str, Need]) -> None:
        self._model = model
        self._needs = needs
        self._device = model_device(model)
        self._dtypes = {name: dtype_for(need, model) for name, need in needs.items()}

    def stages(self) -> Iterator[Iterator[Inputs]]:
        yield self._candidates()

    def _candidates(self) -> Iterator[Inputs]:
        """All inputs at the same place in their lists of shapes."""
        settings = Settings(self._model)
        lists = [list(shapes_for(need, settings)) for need in self._needs.values()]
        for index in range(max(map(len, lists))):
            yield self._inputs([shapes[min(index, len(shapes) - 1)] for shapes in lists])

    def _inputs(self, shapes: list[Shape]) -> Inputs:
        named = zip(self._dtypes.items(), shapes, strict=True)
        specs = {name: contiguous(shape, dtype, self._device) for (name, dtype), shape in named}
        return Inputs(specs, inferred=True)

    def repaired(self, inputs: Inputs, error: ErrorContext) -> Iterator[Inputs]:
        """A batch of 2, or the channels of a model that folds space into them before its first convolution."""
        if re.search(NEEDS_BATCH, error.message):
            yield in_pairs(inputs)
        elif error.channels is not None:
            got, wanted = error.channels
            for name, need in self._needs.items():
                spec = inputs.arguments[name]
                if need.kind == "image" and spec.shape[1] * wanted % got == 0 and spec.shape[1] * wanted >= got:
                    shape = (spec.shape[0], spec.shape[1] * wanted // got, *spec.shape[2:])
                    yield replace(inputs, arguments={**inputs.arguments, name: shaped(spec, *shape)})

    def resized(self, inputs: Inputs, size: int) -> Inputs | None:
        if any(need.kind != "image" for need in self._needs.values()):
            return None
        return changed(inputs, lambda spec: shaped(spec, *spec.shape[:2], *[size] * len(spec.shape[2:])))

    def propagated(self, trace: Trace, inputs: Inputs) -> tuple[Propagation | None, ErrorContext | None]:
        """Run the graph on these inputs; the error if an operation refuses them, or the batch size changes."""
        specs = dict(inputs.arguments)
        try:
            propagation = propagate(self._model, trace, self._device, specs)
        except OperationError as error:
            return None, ErrorContext(str(error.__cause__), channels=_channels(error, self._model))
        first, batch = next(leaves(propagation.output), None), next(iter(specs.values())).shape[0]
        if first is None or not first.shape or first.shape[0] == batch:
            return propagation, None
        return propagation, ErrorContext(operations=1)


def shapes_for(need: Need, settings: Settings) -> Iterator[Shape]:
    """Yield the shapes to try for what the first reader takes, the usual ones first."""
    for shape in options(NEEDS[need.kind + str(need.dims or "")]):
        *words, last = shape.replace("size", str(need.size)).split()
        row = SIZES.get(last)
        for sizes in found_sizes(row, settings) if isinstance(row, Size) else [(int(last),)]:
            yield (*map(int, words), *sizes)


def _channels(error: OperationError, model: nn.Module) -> tuple[int, int] | None:
    """The channels that a convolution got, and those that it takes, if that is what it refuses."""
    spec = error.arguments[0] if error.arguments else None
    if error.node.op != "call_module" or not isinstance(spec, TensorSpec) or len(spec.shape) < 2:
        return None
    module = model.get_submodule(str(error.node.target))
    if isinstance(module, AnyConv) and spec.shape[1] != module.in_channels:
        return spec.shape[1], module.in_channels
    return None
