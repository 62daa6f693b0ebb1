"""Recorded capture: one forward on meta tensors, written down as an FX graph.

Python runs as it is, on tensors without data: its control flow, containers and objects just work. Every torch
call becomes a node, at the granularity of symbolic tracing; modules of ``torch.nn`` are one operation. The
model's own tensors are never handed to a kernel: operations run on specs (`fxsummary.capture.operations.run`).
"""

from __future__ import annotations

import collections
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch.utils.hooks import RemovableHandle

from fxsummary.capture import meta_forward, source
from fxsummary.capture.inputs import placeholders
from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.guess.error_context import ErrorContext, context_of
from fxsummary.capture.module_index import first_paths, modules_by_path, tensors_of, unwrapped
from fxsummary.capture.operations import autocast
from fxsummary.capture.operations.run import Alias, NoDataError, Operations, Outcome, RefusedError
from fxsummary.capture.operations.twins import spec_of
from fxsummary.capture.recorded import leaf_hooks, modes, patches, torch_calls
from fxsummary.capture.recorded.budget import Budget, TooMuchWorkError
from fxsummary.capture.recorded.data_dependence import Demand, StopRecording
from fxsummary.capture.recorded.derivatives import Derivatives
from fxsummary.capture.recorded.graph_builder import Call, Writer, has_tensor
from fxsummary.capture.recorded.higher_order import HigherOrder
from fxsummary.capture.recorded.repeats import MismatchError, Replay
from fxsummary.capture.recorded.transforms import Transform
from fxsummary.capture.restore.heal import heal
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.structures import is_limit_of_meta, listed, tensors_in
from fxsummary.capture.subject import Subject
from fxsummary.capture.torch_internals import (
    HigherOrderOperator,
    has_global_hooks,
    is_in_transform,
    without_torch_function,
)
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
    recorder = Recorder(subject, replay and subject.replay, budget)
    try:
        recorder.run(inputs)
    except (MismatchError, TooMuchWorkError) as stopped:
        _let_go(stopped)
        recorder.finish()
        if isinstance(stopped, TooMuchWorkError):
            raise
        return record(subject, inputs, replay=False, budget=budget)
    except Exception as error:  # forward is the user's code
        failure = Failure(meta_forward.error_of(subject.model, inputs, error), recorder.context_of(error))
        failure.error.__cause__ = error
        _let_go(error)
        recorder.finish()
        return failure
    return recorder.finish()


