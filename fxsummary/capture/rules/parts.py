"""Parts of a tensor: by index, by position, in pieces."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.outcome import Alias, Outcome
from fxsummary.capture.rules.answers import (
    INDICES,
    dimension,
    fresh,
    integers,
    new,
    plain,
    strides,
    sure,
    tensor,
    view,
    views,
)
from fxsummary.spec import TensorSpec, leaves


def _getitem(input: Any, index: Any) -> Outcome:
    if type(input) is not TensorSpec:
        return _item(input, index)
    spec = tensor(input)
    position = index[0] if type(index) is tuple and len(index) == 1 else index
    if type(position) is TensorSpec:
        return _taken(spec, tensor(position, INDICES))
    indices = list(index) if type(index) is tuple else [index]
    sure(all(each is None or each is Ellipsis or type(each) in (int, slice) for each in indices))
    taken = sum(type(each) in (int, slice) for each in indices)
    if not any(each is Ellipsis for each in indices):
        indices.append(Ellipsis)
    place = indices.index(Ellipsis)
    sure(taken <= len(spec.shape) and Ellipsis not in indices[place + 1 :])
    indices[place : place + 1] = [slice(None)] * (len(spec.shape) - taken)
    return _sliced(spec, indices)


def _taken(spec: TensorSpec, index: TensorSpec) -> Outcome:
    """Elements along the first dimension, by their positions."""
    plain(spec)
    plain(index)
    sure(spec.shape and index.shape)
    return fresh(index.shape + spec.shape[1:], spec)


def _gather(input: Any, dim: Any, index: Any) -> Outcome:
    spec, places = tensor(input), tensor(index, INDICES)
    place = dimension(dim, len(spec.shape))
    plain(spec)
    sure(places.dtype == "int64" and len(places.shape) == len(spec.shape))
    sure(all(places.shape[each] <= size for each, size in enumerate(spec.shape) if each != place))
    return fresh(places.shape, spec)


def _sliced(spec: TensorSpec, indices: list[Any]) -> Outcome:
    shape: list[int] = []
    stride: list[int] = []
    dim = offset = 0
    sizes, steps = spec.shape, strides(spec)
    for index in indices:
        if index is None:
            step = sizes[dim] * steps[dim] if dim < len(sizes) else 1
            shape.append(1)
            stride.append(step)
            continue
        if type(index) is int:
            sure(-sizes[dim] <= index < sizes[dim])
            offset += index % sizes[dim] * steps[dim]
        else:
            sure(all(type(each) in (int, type(None)) for each in (index.start, index.stop, index.step)))
            sure(index.step is None or index.step > 0)
            start, stop, step = index.indices(sizes[dim])
            shape.append(len(range(start, stop, step)))
            stride.append(step * steps[dim])
            offset += start * steps[dim]
        dim += 1
    return view(spec, shape, stride, offset)


def _item(container: Any, key: Any) -> Outcome:
    """An element of a result that is a tuple or a list."""
    sure(isinstance(container, (tuple, list)) and type(key) is int and -len(container) <= key < len(container))
    value = container[key]
    if type(value) in (int, float, bool, str):
        return Outcome(value)
    before = sum(1 for item in container[: key % len(container)] for _ in leaves(item))
    sure(type(value) is TensorSpec)
    return Outcome(value, aliases=(Alias(before),))


def _parts(spec: TensorSpec, sizes: list[int], dim: int) -> Outcome:
    """Views of stretches of a dimension."""
    sure(min(sizes) > 0 and sum(sizes) == spec.shape[dim])
    found, start = [], 0
    for size in sizes:
        shape = (*spec.shape[:dim], size, *spec.shape[dim + 1 :])
        found.append((new(shape, spec, stride=spec.stride), start * strides(spec)[dim]))
        start += size
    return views(found)


def _split(tensor_: Any, split_size_or_sections: Any, dim: Any = 0) -> Outcome:
    spec = tensor(tensor_)
    place, wanted = dimension(dim, len(spec.shape)), split_size_or_sections
    if type(wanted) is not int:
        return _parts(spec, list(integers(wanted)), place)
    sure(wanted > 0)
    length = spec.shape[place]
    return _parts(spec, [min(wanted, length - start) for start in range(0, length, wanted)], place)


def _function_split(tensor: Any, split_size_or_sections: Any, dim: Any = 0) -> Outcome:
    return _split(tensor, split_size_or_sections, dim)


def _chunk(input: Any, chunks: Any, dim: Any = 0) -> Outcome:
    shape = tensor(input).shape
    sure(type(chunks) is int and chunks > 0)
    return _split(input, -(-shape[dimension(dim, len(shape))] // chunks), dim)


def _unbind(input: Any, dim: Any = 0) -> Outcome:
    spec = tensor(input)
    place = dimension(dim, len(spec.shape))
    shape = spec.shape[:place] + spec.shape[place + 1 :]
    stride = strides(spec)[:place] + strides(spec)[place + 1 :]
    step = strides(spec)[place]
    return views([(new(shape, spec, stride=stride), index * step) for index in range(spec.shape[place])])


def _select(input: Any, dim: Any, index: Any) -> Outcome:
    sure(type(index) is int)
    return _getitem(input, (slice(None),) * dimension(dim, len(tensor(input).shape)) + (index,))


_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "chunk": _chunk,
    "unbind": _unbind,
    "select": _select,
    "gather": _gather,
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **_BY_NAME,
    **{getattr(torch, name): rule for name, rule in _BY_NAME.items()},
    "split": _split,
    torch.split: _function_split,
    operator.getitem: _getitem,
}
