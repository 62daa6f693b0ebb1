"""Tensors made from sizes and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    default_dtype,
    dtype_of,
    fresh,
    integers,
    sure,
    tensor,
    unpacked,
)
from fxsummary.capture.operations.rules.layout import contiguous_stride
from fxsummary.capture.operations.rules.promotion import combined
from fxsummary.graph.spec import TensorSpec


def _made(device: str, shape: tuple[int, ...], dtype: str) -> Outcome:
    return fresh(shape, TensorSpec((), dtype, (), device))


def _sized(
    claimed: str,
    *given: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: Any = False,
    layout: Any = None,
) -> Outcome:
    sure(not given or size is None)
    sure(requires_grad is False and layout in (None, torch.strided))
    return _made(
        claimed,
        unpacked(given) if size is None else integers(size),
        default_dtype() if dtype is None else dtype_of(dtype),
    )


def _full(claimed: str, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Outcome:
    kinds = {bool: "bool", int: "int64", float: default_dtype()}
    sure(type(fill_value) in kinds)
    return _made(claimed, integers(size), kinds[type(fill_value)] if dtype is None else dtype_of(dtype))


def _arange(
    claimed: str, *bounds: Any, start: Any = None, end: Any = None, dtype: Any = None, device: Any = None
) -> Outcome:
    if end is not None:
        sure(not bounds)
        bounds = (0 if start is None else start, end)
    sure(len(bounds) in (1, 2, 3) and all(type(bound) in (int, float) for bound in bounds))
    start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    sure(step != 0 and math.isfinite((end - start) / step))
    name = ("int64" if {type(bound) for bound in bounds} == {int} else default_dtype()) if dtype is None else ""
    return _made(claimed, (math.ceil((end - start) / step),), name or dtype_of(dtype))


def _like(
    claimed: str, input: Any, *, dtype: Any = None, device: Any = None, memory_format: Any = torch.preserve_format
) -> Outcome:
    spec = tensor(input)
    sure(memory_format is torch.preserve_format)
    return Outcome(combined([spec], spec.dtype if dtype is None else dtype_of(dtype)))


def _random(claimed: str, *size: Any, **options: Any) -> Outcome:
    made = _sized(claimed, *size, **options)
    sure(made.value.dtype in FLOATS)
    return made


def _random_like(claimed: str, input: Any, **options: Any) -> Outcome:
    made = _like(claimed, input, **options)
    sure(made.value.dtype in FLOATS)
    return made


def _full_like(claimed: str, input: Any, fill_value: Any, **options: Any) -> Outcome:
    sure(type(fill_value) in (bool, int, float))
    return _like(claimed, input, **options)


def _new(claimed: str, input: Any, *size: Any, dtype: Any = None, device: Any = None) -> Outcome:
    spec = tensor(input)
    return fresh(unpacked(size), spec, None if dtype is None else dtype_of(dtype))


def _new_full(
    claimed: str, input: Any, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None
) -> Outcome:
    sure(type(fill_value) in (bool, int, float))
    return _new(claimed, input, integers(size), dtype=dtype)


def _tensor(claimed: str, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: Any = False) -> Outcome:
    sure(requires_grad is False)
    shape, kinds = _nested(data)
    names = {float: default_dtype(), int: "int64", bool: "bool"}
    kind = next((kind for kind in names if kind in kinds), float)
    name = names[kind] if dtype is None else dtype_of(dtype)
    return Outcome(TensorSpec(shape, name, contiguous_stride(shape), claimed))


def _as_tensor(claimed: str, data: Any, dtype: Any = None, device: Any = None) -> Outcome:
    return _tensor(claimed, data, dtype=dtype)


def _nested(data: Any) -> tuple[tuple[int, ...], set[type]]:
    """The shape of nested lists of numbers, and the types of these.

    >>> _nested([[1, 2.0, 3]]) == ((1, 3), {int, float})
    True
    """
    if type(data) in (bool, int, float):
        sure(type(data) is not int or abs(data) < 2**63)
        return (), {type(data)}
    sure(type(data) in (list, tuple))
    items = [_nested(item) for item in data]
    shapes = {shape for shape, _ in items}
    sure(len(shapes) < 2)
    return (len(items), *(shapes.pop() if shapes else ())), {kind for _, kinds in items for kind in kinds}


def _linspace(claimed: str, start: Any, end: Any, steps: Any, *, dtype: Any = None, device: Any = None) -> Outcome:
    sure(type(start) in (int, float) and type(end) in (int, float) and type(steps) is int)
    name = default_dtype() if dtype is None else dtype_of(dtype)
    sure(name in FLOATS)
    return _made(claimed, (steps,), name)


def _eye(claimed: str, n: Any, m: Any = None, *, dtype: Any = None, device: Any = None) -> Outcome:
    return _sized(claimed, n, n if m is None else m, dtype=dtype)


MAKERS: dict[Any, Callable[..., Outcome]] = {
    **dict.fromkeys((torch.zeros, torch.ones, torch.empty), _sized),
    **dict.fromkeys((torch.rand, torch.randn), _random),
    **dict.fromkeys((torch.rand_like, torch.randn_like), _random_like),
    torch.full: _full,
    torch.arange: _arange,
    **dict.fromkeys((torch.zeros_like, torch.ones_like, torch.empty_like), _like),
    torch.full_like: _full_like,
    torch.tensor: _tensor,
    torch.as_tensor: _as_tensor,
    torch.linspace: _linspace,
    torch.eye: _eye,
    "new_full": _new_full,
    **dict.fromkeys(("new_zeros", "new_ones", "new_empty"), _new),
}
"""Rules that get the device that tensors claim to be on before the arguments."""
