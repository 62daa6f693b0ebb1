"""Answers the calls that forward makes to torch and to modules, and records those that are operations."""

from __future__ import annotations

import collections
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fxsummary.capture import torch_internals
from fxsummary.capture.module_index import first_paths, tensors_of, unwrapped
from fxsummary.capture.operations import autocast
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError, Target
from fxsummary.capture.operations.twins import is_own_hook, spec_of
from fxsummary.capture.recorded import higher_order, torch_calls
from fxsummary.capture.recorded.budget import Budget
from fxsummary.capture.recorded.data_dependence import Demand
from fxsummary.capture.recorded.derivatives import Derivatives
from fxsummary.capture.recorded.graph_builder import Writer, has_tensor
from fxsummary.capture.recorded.missing_kernels import linear_outcome
from fxsummary.capture.recorded.repeats import Replay
from fxsummary.capture.recorded.torch_calls import Function
from fxsummary.capture.source import let_go
from fxsummary.capture.structures import Args, Kwargs, tensors_in
from fxsummary.capture.subject import Subject
from fxsummary.capture.torch_internals import is_in_transform


class Calls(torch_internals.DispatchMode):
    """Answers the calls of one forward pass; it is also the dispatch mode that sees the ATen calls.

    Attributes:
        quiet: nesting depth of code whose calls are not recorded.
        functions: the mode that sees the torch calls.
        replay: copies identical blocks; None if all blocks are recorded.
    """

    def __init__(self, subject: Subject, budget: Budget | None) -> None:
        super().__init__()
        self.quiet = 0
        self.functions = torch_calls.FunctionMode(self._torch_call)
        self.writer = Writer(subject.model, subject.device)
        self.operations = Operations(subject.device)
        self.demand = Demand(self.writer, self.operations, budget)
        self.derivatives = Derivatives(self.demand)
        self.replay: Replay | None = None
        self._budget = budget
        self._subject = subject
        self._paths = first_paths(subject.modules)
        device = torch.device("cpu" if subject.device == "meta" else subject.device)
        operators, properties, derived = torch_calls.OPERATORS, torch_calls.PROPERTIES, self.derivatives.handlers
        self._handlers: dict[Function, Callable[[Function, Args, Kwargs], object]] = {
            **dict.fromkeys(torch_calls.DEVICE_QUESTIONS, lambda f, *_: torch_calls.DEVICE_QUESTIONS[f](device)),
            **dict.fromkeys(torch_calls.MARKS, self._mark),
            **dict.fromkeys(torch_calls.VALUES, self._value),
            **dict.fromkeys(torch_calls.TEXTS, self._text),
            **dict.fromkeys(torch_calls.CHANGES_METADATA, self._change_metadata),
            **dict.fromkeys(properties, lambda f, args, _: self.operation(getattr, (*args, properties[f]), {})),
            **dict.fromkeys(operators, self._operator),
            **dict.fromkeys(derived, lambda f, args, kwargs: derived[f](*args, **kwargs)),
            Tensor.type: self._type,
            Tensor.data.__get__: self._data,  # type: ignore[attr-defined]
            Tensor.data.__set__: self._replace_data,  # type: ignore[attr-defined]
            Tensor.__deepcopy__: self._copy,
            Tensor.__setitem__: lambda _, *given: self.operation(torch_calls.set_item, *given),
        }

    def _torch_call(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Answer a call of a torch function, or an access to a property of a tensor."""
        if self.quiet or is_in_transform() or function in torch_calls.QUESTIONS:
            return function(*args, **kwargs)
        handler = self._handlers.get(function)
        if handler is not None:
            return self.unseen(handler, (function, args, kwargs), {})
        if isinstance(function, torch_internals.HigherOrderOperator):
            return higher_order.operator(self, function, args, kwargs)
        return self.operation(function.__name__ if torch_calls.is_method(function) else function, args, kwargs)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Answer an ATen call that does not come from a torch function, such as one of a ScriptFunction."""
        kwargs = kwargs or {}
        schema = getattr(func, "_schema", None)
        name = "" if schema is None else schema.name
        if self.quiet or is_in_transform() or name in _NO_OPERATION:
            return func(*args, **kwargs)
        with torch_internals.without_torch_function():
            if name == "aten::set_":  # a call that function modes do not see
                return self.unseen(self._change_metadata, (Tensor.set_, args, kwargs), {})
            return self.operation(func, args, kwargs)

    def operation(
        self, callee: Target, args: Args, kwargs: Kwargs, path: str | None = None, by_values: bool = True
    ) -> object:
        """Record an operation, and return its result on meta.

        Args:
            path: the module path if ``callee`` is a module.
            by_values: whether to compute the result from real values if meta tensors are not enough.
        """
        if self._budget is not None:
            self._budget.spend()
        self.quiet += 1
        try:
            call = self.writer.call(callee, args, kwargs, path)
            raw = result = None
            try:
                outcome, raw = self.operations.run_raw(callee, *call.specs, autocast.active(self.writer.device))
            except (NoDataError, RefusedError) as error:
                if not by_values:
                    raise
                if isinstance(error, RefusedError):
                    raise error.__cause__ from None  # type: ignore[misc]
                outcome, result = self.demand.outcome(call, error)
                let_go(error)
                gc.collect(0)  # exceptions of torch hold the frames, and so the tensors, of this call
            value = outcome.value if raw is None else raw
            if not outcome.writes and not has_tensor(value):
                return value if result is None else result
            node = self.writer.write(call, self.demand.marked(outcome, call))
            if result is not None:
                self.demand.evaluator.put(node, result)
            return self.writer.result(node, call, raw)
        finally:
            self.quiet -= 1

    def whole_call(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Record a function wrapped by `torch.fx.wrap` as one operation, or enter it if it needs values."""
        if is_in_transform() or not any(True for _ in tensors_in((args, kwargs))):
            return function(*args, **kwargs)
        try:
            return self.operation(function, args, kwargs, by_values=False)
        except (NoDataError, RefusedError):
            return function(*args, **kwargs)

    def unseen(self, function: Function, args: Args, kwargs: Kwargs) -> Any:
        """Call a function without recording what it calls."""
        self.quiet += 1
        try:
            return function(*args, **kwargs)
        finally:
            self.quiet -= 1

    # --- modules -------------------------------------------------------------------------------

    def module_call(self, module: nn.Module, args: Args, kwargs: Kwargs) -> object:
        """Answer the call of a module: a leaf becomes one operation, any other module is entered or copied."""
        module = unwrapped(module)
        path = self._paths.get(id(module))
        if path is not None and self._subject.is_leaf(module, path) and not self._holds_results(module):
            return self._leaf_call(module, path, args, kwargs)
        if not path:  # the model itself, or a module outside of it
            return module._call_impl(*args, **kwargs)
        with self.writer.inside(path, type(module)) as key:
            self.writer.note_taken(key, (args, kwargs))
            if is_in_transform():
                return module._call_impl(*args, **kwargs)
            if self.replay is None:
                result = module._call_impl(*args, **kwargs)
            else:
                result = self.unseen(self.replay.call, (module, path, args, kwargs), {})
            self.writer.note_returned(key, result)
            return result

    def run_inside(self, module: nn.Module, args: Args, kwargs: Kwargs) -> object:
        """Run a module. Its arguments are in no closure, because the frames of an exception would keep them alive."""
        self.quiet -= 1
        try:
            return module._call_impl(*args, **kwargs)
        finally:
            self.quiet += 1

    def _holds_results(self, module: nn.Module) -> bool:
        """Whether results of operations replaced the parameters, as ``functional_call`` does."""
        return any(map(self.writer.tensors.is_ours, tensors_of(module)))

    def _leaf_call(self, module: nn.Module, path: str, args: Args, kwargs: Kwargs) -> object:
        """Run the user's hooks around the operation of a leaf, which includes torch's own hooks."""
        for key, hook in list(module._forward_pre_hooks.items()):
            if is_own_hook(hook):
                continue
            if key in module._forward_pre_hooks_with_kwargs:
                args, kwargs = hook(module, args, kwargs) or (args, kwargs)
            else:
                found = hook(module, args)
                args = args if found is None else found if isinstance(found, tuple) else (found,)
        if type(module) in self._subject.without_kernel:
            value = self._linear(module, args, kwargs, path)
        else:
            value = self.operation(module, args, kwargs, path)
        for key, hook in list(module._forward_hooks.items()):
            if not is_own_hook(hook):
                named = (kwargs,) if key in module._forward_hooks_with_kwargs else ()
                found = hook(module, args, *named, value)
                value = value if found is None else found
        return value

    def _linear(self, module: nn.Module, args: Args, kwargs: Kwargs, path: str) -> object:
        """Record the call of a layer whose kernel is missing as that of a linear layer."""
        call = self.writer.call(module, args, kwargs, path)
        node = self.writer.write(call, linear_outcome(module, call.given[0].spec))
        return self.writer.result(node, call)

    # --- handlers, which run unseen ------------------------------------------------------------

    def _mark(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Answer ``requires_grad_`` and similar methods, which change only tensors of the recording."""
        tensor = args[0]
        self.derivatives.forget(tensor)
        if self.writer.tensors.is_ours(tensor):
            with suppress(RuntimeError):  # a hook needs a gradient, which no tensor has here
                result = function(*args, **kwargs)
                self.derivatives.mark(tensor)
                self.demand.asked += 1  # so that its block is not copied
                return result
        if function in torch_calls.HOOKS:
            return RemovableHandle(collections.OrderedDict())
        return tensor if function is Tensor.requires_grad_ else None

    def _data(self, _: Function, args: Args, __: Kwargs) -> object:
        tensors = self.writer.tensors
        return self.operation(getattr, (*args, "data"), {}) if tensors.is_ours(args[0]) else tensors.data_of(args[0])

    def _operator(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        called, step = torch_calls.OPERATORS[function]
        return self.operation(called, args[::step], kwargs)

    def _type(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        is_question = len(args) + len(kwargs) == 1
        return function(*args) if is_question else self.operation("type", args, kwargs)

    def _copy(self, _: Function, args: Args, __: Kwargs) -> object:
        copy = args[1][id(args[0])] = self.operation("clone", args[:1], {})
        return copy

    def _change_metadata(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Answer an in-place change of shape, which also changes the meta tensor."""
        call = self.writer.call(function.__name__, args, kwargs)
        changed = call.given[0]
        if not changed.is_ours:
            self.demand.stop(f"{function.__name__} changes the shape of a tensor of the model")
        if function is Tensor.set_:
            if len(call.given) < 2:
                self.demand.stop("set_ gets a storage, and the tensor that it belongs to is unknown")
            changed.storage = call.given[1].storage
        function(changed.tensor, *args[1:], **kwargs)
        self.writer.change(call, spec_of(changed.tensor, self.writer.device))
        return changed.tensor

    def _replace_data(self, _: Function, args: Args, __: Kwargs) -> None:
        """Answer ``tensor.data = data``."""
        call = self.writer.call(torch_calls.set_data, args, {})
        changed, new = call.given
        if changed.is_ours:
            changed.tensor.data = self.writer.tensors.twin(new)
            self.writer.change(call, new.spec)
        else:  # the user's tensor does not change; later reads of it get the new data
            changed.spec = new.spec
            changed.set_node(self.writer.node_of(new))

    def _value(self, function: Function, args: Args, kwargs: Kwargs) -> object:
        """Give the value of a tensor to Python."""
        with torch.no_grad():
            return function(*self.demand.values(args), **self.demand.values(kwargs))

    def _text(self, function: Function, args: Args, kwargs: Kwargs) -> str:
        if args[0].numel() <= 1:
            return str(self._value(function, args, kwargs))
        return f"tensor(..., size={tuple(args[0].shape)}, dtype={args[0].dtype})"


_NO_OPERATION = frozenset({"aten::detach", "aten::alias", "aten::lift_fresh", "aten::lift"})
"""ATen calls that are not recorded."""
