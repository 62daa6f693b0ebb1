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


def elementwise_like(operands: Sequence[Tensor], dtype: torch.dtype, common: torch.dtype | None) -> Tensor:
    """Return the result of an elementwise operation; decline operands that do not broadcast.

    Args:
        common: the dtype that operands are converted to; None if the result is converted too. A tensor with gaps
            loses its strides when it is converted, and half precision is computed in float32.
    """
    shape = operands[0].shape if len(operands) == 1 else broadcast(*[each.shape for each in operands])
    kept = None if common in (torch.float16, torch.bfloat16) else common
    if shape is None or not all(each.dtype is kept or is_dense(each) for each in operands):
        return DECLINED
    strides = tuple([(each if each.shape == shape else each.expand(shape)).stride() for each in operands])
    return new(shape, dtype, elementwise_stride(shape, strides))


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


@lru_cache(maxsize=4096)
def elementwise_stride(shape: Sizes, strides: tuple[Sizes, ...]) -> Sizes:
    """Return the strides of an elementwise result, given those of the operands, all expanded to its shape.

    The dimensions keep their order in memory; the first operand in which two dimensions have different strides
    decides. This is ``torch._prims_common.compute_elementwise_output_logical_to_physical_perm``, which imports sympy.

    >>> elementwise_stride((2, 3, 4), ((1, 2, 6),))
    (1, 2, 6)
    >>> elementwise_stride((2, 3, 4), ((0, 0, 1), (12, 4, 1)))
    (12, 4, 1)
    """
    rank = len(shape)
    contiguous = 0 in shape or all(_is_nested(shape, stride, range(rank)) for stride in strides)
    channels_last = rank == 4 and all(_is_nested(shape, stride, (0, 2, 3, 1)) for stride in strides)
    order = list(range(rank))
    if rank > 1 and contiguous == channels_last:
        order = _order(shape, strides)
    elif channels_last:
        order = [0, 2, 3, 1]
    dense = dict(zip(order, dense_stride([shape[dim] for dim in order]), strict=True))
    return tuple([dense[dim] for dim in range(rank)])


def _order(shape: Sizes, strides: Sequence[Sizes]) -> list[int]:
    """Return the dimensions from outermost to innermost, by an insertion sort that stops where the order is clear."""
    order = list(reversed(range(len(shape))))
    for moving in range(1, len(shape)):
        position = moving
        for below in reversed(range(moving)):
            comparison = _compare(order[below], order[position], shape, strides)
            if comparison > 0:
                order[below], order[position] = order[position], order[below]
                position = below
            elif comparison < 0:
                break
    return order[::-1]


def _compare(a: int, b: int, shape: Sizes, strides: Sequence[Sizes]) -> int:
    for stride in strides:
        first, second = stride[a], stride[b]
        if first and second and first != second:
            return -1 if second > first else 1
        if first and first == second and shape[a] > shape[b] > 0:
            return 1
    return 0


def _is_nested(shape: Sizes, stride: Sizes, order: Sequence[int]) -> bool:
    """Return whether the elements lie in this order; the strides of dimensions of size 1 do not matter."""
    kept = [dim for dim in order if shape[dim] != 1]
    return tuple([stride[dim] for dim in kept]) == dense_stride([shape[dim] for dim in kept])


is_dense = torch.ops.aten.is_non_overlapping_and_dense.default
"""Whether the elements fill their memory without gaps or overlaps, in some order of the dimensions."""


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor has exactly the strides of a new contiguous one."""
    return tensor.stride() == dense_stride(tensor.shape)


def fit(first: Tensor, *others: Tensor | None) -> bool:
    """Return whether tensors are of one floating-point dtype."""
    return first.is_floating_point() and all(each is None or each.dtype is first.dtype for each in others)
