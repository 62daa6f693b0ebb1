"""Recording: runs forward once on meta tensors, and writes every torch call into an FX graph.

Python code runs as it is, so control flow, containers and objects need no special treatment. As in symbolic tracing,
a ``torch.nn`` module is one operation. Kernels never get the model's own tensors, because operations run on specs
(`fxsummary.capture.operations.run`).
"""

from __future__ import annotations

import copy
import gc
import sys
import traceback
import warnings
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any

import torch

from fxsummary.capture import meta_forward
from fxsummary.capture.inputs import placeholders
from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.error_context import ErrorContext, context_of
from fxsummary.capture.recorded import missing_kernels, patches
from fxsummary.capture.recorded.budget import Budget, TooMuchWorkError
from fxsummary.capture.recorded.calls import Calls
from fxsummary.capture.recorded.missing_kernels import MissingKernelError
from fxsummary.capture.recorded.repeats import MismatchError, Replay
from fxsummary.capture.recorded.stop import StopRecording
from fxsummary.capture.restore.heal import heal
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.source import let_go
from fxsummary.capture.structures import is_limit_of_meta, listed
from fxsummary.capture.subject import Subject
from fxsummary.capture.torch_internals import has_global_hooks
from fxsummary.errors import ForwardError, OperatorError


@dataclass
class Recording:
    """The result of a recording.

    Attributes:
        trace: the graph, without an output node if the recording stopped.
        propagation: specs and FLOPs by node.
        notes: remarks for the user.
        stopped: why and where it stopped; None if it recorded all of forward.
        error: the error to raise if forward raised.
    """

    trace: Trace
    propagation: Propagation
    notes: list[str]
    stopped: ErrorContext | None
    error: ForwardError | None = None


class _TracebackError(Exception):
    """The traceback of an error as text, because its frames hold tensors of the recording."""


def record(subject: Subject, inputs: Inputs, *, replay: bool = True, budget: Budget | None = None) -> Recording:
    """Record one forward pass; raises TooMuchWorkError when the budget is spent.

    Args:
        replay: whether to copy modules that are identical to recorded ones, if the subject allows it.
        budget: the number of operations that may run; None for any number.
    """
    recorder = _Recorder(subject, budget)
    try:
        recorder.run(inputs, replay and subject.replay)
    except MissingKernelError as missing:
        let_go(missing)
        recorder.finish()
        subject.without_kernel.add(missing.kind)
        recording = record(subject, inputs, replay=replay, budget=budget)
        recording.notes.append(str(missing))
        return recording
    except (MismatchError, TooMuchWorkError, OperatorError) as stopped:
        let_go(stopped)
        recorder.finish()
        if not isinstance(stopped, MismatchError):
            raise
        return record(subject, inputs, replay=False, budget=budget)
    except Exception as error:  # forward is the user's code
        failure = meta_forward.error_of(subject.model, inputs, error)
        text = "".join(traceback.format_exception(error)) if budget is None else ""  # else an attempt
        recorder.stop(error)
        failure.__cause__, error.__cause__ = error, _TracebackError(f"\n{text}")
        return replace(recorder.finish(), error=failure)
    return recorder.finish()


def result_of(subject: Subject, inputs: Inputs) -> Any:
    """Run forward as `record` does, and return a copy of what it returns, with new meta tensors.

    Unlike specs it has the objects that forward returns, such as a cache, to pass them to forward again.
    """
    recorder = _Recorder(subject, None, keeps_result=True)
    try:
        recorder.run(inputs, subject.replay)
        return recorder.copied_result()
    except MissingKernelError as missing:
        let_go(missing)
        subject.without_kernel.add(missing.kind)
    finally:
        recorder.finish()
    return result_of(subject, inputs)