def _let_go(error: BaseException) -> None:
    """Clear the frames of an exception and of those behind it, which hold tensors of the recording."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()  # one that is raised again is behind itself
    while todo:
        each = todo.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            traceback.clear_frames(each.__traceback__)
            for frame, _ in traceback.walk_tb(each.__traceback__):
                frame.f_locals  # noqa: B018  # before Python 3.13 a copy of the variables that only now is emptied
            todo += [each.__cause__, each.__context__]


class Recorder:
    """Sees what a forward calls, and has it written down."""

    def __init__(self, subject: Subject, replay: bool, budget: Budget | None = None) -> None:
        model, device = subject.model, subject.device  # on ``meta``, questions are answered for the CPU
        self._model = model
        self._budget = budget
        self._is_leaf = subject.is_leaf
        self._snapshot = subject.snapshot
        self._claim = torch.device("cpu" if device == "meta" else device)
        self._operations = Operations(device)
        self._writer = Writer(model, device)
        self._demand = Demand(model, self._writer, self._operations, budget)
        self._paths = first_paths(modules_by_path(model))
        self._replay = None
        if replay and not has_global_hooks():
            self._replay = Replay(model, self._is_leaf, self._writer, self._demand, device)
        self._derivatives = Derivatives(model, self._writer, self._demand, device)
        self._quiet = 0
        self._functions = modes.FunctionMode(self)
        self._higher_order = HigherOrder(self, self._writer, self._operations, self._functions)
        self._stopped: StopRecording | None = None
        self._context: ErrorContext | None = None

    # --- the forward ---------------------------------------------------------------------------

    def run(self, inputs: Inputs) -> None:
        """Run forward and write its graph."""
        self._writer.start(sys._getframe(1))  # one that holds no tensors
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(self._snapshot.preserved(caches=False))
            stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled()))
            args, kwargs = placeholders.arguments(self._model, inputs, self._writer.placeholder)
            for tracked in self._writer.tensors:
                self._derivatives.mark(tracked.tensor)
            stack.enter_context(patches.installed(self))
            if self._replay is not None:
                stack.callback(self._replay.close)
            stack.enter_context(modes.DispatchMode(self))
            stack.enter_context(self._functions)
            try:
                context = copy_context()  # context variables that forward sets stay in the copy
                result = context.run(self._forward, args, kwargs)
                self._quiet += 1
                self._writer.output(result)
            except StopRecording as stopped:
                self._stopped, self._context = stopped, self.context_of(stopped)
            except Exception as error:
                if not is_limit_of_meta(error):
                    raise
                self._context = self.context_of(error)
                where, _ = source.of_traceback(error.__traceback__)
                self._stopped = StopRecording(str(error).strip().partition("\n")[0], where)
                _let_go(error)

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._is_leaf(self._model, ""):
            return self._leaf_call(self._model, "", args, kwargs)
        return listed(self._model._call_impl(*args, **kwargs))

    def finish(self) -> Recording:
        """What was recorded; tensors that live on in caches get their values."""
        writer, stopped = self._writer, self._stopped
        self._derivatives.clear()
        if stopped is not None:
            _let_go(stopped)
            stopped.__traceback__ = None
        trace = Trace(writer.graph, writer.tensors.constants, given=writer.inputs, returned=writer.returned)
        notes = list(self._demand.notes())
        notes += dict.fromkeys(heal(writer.tensors, self._demand.evaluator, self._snapshot))
        reason, where = (stopped.reason, stopped.source) if stopped else ("", "")
        context = replace(self._context, message=reason) if reason and self._context is not None else None
        return Recording(trace, writer.propagation, reason, where, context, notes)

    def context_of(self, error: BaseException) -> ErrorContext:
        """What forward was doing when it raised."""
        return context_of(error, self._inputs_behind, len(self._writer.writes.nodes))

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

    # --- calls seen ----------------------------------------------------------------------------

    @property
    def is_listening(self) -> bool:
        """Whether calls are recorded now, and not part of an operation that is being run."""
        return not self._quiet

    @property
    def _in_transform(self) -> bool:
        return is_in_transform()

    def torch_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a torch function, or an access to a tensor's property."""
        answers = self._derivatives.handlers.get(function)
        if answers is not None and not self._quiet and not self._in_transform:
            return self.unseen(answers, args, kwargs)
        if function in torch_calls.QUESTIONS and not (function is torch.Tensor.type and len(args) + len(kwargs) > 1):
            return function(*args, **kwargs)
        if self._quiet or self._in_transform:
            return function(*args, **kwargs)
        answer = torch_calls.DEVICE_QUESTIONS.get(function)
        if answer is not None:
            return answer(self._claim)
        if function in torch_calls.MARKS:
            return self._mark(function, args, kwargs)
        if function in torch_calls.VALUES:
            return self._value_call(function, args, kwargs)
        if function in torch_calls.TEXTS:
            return self._text(function, args, kwargs)
        if isinstance(function, HigherOrderOperator):
            return self._higher_order.operator(function, args, kwargs)
        return self._function_call(function, args, kwargs)

    def aten_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of ATen that no torch function made, such as one from a ScriptFunction."""
        if self._quiet or self._in_transform or function._schema.name in modes.NO_OPERATION:
            return function(*args, **kwargs)
        with without_torch_function():
            return self.operation("call_function", function, function, args, kwargs)

    def _function_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = torch_calls.PROPERTIES.get(function)
        if name == "data" and not self._writer.tensors.is_ours(args[0]):
            return self._writer.tensors.data_of(args[0])
        if name is not None:
            return self.operation("call_function", getattr, getattr, (args[0], name), {})
        if function is torch.Tensor.__deepcopy__:
            copy = args[1][id(args[0])] = self._function_call(torch.Tensor.clone, args[:1], {})
            return copy
        if function in torch_calls.SET_DATA:
            return self._replace_data(*args)
        if function is torch.Tensor.__setitem__:
            self.operation("call_function", torch_calls.set_item, torch_calls.set_item, args, kwargs)
            return None
        infix = torch_calls.OPERATORS.get(function)
        if infix is not None and not kwargs:
            return self.operation("call_function", infix, infix, args, kwargs)
        reflected = torch_calls.REFLECTED.get(function)
        if reflected is not None and len(args) == 2:
            return self.operation("call_function", reflected, reflected, args[::-1], kwargs)
        if torch_calls.is_method(function):
            name = function.__name__
            if name in torch_calls.CHANGES_METADATA:
                return self._change_metadata(name, args, kwargs)
            return self.operation("call_method", name, name, args, kwargs)
        return self.operation("call_function", function, function, args, kwargs)

    def whole_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function that is to stay one operation; it is entered where it needs values."""
        if self._in_transform or not any(True for _ in tensors_in((args, kwargs))):
            return function(*args, **kwargs)
        try:
            return self.operation("call_function", function, function, args, kwargs, by_values=False)
        except (NoDataError, RefusedError):
            return function(*args, **kwargs)

    def transform_call(self, transform: Transform, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A transform of torch.func."""
        return self._higher_order.transform(transform, args, kwargs)

    def function_applied(self, function: Any, args: tuple[Any, ...], result: Any) -> None:
        """A `torch.autograd.Function` was applied, and its calls are recorded."""
        if torch.is_grad_enabled() and not self._in_transform:
            self.unseen(self._derivatives.applied, (function, args, result), {})

    def unseen(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function that is no part of what was written."""
        self._quiet += 1
        try:
            return function(*args, **kwargs)
        finally:
            self._quiet -= 1

    def _mark(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``requires_grad_`` and the like: done to tensors of the recording, never to the user's."""
        tensor = args[0]
        self._derivatives.forget(tensor)
        if self._writer.tensors.is_ours(tensor):
            try:
                result = function(*args, **kwargs)
                self._derivatives.mark(tensor)
                return result
            except RuntimeError:  # hooks want a gradient, and nothing has one here
                pass
        if function in torch_calls.HOOKS:
            return RemovableHandle(collections.OrderedDict())
        return tensor if function is torch.Tensor.requires_grad_ else None

    # --- modules -------------------------------------------------------------------------------

    def module_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a module: a leaf is one operation, others are entered."""
        module = unwrapped(module)
        path = self._paths.get(id(module))
        if path is None:
            return module._call_impl(*args, **kwargs)
        if self._is_leaf(module, path) and not self._holds_results(module):
            return self._leaf_call(module, path, args, kwargs)
        entered = self._writer.enter(path, type(module))
        try:
            if self._in_transform:
                return module._call_impl(*args, **kwargs)
            if self._replay is None:
                return self._writer.note_returned(entered, module._call_impl(*args, **kwargs))
            return self._writer.note_returned(entered, self._replayed(self._replay, module, path, args, kwargs))
        finally:
            self._writer.leave(entered)

    def _replayed(
        self, replay: Replay, module: nn.Module, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The call of a module that may be copied from another."""
        self._quiet += 1
        try:
            return replay.call(module, path, args, kwargs, self._run_inside)
        finally:
            self._quiet -= 1

    def _run_inside(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Enter a module; what it is called with lies in no closure, where an exception's frames would keep it."""
        self._quiet -= 1
        try:
            return module._call_impl(*args, **kwargs)
        finally:
            self._quiet += 1

    def _holds_results(self, module: nn.Module) -> bool:
        """Whether parameters were replaced by results of operations, as ``functional_call`` does."""
        parameters = tensors_of(module) if module._modules else module._parameters.values()
        return any(self._writer.tensors.is_ours(tensor) for tensor in parameters if tensor is not None)

    def _leaf_call(self, module: nn.Module, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not module._forward_hooks and not module._forward_pre_hooks:
            return self.operation("call_module", path, module, args, kwargs)
        with leaf_hooks.left_to_run(
            module, lambda *values, **named: self.operation("call_module", path, module, values, named)
        ):
            return module._call_impl(*args, **kwargs)

    # --- operations ----------------------------------------------------------------------------

    def operation(
        self, op: str, target: Any, callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any], by_values: bool = True
    ) -> Any:
        """Record one call, and return its result on meta.

        Args:
            op, target: those of the node.
            callee: what runs: a module, a function, or a method by name.
            by_values: whether to compute it for real where meta tensors do not tell the result.
        """
        if self._budget is not None:
            self._budget.spend()
        self._quiet += 1
        try:
            call = self._writer.call(op, target, callee, args, kwargs)
            try:
                outcome, raw = self._operations.run_raw(callee, *call.specs, autocast.active(self._operations.device))
            except NoDataError as error:
                if not by_values:
                    raise
                return self._by_values(call, error)
            except RefusedError as error:
                if not by_values:
                    raise
                raise error.__cause__ from None  # type: ignore[misc]
            value = outcome.value if raw is None else raw
            if not outcome.writes and not has_tensor(value):
                return value
            return self._writer.result(self._writer.write(call, self._demand.marked(outcome, call)), call, raw)
        finally:
            self._quiet -= 1

    def _by_values(self, call: Call, error: NoDataError) -> Any:
        """Record a call whose result only values can tell."""
        outcome, result = self._demand.outcome(call, error)
        if not outcome.writes and not has_tensor(outcome.value):
            return result
        node = self._writer.write(call, outcome)
        self._demand.keep(node, result)
        return self._writer.result(node, call)

    def _change_metadata(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An in-place change of shape: done to the meta tensor itself."""
        self._quiet += 1
        try:
            call = self._writer.call("call_method", name, name, args, kwargs)
            tensor = call.given[0].tensor
            if not call.given[0].is_ours:
                self._demand.stop(f"{name} changes the shape of a tensor of the model")
            getattr(tensor, name)(*args[1:], **kwargs)
            spec = spec_of(tensor, self._operations.device)
            self._writer.changed(call, self._writer.write(call, Outcome(spec, writes=(0,), aliases=(Alias(0),))), spec)
            return tensor
        finally:
            self._quiet -= 1

    def _replace_data(self, tensor: torch.Tensor, data: torch.Tensor) -> None:
        """``tensor.data = data``."""
        self._quiet += 1
        try:
            call = self._writer.call("call_function", torch_calls.set_data, torch_calls.set_data, (tensor, data), {})
            changed, new = call.given
            if not changed.is_ours:  # the user's tensor stays as it is; from here on it stands for the new data
                changed.spec = new.spec
                changed.set_node(self._writer.node_of(new))
                return
            node = self._writer.write(call, Outcome(new.spec, writes=(0,), aliases=(Alias(0),)))
            changed.tensor.data = self._writer.tensors.twin(new)
            self._writer.changed(call, node, new.spec)
        finally:
            self._quiet -= 1

    def _value_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Hand the value of a tensor to Python."""
        self._quiet += 1
        try:
            with torch.no_grad():
                return function(*self._demand.values(args), **self._demand.values(kwargs))
        finally:
            self._quiet -= 1

    def _text(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if args[0].numel() <= 1:
            return str(self._value_call(function, args, kwargs))
        return f"tensor(..., size={tuple(args[0].shape)}, dtype={args[0].dtype})"
