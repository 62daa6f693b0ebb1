"""Normalizations, pooling, resizing, embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import (
    DECLINED,
    Sizes,
    each,
    elementwise_like,
    fit,
    is_plain,
    new,
)


def _statistics(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, variance: Tensor | None,
    training: bool, *_: Any,
) -> Any:  # fmt: skip
    """Run ``native_batch_norm``: return the result, and mean and deviation by channel, which are empty in eval mode."""
    given = [each for each in (weight, bias, mean, variance) if each is not None]
    channels = x.shape[1:2]
    fits = fit(x) and {each.dtype for each in given} in ({x.dtype}, {_statistics(x.dtype)}, set())
    if not fits or x.dim() < 2 or any(each.shape != channels or not is_plain(each) for each in given):
        return DECLINED
    has_statistics = x.numel() > channels[0] if training else mean is not None and variance is not None
    if not has_statistics or (1 in x.shape and not is_plain(x)):
        return DECLINED
    statistics = [new(channels if training else (0,), _statistics(x.dtype)) for _ in range(2)]
    result = elementwise_like([x, *[each.view(-1, *[1] * (x.dim() - 2)) for each in given]], x.dtype, x.dtype)
    return result if result is DECLINED else (result, *statistics)


def layer_norm(x: Tensor, sizes: Any, weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
    """Run ``native_layer_norm``: return the result, and mean and deviation of each row."""
    sizes, kept = tuple(sizes), x.dim() - len(sizes)
    given = [each for each in (weight, bias) if each is not None]
    fits = sizes and kept >= 0 and x.shape[kept:] == sizes and all(each.shape == sizes for each in given)
    if not fits or not fit(x, *given) or (x.is_contiguous() and not is_plain(x)):
        return DECLINED
    rows = (*x.shape[:kept], *[1] * len(sizes))
    statistics = new(rows, _statistics(x.dtype)), new(rows, _statistics(x.dtype))
    return new(x.shape, x.dtype), *statistics


def group_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, batch: int, channels: int, inner: int, groups: int,
    eps: float,
) -> Any:  # fmt: skip
    """Run ``native_group_norm``: return the result, and mean and deviation of each group."""
    given = [each for each in (weight, bias) if each is not None]
    if not fit(x, *given) or not is_plain(x) or channels % groups or x.shape[:2] != (batch, channels):
        return DECLINED
    if any(each.shape != (channels,) for each in given):
        return DECLINED
    return new(x.shape, x.dtype), new((batch, groups), x.dtype), new((batch, groups), x.dtype)


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Any:
    """Run ``_weight_norm_interface``: return a weight from its direction and length, and the norm of the direction."""
    lengths = tuple([size if each == dim else 1 for each, size in enumerate(v.shape)])
    if not fit(v, g) or g.shape != lengths or not (is_plain(v) and is_plain(g)):
        return DECLINED
    return new(v.shape, v.dtype), new(lengths, torch.float32 if v.dtype is torch.bfloat16 else v.dtype)


def _is_image(x: Tensor, size: Any) -> bool:
    """Return whether this is a batch of images, or volumes, of as many dimensions as the size has."""
    return x.is_floating_point() and x.dim() == len(size) + 2 > 3 and 0 not in x.shape and is_plain(x)


def _pooled(x: Tensor, width: Any, step: Any, pad: Any, extent: Any, ceil: bool) -> Sizes | None:
    """Return the sizes after pooling; a window that would start in the right padding is left out."""
    rank = len(width)
    settings = [each(value, rank) for value in (width, step or width, pad, extent)]
    if not _is_image(x, width) or any(len(setting) != rank for setting in settings):
        return None
    sizes = []
    for size, width, step, pad, extent in zip(x.shape[2:], *settings, strict=True):
        room = size + 2 * pad - extent * (width - 1) - 1
        if room < 0 or not 0 <= 2 * pad <= width or step <= 0:
            return None
        count = (room + (step - 1 if ceil else 0)) // step + 1
        sizes.append(count - 1 if ceil and (count - 1) * step >= size + pad else count)
    return (*x.shape[:2], *sizes)


def max_pool(x: Tensor, width: Any, step: Any = (), pad: Any = (0,), extent: Any = (1,), ceil: bool = False) -> Any:
    """Run ``max_pool2d_with_indices`` or its 3D version."""
    shape = _pooled(x, width, step, pad, extent, ceil)
    return DECLINED if shape is None else (new(shape, x.dtype), new(shape, torch.int64))


def average_pool(x: Tensor, width: Any, step: Any = (), pad: Any = (0,), ceil: bool = False, *_: Any) -> Tensor:
    """Run ``avg_pool2d`` or its 3D version."""
    shape = _pooled(x, width, step, pad, (1,), ceil)
    return DECLINED if shape is None else new(shape, x.dtype)


def resized(x: Tensor, size: Any, *_: Any) -> Tensor:
    """Run ``upsample_nearest2d``, ``_adaptive_avg_pool2d`` or another operator with a target size."""
    fits = _is_image(x, size) and min(size) > 0
    return new((*x.shape[:2], *size), x.dtype) if fits else DECLINED


def embedded(weight: Tensor, indices: Tensor, *_: Any) -> Tensor:
    """Run ``embedding``."""
    fits = weight.dim() == 2 and weight.is_floating_point() and indices.dtype in (torch.int64, torch.int32)
    return new((*indices.shape, weight.shape[1]), weight.dtype) if fits else DECLINED


KERNELS: dict[str, Callable[..., Any]] = {
    "native_batch_norm": batch_norm,
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
    "_weight_norm_interface": weight_norm,
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), max_pool),
    **dict.fromkeys(("avg_pool2d", "avg_pool3d"), average_pool),
    "_adaptive_avg_pool2d": resized,
    **{f"upsample_{mode}2d": resized for mode in ("nearest", "bilinear", "bicubic")},
    "embedding": embedded,
}