class _Recorder:
    def __init__(self, subject: Subject, budget: Budget | None, keeps_result: bool = False) -> None:
        self.result: Any = None
        self._keeps_result = keeps_result
        self._subject = subject
        self._calls = Calls(subject, budget)
        self._writer = self._calls.writer
        self._stopped: ErrorContext | None = None

    def run(self, inputs: Inputs, replay: bool) -> None:
        self._writer.outermost = sys._getframe(1)  # a frame without tensors
        calls, subject = self._calls, self._subject
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(subject.snapshot.preserved(caches=False))
            stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled()))
            args, kwargs = placeholders.arguments(subject.model, inputs, self._writer.placeholder)
            for tracked in self._writer.tensors.made:
                calls.derivatives.mark(tracked.tensor)
            if replay and not has_global_hooks():
                calls.replay = Replay(calls.demand, subject.is_leaf, calls.run_inside)
                stack.enter_context(calls.replay.watched())
            stack.enter_context(patches.installed(calls))
            stack.enter_context(calls)
            stack.enter_context(calls.functions)
            try:
                # context variables that forward sets stay in the copy
                result = copy_context().run(lambda: listed(calls.module_call(subject.model, args, kwargs)))
                self.result = result if self._keeps_result else None
                gc.collect(0)  # what only reference cycles hold is gone when forward returns
                calls.unseen(self._writer.output, (result,), {})
            except StopRecording as stopped:
                self.stop(stopped, stopped.reason, stopped.source)
            except Exception as error:
                reason = self._reason_to_stop(error)
                if reason is None:
                    raise
                self.stop(error, reason)

    def _reason_to_stop(self, error: Exception) -> str | None:
        """Return why the graph ends at an error of forward; None if the error is about the inputs.

        Raises:
            MissingKernelError: the layer that failed can be shown as another one.
        """
        reason = str(error).strip().partition("\n")[0]
        failed = missing_kernels.failed_module(error, Calls.module_call.__code__)
        if failed is not None and type(failed[0]) not in self._subject.without_kernel:  # else a hook of it failed
            if missing_kernels.is_linear(*failed):
                let_go(error)
                raise MissingKernelError(type(failed[0]), reason)
            if missing_kernels.has_weights_of_unknown_form(failed[0]):
                return f"forward of {type(failed[0]).__name__} does not run here: {reason}"
        if isinstance(error, ImportError):
            return f"an import failed: {reason}"
        return reason if is_limit_of_meta(error) else None

    def copied_result(self) -> Any:
        """Return a copy of the result of forward, and let go of the result itself."""
        result, self.result = self.result, None
        own: dict[int, Any] = {id(each): each for each in self._subject.modules.values()}
        living = [tracked.reference() for tracked in self._writer.tensors.made]
        for tensor in [each for each in living if each is not None]:
            own[id(tensor)] = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")
        return copy.deepcopy(result, own)

    def stop(self, error: BaseException, reason: str | None = None, source: str = "") -> None:
        """Note why and where the recording stopped, and drop the traceback."""
        context = context_of(error, self._inputs_behind, len(self._writer.tensors.order))
        message = context.message if reason is None else reason
        self._stopped = replace(context, message=message, source=source or context.source)
        let_go(error)

    def finish(self) -> Recording:
        """Return the recording; tensors that survive in caches get their values."""
        writer, demand = self._writer, self._calls.demand
        self._calls.replay = None
        self._calls.derivatives.clear()
        trace = Trace(writer.graph, writer.tensors.constants, given=writer.inputs, returned=writer.returned)
        trace.storages, trace.taken = writer.tensors.memory, writer.taken
        writer.propagation.signatures = self._calls.operations.signatures
        notes = list(demand.notes())
        notes += dict.fromkeys(heal(writer.tensors, demand.evaluator, self._subject.snapshot))
        return Recording(trace, writer.propagation, notes, self._stopped)

    def _inputs_behind(self, tensor: torch.Tensor) -> list[str]:
        """Return the inputs that a tensor depends on, the nearest first."""
        tracked = self._writer.tensors.get(tensor)
        nodes = [tracked.origin[0]] if tracked is not None and tracked.origin is not None else []
        seen = set(nodes)
        for node in nodes:  # grows
            new = [each for each in node.all_input_nodes if each not in seen]
            seen.update(new)
            nodes += new
        return [str(node.target) for node in nodes if node.op == "placeholder"]
