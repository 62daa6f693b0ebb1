"""Tables of torch calls: questions about a tensor, requests for its value, and operations under another name.

The keys are the functions that `torch.overrides` passes to a TorchFunctionMode; for a property, that is its getter.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fxsummary.capture.structures import Args, Kwargs, map_values
from fxsummary.capture.torch_internals import set_grad_enabled

Function = Callable[..., Any]


def _methods(*names: str) -> set[Function]:
    return {getattr(Tensor, name) for name in names if hasattr(Tensor, name)}


def _getters(names: Iterable[str]) -> Iterator[tuple[str, Function]]:
    return ((name, getattr(Tensor, name).__get__) for name in names if hasattr(getattr(Tensor, name, None), "__get__"))


def _functions(*names: str) -> set[Function]:
    return {getattr(torch, name) for name in names if hasattr(torch, name)}


_PROPERTIES = [
    "shape", "dtype", "ndim", "layout", "is_sparse", "is_quantized", "is_complex", "is_leaf", "grad_fn", "names",
    "_version", "is_nested", "is_mkldnn", "itemsize", "nbytes", "_base", "output_nr", "retains_grad", "is_sparse_csr",
    "volatile", "name", "_backward_hooks", "_post_accumulate_grad_hooks",
]  # fmt: skip

QUESTIONS: frozenset[Function] = frozenset(
    {getter for _, getter in _getters(_PROPERTIES)}
    | _methods(
        "size", "dim", "numel", "ndimension", "nelement", "stride", "is_contiguous", "is_floating_point", "is_complex",
        "__len__", "element_size", "storage_offset", "is_signed", "is_conj", "is_neg", "is_same_size",
        "untyped_storage", "storage", "data_ptr", "__hash__", "has_names", "is_inference", "_is_view", "is_shared",
        "dense_dim", "sparse_dim", "is_coalesced", "dim_order", "_typed_storage", "__dlpack_device__",
        "_make_wrapper_subclass",
    )
    | _functions(
        "numel", "is_floating_point", "is_complex", "is_tensor", "is_same_size", "is_conj", "is_storage", "is_signed",
        "is_grad_enabled", "broadcast_shapes", "promote_types", "can_cast", "result_type", "get_default_dtype",
        "is_inference", "is_neg", "get_device",
    )
    | {set_grad_enabled}
)  # fmt: skip
"""Calls that the meta tensor itself answers, or that involve no tensor. They are not recorded."""

HOOKS = frozenset(_methods("register_hook", "register_post_accumulate_grad_hook"))

MARKS = HOOKS | _methods("requires_grad_", "retain_grad") | {Tensor.requires_grad.__set__, Tensor.grad.__set__}  # type: ignore[attr-defined,union-attr]
"""Calls that change only how autograd treats a tensor."""

_OTHER_DEVICES = ["is_meta", "is_xpu", "is_mps", "is_hpu", "is_mtia", "is_xla", "is_ipu", "is_maia", "is_vulkan"]

DEVICE_QUESTIONS: dict[Function, Callable[[torch.device], object]] = {
    **{getter: lambda device: False for _, getter in _getters(_OTHER_DEVICES)},
    Tensor.device.__get__: lambda device: device,
    Tensor.is_cpu.__get__: lambda device: device.type == "cpu",  # type: ignore[attr-defined]
    Tensor.is_cuda.__get__: lambda device: device.type == "cuda",  # type: ignore[attr-defined]
    Tensor.get_device: lambda device: -1 if device.type == "cpu" else device.index or 0,
}
"""Questions that are answered for the device that the tensor claims to be on."""

VALUES = _methods(
    "item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__complex__", "numpy", "__array__",
    "is_nonzero", "equal", "allclose", "__contains__", "__nonzero__", "__dlpack__",
) | _functions("equal", "allclose", "is_nonzero")  # fmt: skip
"""Calls that give the value of a tensor to Python."""

TEXTS = _methods("__repr__", "__str__", "__format__")
"""Methods that convert a tensor to text."""

_NEW = ["new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"]
_LIKE = ["zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"]

SPEC_ONLY: dict[object, int] = {
    **dict.fromkeys(["to", "type_as", "view_as", "expand_as", "reshape_as"], 1),
    **dict.fromkeys([*_NEW, *_methods(*_NEW), *_functions(*_LIKE)], 0),
}
"""The position of the argument that a method or function reads only for its dtype, device or shape."""

PROPERTIES = {getter: name for name, getter in _getters(["T", "mT", "H", "mH", "real", "imag"])}
"""Properties that return a tensor, by getter."""

_DUNDERS = [
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift", "neg",
    "pos", "invert", "abs", "lt", "le", "gt", "ge", "eq", "ne", "getitem", "iadd", "isub", "imul", "itruediv",
    "ifloordiv", "imod", "ipow", "iand", "ior", "ixor", "ilshift", "irshift",
]  # fmt: skip

OPERATORS: dict[Function, tuple[Function, int]] = {
    getattr(Tensor, f"__{prefix}{name}__"): (getattr(operator, f"__{name}__"), step)
    for prefix, step in (("", 1), ("r", -1))
    for name in _DUNDERS
    if hasattr(Tensor, f"__{prefix}{name}__")
}
"""The function of the operator module that symbolic tracing records for a method, and the order of its arguments:
-1 for a reflected method, because ``1 - x`` calls ``x.__rsub__(1)``.
"""

CHANGES_METADATA = _methods(
    "resize_", "resize_as_", "set_", "t_", "transpose_", "squeeze_", "unsqueeze_", "swapdims_", "swapaxes_",
    "as_strided_", "detach_", "rename_",
)  # fmt: skip
"""In-place methods that change the shape of their tensor."""


def set_item(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """Run ``tensor[index] = value``, and return the tensor."""
    tensor[index] = value
    return tensor


set_item.__name__ = "setitem"
"""The label of the operation."""


def set_data(tensor: Tensor, value: Tensor) -> Tensor:
    """Run ``tensor.data = value``, and return the tensor."""
    tensor.data = value
    return tensor


class FunctionMode(TorchFunctionMode):
    """A mode that passes every torch call to ``call``: the function, its arguments and its keyword arguments."""

    def __init__(self, call: Callable[[Function, Args, Kwargs], object]) -> None:
        super().__init__()
        self._call = call

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._call(func, args, kwargs or {})


class Assemble:
    """Rebuilds an object that contains tensors, such as a ``PackedSequence``; called with the tensors."""

    def __init__(self, value: object) -> None:
        self.__name__ = self.__qualname__ = type(value).__name__
        self.__module__ = type(value).__module__
        self._value = map_values(lambda item: _SLOT if isinstance(item, Tensor) else item, value)

    def __call__(self, *tensors: Tensor) -> object:
        rest = iter(tensors)
        return map_values(lambda item: next(rest) if item is _SLOT else item, self._value)


_SLOT = object()


is_method = functools.cache(torch.overrides.is_tensor_method_or_property)
"""Whether a function is a method of tensors."""
