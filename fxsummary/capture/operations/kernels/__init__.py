"""Meta kernels for common ATen operators, because torch's own are slow Python.

The first of torch's kernels that runs in a process imports ``torch._dynamo`` and ``sympy``, which takes a second. A
kernel here takes meta tensors and returns meta tensors of the right shape, strides and dtype. It returns `DECLINED` for
cases that it does not cover; torch's own kernel then runs, or raises. It counts no FLOPs.

One file per family: `layers`, `products`, `sampled` (elementwise operators and reductions), `tensors`, `quantized`
(packed weights); `results` makes the tensors. The operators are those that many models call. The tests compare every
kernel with torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from fxsummary.capture.operations.kernels import layers, products, quantized, sampled, tensors
from fxsummary.capture.operations.kernels.results import DECLINED, new
from fxsummary.capture.torch_internals import HigherOrderOperator, fake_implementation
from fxsummary.errors import OperatorError

__all__ = ["DECLINED", "KERNELS", "answer"]

_FAMILIES = (layers, products, sampled, tensors)
KERNELS: dict[str, Callable[..., Any]] = {
    f"aten::{name}": kernel for family in _FAMILIES for name, kernel in family.KERNELS.items()
}
"""Kernels by operator and overload, as in ``aten::add.Tensor``; called with the operator's arguments."""


WORKSPACES: dict[str, Callable[..., int | None]] = {
    **{
        f"aten::{name}": bytes_of
        for family in _FAMILIES
        for name, bytes_of in getattr(family, "WORKSPACES", {}).items()
    },
    **quantized.WORKSPACES,
}
"""What operators hold for a time beyond their results, in bytes, by operator and overload; None if unknown."""


def workspace(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """Return the bytes that an operator holds for a time beyond its result; None if unknown."""
    bytes_of = None if isinstance(func, HigherOrderOperator) else WORKSPACES.get(func.name())
    return bytes_of(*args, **kwargs) if bytes_of else 0


def answer(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what an operator returns for meta tensors; `DECLINED` if no kernel covers the call."""
    if isinstance(func, HigherOrderOperator):
        kernel = fake_implementation(func)
        return DECLINED if kernel is None else kernel(*args, **kwargs)
    name = func.name()
    if name == "aten::lift_fresh":  # torch.tensor calls it on a tensor with data
        return new(args[0].shape, args[0].dtype)
    kernel = KERNELS.get(name) or quantized.KERNELS.get(name)
    if kernel is None or not all(map(_is_expected, args)) or (kwargs and not all(map(_is_expected, kwargs.values()))):
        return DECLINED
    try:
        return kernel(*args, **kwargs)
    except RuntimeError:  # the arguments do not fit
        raise
    except Exception as error:
        raise OperatorError(f"the kernel of {name} raised {type(error).__name__}: {error}. Correct it.") from error


def _is_expected(value: Any) -> bool:
    return not isinstance(value, torch.Tensor) or (value.is_meta and value.layout is torch.strided)
