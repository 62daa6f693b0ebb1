"""Pooling, resizing and padding of signals, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, Sizes, each, image, is_plain, new


def _is_image(x: Tensor, rank: int) -> bool:
    """Whether all kernels choose the same strides for results of this batch."""
    return x.is_floating_point() and x.dim() == rank + 2 and 0 not in x.shape and (x.dim() == 4 or is_plain(x))


def _pooled(x: Tensor, width: Any, step: Any, pad: Any, extent: Any, ceil: bool) -> Sizes | None:
    """Return the sizes after pooling; a window that would start in the right padding is left out."""
    rank = x.dim() - 2
    settings = [each(value, rank) for value in (width, step or width, pad, extent)]
    if any(len(setting) != rank for setting in settings):
        return None
    sizes = []
    for size, width, step, pad, extent in zip(x.shape[2:], *settings, strict=True):
        room = size + 2 * pad - extent * (width - 1) - 1
        if room < 0 or not 0 <= 2 * pad <= width or step <= 0:
            return None
        count = (room + (step - 1 if ceil else 0)) // step + 1
        sizes.append(count - 1 if ceil and (count - 1) * step >= size + pad else count)
    return tuple(sizes)


def _windows(sizes: Any, width: Any, step: Any, pad: Any, extent: Any) -> Sizes | None:
    """Return how many windows fit in each dimension."""
    if {len(value) for value in (sizes, width, step, pad, extent)} != {2} or min(*width, *step, *extent, *pad) < 0:
        return None
    if 0 in (*width, *step, *extent):
        return None
    settings = zip(sizes, width, step, pad, extent, strict=True)
    counts = tuple([(size + 2 * pad - span * (width - 1) - 1) // step + 1 for size, width, step, pad, span in settings])
    return counts if min(counts) > 0 else None


def max_pool(rank: int) -> Callable[..., Any]:
    """The kernel of ``max_pool2d_with_indices`` and its like."""

    def kernel(x: Tensor, width: Any, step: Any = (), pad: Any = (0,), extent: Any = (1,), ceil: bool = False) -> Any:
        sizes = _pooled(x, width, step, pad, extent, ceil) if _is_image(x, rank) else None
        if sizes is None:
            return DECLINED
        shape = (*x.shape[:2], *sizes)
        return image(shape, x.dtype, x), image(shape, torch.int64, x)

    return kernel


def average_pool(rank: int) -> Callable[..., Any]:
    """The kernel of ``avg_pool2d`` and its like."""

    def kernel(x: Tensor, width: Any, step: Any = (), pad: Any = (0,), ceil: bool = False, *_: Any) -> Tensor:
        sizes = _pooled(x, width, step, pad, (1,), ceil) if _is_image(x, rank) else None
        return DECLINED if sizes is None else image((*x.shape[:2], *sizes), x.dtype, x)

    return kernel


def adaptive_pool(rank: int, with_indices: bool) -> Callable[..., Any]:
    """The kernel of ``_adaptive_avg_pool2d`` and its like."""

    def kernel(x: Tensor, size: Any) -> Any:
        if not _is_image(x, rank) or len(size) != rank or min(size) <= 0:
            return DECLINED
        shape = (*x.shape[:2], *size)
        return (image(shape, x.dtype, x), image(shape, torch.int64, x)) if with_indices else image(shape, x.dtype, x)

    return kernel


def resized(x: Tensor, size: Any, *_: Any) -> Tensor:
    """``upsample_nearest2d`` and its like."""
    return image((*x.shape[:2], *size), x.dtype, x) if _is_image(x, len(size)) and min(size) > 0 else DECLINED


def columns(x: Tensor, width: Any, extent: Any, pad: Any, step: Any) -> Tensor:
    """``im2col``: blocks of an image as columns."""
    sizes = _windows(x.shape[2:], width, step, pad, extent) if _is_image(x, 2) and is_plain(x) else None
    return DECLINED if sizes is None else new((x.shape[0], x.shape[1] * math.prod(width), math.prod(sizes)), x.dtype)


def from_columns(x: Tensor, size: Any, width: Any, extent: Any, pad: Any, step: Any) -> Tensor:
    """``col2im``: the image whose blocks are these columns."""
    sizes = _windows(size, width, step, pad, extent) if x.dim() == 3 and x.is_floating_point() and is_plain(x) else None
    if sizes is None or 0 in x.shape or x.shape[2] != math.prod(sizes) or x.shape[1] % math.prod(width):
        return DECLINED
    return new((x.shape[0], x.shape[1] // math.prod(width), *size), x.dtype)


def grid_sample(x: Tensor, grid: Tensor, mode: int, *_: Any) -> Tensor:
    """``grid_sampler_2d`` and ``grid_sampler_3d``."""
    rank = x.dim() - 2
    if not x.is_floating_point() or rank not in (2, 3) or grid.dim() != x.dim() or grid.dtype is not x.dtype:
        return DECLINED
    if mode > 1 or grid.shape[-1] != rank or grid.shape[0] != x.shape[0] or 0 in x.shape:
        return DECLINED
    return new((*x.shape[:2], *grid.shape[1:-1]), x.dtype)


KERNELS: dict[str, Any] = {
    "max_pool2d_with_indices": max_pool(2),
    "max_pool3d_with_indices": max_pool(3),
    "avg_pool2d": average_pool(2),
    "avg_pool3d": average_pool(3),
    "_adaptive_avg_pool2d": adaptive_pool(2, False),
    "_adaptive_avg_pool3d": adaptive_pool(3, False),
    "adaptive_max_pool2d": adaptive_pool(2, True),
    "adaptive_max_pool3d": adaptive_pool(3, True),
    **{f"upsample_{mode}2d": resized for mode in ("nearest", "bilinear", "bicubic")},
    **dict.fromkeys(("_upsample_nearest_exact2d", "upsample_nearest1d", "upsample_linear1d"), resized),
    "im2col": columns,
    "col2im": from_columns,
    **dict.fromkeys(("grid_sampler_2d", "grid_sampler_3d"), grid_sample),
}
