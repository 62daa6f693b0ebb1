"""Activations, arithmetic, comparisons: operators that compute each element from one element of each operand."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, elementwise_like, is_plain


class _Operand(NamedTuple):
    """What the dtype of a result depends on: a 0-dimensional tensor promotes others less than one with dimensions."""

    dtype: torch.dtype
    is_scalar: bool


def _described(value: Any) -> Any:
    return _Operand(value.dtype, value.dim() == 0) if isinstance(value, Tensor) else value


@lru_cache(maxsize=4096, typed=True)
def _dtypes(name: str, *args: Any, **options: Any) -> tuple[torch.dtype, torch.dtype] | None:
    """Return the result's dtype and the one that operands are converted to; None if the operator refuses them.

    The operator runs on the CPU, on tensors with one element or none.
    """

    def made(value: Any) -> Any:
        return torch.ones(() if value.is_scalar else (0,), dtype=value.dtype) if type(value) is _Operand else value

    packet, _, overload = name.partition(".")
    operator = getattr(getattr(torch.ops.aten, packet), overload or "default")
    operands = [made(value) for value in args]
    numbers = [each for each in operands if isinstance(each, (Tensor, bool, int, float, complex))]
    try:
        common = torch.result_type(numbers[0], numbers[-1])
        return operator(*operands, **{key: made(value) for key, value in options.items()}).dtype, common
    except Exception:  # torch refuses these dtypes; its kernel on meta says so to the user
        return None


def elementwise(name: str, *args: Any, **options: Any) -> Tensor:
    """Run an elementwise operator; decline complex numbers, and numbers alone."""
    tensors = [each for each in (*args, *options.values()) if isinstance(each, Tensor)]
    described = {key: _described(value) for key, value in options.items()}
    dtypes = _dtypes(name, *map(_described, args), **described) if tensors else None
    if dtypes is None or any(dtype.is_complex for dtype in dtypes):
        return DECLINED
    dtype, common = dtypes
    result = elementwise_like(tensors, dtype, common if dtype in (common, torch.bool) else None)
    if result is DECLINED or not name.partition(".")[0].endswith("_"):
        return result
    first = tensors[0]
    repeats = any(step == 0 and size > 1 for size, step in zip(first.shape, first.stride(), strict=True))
    return DECLINED if repeats or result.shape != first.shape else first


def of_plain(name: str, x: Tensor, *args: Any, **options: Any) -> Tensor:
    """Run an elementwise operator whose kernel in torch keeps no other strides than plain ones."""
    return elementwise(name, x, *args, **options) if is_plain(x) else DECLINED


def power(name: str, *args: Any) -> Tensor:
    """Run a power; for exponents 0 and 1, torch's kernel makes a copy."""
    return DECLINED if not isinstance(args[1], Tensor) and args[1] in (0, 1) else elementwise(name, *args)


_COMPARISONS = [f"{name}.{kind}" for name in ("eq", "ne", "lt", "le", "gt", "ge") for kind in ("Tensor", "Scalar")]
_NAMES = (
    "relu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu", "softplus", "hardtanh", "gelu",
    "mish", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "erf", "floor", "ceil", "round", "neg", "abs", "reciprocal",
    "silu_", "sigmoid_", "tanh_", "hardswish_", "leaky_relu_", "elu_", "hardtanh_", "maximum", "minimum", "where.self",
    "add.Tensor", "mul.Tensor", "mul.Scalar", "sub.Tensor", "rsub.Scalar", "div.Tensor", "div.Scalar",
    "add_.Tensor", "mul_.Tensor", "sub_.Tensor", "div_.Tensor", "bitwise_and.Tensor", "bitwise_or.Tensor",
    "bitwise_not", *_COMPARISONS,
)  # fmt: skip
_OF_PLAIN = (
    "clamp", "clamp_min", "clamp_", "clamp_min_", "_prelu_kernel", "masked_fill.Scalar", "masked_fill.Tensor",
    "masked_fill_.Scalar", "masked_fill_.Tensor",
)  # fmt: skip
_POWERS = ("pow.Tensor_Tensor", "pow.Tensor_Scalar", "pow.Scalar")

KERNELS: dict[str, Any] = {
    **{name: partial(elementwise, name) for name in _NAMES},
    **{name: partial(of_plain, name) for name in _OF_PLAIN},
    **{name: partial(power, name) for name in _POWERS},
}
