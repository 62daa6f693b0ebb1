"""Activations, arithmetic, comparisons: one result element from one element of each operand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import (
    DECLINED,
    elementwise,
    is_clear,
    is_dense,
    is_plain,
    new,
    repeats,
)


def same(x: Tensor, *_: Any, **__: Any) -> Tensor:
    """A function of one floating-point tensor."""
    return elementwise(x.dtype, x) if x.is_floating_point() else DECLINED


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """``gelu``, exact or by tanh."""
    return same(x) if approximate in ("none", "tanh") else DECLINED


def same_number(x: Tensor) -> Tensor:
    """A function of one tensor of real numbers, integers included."""
    return DECLINED if x.is_complex() or x.dtype is torch.bool else elementwise(x.dtype, x)


def to_bool(x: Tensor) -> Tensor:
    """A question about each element."""
    return elementwise(torch.bool, x, computed=x.dtype) if x.is_floating_point() else DECLINED


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


def rounded_quotient(a: Any, b: Any, *, rounding_mode: str | None = None) -> Tensor:
    """A division that rounds, or its remainder."""
    if not all(is_plain(each) for each in (a, b) if isinstance(each, Tensor)) or (not isinstance(b, Tensor) and b == 0):
        return DECLINED
    return arithmetic(a, b)


def power(a: Any, b: Any) -> Tensor:
    """A power of floating-point numbers; the kernel of torch copies its argument for exponent 1."""
    dtype = torch.result_type(a, b)
    if not dtype.is_floating_point or (not isinstance(b, Tensor) and b in (0, 1)):
        return DECLINED
    return combined(dtype, a, b)


def comparison(a: Any, b: Any) -> Tensor:
    """A comparison."""
    return combined(torch.bool, a, b, computed=torch.result_type(a, b))


def logical(a: Tensor, b: Tensor) -> Tensor:
    """A logical operation on tensors."""
    return combined(torch.bool, a, b) if is_plain(a) and is_plain(b) else DECLINED


def bitwise(a: Any, b: Any) -> Tensor:
    """A bitwise operation."""
    dtype = torch.result_type(a, b)
    return DECLINED if dtype.is_floating_point else combined(dtype, a, b)


def inverted(x: Tensor) -> Tensor:
    """The bitwise inverse."""
    return DECLINED if x.is_floating_point() else combined(x.dtype, x)


def negated(x: Tensor) -> Tensor:
    """The logical inverse."""
    return DECLINED if x.is_complex() else elementwise(torch.bool, x)


def clamped(x: Tensor, *bounds: Any, **named: Any) -> Tensor:
    """Limits that are numbers."""
    limits = [each for each in (*bounds, *named.values()) if each is not None]
    fits = limits and all(type(each) is int or (type(each) is float and x.is_floating_point()) for each in limits)
    return same_number(x) if fits and is_clear(x) else DECLINED


def limited(x: Tensor, *bounds: Tensor | None, **named: Tensor | None) -> Tensor:
    """Limits that are tensors."""
    limits = [each for each in (*bounds, *named.values()) if each is not None]
    return together(x, *limits) if limits and is_clear(x) else DECLINED


def together(*operands: Any, **_: Any) -> Tensor:
    """An operation on several tensors of one floating-point dtype."""
    tensors = [each for each in operands if isinstance(each, Tensor)]
    if not tensors[0].is_floating_point() or any(each.dtype is not tensors[0].dtype for each in tensors):
        return DECLINED
    return elementwise(tensors[0].dtype, *tensors)


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


def dropped(x: Tensor, p: float, train: bool | None) -> Any:
    """``native_dropout`` and the mask."""
    if not x.is_floating_point() or not train or not 0 < p < 1:
        return DECLINED
    return elementwise(x.dtype, x), elementwise(torch.bool, x)


def log_sigmoid(x: Tensor) -> Any:
    """``log_sigmoid_forward``, and its buffer."""
    return (same(x), same(x)) if x.is_floating_point() else DECLINED


def in_place(kernel: Any) -> Any:
    """Make the kernel of an in-place operation, whose result is its first argument."""

    def write(x: Tensor, *args: Any, **options: Any) -> Tensor:
        result = kernel(x, *args, **options)
        if result is DECLINED or result.shape != x.shape or result.dtype is not x.dtype or repeats(x):
            return DECLINED
        return x

    return write


_FLOATS = (
    "relu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu", "softplus",
    "hardtanh", "mish", "exp", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan", "sinh", "cosh",
    "asin", "acos", "atan", "erf", "erfc", "floor", "ceil", "round", "trunc", "frac", "reciprocal", "celu",
)  # fmt: skip
_NUMBERS = ("neg", "abs", "sign")
_LIMITS = ("clamp", "clamp_min", "clamp_max")
_COMPARISONS = [f"{name}.{kind}" for name in ("eq", "ne", "lt", "le", "gt", "ge") for kind in ("Tensor", "Scalar")]

_NEW: dict[str, Any] = {
    **dict.fromkeys(_FLOATS, same),
    "gelu": gelu,
    **dict.fromkeys(_NUMBERS, same_number),
    **dict.fromkeys(_LIMITS, clamped),
    **dict.fromkeys(("add.Tensor", "mul.Tensor"), arithmetic),
    "sub.Tensor": difference,
    **dict.fromkeys(("div.Tensor", "div.Scalar"), quotient),
    **dict.fromkeys(("masked_fill.Scalar", "masked_fill.Tensor"), filled),
}
_IN_PLACE = (
    "relu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu", "hardtanh", "exp", "sqrt",
    "neg", *_LIMITS, "add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "div.Scalar", "masked_fill.Scalar",
    "masked_fill.Tensor",
)  # fmt: skip


def _written(name: str) -> str:
    """Return the name of an operator's in-place twin: ``add_.Tensor`` for ``add.Tensor``."""
    name, dot, overload = name.partition(".")
    return f"{name}_{dot}{overload}"


KERNELS: dict[str, Any] = {
    **_NEW,
    **{_written(name): in_place(_NEW[name]) for name in _IN_PLACE},
    "log_sigmoid_forward": log_sigmoid,
    **dict.fromkeys(("isnan", "isinf"), to_bool),
    **dict.fromkeys(("mul.Scalar", "maximum", "minimum"), arithmetic),
    **dict.fromkeys(("rsub.Tensor", "rsub.Scalar"), reversed_difference),
    **dict.fromkeys(
        ("div.Tensor_mode", "floor_divide", "remainder.Tensor", "remainder.Scalar", "fmod.Tensor"), rounded_quotient
    ),
    **dict.fromkeys(("pow.Tensor_Tensor", "pow.Tensor_Scalar", "pow.Scalar"), power),
    "clamp.Tensor": limited,
    "_prelu_kernel": limited,
    **dict.fromkeys(("addcmul", "lerp.Tensor", "lerp.Scalar"), together),
    **dict.fromkeys(_COMPARISONS, comparison),
    **dict.fromkeys(("logical_and", "logical_or"), logical),
    "logical_not": negated,
    **{f"bitwise_{name}.Tensor": bitwise for name in ("and", "or", "xor")},
    "bitwise_not": inverted,
    "where.self": chosen,
    "native_dropout": dropped,
}
