"""Joining and picking of elements, new tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import (
    DECLINED,
    broadcast,
    dimension,
    is_dense,
    is_plain,
    new,
)

_INDICES = (torch.int64, torch.int32)


def _joint_dtype(tensors: Sequence[Tensor]) -> torch.dtype:
    return reduce(torch.promote_types, [each.dtype for each in tensors])


def joined(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Run ``cat``; tensors of shape (0,) are allowed and add nothing."""
    shapes = [each.shape for each in tensors if each.shape != (0,)]
    if not shapes or not shapes[0] or not all(each.is_meta for each in tensors):
        return DECLINED
    if len(shapes[0]) > 3 and not all(map(is_plain, tensors)):  # the memory format may be kept
        return DECLINED
    place = dimension(dim, len(shapes[0]))
    if place is None or len({(*each[:place], -1, *each[place + 1 :]) for each in shapes}) > 1:
        return DECLINED
    shape = (*shapes[0][:place], sum([each[place] for each in shapes]), *shapes[0][place + 1 :])
    return new(shape, _joint_dtype(tensors))


def stacked(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Run ``stack``."""
    shape = tensors[0].shape
    place = dimension(dim, len(shape) + 1)
    if place is None or any(each.shape != shape or not each.is_meta or not is_plain(each) for each in tensors):
        return DECLINED
    return new((*shape[:place], len(tensors), *shape[place:]), _joint_dtype(tensors))


def indexed(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """Run ``index`` with integers: new dimensions replace the indexed ones, or come first if these are not adjacent."""
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    tensors = [index for index in indices if index is not None]
    places = broadcast(*[index.shape for index in tensors]) if tensors else None
    if places is None or len(indices) > x.dim() or 0 in x.shape or not is_plain(x):
        return DECLINED
    if any(index.dtype not in _INDICES or not index.is_meta for index in tensors):
        return DECLINED
    first = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    rest = [size for dim, size in enumerate(x.shape) if dim not in dims]
    return new((*rest[:first], *places, *rest[first:]), x.dtype)


def like(x: Tensor, *_: Any, dtype: torch.dtype | None = None, memory_format: Any = None, **__: Any) -> Tensor:
    """Run ``empty_like`` or a similar operator, which keeps the order in memory."""
    keeps = is_plain(x) or (is_dense(x) and min(x.shape) > 1)
    covered = keeps and memory_format in (None, torch.preserve_format)
    return new(x.shape, dtype or x.dtype, x.stride()) if covered else DECLINED


def span(*given: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """Run ``arange``."""
    start, end, step = (0, *given, 1) if len(given) == 1 else (*given, 1)[:3]
    numbers = all(type(each) in (int, float) for each in (start, end, step)) and step != 0
    count = (end - start) / step if numbers else -1
    if not 0 <= count < math.inf:
        return DECLINED
    whole = all(type(each) is int for each in (start, end, step))
    return new((math.ceil(count),), dtype or (torch.int64 if whole else torch.get_default_dtype()))


KERNELS: dict[str, Callable[..., Any]] = {
    "cat": joined,
    "stack": stacked,
    "index.Tensor": indexed,
    **dict.fromkeys(("empty_like", "zeros_like", "ones_like", "full_like"), like),
    **dict.fromkeys(("arange", "arange.start", "arange.start_step"), span),
}
