"""Strides of results, as the kernels choose them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

Sizes = tuple[int, ...]


@lru_cache(maxsize=4096)
def contiguous_stride(shape: Sizes) -> Sizes:
    """Strides of a contiguous tensor.

    >>> contiguous_stride((2, 3, 4))
    (12, 4, 1)
    """
    return permuted_stride(shape, range(len(shape)))


def permuted_stride(shape: Sizes, order: Sequence[int]) -> Sizes:
    """Strides without gaps, dimensions from outermost to innermost in memory in the order given.

    >>> permuted_stride((2, 3, 4, 5), (0, 2, 3, 1))
    (60, 1, 15, 3)
    """
    strides = [1] * len(shape)
    step = 1
    for dim in reversed(order):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return tuple(strides)


def image_stride(shape: Sizes, like: Sizes, stride: Sizes) -> Sizes:
    """Strides of an image in the memory format of another."""
    if suggests_channels_last(like, stride):
        return permuted_stride(shape, (0, *range(2, len(shape)), 1))
    return contiguous_stride(shape)


def is_dense(shape: Sizes, stride: Sizes) -> bool:
    """Whether the elements fill their memory without gaps or overlaps, in some order of the dimensions.

    >>> is_dense((2, 3), (1, 2)), is_dense((2, 3), (6, 2)), is_dense((2, 3), (0, 1))
    (True, False, False)
    """
    step = 1
    for length, each in sorted((length, each) for each, length in zip(shape, stride, strict=True) if each != 1):
        if length != step:
            return False
        step *= each
    return True


def expanded_stride(shape: Sizes, stride: Sizes, target: Sizes) -> Sizes:
    """Strides after ``expand``: 0 where a dimension is repeated.

    >>> expanded_stride((3, 1), (1, 1), (2, 3, 4))
    (0, 1, 0)
    """
    result = [0] * len(target)
    if not shape:
        return tuple(result)
    new = len(target) - len(shape)
    for dim in reversed(range(len(target))):
        if dim >= new:
            size, step = shape[dim - new], stride[dim - new]
        else:  # as torch has it: a new dimension of size 1 gets the stride that it would have when contiguous
            size, step = 1, target[dim + 1] * result[dim + 1] if dim + 1 < len(target) else 1
        result[dim] = step if size == target[dim] else 0
    return tuple(result)


def elementwise_stride(shape: Sizes, strides: Sequence[Sizes]) -> Sizes:
    """Strides of the result of an elementwise operation, from those of its operands, all of one shape.

    The dimensions keep their order in memory; the first operand that tells decides. This is
    ``torch._prims_common.compute_elementwise_output_logical_to_physical_perm``, in numbers.

    >>> elementwise_stride((2, 3, 4), [(1, 2, 6)])
    (1, 2, 6)
    >>> elementwise_stride((2, 3, 4), [(0, 0, 1), (12, 4, 1)])
    (12, 4, 1)
    """
    if len(shape) < 2:
        return (1,) * len(shape)
    contiguous = all(is_contiguous(shape, stride) for stride in strides)
    channels_last = all(is_channels_last(shape, stride) for stride in strides)
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
    """Whether the elements lie in order; the strides of dimensions of size 1 do not matter.

    >>> is_contiguous((2, 1, 3), (3, 7, 1))
    True
    """
    return _is_nested(shape, stride, range(len(shape) - 1, -1, -1))


def is_channels_last(shape: Sizes, stride: Sizes) -> bool:
    """Whether an image batch lies with its channels innermost."""
    return len(shape) == 4 and _is_nested(shape, stride, (1, 3, 2, 0), empty=False)


def _is_nested(shape: Sizes, stride: Sizes, inside_out: Sequence[int], empty: bool = True) -> bool:
    if empty and 0 in shape:
        return True
    step = 1
    for dim in inside_out:
        if shape[dim] != 1:
            if stride[dim] != step:
                return False
            step *= shape[dim]
    return True


def suggests_channels_last(shape: Sizes, stride: Sizes) -> bool:
    """What ``Tensor.suggest_memory_format`` answers for images and volumes.

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


def viewed_stride(shape: Sizes, stride: Sizes, target: Sizes) -> Sizes | None:
    """Strides of ``view(target)``, None where it would need a copy: ``at::detail::computeStride``.

    >>> viewed_stride((2, 3, 4), (12, 4, 1), (6, 4)), viewed_stride((3, 2), (1, 3), (6,))
    ((4, 1), None)
    """
    if not shape:
        return (1,) * len(target)
    result = [0] * len(target)
    position = len(target) - 1
    base = stride[-1]
    size = viewed = 1
    for dim in reversed(range(len(shape))):
        size *= shape[dim]
        if dim and (shape[dim - 1] == 1 or stride[dim - 1] == size * base):
            continue  # the next dimension lies seamlessly around this one
        while position >= 0 and (viewed < size or target[position] == 1):
            result[position] = viewed * base
            viewed *= target[position]
            position -= 1
        if viewed != size:
            return None
        if dim:
            base = stride[dim - 1]
            size = viewed = 1
    return tuple(result) if position < 0 else None
