"""What fxsummary says of one model, beside the truth."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

import fxsummary
from benchmarks.zoo import outputs, replay, state
from benchmarks.zoo.pool import summary
from benchmarks.zoo.truth import Truth
from fxsummary.capture import capture
from fxsummary.errors import InputError
from fxsummary.graph.spec import leaves
from zoo.entry import Entry, Example

MISSING = "-"
"""The answer of a check that could not be made."""
NO_DATAFLOW = "no dataflow"
"""The answer of a check that failed because nothing was captured, which is said once."""


@dataclass
class Result:
    """The checks of one model: "" is passed, "-" not made, anything else why it failed."""

    name: str
    captured_by: str = ""
    captured: str = MISSING
    parameters: str = MISSING
    shapes: str = MISSING
    flops: str = MISSING
    recorded: str = MISSING
    agree: str = MISSING
    replay: str = MISSING
    untouched: str = MISSING
    inferred: str = MISSING
    seconds: float | None = None
    operations: int | None = None
    unknown_flops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assumed: bool = False
    inferred_inputs: dict[str, str] = field(default_factory=dict)
    inferred_flops: int | None = None
    truth: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


CHECKS = ("captured", "parameters", "shapes", "flops", "recorded", "agree", "replay", "untouched", "inferred")
"""The checks of a `Result`, in the order of the report."""


def check(entry: Entry, truth: Truth, without_inputs: bool) -> Result:
    """All checks of one model; fxsummary sees it before any real forward has run."""
    result = Result(entry.name, truth=truth.as_json())
    model, example = entry.model(), entry.example()
    before = state.of_model(model), state.of_process(), _state_of(example)
    graph = _timed(result, model, example)
    result.untouched = _untouched(before, model, example)
    if graph is not None:
        _compare(result, graph, truth)
        result.captured = "" if graph.captured_by != "modules" else _first(graph.notes)
    both = {way: _graph(model, entry.example(), way) for way in ("symbolic", "record")}
    result.recorded = _recorded(both["record"], truth)
    result.agree = _agree(both["symbolic"], both["record"])
    if not result.untouched:
        result.untouched = _untouched((*before[:2], None), model, None)
    if without_inputs:
        _without_inputs(result, model)
    result.replay = _replay(model, entry, truth, result)
    return result


def _timed(result: Result, model: nn.Module, example: Example) -> fxsummary.ModelGraph | None:
    """The graph as a user gets it; what it says goes into the result."""
    start = time.perf_counter()
    try:
        graph = fxsummary.graph(model, *example.args, kwargs=example.kwargs)
    except Exception as error:
        result.captured_by, result.captured = "failed", f"graph raised {summary(error)}"
        result.parameters = result.shapes = result.flops = NO_DATAFLOW
        return None
    result.seconds = time.perf_counter() - start
    result.captured_by, result.operations, result.notes = graph.captured_by, len(graph), list(graph.notes)
    result.assumed = any("assum" in note for note in graph.notes)
    return graph


def _compare(result: Result, graph: fxsummary.ModelGraph, truth: Truth) -> None:
    totals = graph.totals
    result.unknown_flops = list(totals.unknown_flops)
    same = totals.parameters == truth.parameters
    result.parameters = "" if same else f"{totals.parameters:,}, not {truth.parameters:,}"
    result.shapes, result.flops = _shapes(graph, truth), _flops(graph, truth)


def _shapes(graph: fxsummary.ModelGraph, truth: Truth) -> str:
    if graph.captured_by == "modules":
        return NO_DATAFLOW
    return outputs.difference([(spec.shape, spec.dtype) for spec in leaves(graph.output_spec)], truth.outputs)


def _flops(graph: fxsummary.ModelGraph, truth: Truth) -> str:
    totals = graph.totals
    if totals.flops is None:
        return NO_DATAFLOW if graph.captured_by == "modules" else "unknown"
    reasons = []
    if totals.flops != truth.flops:
        reasons.append(f"{totals.flops:,}, not {truth.flops:,}")
        reasons += [f"the truth is in doubt: {doubt}" for doubt in truth.doubts]
    if bool(totals.unknown_flops) != bool(truth.unknown):
        operators = [str(graph.nodes[key]["unknown_operators"] or key) for key in totals.unknown_flops]
        unknown = ", ".join(dict.fromkeys(operators))[:100]
        reasons.append(f"unknown: {unknown or 'nothing'}, in the truth: {', '.join(truth.unknown) or 'nothing'}")
    return "; ".join(reasons)


def _graph(model: nn.Module, example: Example, way: str) -> fxsummary.ModelGraph | str:
    """The graph by one way of capturing, why it failed, or "-" where the way does not exist."""
    try:
        return fxsummary.graph(model, *example.args, kwargs=example.kwargs, trace=way)
    except InputError as error:
        return MISSING if "is not a way" in str(error) else f"trace={way!r} raised {summary(error)}"
    except Exception as error:
        return f"trace={way!r} raised {summary(error)}"


def _recorded(graph: fxsummary.ModelGraph | str, truth: Truth) -> str:
    """Whether recording alone gives the truth."""
    if isinstance(graph, str):
        return graph
    if graph.captured_by == "modules":
        return _first(graph.notes)
    reasons = {"shapes": _shapes(graph, truth), "FLOPs": _flops(graph, truth)}
    return "; ".join(f"{what}: {reason}" for what, reason in reasons.items() if reason)


def _agree(symbolic: fxsummary.ModelGraph | str, recorded: fxsummary.ModelGraph | str) -> str:
    """Whether both ways count the same; "-" unless both give dataflow. What one does not know is no contradiction."""
    if isinstance(symbolic, str) or isinstance(recorded, str):
        return MISSING
    if "modules" in (symbolic.captured_by, recorded.captured_by):
        return MISSING
    pairs = {
        "FLOPs": (_known_flops(symbolic), _known_flops(recorded)),
        "parameters": (symbolic.totals.parameters, recorded.totals.parameters),
    }
    return "; ".join(
        f"{what} {x} symbolic, {y} recorded" for what, (x, y) in pairs.items() if x != y and None not in (x, y)
    )


def _known_flops(graph: fxsummary.ModelGraph) -> int | None:
    """The FLOPs where they are no lower bound."""
    return None if graph.totals.unknown_flops else graph.totals.flops


def _untouched(before: tuple[Any, Any, Any], model: nn.Module, example: Example | None) -> str:
    """What became of the model, the process and the inputs; "" where nothing did."""
    found = state.differences(before[0], state.of_model(model)) + state.differences(before[1], state.of_process())
    if example is not None and before[2] != _state_of(example):
        found.append("the inputs changed")
    return found[0] + f" ({len(found)} differences)" * (len(found) > 1) if found else ""


def _state_of(example: Example) -> Any:
    return [(id(tensor), state.of_tensor(tensor)) for tensor, _ in outputs.tensors([example.args, example.kwargs])]


def _without_inputs(result: Result, model: nn.Module) -> None:
    """The graph with nothing given."""
    try:
        graph = fxsummary.graph(model)
    except Exception as error:
        result.inferred = f"raised {summary(error)}"
        return
    result.inferred_inputs = {name: str(spec) for name, spec in graph.inputs.items()}
    result.inferred_flops = graph.totals.flops
    known = graph.captured_by != "modules" and graph.totals.flops is not None
    result.inferred = "" if known else _first(graph.notes)


def _replay(model: nn.Module, entry: Entry, truth: Truth, result: Result) -> str:
    """Whether the recorded graph, run on real data, gives what forward gives; runs the real forward last."""
    trace = _attempt(lambda: _trace(model, entry.example()))
    real = _attempt(lambda: replay.forward(model, entry.example()))
    reason = real if isinstance(real, str) else _forward_differs(real, truth)
    if reason and not result.untouched:
        result.untouched = f"forward afterwards: {reason}"
    if isinstance(trace, str):
        return trace
    if isinstance(real, str):
        return MISSING
    replayed = _attempt(lambda: replay.replay(model, trace))
    return replayed if isinstance(replayed, str) else replay.difference(replayed, real)


def _forward_differs(real: Any, truth: Truth) -> str:
    return outputs.difference([(leaf.shape, leaf.dtype) for leaf in outputs.leaves(real)], truth.outputs)


def _trace(model: nn.Module, example: Example) -> Any:
    if "trace" not in inspect.signature(capture).parameters:
        return MISSING
    captured = capture(model, example.args, example.kwargs, trace="record")  # type: ignore[call-arg]
    return captured.trace if captured.trace is not None else f"not recorded: {_first(captured.notes)}"


def _attempt(function: Callable[[], Any]) -> Any:
    """The result of a call, or its exception as text."""
    try:
        return function()
    except Exception as error:
        return summary(error)


def _first(notes: Any) -> str:
    """The first note without its remedy."""
    return str(notes[0]).partition("; this is the module tree")[0][:300] if notes else "no note says why"
