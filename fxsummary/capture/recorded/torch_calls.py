"""What a torch call is to the recorder: a question about a tensor, a request for its value, or an operation.

Functions are those that `torch.overrides` hands to a TorchFunctionMode; properties come as their getters.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.structures import map_values


def _methods(names: Iterable[str]) -> set[Any]:
    return {getattr(Tensor, name) for name in names if hasattr(Tensor, name)}


def _getters(names: Iterable[str]) -> set[Any]:
    return {getattr(Tensor, name).__get__ for name in names if hasattr(getattr(Tensor, name, None), "__get__")}


def _setters(names: Iterable[str]) -> set[Any]:
    return {getattr(Tensor, name).__set__ for name in names}


def _functions(names: Iterable[str]) -> set[Any]:
    return {getattr(torch, name) for name in names if hasattr(torch, name)}


QUESTIONS: frozenset[Any] = frozenset(
    _getters(
        [
            "shape",
            "dtype",
            "requires_grad",
            "ndim",
            "layout",
            "is_sparse",
            "is_quantized",
            "is_complex",
            "is_leaf",
            "grad_fn",
            "names",
            "_version",
            "is_nested",
            "is_mkldnn",
            "itemsize",
            "nbytes",
            "_base",
            "output_nr",
            "retains_grad",
            "is_sparse_csr",
            "volatile",
            "name",
            "grad",
            "_backward_hooks",
            "_post_accumulate_grad_hooks",
        ]
    )
    | _methods(
        [
            "size",
            "dim",
            "numel",
            "ndimension",
            "nelement",
            "stride",
            "is_contiguous",
            "is_floating_point",
            "is_complex",
            "__len__",
            "element_size",
            "storage_offset",
            "is_signed",
            "is_conj",
            "is_neg",
            "is_same_size",
            "untyped_storage",
            "storage",
            "data_ptr",
            "__hash__",
            "has_names",
            "is_inference",
            "_is_view",
            "is_shared",
            "dense_dim",
            "sparse_dim",
            "is_coalesced",
            "type",
            "dim_order",
            "_typed_storage",
            "__dlpack_device__",
            "_make_wrapper_subclass",
        ]
    )
    | _functions(
        [
            "numel",
            "is_floating_point",
            "is_complex",
            "is_tensor",
            "is_same_size",
            "is_conj",
            "is_storage",
            "is_signed",
            "is_grad_enabled",
            "broadcast_shapes",
            "promote_types",
            "can_cast",
            "result_type",
            "get_default_dtype",
            "is_inference",
            "is_neg",
            "get_device",
        ]
    )
    | {torch._C._set_grad_enabled}
)
"""Answered by the meta tensor itself, or about no tensor; nothing is recorded."""

HOOKS: frozenset[Any] = frozenset(_methods(["register_hook", "register_post_accumulate_grad_hook"]))

MARKS: frozenset[Any] = HOOKS | {
    Tensor.requires_grad_,
    Tensor.retain_grad,
    *_setters(["requires_grad", "grad"]),
}
"""These change what autograd does with a tensor, and nothing else."""

_OTHER_DEVICES = ["is_meta", "is_xpu", "is_mps", "is_hpu", "is_mtia", "is_xla", "is_ipu", "is_maia", "is_vulkan"]

DEVICE_QUESTIONS: dict[Any, Callable[[torch.device], Any]] = {
    **dict.fromkeys(_getters(_OTHER_DEVICES), lambda device: False),
    Tensor.device.__get__: lambda device: device,
    Tensor.is_cpu.__get__: lambda device: device.type == "cpu",  # type: ignore[attr-defined]
    Tensor.is_cuda.__get__: lambda device: device.type == "cuda",  # type: ignore[attr-defined]
    Tensor.get_device: lambda device: -1 if device.type == "cpu" else device.index or 0,
}
"""Answered for the device that the tensor claims to be on."""

VALUES: frozenset[Any] = frozenset(
    _methods(
        [
            "item",
            "tolist",
            "__bool__",
            "__int__",
            "__float__",
            "__index__",
            "__complex__",
            "numpy",
            "__array__",
            "is_nonzero",
            "equal",
            "allclose",
            "__contains__",
            "__nonzero__",
            "__dlpack__",
        ]
    )
    | _functions(["equal", "allclose", "is_nonzero"])
)
"""These hand the value of a tensor to Python."""

_NEW = ["new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"]
_LIKE = ["zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"]

SPEC_ONLY: dict[Any, int] = {
    **dict.fromkeys(["to", "type_as", "view_as", "expand_as", "reshape_as"], 1),
    **dict.fromkeys(_NEW, 0),
    **{getattr(Tensor, name): 0 for name in _NEW},
    **{getattr(torch, name): 0 for name in _LIKE},
}
"""Methods and functions that read dtype, device or shape of an argument and never its values; its position."""

TEXTS: frozenset[Any] = frozenset(_methods(["__repr__", "__str__", "__format__"]))
"""A tensor as text."""

PROPERTIES: dict[Any, str] = {
    getattr(Tensor, name).__get__: name
    for name in ("T", "mT", "H", "mH", "data", "real", "imag")
    if hasattr(Tensor, name)
}
"""Properties that yield a tensor, by getter."""

SET_DATA: frozenset[Any] = frozenset(_setters(["data"]))
"""``tensor.data = ...``."""

_DUNDERS = [
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
    "neg",
    "pos",
    "invert",
    "abs",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
    "getitem",
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
    "iand",
    "ior",
    "ixor",
    "ilshift",
    "irshift",
]

OPERATORS: dict[Any, Any] = {
    getattr(Tensor, f"__{name}__"): getattr(operator, f"__{name}__")
    for name in _DUNDERS
    if hasattr(Tensor, f"__{name}__")
}
"""Methods behind Python's operators, by the function of the operator module that symbolic tracing records."""

