"""Recorded capture: one forward on meta tensors, written down as an FX graph.

Python runs as it is, on tensors without data: its control flow, containers and objects just work. Every torch
call becomes a node, at the granularity of symbolic tracing; modules of ``torch.nn`` are one operation. The
model's own tensors are never handed to a kernel: operations run on specs (`fxsummary.capture.operations.run`).
"""

from __future__ import annotations

import sys
import traceback
import warnings
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field, replace

import torch
from torch import fx, nn

from fxsummary.capture import meta_forward, source
from fxsummary.capture.inputs import placeholders
from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.error_context import ErrorContext, context_of
from fxsummary.capture.module_index import first_paths, modules_by_path, tensors_of, unwrapped
from fxsummary.capture.operations.run import Operations
from fxsummary.capture.recorded import leaf_hooks, patches
from fxsummary.capture.recorded.budget import Budget, TooMuchWorkError
from fxsummary.capture.recorded.calls import Calls
from fxsummary.capture.recorded.data_dependence import Demand
from fxsummary.capture.recorded.derivatives import Derivatives
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.repeats import MismatchError, Replay
from fxsummary.capture.recorded.tensor_origins import StopRecording
from fxsummary.capture.restore.heal import heal
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.structures import Args, Kwargs, is_limit_of_meta, listed
from fxsummary.capture.subject import Subject
from fxsummary.capture.torch_internals import has_global_hooks, is_in_transform
from fxsummary.errors import ForwardError


@dataclass
class Recording:
    """What a recording yields.

    Attributes:
        trace: the graph; without an output node where the recording stopped.
        propagation: specs and FLOPs by node.
        stopped: why it stopped, "" if it did not.
        source: ``file:line`` where it stopped.
        context: what forward was doing then; None if it did not.
        notes: what a reader must know.
    """

    trace: Trace
    propagation: Propagation
    stopped: str = ""
    source: str = ""
    context: ErrorContext | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """What came of a recording whose forward raised.

    Attributes:
        error: the error to raise.
        context: what forward was doing; it holds no tensors.
    """

    error: ForwardError
    context: ErrorContext


class _TracebackError(Exception):
    """The traceback of an error as text, because its frames hold tensors of the recording."""


def record(
    subject: Subject, inputs: Inputs, *, replay: bool = True, budget: Budget | None = None
) -> Recording | Failure:
    """Record one forward, or return why it raised.

    Args:
        replay: whether modules that are like recorded ones are copied from these, if the subject allows it.
        budget: how many operations may be run; None for any number.

    Raises:
        TooMuchWorkError: the budget is spent.
    """
    recorder = Recorder(subject, budget)
    try:
        recorder.run(inputs, replay and subject.replay)
    except (MismatchError, TooMuchWorkError) as stopped:
        _let_go(stopped)
        recorder.finish()
        if isinstance(stopped, TooMuchWorkError):
            raise
        return record(subject, inputs, replay=False, budget=budget)
    except Exception as error:  # forward is the user's code
        failure = Failure(meta_forward.error_of(subject.model, inputs, error), recorder.context_of(error))
        text = "".join(traceback.format_exception(error)) if budget is None else ""  # else it is only an attempt
        _let_go(error)
        failure.error.__cause__, error.__cause__ = error, _TracebackError(f"\n{text}")
        recorder.finish()
        return failure
    return recorder.finish()


