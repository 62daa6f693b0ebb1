"""Chooses how to capture a model, and writes the notes that explain the choice.

Each strategy returns a `Capture` or a `Refusal`: `symbolic` traces forward with proxies, `recorded` runs it once on
meta tensors, `guessed` records it with the first inputs that it accepts; `module_tree` is what is left.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import fx, nn

from fxsummary.capture import meta_forward, notes
from fxsummary.capture.inputs.example import (
    Inputs,
    describe,
    dtypes_by_name,
    forward_signature,
    from_shapes,
    model_device,
)
from fxsummary.capture.operations.propagate import OperationError, Propagation, propagate
from fxsummary.capture.operations.twins import NoTwinError
from fxsummary.capture.results import Capture, Refusal
from fxsummary.capture.symbolic.trace import Trace, TraceStoppedError, trace
from fxsummary.capture.symbolic.tracer import Leaf
from fxsummary.errors import ForwardError, InputError

if TYPE_CHECKING:
    from fxsummary.capture.inputs.guess.error_context import ErrorContext
    from fxsummary.capture.recorded.budget import Budget
    from fxsummary.capture.recorded.recorder import Recording


@dataclass(frozen=True)
class Wish:
    """What is to be captured, and how.

    Attributes:
        leaf: further modules not to enter.
        way: "auto", "symbolic" or "record".
        replay: whether a recording copies modules that are like others.
    """

    model: nn.Module
    leaf: Leaf | None = None
    way: str = "auto"
    replay: bool = True

    @property
    def name(self) -> str:
        """Class name of the model."""
        return type(self.model).__name__

    @property
    def device(self) -> str:
        """The device that the model's tensors are on."""
        return model_device(self.model)


def capture_shapes(wish: Wish, shapes: Any, dtypes: Any) -> Capture:
    """Capture with inputs of these shapes; dtypes that are not given follow from what reads the inputs first."""
    given = dtypes_by_name(wish.model, shapes, dtypes)
    fixed = frozenset([name for name, dtype in given.items() if dtype is not None])
    inferred = {} if len(fixed) == len(given) else _inferred_dtypes(wish)
    all_dtypes = {name: inferred.get(name) if dtype is None else dtype for name, dtype in given.items()}
    return _with_integers(wish, from_shapes(wish.model, shapes, all_dtypes), fixed)


def choose(wish: Wish, inputs: Inputs | None) -> Capture:
    """Capture by the first strategy that leads to a graph; the module tree where none does.

    Args:
        inputs: None where they are to be inferred.

    Raises:
        InputError: an operation refuses the inputs.
        ForwardError: forward raised.
    """
    if getattr(wish.model.forward, "__func__", None) is nn.Module.forward:
        return module_tree(wish, f"{wish.name} has no forward")
    told: list[str] = []
    if meta_forward.has_lazy(wish.model):
        if inputs is None:
            return module_tree(wish, f"{wish.name} {_LAZY}")
        wish, told = _materialized(wish, inputs)
    if wish.way == "record" and inputs is None and not forward_signature(wish.model).parameters:
        inputs = Inputs()
    if wish.way == "record" and inputs is not None:
        result = recorded(wish, inputs)
    else:
        found = symbolic(wish, inputs)
        result = found if isinstance(found, Capture) else _after(found, wish, inputs)
    result.notes[:0] = told
    return result


def _after(refusal: Refusal, wish: Wish, inputs: Inputs | None) -> Capture:
    """The capture where symbolic tracing refuses."""
    if wish.way == "symbolic":
        if inputs is not None:
            with suppress(NoTwinError):
                meta_forward.run(wish.model, inputs)  # raises where the inputs are the reason
        return module_tree(wish, refusal.reason)
    found = guessed(wish, refusal.partial) if inputs is None else recorded(wish, inputs)
    if isinstance(found, Refusal):
        return module_tree(wish, f"{refusal.reason}; {found.reason}: pass example inputs or input_shape=")
    found.notes.append(f"recorded, because {refusal.reason}")
    return found


# --- the strategies --------------------------------------------------------------------------------