_REFLECTED = {
    "radd": "add", "rsub": "sub", "rmul": "mul", "rdiv": "truediv", "rtruediv": "truediv", "rfloordiv": "floordiv",
    "rmod": "mod", "rpow": "pow", "rmatmul": "matmul", "rand": "and", "ror": "or", "rxor": "xor",
    "rlshift": "lshift", "rrshift": "rshift",
}  # fmt: skip

REFLECTED: dict[Any, Any] = {
    getattr(Tensor, f"__{name}__"): getattr(operator, f"__{plain}__")
    for name, plain in _REFLECTED.items()
    if hasattr(Tensor, f"__{name}__")
}
"""Methods of reflected operators: ``1 - x`` calls ``x.__rsub__(1)``."""


def set_item(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """``tensor[index] = value``, as a function that returns the tensor."""
    tensor[index] = value
    return tensor


def set_data(tensor: Tensor, value: Tensor) -> Tensor:
    """``tensor.data = value``, as a function that returns the tensor."""
    tensor.data = value
    return tensor


class Assemble:
    """Puts tensors back into an object that a call takes, such as a ``PackedSequence``; called with the tensors."""

    def __init__(self, value: Any) -> None:
        self.__name__ = self.__qualname__ = type(value).__name__
        self.__module__ = type(value).__module__
        self._value = map_values(lambda item: _SLOT if isinstance(item, Tensor) else item, value)

    def __call__(self, *tensors: Tensor) -> Any:
        rest = iter(tensors)
        return map_values(lambda item: next(rest) if item is _SLOT else item, self._value)


_SLOT = object()


set_item.__name__ = "setitem"
"""The label of its operations."""

CHANGES_METADATA = frozenset(
    [
        "resize_",
        "resize_as_",
        "set_",
        "t_",
        "transpose_",
        "squeeze_",
        "unsqueeze_",
        "swapdims_",
        "swapaxes_",
        "as_strided_",
        "detach_",
        "rename_",
    ]
)
"""In-place methods that change the shape of the tensor they are called on."""


@functools.cache
def is_method(function: Any) -> bool:
    """Whether a function is a method of tensors."""
    return bool(torch.overrides.is_tensor_method_or_property(function))
