"""Activations, arithmetic, comparisons: one result element from one element of each operand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, elementwise, fit, is_dense, is_plain, new


def same(x: Tensor, *_: Any, **__: Any) -> Tensor:
    """A function of one floating-point tensor."""
    return elementwise(x.dtype, x) if x.is_floating_point() else DECLINED


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """``gelu``, exact or by tanh."""
    return same(x) if approximate in ("none", "tanh") else DECLINED


def combined(dtype: torch.dtype, *operands: Any, computed: torch.dtype | None = None) -> Tensor:
    """Return the elementwise result of tensors and numbers; decline complex numbers, and numbers alone."""
    tensors = [each for each in operands if isinstance(each, Tensor)]
    covered = tensors and not (computed or dtype).is_complex
    return elementwise(dtype, *tensors, computed=computed) if covered else DECLINED


def arithmetic(a: Any, b: Any, *, alpha: Any = 1) -> Tensor:
    """A sum, product or the like."""
    dtype = torch.result_type(a, b)
    if dtype is torch.bool or (alpha != 1 and not dtype.is_floating_point):
        return DECLINED
    return combined(dtype, a, b)


def difference(a: Any, b: Any, *_: Any, alpha: Any = 1) -> Tensor:
    """A difference, which torch refuses to take of truth values."""
    if any(type(each) is bool or getattr(each, "dtype", None) is torch.bool for each in (a, b)):
        return DECLINED
    return arithmetic(a, b, alpha=alpha)


def reversed_difference(a: Any, b: Any, alpha: Any = 1) -> Tensor:
    """A difference with its operands exchanged."""
    return difference(b, a, alpha=alpha)


def quotient(a: Any, b: Any) -> Tensor:
    """A division whose result is a floating-point number."""
    dtype = torch.result_type(a, b)
    if not (dtype.is_floating_point or dtype.is_complex):
        dtype = torch.get_default_dtype()
    return combined(dtype, a, b)


def power(a: Any, b: Any) -> Tensor:
    """A power of floating-point numbers; the kernel of torch copies its argument for exponent 1."""
    dtype = torch.result_type(a, b)
    if not dtype.is_floating_point or (not isinstance(b, Tensor) and b in (0, 1)):
        return DECLINED
    return combined(dtype, a, b)


def comparison(a: Any, b: Any) -> Tensor:
    """A comparison."""
    return combined(torch.bool, a, b, computed=torch.result_type(a, b))


def bitwise(a: Tensor, b: Any = False) -> Tensor:
    """A bitwise operation on one or two operands."""
    dtype = torch.result_type(a, b)
    return DECLINED if dtype.is_floating_point else combined(dtype, a, b)


def clamped(x: Tensor, *bounds: Any, **named: Any) -> Tensor:
    """Limits that are numbers."""
    limits = [each for each in (*bounds, *named.values()) if each is not None]
    fits = limits and all(type(each) in (int, float) for each in limits)
    return same(x) if fits and is_plain(x) else DECLINED


def leaky(x: Tensor, weight: Tensor) -> Tensor:
    """``prelu``."""
    return elementwise(x.dtype, x, weight) if fit(x, weight) and is_plain(x) else DECLINED


def chosen(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``where``, which converts its operands and not its condition."""
    fits = condition.dtype is torch.bool and is_dense(condition.shape, condition.stride())
    return combined(torch.result_type(a, b), condition, a, b) if fits else DECLINED


def filled(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    """``masked_fill``, whose result is contiguous only if its input is."""
    if not is_plain(x) or mask.dtype is not torch.bool or torch.result_type(x, value) is not x.dtype:
        return DECLINED
    if isinstance(value, Tensor) and (value.dim() or value.dtype is not x.dtype):
        return DECLINED
    result = combined(x.dtype, x, mask)
    return result if result is DECLINED else new(result.shape, x.dtype)


def in_place(kernel: Any) -> Any:
    """Make the kernel of an in-place operation, whose result is its first argument."""

    def write(x: Tensor, *args: Any, **options: Any) -> Tensor:
        result = kernel(x, *args, **options)
        repeats = any(step == 0 and size > 1 for size, step in zip(x.shape, x.stride(), strict=True))
        fits = result is not DECLINED and result.shape == x.shape and result.dtype is x.dtype
        return x if fits and not repeats else DECLINED

    return write


_FLOATS = (
    "relu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu", "softplus", "hardtanh",
    "mish", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "erf", "floor", "ceil", "round", "neg", "abs", "reciprocal",
)  # fmt: skip
_IN_PLACE: dict[str, Any] = {
    **dict.fromkeys(("silu_", "sigmoid_", "tanh_", "hardswish_", "leaky_relu_", "elu_", "hardtanh_"), same),
    **dict.fromkeys(("add_.Tensor", "mul_.Tensor"), arithmetic),
    "sub_.Tensor": difference,
    "div_.Tensor": quotient,
    **dict.fromkeys(("clamp_", "clamp_min_"), clamped),
    **dict.fromkeys(("masked_fill_.Scalar", "masked_fill_.Tensor"), filled),
}
_COMPARISONS = [f"{name}.{kind}" for name in ("eq", "ne", "lt", "le", "gt", "ge") for kind in ("Tensor", "Scalar")]

KERNELS: dict[str, Any] = {
    **dict.fromkeys(_FLOATS, same),
    "gelu": gelu,
    **dict.fromkeys(("add.Tensor", "mul.Tensor", "mul.Scalar", "maximum", "minimum"), arithmetic),
    "sub.Tensor": difference,
    **dict.fromkeys(("rsub.Tensor", "rsub.Scalar"), reversed_difference),
    **dict.fromkeys(("div.Tensor", "div.Scalar"), quotient),
    **dict.fromkeys(("pow.Tensor_Tensor", "pow.Tensor_Scalar", "pow.Scalar"), power),
    **dict.fromkeys(_COMPARISONS, comparison),
    **dict.fromkeys(("bitwise_and.Tensor", "bitwise_or.Tensor", "bitwise_not"), bitwise),
    **dict.fromkeys(("clamp", "clamp_min"), clamped),
    **dict.fromkeys(("masked_fill.Scalar", "masked_fill.Tensor"), filled),
    "_prelu_kernel": leaky,
    "where.self": chosen,
    **{name: in_place(kernel) for name, kernel in _IN_PLACE.items()},
}