def symbolic(wish: Wish, inputs: Inputs | None) -> Capture | Refusal:
    """Trace forward with proxies, then run the graph on specs; recorded where that tells more."""
    try:
        result = _traced(wish, inputs)
    except TraceStoppedError as stopped:
        return Refusal(f"symbolic tracing stopped{notes.at(stopped.source)}: {stopped.reason}", stopped.partial)
    assert result.trace is not None
    if inputs is None and any(node.op == "placeholder" for node in result.trace.graph.nodes):
        return _with_inferred(wish, result)
    try:
        result.propagation = _propagation(wish, result.trace, inputs)
    except InputError as refused:
        return _refused(wish, refused, inputs, result)
    return _better(wish, result)


def recorded(wish: Wish, inputs: Inputs) -> Capture:
    """Run forward once on meta tensors, and write down what it calls."""
    return _of_recording(wish, _recording(wish, inputs), inputs)


def guessed(wish: Wish, partial: Trace | None) -> Capture | Refusal:
    """Record forward with the first inputs that it accepts."""
    if wish.way == "symbolic":
        return Refusal(_NOT_INFERRED)
    from fxsummary.capture.inputs.guess import inference, search
    from fxsummary.capture.recorded.budget import Budget

    budget = Budget(search.MAX_OPERATIONS)
    found = inference.infer_by_trying(wish.model, lambda inputs: _attempt(wish, inputs, budget), partial)
    if isinstance(found, str):
        return Refusal(_NOT_INFERRED + (f" ({found})" if found else ""))
    inputs, recording = found
    return _of_recording(wish, recording, inputs, inferred=True)


def module_tree(wish: Wish, reason: str) -> Capture:
    """The modules with their parameters alone."""
    note = f"{reason}; this is the module tree, with parameters but without dataflow, shapes and FLOPs"
    return Capture(wish.model, "modules", device=wish.device, notes=[note])


_NOT_INFERRED = "the input could not be inferred"
_LAZY = "has uninitialized lazy modules, whose shapes follow from the first input: pass example inputs or input_shape="


# --- symbolic --------------------------------------------------------------------------------------


def _traced(wish: Wish, inputs: Inputs | None) -> Capture:
    if isinstance(wish.model, fx.GraphModule):
        from fxsummary.capture.exported import graph_module

        found = graph_module.from_graph_module(wish.model, inputs)
        return Capture(wish.model, "exported", found, device=wish.device, inputs=inputs)
    found = trace(wish.model, inputs, wish.leaf)
    return Capture(wish.model, "symbolic", found, device=wish.device, inputs=inputs)


def _with_inferred(wish: Wish, result: Capture) -> Capture:
    """Of a trace without inputs: with those that the first layers ask for, or that forward accepts."""
    from fxsummary.capture.inputs.guess import inference

    assert result.trace is not None
    found = inference.infer(wish.model, result.trace)
    if found is not None:
        inputs, result.propagation = found
        if wish.way != "symbolic" and _goes_further(wish, result):
            return _record_inferred(wish, inputs, result.trace)
        _note_inferred(result, inputs)
        return _better(wish, result)
    other = guessed(wish, result.trace)
    if isinstance(other, Capture):
        return other
    result.notes.append(f"{other.reason}, so shapes and FLOPs are not known: pass example inputs or input_shape=")
    result.propagation = _propagation(wish, result.trace, None)
    return result


def _record_inferred(wish: Wish, inputs: Inputs, partial: Trace) -> Capture:
    """Record with these inputs, or with others if the recording stops with them."""
    recording = _recording(wish, inputs)
    found = guessed(wish, partial) if recording.stopped else None
    return found if isinstance(found, Capture) else _of_recording(wish, recording, inputs, inferred=True)


def _goes_further(wish: Wish, result: Capture) -> bool:
    """Whether a recording tells more than a trace: it runs hooks, and has values where tracing has none."""
    found, propagation = result.trace, result.propagation
    assert found is not None and propagation is not None
    stopped = any("packed" not in reason for _, reason in propagation.stopped)
    return wish.way == "record" or (wish.way == "auto" and (bool(found.skipped_hooks) or stopped))


