"""Joining, picking, shifting and copying of elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import (
    DECLINED,
    Sizes,
    broadcast,
    dimension,
    elementwise_stride,
    image,
    is_plain,
    new,
    repeats,
    suggests_channels_last,
)

_INDICES = (torch.int64, torch.int32)


def _promoted(tensors: Sequence[Tensor]) -> torch.dtype:
    dtype = tensors[0].dtype
    for each in tensors[1:]:
        dtype = torch.promote_types(dtype, each.dtype)
    return dtype


def _on_meta(tensors: Sequence[Tensor]) -> bool:
    return all(each.is_meta for each in tensors)


def joined(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``cat``; tensors of shape (0,) may lie among others and add nothing."""
    filled = [each for each in tensors if each.shape != (0,)]
    shapes = [each.shape for each in filled]
    if not shapes or not shapes[0] or not _on_meta(tensors):
        return DECLINED
    place = dimension(dim, len(shapes[0]))
    if place is None or len({(*each[:place], -1, *each[place + 1 :]) for each in shapes}) > 1:
        return DECLINED
    shape = (*shapes[0][:place], sum([each[place] for each in shapes]), *shapes[0][place + 1 :])
    kept = len(filled) == len(tensors) and all(suggests_channels_last(each.shape, each.stride()) for each in filled)
    dtype = _promoted(tensors)
    return image(shape, dtype, filled[0]) if kept else new(shape, dtype)


def stacked(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """``stack``."""
    shape = tensors[0].shape
    place = dimension(dim, len(shape) + 1)
    if place is None or any(each.shape != shape for each in tensors):
        return DECLINED
    if not all(map(is_plain, tensors)):
        if any(suggests_channels_last(each.shape, each.stride()) for each in tensors):
            return DECLINED
        return joined([each.unsqueeze(place) for each in tensors], place)
    return new((*shape[:place], len(tensors), *shape[place:]), _promoted(tensors)) if _on_meta(tensors) else DECLINED


def embedded(weight: Tensor, indices: Tensor, *_: Any) -> Tensor:
    """``embedding``."""
    fits = weight.dim() == 2 and weight.is_floating_point() and indices.dtype in _INDICES
    return new((*indices.shape, weight.shape[1]), weight.dtype) if fits else DECLINED


def indexed(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """``index`` by integers: the new dimensions lie where the indexed ones were, or in front if these are apart."""
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    tensors = [index for index in indices if index is not None]
    places = broadcast(*[index.shape for index in tensors]) if tensors else None
    if places is None or len(indices) > x.dim() or 0 in x.shape:
        return DECLINED
    if any(index.dtype not in _INDICES or not index.is_meta for index in tensors):
        return DECLINED
    first = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    rest = [dim for dim in range(x.dim()) if dim not in dims]

    def around(values: Sequence[int], middle: Sequence[int]) -> Sizes:
        return (*[values[dim] for dim in rest[:first]], *middle, *[values[dim] for dim in rest[first:]])

    shape = around(x.shape, places)
    return new(shape, x.dtype, elementwise_stride(shape, (around(x.stride(), [0] * len(places)),)))


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


def scattered(x: Tensor, dim: int, index: Tensor, source: Any) -> Tensor:
    """``scatter_`` and ``scatter_add_``, whose result is their first argument."""
    place = dimension(dim, x.dim())
    if place is None or index.dim() != x.dim() or index.dtype is not torch.int64 or repeats(x):
        return DECLINED
    if any(size > x.shape[each] for each, size in enumerate(index.shape) if each != place):
        return DECLINED
    if not isinstance(source, Tensor):
        return x if type(source) is int or x.is_floating_point() else DECLINED
    sizes = zip(index.shape, source.shape, strict=False)
    fits = source.dtype is x.dtype and source.dim() == x.dim() and all(size <= limit for size, limit in sizes)
    return x if fits else DECLINED


def shifted(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    """``roll``."""
    places = {dimension(dim, x.dim()) for dim in dims}
    if x.dim() == 0 or 0 in x.shape or None in places or len(places) != len(dims) or len(shifts) != (len(dims) or 1):
        return DECLINED
    return new(x.shape, x.dtype)


def repeated(x: Tensor, counts: Sequence[int]) -> Tensor:
    """``repeat``."""
    if len(counts) < x.dim() or any(count <= 0 for count in counts) or 0 in x.shape:
        return DECLINED
    sizes = (1,) * (len(counts) - x.dim()) + tuple(x.shape)
    return new([size * count for size, count in zip(sizes, counts, strict=True)], x.dtype)


def triangle(x: Tensor, diagonal: int = 0) -> Tensor:
    """``tril`` and ``triu``."""
    return new(x.shape, x.dtype) if x.dim() >= 2 and is_plain(x) else DECLINED


def flipped(x: Tensor, dims: Sequence[int]) -> Tensor:
    """``flip`` of a contiguous tensor."""
    places = {dimension(dim, x.dim()) for dim in dims}
    return new(x.shape, x.dtype) if is_plain(x) and None not in places and len(places) == len(dims) else DECLINED


def shuffled(x: Tensor, factor: int) -> Tensor:
    """``pixel_shuffle``: channels become pixels."""
    if x.dim() < 3 or factor <= 0 or x.shape[-3] % factor**2 or not is_plain(x) or 0 in x.shape:
        return DECLINED
    *batch, channels, height, width = x.shape
    return new((*batch, channels // factor**2, height * factor, width * factor), x.dtype)


def unshuffled(x: Tensor, factor: int) -> Tensor:
    """``pixel_unshuffle``: pixels become channels."""
    if x.dim() < 3 or factor <= 0 or x.shape[-1] % factor or x.shape[-2] % factor or not is_plain(x) or 0 in x.shape:
        return DECLINED
    *batch, channels, height, width = x.shape
    return new((*batch, channels * factor**2, height // factor, width // factor), x.dtype)


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
    **dict.fromkeys(("scatter_.src", "scatter_.value", "scatter_add_"), scattered),
    "roll": shifted,
    "repeat": repeated,
    **dict.fromkeys(("tril", "triu"), triangle),
    "flip": flipped,
    "glu": halved,
    "pixel_shuffle": shuffled,
    "pixel_unshuffle": unshuffled,
}
