"""Sums, means and extremes over dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    INTEGERS,
    clear,
    dense,
    dimension,
    dimensions,
    dtype_of,
    fresh,
    named,
    new,
    plain,
    strides,
    sure,
    tensor,
)
from fxsummary.capture.operations.rules.arithmetic import greater
from fxsummary.capture.operations.rules.layout import Sizes, is_contiguous, is_dense
from fxsummary.graph.spec import TensorSpec

_RESULTS: Any = torch.return_types
"""The classes of named results, here of specs."""


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
    spec = tensor(input, FLOATS | INTEGERS)
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


def _norm(input: Any, ord: Any = 2, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Outcome:
    spec = tensor(input, FLOATS)
    sure(type(ord) in (int, float) and dtype is None)
    clear(spec)
    return _over(spec, dim, keepdim, spec.dtype)


def _variance(
    input: Any, dim: Any = None, unbiased: Any = True, keepdim: Any = False, *, correction: Any = 1
) -> Outcome:
    spec = tensor(input, FLOATS)
    sure(type(dim) is not bool and type(unbiased) is bool and type(correction) in (int, float))
    return _over(spec, dim, keepdim, spec.dtype)


def _product(input: Any, *given: Any, dtype: Any = None, **named: Any) -> Outcome:
    if not given and not named:
        return _sum(input, dtype=dtype)
    return _product_over(input, *given, dtype=dtype, **named)


def _product_over(input: Any, dim: Any, keepdim: Any = False, *, dtype: Any = None) -> Outcome:
    sure(type(dim) is int)
    return _sum(input, dim, keepdim, dtype=dtype)


def _all_true(input: Any) -> Outcome:
    return fresh((), tensor(input, frozenset({"bool"})))


def _histogram(input: Any, bins: Any = 100, min: Any = 0, max: Any = 0) -> Outcome:
    spec = tensor(input, frozenset({"float32", "float64"}))
    sure(type(bins) is int and bins > 0 and type(min) in (int, float) and type(max) in (int, float) and min < max)
    return fresh((bins,), spec)


def _log_sum_exp(input: Any, dim: Any, keepdim: Any = False) -> Outcome:
    sure(type(dim) is int)
    return _mean(input, dim, keepdim)


def _selected(kind: Callable[..., Any]) -> Callable[..., Outcome]:
    """One value along a dimension, and its position; without a dimension, of all."""

    def rule(input: Any, dim: Any = None, keepdim: Any = False, *, other: Any = None) -> Outcome:
        spec = tensor(input, FLOATS | INTEGERS)
        if type(dim) is TensorSpec or other is not None:
            sure(keepdim is False and (other is None or dim is None))
            return greater(input, dim if other is None else other)
        if dim is None:
            sure(keepdim is False)
            return fresh((), spec)
        sure(type(dim) is int)
        shape = reduced(spec.shape, dimensions(dim, len(spec.shape)), keepdim)
        return Outcome(kind((new(shape, spec), new(shape, spec, "int64"))))

    return rule


def _top(input: Any, k: Any, dim: Any = -1, largest: Any = True, sorted: Any = True) -> Outcome:
    spec = tensor(input, FLOATS | INTEGERS)
    place = dimension(dim, len(spec.shape))
    sure(type(k) is int and 0 < k <= spec.shape[place] and type(largest) is type(sorted) is bool)
    shape = (*spec.shape[:place], k, *spec.shape[place + 1 :])
    return Outcome(_RESULTS.topk((new(shape, spec), new(shape, spec, "int64"))))


def _sort(input: Any, dim: Any = -1, descending: Any = False, *, stable: Any = False) -> Outcome:
    spec = tensor(input)
    dimension(dim, len(spec.shape))
    sure(type(descending) is type(stable) is bool and is_dense(spec.shape, strides(spec)))
    clear(spec)
    return Outcome(_RESULTS.sort((dense(spec), dense(spec, "int64"))))


def _order(input: Any, dim: Any = -1, descending: Any = False, **options: Any) -> Outcome:
    return Outcome(_sort(input, dim, descending, **options).value[1])


_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "sum": _sum,
    "mean": _mean,
    **dict.fromkeys(("amax", "amin"), _extreme),
    **dict.fromkeys(("argmax", "argmin"), _position),
    **dict.fromkeys(("any", "all"), _whether),
    **dict.fromkeys(("cumsum", "cumprod"), _cumulative),
    **dict.fromkeys(("var", "std"), _variance),
    "prod": _product,
    "logsumexp": _log_sum_exp,
    "max": _selected(_RESULTS.max),
    "min": _selected(_RESULTS.min),
    "topk": _top,
    "sort": _sort,
    "argsort": _order,
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **named(_BY_NAME),
    torch.linalg.vector_norm: _norm,
    **dict.fromkeys(("_is_all_true", torch._is_all_true), _all_true),
    torch.histc: _histogram,
}