def _let_go(error: BaseException) -> None:
    """Drop the tracebacks of an exception and of those behind it: their frames hold tensors of the recording."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()  # one that is raised again is behind itself
    while todo:
        each = todo.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            todo += [each.__cause__, each.__context__]


class Recorder:
    """Runs a forward, and writes what it calls."""

    def __init__(self, subject: Subject, budget: Budget | None) -> None:
        model, device = subject.model, subject.device
        self._model = model
        self._device = device
        self._is_leaf = subject.is_leaf
        self._snapshot = subject.snapshot
        operations = Operations(device)
        self._writer = Writer(model, device)
        self._demand = Demand(model, self._writer, operations, budget)
        self._derivatives = Derivatives(model, self._writer, self._demand, device)
        self._calls = Calls(self._writer, self._demand, self._derivatives, operations)
        self._calls.budget, self._calls.module_call = budget, self._module_call
        self._paths = first_paths(modules_by_path(model))
        self._replay: Replay | None = None
        self._stopped = "", ""
        self._context: ErrorContext | None = None

    # --- the forward ---------------------------------------------------------------------------

    def run(self, inputs: Inputs, replay: bool) -> None:
        """Run forward and write its graph."""
        self._writer.outermost = sys._getframe(1)  # one that holds no tensors
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(self._snapshot.preserved(caches=False))
            stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled()))
            args, kwargs = placeholders.arguments(self._model, inputs, self._writer.placeholder)
            for tracked in self._writer.tensors:
                self._derivatives.mark(tracked.tensor)
            if replay and not has_global_hooks():
                self._replay = Replay(self._model, self._is_leaf, self._writer, self._demand, self._device)
                stack.enter_context(self._replay.watched())
            stack.enter_context(patches.installed(self._calls))
            stack.enter_context(self._calls.dispatch)
            stack.enter_context(self._calls.functions)
            try:
                context = copy_context()  # context variables that forward sets stay in the copy
                result = context.run(self._forward, args, kwargs)
                self._calls.unseen(self._writer.output, (result,), {})
            except StopRecording as stopped:
                self._stop(stopped, stopped.reason, stopped.source or source.of_traceback(stopped.__traceback__)[0])
            except Exception as error:
                if not is_limit_of_meta(error):
                    raise
                where, _ = source.of_traceback(error.__traceback__)
                self._stop(error, str(error).strip().partition("\n")[0], where)

    def _forward(self, args: Args, kwargs: Kwargs) -> object:
        if self._is_leaf(self._model, ""):
            return self._leaf_call(self._model, "", args, kwargs)
        return listed(self._model._call_impl(*args, **kwargs))

    def _stop(self, error: BaseException, reason: str, where: str) -> None:
        self._stopped, self._context = (reason, where), replace(self.context_of(error), message=reason)
        _let_go(error)

    def finish(self) -> Recording:
        """What was recorded; tensors that live on in caches get their values."""
        writer, self._replay = self._writer, None
        self._derivatives.clear()
        trace = Trace(writer.graph, writer.tensors.constants, given=writer.inputs, returned=writer.returned)
        notes = list(self._demand.notes())
        notes += dict.fromkeys(heal(writer.tensors, self._demand.evaluator, self._snapshot))
        return Recording(trace, writer.propagation, *self._stopped, self._context, notes)

    def context_of(self, error: BaseException) -> ErrorContext:
        """What forward was doing when it raised."""
        return context_of(error, self._inputs_behind, len(self._writer.memory.order))

    def _inputs_behind(self, tensor: torch.Tensor) -> list[str]:
        """The inputs that a tensor depends on, the nearest first."""
        tracked = self._writer.tensors.get(tensor)
        todo = [tracked.origin[0]] if tracked is not None and tracked.origin is not None else []
        seen = dict.fromkeys(todo)
        for node in todo:  # grows
            new = [each for each in getattr(node, "all_input_nodes", ()) if each not in seen]
            seen.update(dict.fromkeys(new))
            todo += new
        return [str(node.target) for node in todo if isinstance(node, fx.Node) and node.op == "placeholder"]

    # --- modules -------------------------------------------------------------------------------

    def _module_call(self, module: nn.Module, args: Args, kwargs: Kwargs) -> object:
        """A call of a module: a leaf is one operation, others are entered."""
        module = unwrapped(module)
        path = self._paths.get(id(module))
        if path is None:
            return module._call_impl(*args, **kwargs)
        if self._is_leaf(module, path) and not self._holds_results(module):
            return self._leaf_call(module, path, args, kwargs)
        with self._writer.inside(path, type(module)) as key:
            if is_in_transform():
                return module._call_impl(*args, **kwargs)
            if self._replay is None:
                result = module._call_impl(*args, **kwargs)
            else:
                result = self._calls.unseen(self._replay.call, (module, path, args, kwargs, self._run_inside), {})
            self._writer.note_returned(key, result)
            return result

    def _run_inside(self, module: nn.Module, args: Args, kwargs: Kwargs) -> object:
        """Enter a module; what it is called with lies in no closure, where an exception's frames would keep it."""
        self._calls.quiet -= 1
        try:
            return module._call_impl(*args, **kwargs)
        finally:
            self._calls.quiet += 1

    def _holds_results(self, module: nn.Module) -> bool:
        """Whether parameters were replaced by results of operations, as ``functional_call`` does."""
        parameters = tensors_of(module) if module._modules else module._parameters.values()
        return any(self._writer.tensors.is_ours(tensor) for tensor in parameters if tensor is not None)

    def _leaf_call(self, module: nn.Module, path: str, args: Args, kwargs: Kwargs) -> object:
        def operation(*values: object, **named: object) -> object:
            return self._calls.operation("call_module", path, module, values, named)

        if not module._forward_hooks and not module._forward_pre_hooks:
            return operation(*args, **kwargs)
        return leaf_hooks.with_hooks(module, args, kwargs, operation)
