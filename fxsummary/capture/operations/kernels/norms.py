"""Normalizations and softmax."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, dimension, elementwise, is_clear, is_plain, new

_HALVES = (torch.float16, torch.bfloat16)


def _statistics(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in _HALVES else dtype


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, variance: Tensor | None,
    training: bool, *_: Any,
) -> Any:  # fmt: skip
    """``native_batch_norm``: the result, and mean and deviation by channel."""
    given = [each for each in (weight, bias, mean, variance) if each is not None]
    if not x.is_floating_point() or x.dim() < 2 or any(each.dtype is not x.dtype for each in given):
        return DECLINED
    channels = x.shape[1:2]
    if any(each.shape != channels or not is_plain(each) for each in given):
        return DECLINED
    if x.numel() <= channels[0] if training else mean is None or variance is None:
        return DECLINED
    statistics = new(channels, _statistics(x.dtype)), new(channels, _statistics(x.dtype))
    if is_plain(x) and 1 not in x.shape[1:]:
        return new(x.shape, x.dtype), *statistics
    shaped = [each.view(-1, *[1] * (x.dim() - 2)) for each in given]
    return elementwise(x.dtype, x, *shaped), *statistics


def layer_norm(x: Tensor, sizes: Any, weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
    """``native_layer_norm``: the result, mean and deviation of each row."""
    sizes, kept = tuple(sizes), x.dim() - len(sizes)
    given = [each for each in (weight, bias) if each is not None]
    fits = sizes and kept >= 0 and x.shape[kept:] == sizes and all(each.shape == sizes for each in given)
    if not fits or not x.is_floating_point() or any(each.dtype is not x.dtype for each in given):
        return DECLINED
    x = x.contiguous()
    rows = (*x.shape[:kept], *[1] * len(sizes))
    statistics = new(rows, _statistics(x.dtype)), new(rows, _statistics(x.dtype))
    return elementwise(x.dtype, x, statistics[0], *given), *statistics


def group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    inner: int,
    groups: int,
    eps: float,
) -> Any:
    """``native_group_norm``: the result, mean and deviation of each group."""
    given = [each for each in (weight, bias) if each is not None]
    if not x.is_floating_point() or not x.is_contiguous() or channels % groups or x.shape[:2] != (batch, channels):
        return DECLINED
    if any(each.dtype is not x.dtype or each.shape != (channels,) for each in given):
        return DECLINED
    statistics = new((batch, groups), x.dtype), new((batch, groups), x.dtype)
    return elementwise(x.dtype, x), *statistics


def softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """``_softmax`` and ``_log_softmax``."""
    return DECLINED if half_to_float else safe_softmax(x, dim)


def safe_softmax(x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    """``_safe_softmax``, whose result is contiguous."""
    if not x.is_floating_point() or dimension(dim, x.dim()) is None or not is_clear(x):
        return DECLINED
    return new(x.shape, dtype or x.dtype)


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Any:
    """``_weight_norm_interface``: a weight from its direction and length, and the norm of the direction."""
    lengths = tuple([size if each == dim else 1 for each, size in enumerate(v.shape)])
    if not v.is_floating_point() or g.dtype is not v.dtype or g.shape != lengths or not (is_plain(v) and is_plain(g)):
        return DECLINED
    return new(v.shape, v.dtype), new(lengths, _statistics(v.dtype) if v.dtype is torch.bfloat16 else v.dtype)


KERNELS: dict[str, Any] = {
    "native_batch_norm": batch_norm,
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
    **dict.fromkeys(("_softmax", "_log_softmax"), softmax),
    "_safe_softmax": safe_softmax,
    "_weight_norm_interface": weight_norm,
}
