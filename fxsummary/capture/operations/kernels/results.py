"""Results of kernels: meta tensors with the strides that torch's own kernels choose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

from fxsummary.capture.operations.twins import META
from fxsummary.graph.spec import dense_stride

Sizes = tuple[int, ...]

DECLINED = cast(Tensor, NotImplemented)
"""What a kernel returns to leave a call to torch's own kernel."""


def new(shape: Sequence[int], dtype: torch.dtype, stride: Sizes | None = None) -> Tensor:
    """Return a new meta tensor, contiguous unless strides are given."""
    if stride is None:
        return torch.empty(shape, dtype=dtype, device=META)
    return torch.empty_strided(shape, stride, dtype=dtype, device=META)


def dense_like(x: Tensor) -> Tensor:
    """Return a new tensor without gaps, whose dimensions keep the order that they have in memory in ``x``."""
    order = sorted(range(x.dim()), key=lambda dim: -x.stride()[dim])
    dense = dict(zip(order, dense_stride([x.shape[dim] for dim in order]), strict=True))
    return new(x.shape, x.dtype, tuple([dense[dim] for dim in range(x.dim())]))


def elementwise_like(operands: Sequence[Tensor], dtype: torch.dtype, common: torch.dtype | None) -> Tensor:
    """Return the result of an elementwise operation; decline operands that do not broadcast.

    If all operands are contiguous, so is the result. Otherwise its dimensions keep the order in memory that they have
    in the first operand; cases in which other operands decide too are declined.

    Args:
        common: the dtype that operands are converted to; None if the result is converted too. A tensor with gaps
            loses its strides when it is converted, and half precision is computed in float32.
    """
    first = operands[0]
    shape = first.shape if len(operands) == 1 else broadcast(*[each.shape for each in operands])
    if shape is None:
        return DECLINED
    rank, is_contiguous = len(shape), all(each.is_contiguous() for each in operands)
    is_nhwc = rank == 4 and all(each.is_contiguous(memory_format=torch.channels_last) for each in operands)
    if is_contiguous and (not is_nhwc or all(map(is_plain, operands))):
        return new(shape, dtype)
    stride, kept = first.stride(), None if common in (torch.float16, torch.bfloat16) else common
    is_converted = not all(each.dtype is kept or is_dense(each) for each in operands)
    is_clear = 0 not in stride and (len(operands) == 1 or len(set(stride)) == rank)
    if is_converted or first.shape != shape or not is_clear:
        return DECLINED
    order = sorted(range(rank), key=lambda dim: (-stride[dim], -shape[dim]))
    if is_nhwc and not is_contiguous:
        order = [0, 2, 3, 1]
    dense = dict(zip(order, dense_stride([shape[dim] for dim in order]), strict=True))
    return new(shape, dtype, tuple([dense[dim] for dim in range(rank)]))


@lru_cache(maxsize=4096)
def broadcast(*shapes: Sizes) -> Sizes | None:
    """Return the shape that elementwise operations expand their operands to; None if there is none.

    >>> broadcast((3, 1), (2, 1, 4)), broadcast((3,), (2,))
    ((2, 3, 4), None)
    """
    result = []
    for dim in range(-max(map(len, shapes)), 0):
        sizes = {shape[dim] for shape in shapes if -dim <= len(shape)} - {1}
        if len(sizes) > 1:
            return None
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def each(setting: Sequence[int], rank: int) -> Sizes:
    """Return a setting for each dimension; one number holds for all."""
    return tuple(setting) * rank if len(setting) == 1 else tuple(setting)


def dimension(dim: int, rank: int) -> int | None:
    """Return a dimension counted from the front; None if a tensor of this rank has no such dimension.

    >>> dimension(-1, 3), dimension(3, 3), dimension(0, 0)
    (2, None, 0)
    """
    rank = max(rank, 1)
    return dim % rank if -rank <= dim < rank else None


is_dense = torch.ops.aten.is_non_overlapping_and_dense.default
"""Whether the elements fill their memory without gaps or overlaps, in some order of the dimensions."""


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor has exactly the strides of a new contiguous one."""
    return tensor.stride() == dense_stride(tensor.shape)


def fit(first: Tensor, *others: Tensor | None) -> bool:
    """Return whether tensors are of one floating-point dtype."""
    return first.is_floating_point() and all(each is None or each.dtype is first.dtype for each in others)
