"""Elementwise operators, reductions and others whose result follows from a run on tensors of a few elements.

The real operator runs on small tensors on the CPU: it checks the arguments and gives the dtype of the result, and a
reduction shows which dimensions are left. The strides are those that torch's kernels on meta choose.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, Sizes, elementwise_like, is_plain, new


class _Small(NamedTuple):
    """A tensor to make for a sample."""

    dtype: torch.dtype
    shape: Sizes


@lru_cache(maxsize=4096, typed=True)
def _sample(name: str, *args: Any, **options: Any) -> Tensor | None:
    """Return what an operator returns for small tensors; None if it raises, as torch's kernel on meta will too."""

    def made(value: Any) -> Any:
        return torch.ones(value.shape, dtype=value.dtype, device="cpu") if type(value) is _Small else value

    packet, _, overload = name.partition(".")
    operator = getattr(getattr(torch.ops.aten, packet), overload or "default")
    with suppress(Exception):
        result: Tensor = operator(*map(made, args), **{key: made(value) for key, value in options.items()})
        return result
    return None


def _described(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _Small(value.dtype, (1,) * value.dim())
    return tuple(value) if isinstance(value, list) else value


def elementwise(name: str, *args: Any, **options: Any) -> Tensor:
    """Run an elementwise operator; decline complex numbers, and numbers alone."""
    numbers = [each for each in args if isinstance(each, (Tensor, bool, int, float, complex))]
    tensors = [each for each in numbers if isinstance(each, Tensor)]
    sample = _sample(name, *map(_described, args), **options) if tensors else None
    common = torch.result_type(numbers[0], numbers[-1]) if tensors else torch.complex64
    if sample is None or sample.is_complex() or common.is_complex:
        return DECLINED
    result = elementwise_like(tensors, sample.dtype, common if sample.dtype in (common, torch.bool) else None)
    if result is DECLINED or not name.partition(".")[0].endswith("_"):
        return result
    first = tensors[0]
    repeats = any(step == 0 and size > 1 for size, step in zip(first.shape, first.stride(), strict=True))
    return DECLINED if repeats or result.shape != first.shape else first


def of_plain(name: str, x: Tensor, *args: Any, **options: Any) -> Tensor:
    """Run an operator whose result has the shape of its first argument, and keeps no other strides than plain ones."""
    return elementwise(name, x, *args, **options) if is_plain(x) else DECLINED


def power(name: str, *args: Any) -> Tensor:
    """Run a power; for exponents 0 and 1, torch's kernel makes a copy."""
    return DECLINED if not isinstance(args[1], Tensor) and args[1] in (0, 1) else elementwise(name, *args)


def reduced(name: str, x: Tensor, *args: Any, **options: Any) -> Tensor:
    """Run a reduction; the dimensions of the sample have different sizes, which tell them apart in its result."""
    if x.dim() > 6 or 0 in x.shape:
        return DECLINED
    sample = _sample(name, _Small(x.dtype, tuple(range(2, x.dim() + 2))), *map(_described, args), **options)
    return DECLINED if sample is None else new([x.shape[n - 2] if n > 1 else 1 for n in sample.shape], sample.dtype)


_COMPARISONS = [f"{name}.{kind}" for name in ("eq", "ne", "lt", "le", "gt", "ge") for kind in ("Tensor", "Scalar")]
_NAMES = {
    elementwise: (
        "relu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu", "softplus", "hardtanh",
        "gelu", "mish", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "erf", "floor", "ceil", "round", "neg", "abs",
        "reciprocal", "silu_", "sigmoid_", "tanh_", "hardswish_", "leaky_relu_", "elu_", "hardtanh_", "maximum",
        "minimum", "where.self", "add.Tensor", "mul.Tensor", "mul.Scalar", "sub.Tensor", "rsub.Scalar", "div.Tensor",
        "div.Scalar", "add_.Tensor", "mul_.Tensor", "sub_.Tensor", "div_.Tensor", "bitwise_and.Tensor",
        "bitwise_or.Tensor", "bitwise_not", *_COMPARISONS,
    ),
    of_plain: (
        "clamp", "clamp_min", "clamp_", "clamp_min_", "_prelu_kernel", "masked_fill.Scalar", "masked_fill.Tensor",
        "masked_fill_.Scalar", "masked_fill_.Tensor", "_softmax", "_log_softmax", "_safe_softmax", "cumsum", "tril",
        "triu", "roll",
    ),
    power: ("pow.Tensor_Tensor", "pow.Tensor_Scalar", "pow.Scalar"),
    reduced: (
        "sum.dim_IntList", "mean", "mean.dim", "var.correction", "std.correction", "logsumexp", "linalg_vector_norm",
    ),
}  # fmt: skip

KERNELS: dict[str, Any] = {name: partial(kernel, name) for kernel, names in _NAMES.items() for name in names}
