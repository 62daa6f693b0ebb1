"""Sums, means and extremes over dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.outcome import Outcome
from fxsummary.capture.rules.answers import (
    FLOATS,
    dimension,
    dimensions,
    dtype_of,
    fresh,
    plain,
    strides,
    sure,
    tensor,
)
from fxsummary.capture.rules.layout import Sizes, is_contiguous
from fxsummary.spec import TensorSpec


def reduced(shape: Sizes, dims: Sizes, keepdim: Any) -> list[int]:
    """The shape without dimensions, or with 1 in their place."""
    sure(type(keepdim) is bool)
    if keepdim:
        return [1 if dim in dims else size for dim, size in enumerate(shape)]
    return [size for dim, size in enumerate(shape) if dim not in dims]


def _over(spec: TensorSpec, dim: Any, keepdim: Any, dtype: str) -> Outcome:
    rank = len(spec.shape)
    everything = dim is None or dim == () or dim == []
    dims = tuple(range(rank)) if everything else dimensions(dim, rank)
    return fresh(reduced(spec.shape, dims, keepdim), spec, dtype)


def _sum(input: Any, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Outcome:
    spec = tensor(input)
    default = spec.dtype if spec.dtype in FLOATS else "int64"
    return _over(spec, dim, keepdim, default if dtype is None else dtype_of(dtype))


def _mean(input: Any, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Outcome:
    spec = tensor(input)
    name = spec.dtype if dtype is None else dtype_of(dtype)
    sure(name in FLOATS)
    return _over(spec, dim, keepdim, name)


def _extreme(input: Any, dim: Any = (), keepdim: Any = False) -> Outcome:
    spec = tensor(input, FLOATS)
    sure(is_contiguous(spec.shape, strides(spec)))
    return _over(spec, dim, keepdim, spec.dtype)


def _position(input: Any, dim: Any = None, keepdim: Any = False) -> Outcome:
    spec = tensor(input, FLOATS)
    sure(dim is None or type(dim) is int)
    return _over(spec, dim, keepdim, "int64")


def _whether(input: Any, dim: Any = None, keepdim: Any = False) -> Outcome:
    spec = tensor(input)
    sure(spec.dtype != "uint8" and dim != () and is_contiguous(spec.shape, strides(spec)))
    return _over(spec, dim, keepdim, "bool")


def _cumulative(input: Any, dim: Any, *, dtype: Any = None) -> Outcome:
    spec = tensor(input)
    dimension(dim, len(spec.shape))
    default = spec.dtype if spec.dtype in FLOATS else "int64"
    plain(spec)
    return fresh(spec.shape, spec, default if dtype is None else dtype_of(dtype))


_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "sum": _sum,
    "mean": _mean,
    **dict.fromkeys(("amax", "amin"), _extreme),
    **dict.fromkeys(("argmax", "argmin"), _position),
    **dict.fromkeys(("any", "all"), _whether),
    **dict.fromkeys(("cumsum",), _cumulative),
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **_BY_NAME,
    **{getattr(torch, name): rule for name, rule in _BY_NAME.items()},
}
