"""Results of kernels: meta tensors with the strides that torch's own kernels choose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

Sizes = tuple[int, ...]

META = torch.device("meta")
DECLINED = cast(Tensor, NotImplemented)
"""What a kernel returns to leave a call to torch's own kernel."""


def new(shape: Sequence[int], dtype: torch.dtype, stride: Sizes | None = None) -> Tensor:
    """Return a new meta tensor, contiguous unless strides are given."""
    if stride is None:
        return torch.empty(shape, dtype=dtype, device=META)
    return torch.empty_strided(shape, stride, dtype=dtype, device=META)


def image(shape: Sizes, dtype: torch.dtype, like: Tensor) -> Tensor:
    """Return a new tensor in the memory format of another: channels last or contiguous."""
    if not suggests_channels_last(like.shape, like.stride()):
        return new(shape, dtype)
    return new(shape, dtype, permuted_stride(shape, (0, *range(2, len(shape)), 1)))


_COMPUTED = {torch.float16: torch.float32, torch.bfloat16: torch.float32}


def elementwise(dtype: torch.dtype, *operands: Tensor, computed: torch.dtype | None = None) -> Tensor:
    """Return the result of an elementwise operation; decline operands that do not broadcast.

    Args:
        computed: the dtype that operands are converted to first, if it is not the result's.
    """
    first = operands[0]
    shape = first.shape if len(operands) == 1 else broadcast(*[each.shape for each in operands])
    if shape is None:
        return DECLINED
    computed = _COMPUTED.get(computed or dtype, computed or dtype)
    strides = tuple([_expanded_stride(each, shape, computed) for each in operands])
    return new(shape, dtype, elementwise_stride(shape, strides))


def _expanded_stride(operand: Tensor, shape: Sizes, computed: torch.dtype) -> Sizes:
    """Return an operand's strides after its conversion, which fills gaps, and its expansion."""
    if operand.dtype is not computed and not is_dense(operand.shape, operand.stride()):
        operand = new(operand.shape, operand.dtype, elementwise_stride(operand.shape, (operand.stride(),)))
    return (operand if operand.shape == shape else operand.expand(shape)).stride()


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
def contiguous_stride(shape: Sizes) -> Sizes:
    """Return the strides of a contiguous tensor.

    >>> contiguous_stride((2, 3, 4))
    (12, 4, 1)
    """
    return permuted_stride(shape, range(len(shape)))


def permuted_stride(shape: Sizes, order: Sequence[int]) -> Sizes:
    """Return strides without gaps, with the dimensions from outermost to innermost in this order.

    >>> permuted_stride((2, 3, 4, 5), (0, 2, 3, 1))
    (60, 1, 15, 3)
    """
    strides = [1] * len(shape)
    step = 1
    for dim in reversed(order):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return tuple(strides)


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
    if len(shape) < 2:
        return (1,) * len(shape)
    contiguous = all(is_contiguous(shape, stride) for stride in strides)
    channels_last = all(_is_channels_last(shape, stride) for stride in strides)
    if contiguous != channels_last:
        return contiguous_stride(shape) if contiguous else permuted_stride(shape, (0, 2, 3, 1))
    order = list(reversed(range(len(shape))))
    for moving in range(1, len(shape)):  # an insertion sort that stops where the order is clear
        position = moving
        for below in reversed(range(moving)):
            comparison = _compare(order[below], order[position], shape, strides)
            if comparison > 0:
                order[below], order[position] = order[position], order[below]
                position = below
            elif comparison < 0:
                break
    return permuted_stride(shape, order[::-1])


def _compare(a: int, b: int, shape: Sizes, strides: Sequence[Sizes]) -> int:
    for stride in strides:
        first, second = stride[a], stride[b]
        if first == 0 or second == 0:
            continue
        if first == second:
            if shape[b] >= shape[a] or shape[b] == 0:
                continue
            return 1
        return -1 if second > first else 1
    return 0


def is_contiguous(shape: Sizes, stride: Sizes) -> bool:
    """Return whether the elements lie in order; the strides of dimensions of size 1 do not matter.

    >>> is_contiguous((2, 1, 3), (3, 7, 1))
    True
    """
    return 0 in shape or _is_nested(shape, stride, range(len(shape) - 1, -1, -1))


def _is_channels_last(shape: Sizes, stride: Sizes) -> bool:
    return len(shape) == 4 and _is_nested(shape, stride, (1, 3, 2, 0))


def _is_nested(shape: Sizes, stride: Sizes, inside_out: Sequence[int]) -> bool:
    step = 1
    for dim in inside_out:
        if shape[dim] != 1:
            if stride[dim] != step:
                return False
            step *= shape[dim]
    return True


@lru_cache(maxsize=4096)
def suggests_channels_last(shape: Sizes, stride: Sizes) -> bool:
    """Return what ``Tensor.suggest_memory_format`` answers for images and volumes.

    >>> suggests_channels_last((2, 3, 4, 5), (60, 1, 15, 3)), suggests_channels_last((2, 1, 4, 5), (20, 20, 5, 1))
    (True, False)
    """
    if len(shape) not in (4, 5) or stride[1] == 0 or 0 in shape:
        return False
    least = 0
    for dim in (1, *range(len(shape) - 1, 1, -1), 0):
        if stride[dim] < least or (dim == 0 and least == stride[1]):
            return False
        least = stride[dim] * shape[dim]
    return True


@lru_cache(maxsize=4096)
def is_dense(shape: Sizes, stride: Sizes) -> bool:
    """Return whether the elements fill their memory without gaps or overlaps, in some order of the dimensions.

    >>> is_dense((2, 3), (1, 2)), is_dense((2, 3), (6, 2)), is_dense((2, 3), (0, 1))
    (True, False, False)
    """
    step = 1
    for length, size in sorted((length, size) for size, length in zip(shape, stride, strict=True) if size != 1):
        if length != step:
            return False
        step *= size
    return True


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor has exactly the strides of a new contiguous one."""
    return tensor.stride() == contiguous_stride(tensor.shape)


def is_clear(tensor: Tensor) -> bool:
    """Return whether the order in memory is not in doubt, as it is where only strides of sizes 1 are odd."""
    return is_plain(tensor) or not tensor.is_contiguous()


def repeats(tensor: Tensor) -> bool:
    """Return whether elements lie at the same place, so that torch refuses to write them."""
    return any(step == 0 and size > 1 for size, step in zip(tensor.shape, tensor.stride(), strict=True))
