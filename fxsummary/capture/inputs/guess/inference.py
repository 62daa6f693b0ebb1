"""Infers example inputs if none are given; a note says what was inferred.

Argument names, the model's settings and the first reader of each argument show what to try. If forward can be traced
without inputs, candidates run through the trace as specs only; otherwise forward is recorded with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import TypeVar

from torch import nn

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess import repairs, reshaping
from fxsummary.capture.inputs.guess.candidates import Guesses, is_float
from fxsummary.capture.inputs.guess.error_context import MAX_BLAMED, ErrorContext, blamed, context_of, holds
from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, NEEDS_INTEGERS, REPAIRS
from fxsummary.capture.inputs.guess.repairs import Case
from fxsummary.capture.inputs.guess.requirements import input_needs
from fxsummary.capture.inputs.guess.search import Attempt, Search
from fxsummary.capture.operations.propagate import OperationError, propagate
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.subject import Subject
from fxsummary.graph.spec import TensorSpec, leaves

T = TypeVar("T")


def infer(subject: Subject, trace: Trace) -> tuple[Inputs, Propagation] | None:
    """Return inputs that every traced operation accepts, and the resulting specs; None if there are none."""
    model, needs = subject.model, input_needs(subject.model, trace)
    if not needs or None in needs.values():
        return None

    def attempt(inputs: Inputs) -> tuple[Propagation | None, ErrorContext | None]:
        """Run the graph on these inputs; return an error if an operation rejects them or the batch size changes."""
        specs = dict(inputs.arguments)
        try:
            propagation = propagate(model, trace, subject.device, specs)
        except OperationError as error:
            done = next(place for place, node in enumerate(trace.graph.nodes) if node is error.node)
            return None, context_of(error.__cause__ or error, operations=done)
        first, batch = next(leaves(propagation.output), None), next(iter(specs.values())).shape[0]
        if first is None or not first.shape or first.shape[0] == batch:
            return propagation, None
        return propagation, ErrorContext(operations=len(trace.graph.nodes))

    with subject.snapshot.preserved():
        return Search(Source(model, trace, by_name=False), attempt).run()


def infer_by_trying(model: nn.Module, attempt: Attempt[T], partial: Trace | None = None) -> tuple[Inputs, T] | str:
    """Return the first inputs that an attempt accepts, and its result; a report if it accepts none.

    Args:
        attempt: see `Attempt`.
        partial: the trace of forward without inputs, as far as it got.
    """
    search = Search(Source(model, partial), attempt)
    return search.run() or search.report()


def with_integers(inputs: Inputs, error: BaseException, fixed: Container[str] = ()) -> Iterator[Inputs]:
    """If an error says that an index is not an integer, yield the inputs with integers for one that is not fixed."""
    context = context_of(error.__cause__ or error)
    names = blamed(inputs, context) if re.search(NEEDS_INTEGERS, context.message) else []
    named = [(name, inputs.arguments[name]) for name in names if name not in fixed]
    floats = [(name, spec) for name, spec in named if isinstance(spec, TensorSpec) and is_float(spec)]
    for name, spec in floats[:MAX_BLAMED]:
        yield inputs.passing({name: replace(spec, dtype="int64")})


class Source(Guesses):
    """Inputs to try, and the changes that forward's errors suggest.

    Attributes:
        max_same: how often the same arguments may fail for a reason that was seen before.
        tries_for_more: further tries after an attempt with a partial result.
    """

    max_same = 3
    tries_for_more = 8

    def repaired(self, inputs: Inputs, error: ErrorContext) -> Iterator[Inputs]:
        """Yield the inputs that an error suggests instead, the likeliest first."""
        for pattern, name in REPAIRS:
            found = re.search(pattern, error.message, re.IGNORECASE | re.DOTALL)
            if found is not None:
                yield from REPAIR[name](Case(self, inputs, error, found))
        for name in self._missing(inputs, error):
            yield from self.alternatives(inputs, name)
        found = re.search("cache", error.source) or re.search(r"\wCache\(", error.code)
        if found is not None:
            yield from repairs.without_cache(Case(self, inputs, error, found))

    def _missing(self, inputs: Inputs, error: ErrorContext) -> Iterator[str]:
        """Yield arguments that were not passed, but are named in the error or are None in the line that raised it."""
        names = [name for name in self.parameters if name not in inputs.arguments]
        yield from (name for name in names if name in ARGUMENTS and holds(error.message, name))
        for step in error.steps if re.search("NoneType(?!.* not callable)", error.message) else error.steps[:1]:
            absent = [name for name in names if name in step.absent and holds(step.text, name)]
            if absent:
                yield from absent
                return


REPAIR: dict[str, Callable[[Case], Iterator[Inputs]]] = {**vars(repairs), **vars(reshaping)}
"""Functions by the names in the rows of `REPAIRS`."""
