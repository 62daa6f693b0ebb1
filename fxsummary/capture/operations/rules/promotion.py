"""The dtype and the strides of what several operands yield."""

from __future__ import annotations

from typing import Any

import torch

from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    INTEGERS,
    KNOWN,
    broadcast,
    default_dtype,
    new,
    strides,
    sure,
    tensor,
)
from fxsummary.capture.operations.rules.layout import contiguous_stride, elementwise_stride, expanded_stride
from fxsummary.capture.operations.twins import dtype_name
from fxsummary.graph.spec import TensorSpec

_NUMBERS = (bool, int, float)


def operands(*values: Any) -> tuple[list[TensorSpec], list[type]]:
    """The tensors among the operands, and the types of the numbers."""
    tensors = [tensor(value) for value in values if type(value) is TensorSpec]
    others = [value for value in values if type(value) is not TensorSpec]
    sure(tensors and all(type(value) in _NUMBERS for value in others))
    sure(all(abs(value) < 2**63 for value in others if type(value) is int))
    return tensors, [type(value) for value in others]


def promoted(tensors: list[TensorSpec], numbers: list[type]) -> str:
    """The dtype that operands are brought to: tensors count before tensors of rank 0, those before numbers."""
    ranked = [_together([spec.dtype for spec in tensors if bool(spec.shape) is has_dims]) for has_dims in (True, False)]
    literal = _together([_LITERAL[number] if number is not float else default_dtype() for number in numbers])
    result = _decides(ranked[0], _decides(ranked[1], literal))
    assert result is not None
    return result


_LITERAL = {bool: "bool", int: "int64"}


_PROMOTED = {
    (first, second): dtype_name(torch.promote_types(getattr(torch, first), getattr(torch, second)))
    for first in KNOWN
    for second in KNOWN
}


def _together(dtypes: list[str]) -> str | None:
    result: str | None = None
    for dtype in dtypes:
        result = dtype if result is None else _PROMOTED[result, dtype]
    return result


def _decides(first: str | None, second: str | None) -> str | None:
    """The first of two dtypes, unless the second is of a higher kind: truth value, integer, floating point."""
    if first is None or second is None:
        return first or second
    return first if _kind(first) >= _kind(second) else second


def _kind(dtype: str) -> int:
    return 2 if dtype in FLOATS else 1 if dtype in INTEGERS else 0


def combined(tensors: list[TensorSpec], dtype: str) -> TensorSpec:
    """The result of an elementwise operation on tensors, which are broadcast."""
    shape = broadcast(*[spec.shape for spec in tensors])
    if all(spec.shape == shape and spec.stride == contiguous_stride(shape) for spec in tensors):
        return new(shape, tensors[0], dtype)
    expanded = [expanded_stride(spec.shape, strides(spec), shape) for spec in tensors]
    return new(shape, tensors[0], dtype, elementwise_stride(shape, expanded))
