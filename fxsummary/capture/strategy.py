"""Chooses how to capture a model, and writes the notes that explain the choice.

Each strategy returns a `Capture` or a `Refusal`: `symbolic` traces forward with proxies, `recorded` runs it once on
meta tensors, `guessed` records it with the first inputs that it accepts. `module_tree` is the last resort.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from torch import fx, nn

from fxsummary.capture import meta_forward, notes
from fxsummary.capture.inputs.example import Inputs, describe, dtypes_by_name, forward_signature, from_shapes
from fxsummary.capture.nodes import SPEC
from fxsummary.capture.operations.propagate import OperationError, propagate
from fxsummary.capture.operations.twins import NoTwinError
from fxsummary.capture.results import Capture, Propagation, Refusal, Trace
from fxsummary.capture.subject import Subject
from fxsummary.capture.symbolic.trace import trace
from fxsummary.capture.symbolic.writes import follow_writes
from fxsummary.errors import ForwardError, InputError
from fxsummary.graph.spec import TensorSpec

if TYPE_CHECKING:
    from fxsummary.capture.recorded.recorder import Recording


def capture_shapes(subject: Subject, shapes: object, dtypes: object) -> Capture:
    """Capture with inputs of these shapes; a missing dtype follows from the first reader of the input."""
    given = dtypes_by_name(subject.model, shapes, dtypes)
    fixed = frozenset([name for name, dtype in given.items() if dtype is not None])
    inferred = {} if len(fixed) == len(given) else _inferred_dtypes(subject)
    all_dtypes = {name: inferred.get(name) if dtype is None else dtype for name, dtype in given.items()}
    return _with_integers(subject, from_shapes(subject.model, shapes, all_dtypes), fixed)


def choose(subject: Subject, inputs: Inputs | None) -> Capture:
    """Capture with the first strategy that leads to a graph; if none does, return the module tree.

    Args:
        inputs: None to infer them.

    Raises:
        InputError: an operation rejects the inputs.
        ForwardError: forward raised.
    """
    if getattr(subject.model.forward, "__func__", None) is nn.Module.forward:
        return module_tree(subject, f"{subject.name} has no forward")
    told: list[str] = []
    if meta_forward.has_lazy(subject.modules.values()):
        if inputs is None:
            return module_tree(subject, f"{subject.name} {_LAZY}")
        try:
            model = meta_forward.run(subject, inputs)
            subject = Subject(model, subject.leaf, subject.way, subject.replay)
        except NoTwinError as error:
            told = [f"lazy modules could not be materialized: {error}"]
    if subject.way == "record" and inputs is None and not forward_signature(subject.model).parameters:
        inputs = Inputs()
    if subject.way == "record" and inputs is not None:
        result = recorded(subject, inputs)
    else:
        found = symbolic(subject, inputs)
        result = found if isinstance(found, Capture) else _after(found, subject, inputs)
    result.notes[:0] = told
    return result


def _after(refusal: Refusal, subject: Subject, inputs: Inputs | None) -> Capture:
    """Capture with another strategy, because symbolic tracing failed."""
    if subject.way == "symbolic":
        if inputs is not None:
            with suppress(NoTwinError):
                meta_forward.run(subject, inputs)  # raises if the inputs are the reason
        return module_tree(subject, refusal.reason)
    found = guessed(subject, refusal.partial) if inputs is None else recorded(subject, inputs)
    if isinstance(found, Refusal):
        return module_tree(subject, f"{refusal.reason}; {found.reason}: pass example inputs or input_shape=")
    found.notes.append(f"recorded, because {refusal.reason}")
    return found


# --- the strategies --------------------------------------------------------------------------------


def symbolic(subject: Subject, inputs: Inputs | None) -> Capture | Refusal:
    """Trace forward with proxies, then run the graph on specs; record instead if that shows more."""
    if isinstance(subject.model, fx.GraphModule):
        from fxsummary.capture.exported.graph_module import from_graph_module

        way, found = "exported", from_graph_module(subject.model, inputs)
    else:
        way, traced = "symbolic", _traced_before(subject, inputs) or trace(subject, inputs)
        if isinstance(traced, Refusal):
            return traced
        found = traced
    result = Capture(subject.model, way, found, device=subject.device, inputs=inputs)
    if inputs is None and any(node.op == "placeholder" for node in found.graph.nodes):
        return _with_inferred(subject, result, found)
    try:
        propagation = _propagation(subject, found, inputs)
    except InputError as refused:
        return _refused(subject, refused, result)
    return _better(subject, result, found, propagation)


def recorded(subject: Subject, inputs: Inputs, inferred: bool = False) -> Capture:
    """Run forward once on meta tensors and record its torch calls."""
    from fxsummary.capture.recorded import recorder

    found = recorder.record(subject, inputs)
    if found.error is not None:
        raise found.error
    return _of_recording(subject, found, inputs, inferred)


def guessed(subject: Subject, partial: Trace | None) -> Capture | Refusal:
    """Record forward with the first inputs that it accepts."""
    if subject.way == "symbolic":
        return Refusal(_NOT_INFERRED)
    from fxsummary.capture.inputs.guess import inference, search
    from fxsummary.capture.inputs.guess.error_context import ErrorContext
    from fxsummary.capture.recorded.budget import Budget
    from fxsummary.capture.recorded.recorder import record

    budget = Budget(search.MAX_OPERATIONS)

    def attempt(inputs: Inputs) -> tuple[Recording | None, ErrorContext | None]:
        recording = record(subject, inputs, budget=budget)
        return recording if recording.error is None else None, recording.stopped

    found = inference.infer_by_trying(subject.model, attempt, partial)
    if isinstance(found, str):
        return Refusal(_NOT_INFERRED + (f" ({found})" if found else ""))
    inputs, recording = found
    return _of_recording(subject, recording, inputs, inferred=True)


def module_tree(subject: Subject, reason: str) -> Capture:
    """Return the modules with their parameters, without a graph."""
    note = f"{reason}; this is the module tree, with parameters but without dataflow, shapes and FLOPs"
    return Capture(subject.model, "modules", device=subject.device, notes=[note])


_NOT_INFERRED = "the input could not be inferred"
_LAZY = "has uninitialized lazy modules, whose shapes follow from the first input: pass example inputs or input_shape="


# --- symbolic --------------------------------------------------------------------------------------


def _propagation(subject: Subject, found: Trace, inputs: Inputs | None) -> Propagation:
    try:
        with subject.snapshot.preserved():
            return propagate(subject.model, found, subject.device)
    except OperationError as error:
        raise notes.error_of(error, subject.model, inputs) from error.__cause__


def _with_inferred(subject: Subject, result: Capture, found: Trace) -> Capture:
    """Complete a trace without inputs: use inputs that the first layers ask for, or else that forward accepts."""
    from fxsummary.capture.inputs.guess import inference

    inferred = inference.infer(subject, found)
    if inferred is None:
        other = guessed(subject, found)
        if isinstance(other, Capture):
            return other
        result.notes.append(f"{other.reason}, so shapes and FLOPs are unknown: pass example inputs or input_shape=")
        result.propagation = _propagation(subject, found, None)
        return result
    inputs, propagation = inferred
    if subject.way != "symbolic" and _goes_further(subject, found, propagation):
        recording = recorded(subject, inputs, inferred=True)
        other = guessed(subject, found) if recording.is_partial else recording
        return other if isinstance(other, Capture) else recording
    _note_inferred(result, inputs)
    return _better(subject, result, found, propagation)


def _goes_further(subject: Subject, found: Trace, propagation: Propagation) -> bool:
    """Whether a recording shows more than a trace, because it runs hooks and can compute values."""
    stopped = any("packed" not in reason for _, reason in propagation.stopped)
    return subject.way == "record" or (subject.way == "auto" and (bool(found.skipped_hooks) or stopped))


def _better(subject: Subject, result: Capture, found: Trace, propagation: Propagation) -> Capture:
    """Complete and return the capture, or return a recording if that shows more."""
    if result.inputs is not None and _goes_further(subject, found, propagation):
        return recorded(subject, result.inputs)
    found.storages = follow_writes(found.graph, propagation.outcomes, found.deaths)
    result.propagation = propagation
    result.notes += notes.of_trace(found.skipped_hooks, propagation.stopped)
    return result


def _refused(subject: Subject, refused: InputError, result: Capture) -> Capture:
    """Record forward after a traced operation rejected its inputs, to see whether forward itself rejects them."""
    if result.inputs is None:  # forward was traced with its defaults only, which may be None for every tensor
        found = guessed(subject, None)
        if isinstance(found, Capture):
            return found
        return module_tree(subject, f"forward does not run on its defaults, and {found.reason}: pass example inputs")
    if subject.way != "auto" or result.captured_by == "exported":
        raise refused
    try:
        return recorded(subject, result.inputs)
    except ForwardError:
        raise refused from refused.__cause__


# --- recorded --------------------------------------------------------------------------------------


def _of_recording(subject: Subject, recording: Recording, inputs: Inputs, inferred: bool) -> Capture:
    result = Capture(subject.model, "recorded", recording.trace, recording.propagation, subject.device, inputs)
    if inferred:
        _note_inferred(result, inputs)
    result.notes += recording.notes
    if recording.stopped is not None:
        result.is_partial = True
        result.notes.append(notes.of_stop(recording.stopped.message, recording.stopped.source))
    return result


# --- inputs ----------------------------------------------------------------------------------------


def _with_integers(subject: Subject, inputs: Inputs, fixed: frozenset[str]) -> Capture:
    """Capture with these inputs; if an embedding rejects one of them, try integers for it.

    Args:
        fixed: names of inputs whose dtype the user gave.
    """
    from fxsummary.capture.inputs.guess import inference

    try:
        return choose(subject, inputs)
    except (ForwardError, InputError) as error:
        for better in inference.with_integers(inputs, error, fixed):
            with suppress(ForwardError, InputError):
                return _with_integers(subject, better, fixed)
        raise


def _inferred_dtypes(subject: Subject) -> dict[str, str]:
    """Infer the dtype of each input from its first reader, as far as tracing gets without inputs."""
    from fxsummary.capture.inputs.guess.requirements import dtype_for, input_needs

    traced = trace(subject, None)
    subject.traced = None if isinstance(traced, Refusal) else traced
    needs = {} if isinstance(traced, Refusal) else input_needs(subject.model, traced)
    return {name: dtype_for(need, subject.model) for name, need in needs.items()}


def _traced_before(subject: Subject, inputs: Inputs | None) -> Trace | None:
    """Return the trace that was made to infer dtypes, with these inputs, if tracing again would lead to the same."""
    traced, subject.traced = subject.traced, None
    if traced is None or inputs is None or inputs.keywords:
        return None
    taken = [node for node in traced.graph.nodes if node.op == "placeholder"]
    specs = inputs.arguments
    if [str(node.target) for node in taken] != [*specs] or any(type(each) is not TensorSpec for each in specs.values()):
        return None
    for node in taken:
        node.meta[SPEC] = specs[str(node.target)]
    return traced


def _note_inferred(result: Capture, inputs: Inputs) -> None:
    result.inputs, result.inputs_inferred = inputs, True
    result.notes.append(f"input inferred: {describe(inputs)}")
