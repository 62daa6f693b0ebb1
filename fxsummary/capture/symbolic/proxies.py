"""Proxies for tensors during tracing: those of torch.fx, with faster methods."""

from __future__ import annotations

import operator
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import fx
from torch.fx import proxy as torch_fx

from fxsummary.capture.source import is_standard, is_user_file
from fxsummary.capture.structures import Kwargs
from fxsummary.capture.symbolic.classes import is_tensor
from fxsummary.capture.torch_internals import HigherOrderOperator, ScriptMethod, name_of_target, unpackings


class _Short:
    """Faster versions of methods of `torch.fx.Proxy`."""

    tracer: Any

    def __getattr__(self, name: str) -> Attribute:
        return Attribute(self, name)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        frame = sys._getframe(1)
        count = unpackings(frame.f_code).get(frame.f_lasti)
        if count is None:
            return self.tracer.iter(self)  # type: ignore[no-any-return]
        return (self[index] for index in range(count))  # type: ignore[index]

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Return a clone with the same tracer; torch.fx would give the copy a tracer of its own."""
        return self.clone()

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Kwargs | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _DERIVATIVES:
            raise torch_fx.TraceError("forward takes a derivative")
        tracer, *others = set(_tracers((args, kwargs)))
        if others:
            raise RuntimeError(f"Found multiple different tracers while trying to trace operations {function}")
        if isinstance(function, ScriptMethod):
            return tracer.create_proxy("call_method", function.name, (function.owner, *args), kwargs)
        if torch.overrides.is_tensor_method_or_property(function):
            return tracer.create_proxy("call_method", function.__name__, args, kwargs)
        if isinstance(function, HigherOrderOperator):
            return fx.Proxy.__torch_function__(function, types, args, kwargs)
        name = name_of_target(tracer.graph, function.__name__)
        return tracer.create_proxy("call_function", function, args, kwargs, name)


def _in_place(operation: Callable[..., Any]) -> Callable[[Any, object], Any]:
    """Return the method of an operator such as ``+=``, which torch.fx would record as ``+``."""

    def method(self: Any, other: object) -> Any:
        return self.tracer.create_proxy("call_function", operation, (self, other), {})

    return method


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    setattr(_Short, f"__i{_name}__", _in_place(getattr(operator, f"i{_name}")))


class Reference(weakref.ref["fx.Proxy"]):
    """A weak reference to a traced value."""

    __slots__ = ("node",)
    node: fx.Node


def _is_asked() -> bool:
    """Whether code of the model asks for the class of a proxy, as ``isinstance`` does, and would take it for no tensor.

    The code of torch and of torch.fx knows proxies, except for that of the operators that take functions.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and is_standard(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None or "isinstance" not in frame.f_code.co_names:  # torch's functions in C ask, too
        return False
    return is_user_file(frame.f_code.co_filename) or _TAKE_FUNCTIONS in frame.f_code.co_filename


_TAKE_FUNCTIONS = os.path.join("torch", "_higher_order_ops")


class Proxy(_Short, fx.Proxy):
    """A traced value."""

    def __init__(self, node: fx.Node, tracer: Any) -> None:
        super().__init__(node, tracer)
        tracer.watch(self, node)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class for ``isinstance``: that of a tensor, unless an operation may return something else."""
        if not _is_asked():
            return type(self)
        if is_tensor(self.node, self.tracer.modules_by_path):
            return torch.Tensor
        raise torch_fx.TraceError("control flow depends on the class of a value")


class ParameterProxy(Proxy):
    """A parameter or buffer; its dtype, shape and other metadata are real values, not proxies."""

    def __init__(self, node: fx.Node, tracer: object, tensor: torch.Tensor) -> None:
        super().__init__(node, tracer)
        self.tensor = tensor

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class for ``isinstance``."""
        return type(self.tensor) if _is_asked() else type(self)

    def __getattr__(self, name: str) -> Any:
        if name == "data":
            return self
        return getattr(self.tensor, name) if name in _QUESTIONS else super().__getattr__(name)

    def __len__(self) -> int:
        return len(self.tensor)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Kwargs | None = None
    ) -> Any:
        if getattr(function, "__name__", "") in _QUESTIONS and len(args) == 1 and isinstance(args[0], ParameterProxy):
            return function(args[0].tensor, **(kwargs or {}))
        return super().__torch_function__(function, types, args, kwargs)


_QUESTIONS = frozenset(
    {
        "shape", "dtype", "device", "requires_grad", "ndim", "layout", "is_sparse", "is_quantized", "is_leaf",
        "itemsize", "nbytes", "is_nested", "is_mkldnn", "is_cpu", "is_cuda", "is_meta", "is_mps", "is_xpu", "size",
        "dim", "numel", "ndimension", "nelement", "stride", "is_contiguous", "is_floating_point", "is_complex",
        "element_size", "storage_offset", "is_signed", "is_conj", "is_neg", "is_inference", "get_device",
    }
)  # fmt: skip
"""Tensor attributes and methods that do not depend on the tensor's values."""


class Attribute(_Short, torch_fx.Attribute):
    """An attribute of a traced value; calling it is a method call."""

    @property
    def node(self) -> fx.Node:  # type: ignore[override]
        """The node of the attribute's value, which holds its root no longer."""
        if self._node is None:
            self._node = self.tracer.create_node("call_function", getattr, (self.root.node, self.attr), {})
            self.tracer.watch(self, self._node)
            del self.root
        return self._node

    def __call__(self, *args: object, **kwargs: object) -> Any:
        if not hasattr(self, "root"):
            raise torch_fx.TraceError("forward calls an attribute that it has used as a value")
        if self.attr == "backward":
            raise torch_fx.TraceError("forward takes a derivative")
        return super().__call__(*args, **kwargs)


_DERIVATIVES = (torch.autograd.grad, torch.autograd.backward, torch.Tensor.backward)


def _tracers(value: object) -> Iterator[Any]:
    if isinstance(value, fx.Proxy):
        yield value.tracer
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tracers(item)
