"""Infers example inputs if none are given; a note says what was inferred.

The names of arguments, the settings of the model, and what forward does first with each of them show what to try.
A forward that can be traced without inputs is tried on specs alone, any other is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from torch import nn

from fxsummary.capture.inputs.example import Inputs, map_named, placeholder_names
from fxsummary.capture.inputs.guess import repairs
from fxsummary.capture.inputs.guess.candidates import Guesses
from fxsummary.capture.inputs.guess.case import MAX_BLAMED, is_float, is_image, shaped
from fxsummary.capture.inputs.guess.error_context import ErrorContext, blamed, context_of
from fxsummary.capture.inputs.guess.guesses import NEEDS_INTEGERS
from fxsummary.capture.inputs.guess.requirements import field_needs, input_needs
from fxsummary.capture.inputs.guess.search import Attempt, Search
from fxsummary.capture.operations.propagate import OperationError, propagate
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.subject import Subject
from fxsummary.graph.spec import TensorSpec, leaves

T = TypeVar("T")


def infer(subject: Subject, trace: Trace) -> tuple[Inputs, Propagation] | None:
    """Return inputs that every operation of the traced forward accepts, and the specs that follow; None if none do."""
    model, needs = subject.model, input_needs(subject.model, trace)
    if not needs or None in needs.values() or field_needs(model, trace):
        return None

    def attempt(inputs: Inputs) -> tuple[Propagation | None, ErrorContext | None]:
        """Run the graph on these inputs; the error if an operation refuses them, or the batch size changes."""
        specs = dict(inputs.arguments)
        try:
            propagation = propagate(model, trace, subject.device, specs)
        except OperationError as error:
            done = next(place for place, node in enumerate(trace.graph.nodes) if node is error.node)
            return None, ErrorContext(str(error.__cause__), operations=done)
        first, batch = next(leaves(propagation.output), None), next(iter(specs.values())).shape[0]
        if first is None or not first.shape or first.shape[0] == batch:
            return propagation, None
        return propagation, ErrorContext(operations=len(trace.graph.nodes))

    with subject.snapshot.preserved():
        return Search(_Names(model, trace, optional=False), attempt).run()


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
    """Inputs to try, with what the errors of forward suggest instead."""

    max_same = 3
    tries_for_more = 8

    def repaired(self, inputs: Inputs, error: ErrorContext) -> Iterator[Inputs]:
        return repairs.repaired(self, inputs, error)

    def resized(self, inputs: Inputs, size: int) -> Inputs | None:
        images = [name for name, spec in placeholder_names(inputs) if is_image(spec) or name in self.spatial_dims]

        def change(name: str, value: Any) -> object:
            dims = self.spatial_dims.get(name, 2)
            return shaped(value, *value.shape[:-dims], *[size] * dims) if name in images else value

        arguments = {name: map_named(change, name, value) for name, value in inputs.arguments.items()}
        return replace(inputs, arguments=arguments, given=None) if images else None
