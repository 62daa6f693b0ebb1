"""Sums, means and extremes over dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, Sizes, dimension, is_plain, new

_MAX_RANK = 64
"""More dimensions than these torch does not reduce."""


def _reduced(x: Tensor, dim: Any, keepdim: bool) -> Sizes | None:
    """Return the shape without dimensions (all if none are given), or with 1 in their place."""
    rank = x.dim()
    given = [dim] if type(dim) is int else list(dim or range(rank))
    dims = {dimension(each, rank) for each in given}
    if None in dims or len(dims) != len(given):
        return None
    return tuple([1 if each in dims else size for each, size in enumerate(x.shape) if keepdim or each not in dims])


def _over(x: Tensor, dim: Any, keepdim: bool, dtype: torch.dtype) -> Tensor:
    shape = _reduced(x, dim, keepdim)
    return DECLINED if shape is None or 0 in x.shape or x.dim() > _MAX_RANK else new(shape, dtype)


def total(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Tensor:
    """``sum`` and ``prod`` over dimensions."""
    default = x.dtype if x.is_floating_point() or x.is_complex() else torch.int64
    return _over(x, dim, keepdim, dtype or default)


def whole(x: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """``sum`` and ``prod`` of all elements."""
    return total(x, dtype=dtype)


def mean(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Tensor:
    """A mean of floating-point numbers."""
    result = dtype or x.dtype
    return _over(x, dim, keepdim, result) if result.is_floating_point else DECLINED


def whole_mean(x: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """The mean of all elements."""
    return mean(x, dtype=dtype)


def extreme(x: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """``amax`` and ``amin``."""
    return _over(x, dim, keepdim, x.dtype) if x.is_floating_point() and x.is_contiguous() else DECLINED


def position(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """``argmax`` and ``argmin``."""
    return DECLINED if x.is_complex() or x.dtype is torch.bool else _over(x, dim, keepdim, torch.int64)


def question(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """``any`` and ``all``."""
    covered = x.dtype is not torch.uint8 and dim != [] and x.is_contiguous()
    return _over(x, dim, keepdim, torch.bool) if covered else DECLINED


def deviation(x: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Tensor:
    """``var`` and ``std``."""
    return _over(x, dim, keepdim, x.dtype) if x.is_floating_point() else DECLINED


def norm(
    x: Tensor, order: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """``linalg_vector_norm``."""
    return _over(x, dim, keepdim, x.dtype) if x.is_floating_point() and dtype is None and is_plain(x) else DECLINED


def log_sum_exp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """``logsumexp``."""
    return mean(x, dim, keepdim)


def running(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """``cumsum`` and ``cumprod``."""
    if dimension(dim, x.dim()) is None or not is_plain(x):
        return DECLINED
    return new(x.shape, dtype or (x.dtype if x.is_floating_point() or x.is_complex() else torch.int64))


def selected(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    """``max.dim`` and ``min.dim``: values and their positions."""
    shape = _reduced(x, dim, keepdim)
    if shape is None or 0 in x.shape or x.is_complex() or x.dtype is torch.bool:
        return DECLINED
    return new(shape, x.dtype), new(shape, torch.int64)


def largest(x: Tensor) -> Tensor:
    """``max`` and ``min`` of all elements."""
    return DECLINED if 0 in x.shape or x.is_complex() else new((), x.dtype)


def top(x: Tensor, k: int, dim: int = -1, *_: Any) -> Any:
    """``topk``."""
    place = dimension(dim, x.dim())
    if place is None or x.dim() == 0 or not 0 < k <= x.shape[place] or x.is_complex() or x.dtype is torch.bool:
        return DECLINED
    shape = (*x.shape[:place], k, *x.shape[place + 1 :])
    return new(shape, x.dtype), new(shape, torch.int64)


def ordered(x: Tensor, *settings: Any, **_: Any) -> Any:
    """``sort``."""
    dims = [each for each in settings if type(each) is int]
    if not is_plain(x) or x.is_complex() or any(dimension(dim, x.dim()) is None for dim in dims):
        return DECLINED
    return new(x.shape, x.dtype), new(x.shape, torch.int64)


KERNELS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("sum", "prod"), whole),
    **dict.fromkeys(("sum.dim_IntList", "prod.dim_int"), total),
    "mean": whole_mean,
    "mean.dim": mean,
    **dict.fromkeys(("amax", "amin"), extreme),
    **dict.fromkeys(("argmax", "argmin"), position),
    **dict.fromkeys(("any", "all", "any.dim", "all.dim"), question),
    **dict.fromkeys(("var.correction", "std.correction"), deviation),
    "linalg_vector_norm": norm,
    "logsumexp": log_sum_exp,
    **dict.fromkeys(("cumsum", "cumprod"), running),
    **dict.fromkeys(("max.dim", "min.dim"), selected),
    **dict.fromkeys(("max", "min"), largest),
    "topk": top,
    **dict.fromkeys(("sort", "sort.stable"), ordered),
}
