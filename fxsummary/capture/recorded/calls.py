"""What a recording does with each call of torch: it is answered, or written down as an operation."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from fxsummary.capture import torch_internals
from fxsummary.capture.operations import autocast
from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError, Target
from fxsummary.capture.operations.twins import spec_of
from fxsummary.capture.recorded import torch_calls
from fxsummary.capture.recorded.budget import Budget
from fxsummary.capture.recorded.data_dependence import Demand
from fxsummary.capture.recorded.derivatives import Derivatives
from fxsummary.capture.recorded.graph_builder import Call, Writer, has_tensor
from fxsummary.capture.recorded.higher_order import HigherOrder
from fxsummary.capture.recorded.torch_calls import Function
from fxsummary.capture.structures import Args, Kwargs, tensors_in

Handler = Callable[[Function, Args, Kwargs], object]


class Calls:
    """Sees what is asked of torch, and has it written down.

    Attributes:
        quiet: how many operations are running now, whose calls are not recorded.
        module_call: what is done with the call of a module.
        functions, dispatch: the modes by which calls are seen.
    """

    module_call: Callable[[nn.Module, Args, Kwargs], object]

    def __init__(self, writer: Writer, demand: Demand, derivatives: Derivatives, operations: Operations) -> None:
        self.quiet = 0
        self.budget: Budget | None = None
        self.functions = _FunctionMode(self.torch_call)
        self.dispatch = _DispatchMode(self._aten_call)
        self.higher_order = HigherOrder(self.operation, self.unseen, writer.tensors, operations, self.functions)
        self._writer = writer
        self._demand = demand
        self._derivatives = derivatives
        self._operations = operations
        device = torch.device("cpu" if operations.device == "meta" else operations.device)
        operators, reflected, properties = torch_calls.OPERATORS, torch_calls.REFLECTED, torch_calls.PROPERTIES
        self._handlers: dict[Function, Handler] = {
            **dict.fromkeys(torch_calls.DEVICE_QUESTIONS, lambda f, *_: torch_calls.DEVICE_QUESTIONS[f](device)),
            **dict.fromkeys(torch_calls.MARKS, self._mark),
            **dict.fromkeys(torch_calls.VALUES, self._value),
            **dict.fromkeys(torch_calls.TEXTS, self._text),
            **dict.fromkeys(torch_calls.CHANGES_METADATA, self._change_metadata),
            **dict.fromkeys(properties, lambda f, args, _: self._function(getattr, (*args, properties[f]), {})),
            **dict.fromkeys(operators, lambda f, *given: self._function(operators[f], *given)),
            **dict.fromkeys(reflected, lambda f, args, _: self._function(reflected[f], args[::-1], {})),
            **dict.fromkeys(derivatives.handlers, lambda f, *given: self.unseen(derivatives.handlers[f], *given)),
            Tensor.type: self._type,
            Tensor.data.__get__: self._data,  # type: ignore[attr-defined]
            Tensor.data.__set__: self._replace_data,  # type: ignore[attr-defined]
            Tensor.__deepcopy__: self._copy,
            Tensor.__setitem__: lambda _, *given: self._function(torch_calls.set_item, *given),
        }

    @property
    def is_listening(self) -> bool:
        """Whether calls are recorded now, and not part of an operation that is being run."""
        return not self.quiet

    def torch_call(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """A call of a torch function, or an access to a tensor's property."""
        if self.quiet or torch_internals.is_in_transform() or function in torch_calls.QUESTIONS:
            return function(*args, **kwargs)
        handler = self._handlers.get(function)
        if handler is not None:
            return handler(function, args, kwargs)
        if isinstance(function, torch_internals.HigherOrderOperator):
            return self.higher_order.operator(function, args, kwargs)
        if torch_calls.is_method(function):
            return self.operation("call_method", function.__name__, function.__name__, args, kwargs)
        return self._function(function, args, kwargs)

    def _aten_call(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """A call of ATen that no torch function made, such as one from a ScriptFunction."""
        schema = getattr(function, "_schema", None)
        name = "" if schema is None else schema.name
        if self.quiet or torch_internals.is_in_transform() or name in _NO_OPERATION:
            return function(*args, **kwargs)
        with torch_internals.without_torch_function():
            if name == "aten::set_":  # not a call of Python's that a mode sees
                return self._change_metadata(Tensor.set_, args, kwargs)
            return self._function(function, args, kwargs)

    def _function(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        return self.operation("call_function", function, function, args, kwargs)

    def operation(
        self, op: str, target: fx.node.Target, callee: Target, args: Args, kwargs: Kwargs, by_values: bool = True
    ) -> object:
        """Record one call, and return its result on meta.

        Args:
            op, target: those of the node.
            callee: what runs: a module, a function, or a method by name.
            by_values: whether to compute it for real where meta tensors do not tell the result.
        """
        if self.budget is not None:
            self.budget.spend()
        self.quiet += 1
        try:
            call = self._writer.call(op, target, callee, args, kwargs)
            result = None
            try:
                outcome, raw = self._operations.run_raw(callee, *call.specs, autocast.active(self._operations.device))
            except NoDataError as error:
                if not by_values:
                    raise
                outcome, result = self._demand.outcome(call, error)
                raw = None
            except RefusedError as error:
                if not by_values:
                    raise
                raise error.__cause__ from None  # type: ignore[misc]
            value = outcome.value if raw is None else raw
            if not outcome.writes and not has_tensor(value):
                return value if result is None else result
            node = self._writer.write(call, self._demand.marked(outcome, call))
            if result is not None:
                self._demand.keep(node, result)
            return self._writer.result(node, call, raw)
        finally:
            self.quiet -= 1

    def whole_call(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """A function that is to stay one operation; it is entered where it needs values."""
        if torch_internals.is_in_transform() or not any(True for _ in tensors_in((args, kwargs))):
            return function(*args, **kwargs)
        try:
            return self.operation("call_function", function, function, args, kwargs, by_values=False)
        except (NoDataError, RefusedError):
            return function(*args, **kwargs)

    def function_applied(self, function: Function, args: Args, result: object) -> None:
        """A `torch.autograd.Function` was applied, and its calls are recorded."""
        if torch.is_grad_enabled() and not torch_internals.is_in_transform():
            self.unseen(self._derivatives.applied, (function, args, result), {})

    def unseen(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Call a function that is no part of what was written."""
        self.quiet += 1
        try:
            return function(*args, **kwargs)
        finally:
            self.quiet -= 1

    # --- more than operations ------------------------------------------------------------------

    def _mark(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """``requires_grad_`` and the like: done to tensors of the recording, never to the user's."""
        tensor = args[0]
        self._derivatives.forget(tensor)
        if self._writer.tensors.is_ours(tensor):
            try:
                result = function(*args, **kwargs)
                self._derivatives.mark(tensor)
                self._demand.asked += 1  # so that no block with it is copied
                return result
            except RuntimeError:  # hooks want a gradient, and nothing has one here
                pass
        if function in torch_calls.HOOKS:
            return RemovableHandle(collections.OrderedDict())
        return tensor if function is Tensor.requires_grad_ else None

    def _data(self, function: Function, args: Args, _: Kwargs) -> object:
        tensors = self._writer.tensors
        return self._function(getattr, (*args, "data"), {}) if tensors.is_ours(args[0]) else tensors.data_of(args[0])

    def _type(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        is_question = len(args) + len(kwargs) == 1
        return function(*args) if is_question else self.operation("call_method", "type", "type", args, kwargs)

    def _copy(self, _: Function, args: Args, __: Kwargs) -> object:
        copy = args[1][id(args[0])] = self.operation("call_method", "clone", "clone", args[:1], {})
        return copy

    def _change_metadata(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """An in-place change of shape: done to the meta tensor itself."""
        name = function.__name__
        self.quiet += 1
        try:
            call = self._writer.call("call_method", name, name, args, kwargs)
            tensor = call.given[0].tensor
            if not call.given[0].is_ours:
                self._demand.stop(f"{name} changes the shape of a tensor of the model")
            if function is Tensor.set_:
                self._set_memory(call)
            function(tensor, *args[1:], **kwargs)
            spec = spec_of(tensor, self._operations.device)
            self._writer.changed(call, self._writer.write(call, Outcome(spec, writes=(0,), aliases=(Alias(0),))), spec)
            return tensor
        finally:
            self.quiet -= 1

    def _set_memory(self, call: Call) -> None:
        if len(call.given) < 2:
            self._demand.stop("set_ is given a storage, and which tensor that comes from is not known")
        call.given[0].storage = call.given[1].storage

    def _replace_data(self, _: Function, args: Args, __: Kwargs) -> None:
        """``tensor.data = data``."""
        self.quiet += 1
        try:
            call = self._writer.call("call_function", torch_calls.set_data, torch_calls.set_data, args, {})
            changed, new = call.given
            if not changed.is_ours:  # the user's tensor does not change; later reads of it get the new data
                changed.spec = new.spec
                changed.set_node(self._writer.node_of(new))
                return
            node = self._writer.write(call, Outcome(new.spec, writes=(0,), aliases=(Alias(0),)))
            changed.tensor.data = self._writer.tensors.twin(new)
            self._writer.changed(call, node, new.spec)
        finally:
            self.quiet -= 1

    def _value(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Hand the value of a tensor to Python."""
        self.quiet += 1
        try:
            with torch.no_grad():
                return function(*self._demand.values(args), **self._demand.values(kwargs))
        finally:
            self.quiet -= 1

    def _text(self, function: Function, args: Args, kwargs: Kwargs) -> str:
        if args[0].numel() <= 1:
            return str(self._value(function, args, kwargs))
        return f"tensor(..., size={tuple(args[0].shape)}, dtype={args[0].dtype})"


_NO_OPERATION = frozenset({"aten::detach", "aten::alias", "aten::lift_fresh", "aten::lift"})
"""ATen calls that are no operation of their own."""


class _FunctionMode(TorchFunctionMode):
    """Hands on every torch call."""

    def __init__(self, call: Handler) -> None:
        super().__init__()
        self._call = call

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._call(func, args, kwargs or {})


class _DispatchMode(torch_internals.DispatchMode):
    """Hands on the ATen calls that come from elsewhere than a torch function."""

    def __init__(self, call: Handler) -> None:
        super().__init__()
        self._call = call

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._call(func, args, kwargs or {})
