"""Parts of a tensor: by index, by position, in pieces."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    INDICES,
    broadcast,
    dimension,
    fresh,
    integers,
    named,
    new,
    plain,
    strides,
    sure,
    tensor,
    view,
    views,
    written,
)
from fxsummary.capture.operations.rules.answers import dimension as dim_of
from fxsummary.capture.operations.rules.layout import elementwise_stride
from fxsummary.capture.recorded import torch_calls
from fxsummary.graph.spec import TensorSpec, leaves


def _getitem(input: Any, index: Any) -> Outcome:
    if type(input) is not TensorSpec:
        return _item(input, index)
    spec = tensor(input)
    indices = _indices(spec, index)
    if not any(type(each) is TensorSpec for each in indices):
        return _sliced(spec, indices)
    part = _sliced(spec, [slice(None) if type(each) is TensorSpec else each for each in indices]).value
    return _taken(part, [each for each in indices if type(each) is not int])


def _indices(spec: TensorSpec, index: Any) -> list[Any]:
    """An index for each dimension, and None for each new one; tensors among them hold positions."""
    indices = list(index) if type(index) is tuple else [index]
    for place, each in enumerate(indices):
        if type(each) is TensorSpec:
            sure(tensor(each, INDICES).shape)
        elif type(each) is list:
            sure(each and all(type(item) is int for item in each))
            indices[place] = TensorSpec((len(each),), "int64", (1,))
        else:
            sure(each is None or each is Ellipsis or type(each) in (int, slice))
    taken = sum(each is not None and each is not Ellipsis for each in indices)
    if not any(each is Ellipsis for each in indices):
        indices.append(Ellipsis)
    place = next(place for place, each in enumerate(indices) if each is Ellipsis)
    sure(taken <= len(spec.shape) and not any(each is Ellipsis for each in indices[place + 1 :]))
    indices[place : place + 1] = [slice(None)] * (len(spec.shape) - taken)
    return indices


def _taken(spec: TensorSpec, indices: list[Any]) -> Outcome:
    """Elements by their positions, given for each dimension by a tensor or, if all are taken, by something else."""
    dims = [dim for dim, each in enumerate(indices) if type(each) is TensorSpec]
    places = broadcast(*[indices[dim].shape for dim in dims])
    first = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0  # apart, they come to the front
    rest = [dim for dim in range(len(spec.shape)) if dim not in dims]
    before, after = rest[:first], rest[first:]
    shape = (*[spec.shape[dim] for dim in before], *places, *[spec.shape[dim] for dim in after])
    steps = strides(spec)
    laid = (*[steps[dim] for dim in before], *[0] * len(places), *[steps[dim] for dim in after])
    return fresh(shape, spec, stride=elementwise_stride(shape, [laid]))


def _set_item(input: Any, index: Any, value: Any) -> Outcome:
    """``input[index] = value``."""
    spec = tensor(input)
    if type(index) is TensorSpec and index.dtype == "bool":
        sure(type(value) in (bool, int, float) and index.shape == spec.shape[: len(index.shape)] and index.shape)
        return written(spec)
    target = _getitem(spec, index)
    if type(value) is TensorSpec:
        sure(target.aliases or value.dtype == spec.dtype)
        shape = tensor(value).shape
        while len(shape) > len(target.value.shape) and shape[0] == 1:
            shape = shape[1:]
        sure(broadcast(shape, target.value.shape) == target.value.shape)
    else:
        sure(type(value) in (bool, int, float))
    return written(spec)


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
    if value is None or type(value) in (int, float, bool, str):
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


def _narrow(input: Any, dim: Any, start: Any, length: Any) -> Outcome:
    shape = tensor(input).shape
    place = dimension(dim, len(shape))
    sure(type(start) is type(length) is int and start >= 0 and length > 0 and start + length <= shape[place])
    return _getitem(input, (slice(None),) * place + (slice(start, start + length),))


def _windows(input: Any, dimension: Any, size: Any, step: Any) -> Outcome:
    """Windows along a dimension, their elements in a new last one: ``Tensor.unfold``."""
    spec = tensor(input)
    place = dim_of(dimension, len(spec.shape))
    sure(type(size) is type(step) is int and 0 < size <= spec.shape[place] and step > 0)
    shape, stride = list(spec.shape), list(strides(spec))
    shape[place] = (shape[place] - size) // step + 1
    stride[place] *= step
    return view(spec, (*shape, size), (*stride, strides(spec)[place]))


def _index_select(input: Any, dim: Any, index: Any) -> Outcome:
    spec, places = tensor(input), tensor(index, INDICES)
    place = dimension(dim, len(spec.shape))
    plain(spec)
    sure(len(places.shape) == 1)
    return fresh((*spec.shape[:place], *places.shape, *spec.shape[place + 1 :]), spec)


def _scatter_(input: Any, dim: Any, index: Any, src: Any) -> Outcome:
    spec, places = tensor(input), tensor(index, frozenset({"int64"}))
    place = dimension(dim, len(spec.shape))
    sure(len(places.shape) == len(spec.shape))
    sure(all(size <= spec.shape[each] for each, size in enumerate(places.shape) if each != place))
    if type(src) is TensorSpec:
        sure(src.dtype == spec.dtype and len(tensor(src).shape) == len(spec.shape))
        sure(all(size <= limit for size, limit in zip(places.shape, src.shape, strict=True)))
    else:
        sure(type(src) in ((int, float) if spec.dtype in FLOATS else (int,)))
    return written(spec)


def _scatter_add_(input: Any, dim: Any, index: Any, src: Any) -> Outcome:
    sure(type(src) is TensorSpec)
    return _scatter_(input, dim, index, src)


_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "chunk": _chunk,
    "unbind": _unbind,
    "select": _select,
    "gather": _gather,
    "index_select": _index_select,
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **named(_BY_NAME),
    "split": _split,
    torch.split: _function_split,
    operator.getitem: _getitem,
    torch_calls.set_item: _set_item,
    "narrow": _narrow,
    torch.narrow: _narrow,
    "unfold": _windows,
    "split_with_sizes": _split,
    "scatter_": _scatter_,
    "scatter_add_": _scatter_add_,
}
