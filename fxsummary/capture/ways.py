"""The way a model is captured: symbolically, recorded, or as its module tree; which goes, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import fx, nn

from fxsummary.capture import forward, propagate, symbolic
from fxsummary.capture.inputs import Inputs, describe, dtypes_by_name, forward_signature, from_shapes, model_device
from fxsummary.capture.members import submodule
from fxsummary.capture.nodes import SOURCE, STACK
from fxsummary.capture.symbolic import Trace, TraceStoppedError
from fxsummary.capture.tracer import Leaf
from fxsummary.capture.twins import NoTwinError
from fxsummary.errors import ForwardError, InputError

if TYPE_CHECKING:
    from fxsummary.capture.budget import Budget
    from fxsummary.capture.recorder import Recording


@dataclass
class Capture:
    """What was learnt by looking at the model once.

    Attributes:
        model: the model, or the meta twin in which lazy modules were materialized.
        captured_by: "symbolic", "recorded", "exported" or "modules".
        trace: the FX graph; None for "modules".
        propagation: specs and FLOPs by node; None where no input is known.
        device: the device that the model's tensors are on.
        inputs: the inputs of the forward that was captured; None where they are not known.
        inputs_inferred: whether the inputs were guessed.
        is_partial: whether the graph ends before forward does.
        untold: paths of modules of which it cannot be told whether they are called; they count as called.
        notes: what a reader must know.
    """

    model: nn.Module
    captured_by: str
    trace: Trace | None = None
    propagation: propagate.Propagation | None = None
    device: str = "cpu"
    inputs: Inputs | None = None
    inputs_inferred: bool = False
    is_partial: bool = False
    untold: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


class Capturing:
    """One capture.

    Args:
        leaf: further modules not to enter.
        way: "auto", "symbolic" or "record".
        replay: whether a recording copies modules that are like others.
    """

    def __init__(self, model: nn.Module, leaf: Leaf | None, way: str, replay: bool) -> None:
        self._leaf = leaf
        self._replay = replay
        self._way = way
        self._result = Capture(model, "symbolic", device=model_device(model))
        self._tried = ""

    def run(self, inputs: Inputs | None, shapes: Any, dtypes: Any) -> Capture:
        """Capture with these inputs, or with some of these shapes and dtypes, or with what is inferred."""
        if inputs is not None or shapes is None:
            return self._captured(inputs)
        given = dtypes_by_name(self._result.model, shapes, dtypes)
        fixed = frozenset([name for name, dtype in given.items() if dtype is not None])
        guessed = {} if len(fixed) == len(given) else self._guessed_dtypes()
        all_dtypes = {name: guessed.get(name) if dtype is None else dtype for name, dtype in given.items()}
        return self._with_guessed_dtypes(from_shapes(self._result.model, shapes, all_dtypes), fixed)

    def _with_guessed_dtypes(self, inputs: Inputs, fixed: frozenset[str]) -> Capture:
        """Capture with these inputs, or with integers for one of them if an embedding asks for them.

        Args:
            fixed: names of inputs whose dtype was given.
        """
        from fxsummary.capture import inference

        model = self._result.model
        try:
            return self._captured(inputs)
        except (ForwardError, InputError) as error:
            for better in inference.with_integers(inputs, error, fixed):
                with suppress(ForwardError, InputError):
                    return Capturing(model, self._leaf, self._way, self._replay)._with_guessed_dtypes(better, fixed)
            raise

    def _captured(self, inputs: Inputs | None) -> Capture:
        result = self._result
        if getattr(result.model.forward, "__func__", None) is nn.Module.forward:
            return self._modules(f"{type(result.model).__name__} has no forward")
        result.inputs = inputs
        if forward.has_lazy(result.model):
            if inputs is None:
                return self._modules(
                    f"{type(result.model).__name__} has uninitialized lazy modules, whose shapes follow from the "
                    "first input: pass example inputs or input_shape="
                )
            self._materialize(inputs)
        if self._way == "record" and inputs is None and not forward_signature(result.model).parameters:
            inputs = Inputs()
        if self._way == "record" and inputs is not None:
            return self._record(inputs)
        try:
            self._trace(inputs)
        except TraceStoppedError as stopped:
            return self._stopped(stopped, inputs)
        return self._propagate(inputs)

    def _trace(self, inputs: Inputs | None) -> None:
        model = self._result.model
        if isinstance(model, fx.GraphModule):
            from fxsummary.capture import graphmodule

            self._result.captured_by = "exported"
            self._result.trace = graphmodule.from_graph_module(model, inputs)
            return
        self._result.trace = symbolic.trace(model, inputs, self._leaf)

    def _propagate(self, inputs: Inputs | None) -> Capture:
        result = self._result
        assert result.trace is not None
        if inputs is None and any(node.op == "placeholder" for node in result.trace.graph.nodes):
            from fxsummary.capture import inference

            found = inference.infer(result.model, result.trace)
            if found is None:
                return self._by_trying(result.trace) or self._without_inputs()
            inputs, result.propagation = found
            if self._goes_further():
                return self._record_inferred(inputs, result.trace)
            self._note_inferred(inputs)
        else:
            try:
                self._run_graph(inputs)
            except InputError as refused:
                if inputs is None:  # forward with its defaults alone, which may be None for every tensor
                    return self._by_trying(None) or self._modules(
                        f"forward does not run on its defaults, and {self._not_inferred()}: pass example inputs"
                    )
                return self._record_or(refused, inputs)
        if inputs is not None and (self._way == "record" or self._goes_further()):
            return self._record(inputs)
        skipped = result.trace.skipped_hooks
        if skipped:
            result.notes.append(f"forward hooks were not run, so what they change is not shown: on {_some(skipped)}")
        self._note_stopped()
        return result

    def _record_or(self, refused: InputError, inputs: Inputs) -> Capture:
        """A traced operation refuses its inputs: recording tells whether forward really does."""
        if self._way != "auto" or self._result.captured_by == "exported":
            raise refused
        try:
            return self._record(inputs)
        except ForwardError:
            raise refused from refused.__cause__

    def _without_inputs(self) -> Capture:
        self._result.notes.append(
            f"{self._not_inferred()}, so shapes and FLOPs are not known: pass example inputs or input_shape="
        )
        self._run_graph(None)
        return self._result

    def _run_graph(self, inputs: Inputs | None) -> None:
        result = self._result
        assert result.trace is not None
        try:
            result.propagation = propagate.propagate(result.model, result.trace, result.device)
        except propagate.OperationError as error:
            raise self._refused(error, inputs) from error.__cause__

    def _note_inferred(self, inputs: Inputs) -> None:
        self._result.inputs = inputs
        self._result.inputs_inferred = True
        self._result.notes.append(f"input inferred: {describe(inputs)}")

    def _goes_further(self) -> bool:
        """Whether recording would tell more: it runs hooks, and has values where symbolic tracing has none."""
        trace, propagation = self._result.trace, self._result.propagation
        if self._way != "auto" or self._result.captured_by == "modules" or trace is None or propagation is None:
            return False
        return bool(trace.skipped_hooks) or any("packed" not in reason for _, reason in propagation.stopped)

    def _record(self, inputs: Inputs) -> Capture:
        """The recorded graph of a forward with these inputs."""
        self._take(self._recording(inputs))
        return self._result

    def _record_inferred(self, inputs: Inputs, trace: Trace) -> Capture:
        """The recorded graph of a forward with these inputs, or with others if it stops with them."""
        recording = self._recording(inputs)
        if not recording.stopped or self._by_trying(trace) is None:
            self._note_inferred(inputs)
            self._take(recording)
        return self._result

    def _recording(self, inputs: Inputs, budget: Budget | None = None) -> Recording:
        from fxsummary.capture import recorder

        model, device = self._result.model, self._result.device
        return recorder.record(model, inputs, device, self._leaf, replay=self._replay, budget=budget)

    def _take(self, recording: Recording) -> None:
        result = self._result
        result.captured_by, result.trace, result.propagation = "recorded", recording.trace, recording.propagation
        result.notes += recording.notes
        if recording.stopped:
            where = f" at {recording.source}" if recording.source else ""
            result.is_partial = True
            remedy = (
                "Pass inputs whose values decide what is asked there, or name the module in leaf= to show it as one "
                "operation"
            )
            told = any(text in recording.stopped for text in _WITH_REMEDY)
            result.notes.append(
                f"recording stopped{where}: {recording.stopped.rstrip('.')}; what follows is not shown"
                + ("" if told else f". {remedy}")
            )

    def _by_trying(self, partial: Trace | None) -> Capture | None:
        """The recorded graph with the first inputs that forward accepts; None if none are found."""
        if self._way == "symbolic":
            return None
        from fxsummary.capture import inference
        from fxsummary.capture.budget import Budget
        from fxsummary.capture.scene import Refusal

        budget = Budget(inference.MAX_OPERATIONS)
        found = inference.infer_by_trying(
            self._result.model,
            lambda inputs: self._recording(inputs, budget),
            partial,
            lambda recording: Refusal(recording.stopped, recording.scene) if recording.stopped else None,
        )
        if isinstance(found, str):
            self._tried = found
            return None
        inputs, recording = found
        self._note_inferred(inputs)
        self._take(recording)
        return self._result

    def _not_inferred(self) -> str:
        return "the input could not be inferred" + (f" ({self._tried})" if self._tried else "")

    def _note_stopped(self) -> None:
        propagation = self._result.propagation
        for node, reason in propagation.stopped[:1] if propagation else ():
            more = len(propagation.stopped) - 1 if propagation else 0
            self._result.notes.append(
                f"shapes are not known after {node.name}{_at(node)}: {reason}"
                + (f" ({more} more such operation{'s' * (more > 1)})" if more else "")
            )

    def _refused(self, error: propagate.OperationError, inputs: Inputs | None) -> InputError:
        node, model = error.node, self._result.model
        stack = node.meta.get(STACK) or {}
        path, _ = next(reversed(stack.values())) if stack else ("", type(model))
        what = f"{path!r} ({submodule(model, path)})" if node.op == "call_module" and path else f"{node.name}"
        shapes = ", ".join(str(spec) for spec in error.arguments if hasattr(spec, "shape"))
        return InputError(
            f"the inputs do not fit {type(model).__name__}: {what} refuses {shapes or 'its arguments'}: "
            f"{str(error.__cause__).strip()}\n"
            f"  in {path or 'the model itself'}{_at(node)}, with inputs {describe(inputs) if inputs else 'none'}.\n"
            "  Pass inputs whose number, shape and dtype the model accepts.",
            module=path,
            source=node.meta.get(SOURCE, ""),
        )

    def _stopped(self, stopped: TraceStoppedError, inputs: Inputs | None) -> Capture:
        where = f" at {stopped.source}" if stopped.source else ""
        reason = f"symbolic tracing stopped{where}: {stopped.reason}"
        if self._way != "symbolic":
            captured = self._by_trying(stopped.partial) if inputs is None else self._record(inputs)
            if captured is not None:
                captured.notes.append(f"recorded, because {reason}")
                return captured
            reason += f"; {self._not_inferred()}: pass example inputs or input_shape="
        elif inputs is not None:
            with suppress(NoTwinError):
                forward.run(self._result.model, inputs)
        return self._modules(reason)

    def _modules(self, reason: str) -> Capture:
        remedy = "this is the module tree, with parameters but without dataflow, shapes and FLOPs"
        self._result.notes.append(f"{reason}; {remedy}")
        self._result.captured_by = "modules"
        self._result.trace = None
        return self._result

    def _materialize(self, inputs: Inputs) -> None:
        try:
            self._result.model = forward.run(self._result.model, inputs)
        except NoTwinError as error:
            self._result.notes.append(f"lazy modules could not be materialized: {error}")

    def _guessed_dtypes(self) -> dict[str, str]:
        """The dtype of each input by its first reader, as far as tracing gets without inputs."""
        from fxsummary.capture import inference

        model = self._result.model
        try:
            traced = symbolic.trace(model, None, self._leaf)
        except TraceStoppedError:
            return {}
        names = [str(node.target) for node in traced.graph.nodes if node.op == "placeholder"]
        needs = inference.input_needs(model, traced)
        return {name: inference.dtype_for(need, model) for name, need in zip(names, needs, strict=True)}


_WITH_REMEDY = ("nested tensors", "fake impl")
"""Reasons to stop that say themselves what to do."""


def _at(node: fx.Node) -> str:
    source = node.meta.get(SOURCE, "")
    return f" at {source}" if source else ""


def _some(names: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(name or "the model itself" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
