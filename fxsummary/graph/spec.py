"""`TensorSpec`, the metadata of a tensor, and nested structures of specs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from fxsummary.errors import UnknownNameError

_SIZES = {
    "float32": 4, "float16": 2, "bfloat16": 2, "float64": 8, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "bool": 1,
}  # fmt: skip
"""Item sizes of common dtypes, so that reading a saved graph need not import torch."""


@cache
def itemsize(dtype: str) -> int:
    """Return the bytes per element of a dtype, given its torch name; raises UnknownNameError for unknown names.

    >>> itemsize("float32"), itemsize("bool")
    (4, 1)
    """
    if dtype in _SIZES:
        return _SIZES[dtype]
    import torch

    known = getattr(torch, dtype, None)
    if not isinstance(known, torch.dtype):
        raise UnknownNameError(
            f"torch {torch.__version__} has no dtype {dtype!r}: update torch, if a later one has it."
        )
    return known.itemsize


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape, dtype, stride and device of a tensor; no data.

    Attributes:
        shape: sizes of the dimensions, () for a scalar.
        dtype: name in torch without the prefix, such as ``"float32"``.
        stride: strides in elements; None for a layout without strides.
        device: the device the user's tensor is on, such as ``"cpu"`` or ``"cuda:0"``.

    >>> TensorSpec((1, 3, 28, 28), "float32").nbytes
    9408
    """

    shape: tuple[int, ...]
    dtype: str
    stride: tuple[int, ...] | None = None
    device: str = "cpu"

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, without regard to views and padding."""
        return self.numel * itemsize(self.dtype)

    @property
    def extent(self) -> int:
        """Bytes from the first to the last element: more than `nbytes` with gaps, less if elements share memory."""
        if self.stride is None or 0 in self.shape:
            return self.nbytes
        last = sum([(size - 1) * step for size, step in zip(self.shape, self.stride, strict=True)])
        return (last + 1) * itemsize(self.dtype)

    @property
    def is_index(self) -> bool:
        """Whether the dtype is integer or bool, as for indices and masks."""
        return self.dtype == "bool" or self.dtype.startswith(("int", "uint"))

    @property
    def is_quantized(self) -> bool:
        """Whether the dtype has a scale and a zero point, as in static quantization."""
        return self.dtype.startswith(("qint", "quint"))

    def __str__(self) -> str:
        return f"{'×'.join(map(str, self.shape)) or 'scalar'} {self.dtype}"


def dense_stride(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the stride of a contiguous tensor.

    >>> dense_stride((2, 3, 4)), dense_stride((2, 0)), dense_stride(())
    ((12, 4, 1), (1, 1), ())
    """
    stride, step = [], 1
    for size in reversed(shape):
        stride.append(step)
        step *= max(size, 1)
    return tuple(reversed(stride))


def contiguous(shape: tuple[int, ...], dtype: str, device: str = "cpu") -> TensorSpec:
    """Return the spec of a contiguous tensor."""
    return TensorSpec(shape, dtype, dense_stride(shape), device)


def without_device(structure: object) -> object:
    """Return the structure without the devices of its specs."""
    return map_structure(lambda each: replace(each, device="") if isinstance(each, TensorSpec) else each, structure)


def leaves(structure: object) -> Iterator[TensorSpec]:
    """Return the specs in nested tuples, lists and dicts, in order."""
    if isinstance(structure, TensorSpec):
        yield structure
    elif isinstance(structure, (tuple, list)):
        for item in structure:
            yield from leaves(item)
    elif isinstance(structure, dict):
        for item in structure.values():
            yield from leaves(item)


def nbytes(structure: object) -> int | None:
    """Return the bytes of all specs in a structure; None for None, an unknown result.

    >>> nbytes((TensorSpec((2, 3), "float32"), [TensorSpec((), "bool")])), nbytes(None), nbytes(3)
    (25, None, 0)
    """
    if type(structure) is TensorSpec:
        return structure.nbytes
    return None if structure is None else sum([spec.nbytes for spec in leaves(structure)])


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply ``function`` to every item that is not a tuple, list, dict or slice, and keep the nesting.

    Named tuples keep their class if it can be rebuilt from its fields.
    """
    kind = type(structure)
    if isinstance(structure, list):
        return [map_structure(function, item) for item in structure]
    if kind is tuple or kind.__module__ == "torch.return_types":
        return kind([map_structure(function, item) for item in structure])
    if kind is slice:
        return slice(*(map_structure(function, part) for part in (structure.start, structure.stop, structure.step)))
    if isinstance(structure, dict):
        return {key: map_structure(function, item) for key, item in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return tuple.__new__(kind, [map_structure(function, item) for item in structure])
    return function(structure)
