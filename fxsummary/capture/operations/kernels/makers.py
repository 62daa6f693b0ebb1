"""New tensors: ranges, and tensors like others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, elementwise_stride, is_clear, is_dense, new


def like(x: Tensor, *_: Any, dtype: torch.dtype | None = None, memory_format: Any = None, **__: Any) -> Tensor:
    """``empty_like`` and its like, which keep the order in memory and fill gaps."""
    if memory_format not in (None, torch.preserve_format) or not is_clear(x):
        return DECLINED
    dense = is_dense(x.shape, x.stride())
    return new(x.shape, dtype or x.dtype, x.stride() if dense else elementwise_stride(x.shape, (x.stride(),)))


def drawn_like(x: Tensor, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    """``rand_like`` and ``randn_like``."""
    return like(x, dtype=dtype, **options) if (dtype or x.dtype).is_floating_point else DECLINED


def span(end: Any, **options: Any) -> Tensor:
    """``arange`` from 0."""
    return stepped(0, end, **options)


def stepped(start: Any, end: Any, step: Any = 1, *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """``arange``."""
    if (
        step == 0
        or any(isinstance(each, complex) for each in (start, end, step))
        or not math.isfinite((end - start) / step)
        or (end - start) / step < 0
    ):
        return DECLINED
    whole = all(type(each) is int for each in (start, end, step))
    return new((math.ceil((end - start) / step),), dtype or (torch.int64 if whole else torch.get_default_dtype()))


def spaced(start: Any, end: Any, steps: int, *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """``linspace``."""
    result = dtype or torch.get_default_dtype()
    covered = (
        result.is_floating_point and steps >= 0 and not isinstance(start, complex) and not isinstance(end, complex)
    )
    return new((steps,), result) if covered else DECLINED


def drawn(size: Sequence[int], *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """``rand`` and ``randn``."""
    result = dtype or torch.get_default_dtype()
    return new(size, result) if result.is_floating_point and all(each >= 0 for each in size) else DECLINED


def diagonal(*sizes: int, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """``eye``."""
    return new((sizes[0], sizes[-1]), dtype or torch.get_default_dtype()) if min(sizes) >= 0 else DECLINED


KERNELS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("empty_like", "zeros_like", "ones_like", "full_like"), like),
    **dict.fromkeys(("rand_like", "randn_like"), drawn_like),
    "arange": span,
    **dict.fromkeys(("arange.start", "arange.start_step"), stepped),
    "linspace": spaced,
    **dict.fromkeys(("rand", "randn"), drawn),
    **dict.fromkeys(("eye", "eye.m"), diagonal),
}
