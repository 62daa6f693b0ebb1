"""Joining, picking, shifting and copying of elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import (
    DECLINED,
    broadcast,
    contiguous_stride,
    dimension,
    image,
    is_plain,
    new,
    suggests_channels_last,
)

_INDICES = (torch.int64, torch.int32)


def _promoted(tensors: Sequence[Tensor]) -> torch.dtype:
    dtype = tensors[0].dtype
    for each in tensors[1:]:
        dtype = torch.promote_types(dtype, each.dtype)
    return dtype


def joined(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``cat``; tensors of shape (0,) may lie among others and add nothing."""
    filled = [each for each in tensors if each.shape != (0,)]
    if not filled or any(not each.is_meta for each in tensors):
        return DECLINED
    first = filled[0].shape
    place = dimension(dim, len(first))
    if place is None or not first or any(each.dim() != len(first) for each in filled):
        return DECLINED
    if len({(*each.shape[:place], *each.shape[place + 1 :]) for each in filled}) > 1:
        return DECLINED
    shape = (*first[:place], sum(each.shape[place] for each in filled), *first[place + 1 :])
    kept = len(filled) == len(tensors) and all(suggests_channels_last(each.shape, each.stride()) for each in filled)
    dtype = _promoted(tensors)
    return image(shape, dtype, filled[0]) if kept else new(shape, dtype)


def stacked(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``stack`` of contiguous tensors."""
    shape = tensors[0].shape
    place, stride = dimension(dim, len(shape) + 1), contiguous_stride(shape)
    if place is None or any(each.shape != shape or each.stride() != stride or not each.is_meta for each in tensors):
        return DECLINED
    return new((*shape[:place], len(tensors), *shape[place:]), _promoted(tensors))


def embedded(weight: Tensor, indices: Tensor, *_: Any) -> Tensor:
    """``embedding``."""
    fits = weight.dim() == 2 and weight.is_floating_point() and indices.dtype in _INDICES
    return new((*indices.shape, weight.shape[1]), weight.dtype) if fits else DECLINED


def indexed(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """``index`` of a contiguous tensor by integers along its first dimensions; torch permutes other results."""
    given = [place for place, each in enumerate(indices) if each is not None]
    tensors = [each for each in indices if each is not None]
    if given != list(range(len(given))) or not given or len(given) > x.dim() or not is_plain(x) or 0 in x.shape:
        return DECLINED
    if any(each.dtype not in _INDICES or not each.is_meta or not is_plain(each) for each in tensors):
        return DECLINED
    shape = broadcast(*[each.shape for each in tensors])
    if shape is None:
        return DECLINED
    return new((*shape, *x.shape[len(given) :]), x.dtype)


def picked(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """``index_select``."""
    place = dimension(dim, x.dim())
    if place is None or x.dim() == 0 or index.dim() != 1 or index.dtype not in _INDICES or not is_plain(x):
        return DECLINED
    return new((*x.shape[:place], index.shape[0], *x.shape[place + 1 :]), x.dtype)


def gathered(x: Tensor, dim: int, index: Tensor, sparse_grad: bool = False) -> Tensor:
    """``gather``."""
    place = dimension(dim, x.dim())
    if place is None or index.dim() != x.dim() or index.dtype is not torch.int64 or not is_plain(index):
        return DECLINED
    sizes = zip(index.shape, x.shape, strict=True)
    fits = all(each == place or size <= limit for each, (size, limit) in enumerate(sizes))
    return new(index.shape, x.dtype) if fits else DECLINED


def shifted(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    """``roll``."""
    places = {dimension(dim, x.dim()) for dim in dims}
    if x.dim() == 0 or 0 in x.shape or None in places or len(places) != len(dims) or len(shifts) != (len(dims) or 1):
        return DECLINED
    return new(x.shape, x.dtype)


def repeated(x: Tensor, repeats: Sequence[int]) -> Tensor:
    """``repeat``."""
    if len(repeats) < x.dim() or any(count <= 0 for count in repeats) or 0 in x.shape:
        return DECLINED
    sizes = (1,) * (len(repeats) - x.dim()) + tuple(x.shape)
    return new([size * count for size, count in zip(sizes, repeats, strict=True)], x.dtype)


def triangle(x: Tensor, diagonal: int = 0) -> Tensor:
    """``tril`` and ``triu``."""
    return new(x.shape, x.dtype) if x.dim() >= 2 and is_plain(x) else DECLINED


def flipped(x: Tensor, dims: Sequence[int]) -> Tensor:
    """``flip`` of a contiguous tensor."""
    places = {dimension(dim, x.dim()) for dim in dims}
    return new(x.shape, x.dtype) if is_plain(x) and None not in places and len(places) == len(dims) else DECLINED


def halved(x: Tensor, dim: int = -1) -> Tensor:
    """``glu``."""
    place = dimension(dim, x.dim())
    if not x.is_floating_point() or place is None or x.dim() == 0 or x.shape[place] % 2 or not is_plain(x):
        return DECLINED
    return new((*x.shape[:place], x.shape[place] // 2, *x.shape[place + 1 :]), x.dtype)


KERNELS: dict[str, Callable[..., Any]] = {
    "cat": joined,
    "stack": stacked,
    "embedding": embedded,
    "index.Tensor": indexed,
    "index_select": picked,
    "gather": gathered,
    "roll": shifted,
    "repeat": repeated,
    **dict.fromkeys(("tril", "triu"), triangle),
    "flip": flipped,
    "glu": halved,
}