def _better(wish: Wish, result: Capture) -> Capture:
    """The capture, or a recording if that tells more."""
    found, propagation, inputs = result.trace, result.propagation, result.inputs
    assert found is not None and propagation is not None
    if inputs is not None and _goes_further(wish, result):
        return recorded(wish, inputs)
    result.notes += notes.of_trace(found.skipped_hooks, propagation.stopped)
    return result


def _refused(wish: Wish, refused: InputError, inputs: Inputs | None, result: Capture) -> Capture:
    """A traced operation refuses its inputs: recording tells whether forward really does."""
    if inputs is None:  # forward with its defaults alone, which may be None for every tensor
        found = guessed(wish, None)
        if isinstance(found, Capture):
            return found
        return module_tree(wish, f"forward does not run on its defaults, and {found.reason}: pass example inputs")
    if wish.way != "auto" or result.captured_by == "exported":
        raise refused
    try:
        return recorded(wish, inputs)
    except ForwardError:
        raise refused from refused.__cause__


def _propagation(wish: Wish, found: Trace, inputs: Inputs | None) -> Propagation:
    try:
        return propagate(wish.model, found, wish.device)
    except OperationError as error:
        raise notes.error_of(error, wish.model, inputs) from error.__cause__


# --- recorded --------------------------------------------------------------------------------------


def _recording(wish: Wish, inputs: Inputs) -> Recording:
    from fxsummary.capture.recorded import recorder

    found = recorder.record(wish.model, inputs, wish.device, wish.leaf, replay=wish.replay)
    if isinstance(found, recorder.Failure):
        raise found.error
    return found


def _attempt(wish: Wish, inputs: Inputs, budget: Budget) -> tuple[Recording | None, ErrorContext | None]:
    """Record forward with inputs that may not fit; return the recording, and why there is none or only a part."""
    from fxsummary.capture.recorded import recorder

    found = recorder.record(wish.model, inputs, wish.device, wish.leaf, replay=wish.replay, budget=budget)
    return (None, found.context) if isinstance(found, recorder.Failure) else (found, found.context)


def _of_recording(wish: Wish, recording: Recording, inputs: Inputs, inferred: bool = False) -> Capture:
    result = Capture(wish.model, "recorded", recording.trace, recording.propagation, wish.device, inputs)
    if inferred:
        _note_inferred(result, inputs)
    result.notes += recording.notes
    if recording.stopped:
        result.is_partial = True
        result.notes.append(notes.of_stop(recording.stopped, recording.source))
    return result


# --- inputs ----------------------------------------------------------------------------------------


def _with_integers(wish: Wish, inputs: Inputs, fixed: frozenset[str]) -> Capture:
    """Capture with these inputs, or with integers for one of them if an embedding asks for them.

    Args:
        fixed: names of inputs whose dtype was given.
    """
    from fxsummary.capture.inputs.guess import inference

    try:
        return choose(wish, inputs)
    except (ForwardError, InputError) as error:
        for better in inference.with_integers(inputs, error, fixed):
            with suppress(ForwardError, InputError):
                return _with_integers(wish, better, fixed)
        raise


def _inferred_dtypes(wish: Wish) -> dict[str, str]:
    """The dtype of each input by its first reader, as far as tracing gets without inputs."""
    from fxsummary.capture.inputs.guess import inference

    try:
        traced = trace(wish.model, None, wish.leaf)
    except TraceStoppedError:
        return {}
    needs = inference.input_needs(wish.model, traced)
    return {name: inference.dtype_for(need, wish.model) for name, need in needs.items()}


def _materialized(wish: Wish, inputs: Inputs) -> tuple[Wish, list[str]]:
    """The wish with the lazy modules of its model materialized, or a note why they could not be."""
    try:
        return replace(wish, model=meta_forward.run(wish.model, inputs)), []
    except NoTwinError as error:
        return wish, [f"lazy modules could not be materialized: {error}"]


def _note_inferred(result: Capture, inputs: Inputs) -> None:
    result.inputs, result.inputs_inferred = inputs, True
    result.notes.append(f"input inferred: {describe(inputs)}")
