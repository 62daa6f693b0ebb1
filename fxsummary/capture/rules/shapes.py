"""Views, and what joins, splits, repeats and moves elements without computing."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.outcome import Alias, Outcome
from fxsummary.capture.rules.answers import (
    INDICES,
    clear,
    dimension,
    dimensions,
    fresh,
    integers,
    itself,
    new,
    numel,
    plain,
    strides,
    sure,
    tensor,
    unpacked,
    view,
    views,
)
from fxsummary.capture.rules.elementwise import promoted
from fxsummary.capture.rules.layout import (
    Sizes,
    contiguous_stride,
    expanded_stride,
    image_stride,
    suggests_channels_last,
    viewed_stride,
)
from fxsummary.spec import TensorSpec, leaves

# --- views of one shape in another -----------------------------------------------------------------


def _target_shape(spec: TensorSpec, given: Sizes) -> Sizes:
    """The shape asked for, with -1 replaced."""
    sure(given.count(-1) <= 1 and all(size > 0 or size == -1 for size in given))
    known = numel([size for size in given if size != -1])
    sure(spec.numel % known == 0 if -1 in given else spec.numel == known)
    return tuple([spec.numel // known if size == -1 else size for size in given])


def _view(input: Any, *shape: Any) -> Outcome:
    spec = tensor(input)
    target = _target_shape(spec, unpacked(shape))
    stride = viewed_stride(spec.shape, strides(spec), target)
    sure(stride is not None)
    return view(spec, target, stride or ())


def _reshape(input: Any, *shape: Any) -> Outcome:
    spec = tensor(input)
    target = _target_shape(spec, unpacked(shape))
    stride = viewed_stride(spec.shape, strides(spec), target)
    return fresh(target, spec) if stride is None else view(spec, target, stride)


def _function_reshape(input: Any, shape: Any) -> Outcome:
    return _reshape(input, integers(shape))


def _view_as(input: Any, other: Any) -> Outcome:
    return _view(input, tensor(other).shape)


def _reshape_as(input: Any, other: Any) -> Outcome:
    return _reshape(input, tensor(other).shape)


def _flatten(input: Any, start_dim: Any = 0, end_dim: Any = -1) -> Outcome:
    shape = tensor(input).shape
    sure(shape)
    start, end = dimension(start_dim, len(shape)), dimension(end_dim, len(shape))
    sure(start <= end)
    return itself(input) if start == end else _reshape(input, (*shape[:start], -1, *shape[end + 1 :]))


def _unflatten(input: Any, dim: Any, sizes: Any) -> Outcome:
    shape = tensor(input).shape
    place, parts = dimension(dim, len(shape)), integers(sizes)
    sure(parts.count(-1) <= 1 and all(size > 0 or size == -1 for size in parts))
    known = numel([size for size in parts if size != -1])
    sure(shape[place] % known == 0 if -1 in parts else shape[place] == known)
    return _view(input, shape[:place] + parts + shape[place + 1 :])


# --- views that move dimensions --------------------------------------------------------------------


def _permute(input: Any, *dims: Any) -> Outcome:
    spec = tensor(input)
    order = dimensions(unpacked(dims), len(spec.shape))
    sure(len(order) == len(spec.shape))
    return view(spec, [spec.shape[dim] for dim in order], [strides(spec)[dim] for dim in order])


def _function_permute(input: Any, dims: Any) -> Outcome:
    return _permute(input, integers(dims))


def _transpose(input: Any, dim0: Any, dim1: Any) -> Outcome:
    rank = len(tensor(input).shape)
    order = list(range(rank))
    first, second = dimension(dim0, rank), dimension(dim1, rank)
    order[first], order[second] = second, first
    return _permute(input, order)


def _t(input: Any) -> Outcome:
    sure(len(tensor(input).shape) == 2)
    return _transpose(input, 0, 1)


def _unsqueeze(input: Any, dim: Any) -> Outcome:
    spec = tensor(input)
    place = dimension(dim, len(spec.shape) + 1)
    shape, stride = list(spec.shape), list(strides(spec))
    step = shape[place] * stride[place] if place < len(shape) else 1
    shape.insert(place, 1)
    stride.insert(place, step)
    return view(spec, shape, stride)


def _squeeze(input: Any, dim: Any = None) -> Outcome:
    spec = tensor(input)
    rank = len(spec.shape)
    dims = range(rank) if dim is None else dimensions(dim, rank)
    kept = [place for place in range(rank) if place not in dims or spec.shape[place] != 1]
    return view(spec, [spec.shape[place] for place in kept], [strides(spec)[place] for place in kept])


def _expand(input: Any, *sizes: Any, implicit: Any = False) -> Outcome:
    spec, given = tensor(input), unpacked(sizes)
    added = len(given) - len(spec.shape)
    sure(added >= 0)
    old = (1,) * added + spec.shape
    target = tuple([have if want == -1 else want for have, want in zip(old, given, strict=True)])
    sure(-1 not in given[:added] and all(have in (1, want) for have, want in zip(old, target, strict=True)))
    return view(spec, target, expanded_stride(spec.shape, strides(spec), target))


def _expand_as(input: Any, other: Any) -> Outcome:
    return _expand(input, tensor(other).shape)


# --- parts -----------------------------------------------------------------------------------------


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


# --- joins and moves -------------------------------------------------------------------------------


def _joined(tensors: Any) -> list[TensorSpec]:
    sure(type(tensors) in (tuple, list) and tensors)
    return [tensor(each) for each in tensors]


def _without_empty(tensors: Any) -> list[Any]:
    """Without those of shape (0,), which may be put beside anything of their dtype."""
    sure(type(tensors) in (tuple, list) and all(type(each) is TensorSpec for each in tensors))
    filled = [each for each in tensors if each.shape != (0,)]
    if len(filled) < len(tensors):
        for each in filled:
            plain(each)
    sure(filled and all(each.dtype == filled[0].dtype for each in tensors if each.shape == (0,)))
    return filled


def _cat(tensors: Any, dim: Any = 0) -> Outcome:
    specs = _joined(_without_empty(tensors))
    place = dimension(dim, len(specs[0].shape))
    rests = {spec.shape[:place] + spec.shape[place + 1 :] for spec in specs}
    sure(len(rests) == 1 and len({len(spec.shape) for spec in specs}) == 1)
    formats = {suggests_channels_last(spec.shape, strides(spec)) for spec in specs}
    sure(len(formats) == 1)
    first = specs[0]
    shape = (*first.shape[:place], sum(spec.shape[place] for spec in specs), *first.shape[place + 1 :])
    stride = image_stride(shape, first.shape, strides(first))
    return fresh(shape, first, promoted(specs, []), stride=stride)


def _stack(tensors: Any, dim: Any = 0) -> Outcome:
    specs = _joined(tensors)
    shape = specs[0].shape
    place = dimension(dim, len(shape) + 1)
    sure(all(spec.shape == shape and spec.stride == contiguous_stride(shape) for spec in specs))
    return fresh((*shape[:place], len(specs), *shape[place:]), specs[0], promoted(specs, []))


def _roll(input: Any, shifts: Any, dims: Any = None) -> Outcome:
    spec = tensor(input)
    amounts = (shifts,) if type(shifts) is int else integers(shifts)
    sure(len(amounts) == (1 if dims is None else len(dimensions(dims, len(spec.shape)))))
    return fresh(spec.shape, spec)


def _repeat(input: Any, *repeats: Any) -> Outcome:
    spec, counts = tensor(input), unpacked(repeats)
    sure(len(counts) >= len(spec.shape) and all(count > 0 for count in counts))
    sizes = (1,) * (len(counts) - len(spec.shape)) + spec.shape
    return fresh([size * count for size, count in zip(sizes, counts, strict=True)], spec)


def _triangle(input: Any, diagonal: Any = 0) -> Outcome:
    spec = tensor(input)
    sure(len(spec.shape) >= 2 and type(diagonal) is int)
    clear(spec)
    return fresh(spec.shape, spec)


# --- questions -------------------------------------------------------------------------------------


def _attribute(input: Any, name: Any) -> Outcome:
    spec = tensor(input)
    if name == "shape":
        return Outcome(torch.Size(spec.shape))
    if name == "dtype":
        return Outcome(getattr(torch, spec.dtype))
    sure(name == "ndim")
    return Outcome(len(spec.shape))


def _size(input: Any, dim: Any = None) -> Outcome:
    shape = tensor(input).shape
    return Outcome(torch.Size(shape) if dim is None else shape[dimension(dim, len(shape))])


def _dim(input: Any) -> Outcome:
    return Outcome(len(tensor(input).shape))


def _numel(input: Any) -> Outcome:
    return Outcome(tensor(input).numel)


def _assert(condition: Any, message: Any = "") -> Outcome:
    sure(condition is True)
    return Outcome(None)


def _flatten_module(module: nn.Flatten, input: Any) -> Outcome:
    return _flatten(input, module.start_dim, module.end_dim)


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {nn.Flatten: _flatten_module}

_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "reshape": _reshape,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transpose),
    "t": _t,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "chunk": _chunk,
    "unbind": _unbind,
    "select": _select,
    "roll": _roll,
    **dict.fromkeys(("triu", "tril"), _triangle),
    "numel": _numel,
    "gather": _gather,
}
"""Rules by the name that a function of torch and a method share."""

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **_BY_NAME,
    **{getattr(torch, name): rule for name, rule in _BY_NAME.items()},
    "view": _view,
    torch.reshape: _function_reshape,
    torch.permute: _function_permute,
    "view_as": _view_as,
    "reshape_as": _reshape_as,
    "expand": _expand,
    "expand_as": _expand_as,
    "repeat": _repeat,
    "split": _split,
    torch.split: _function_split,
    "size": _size,
    "dim": _dim,
    operator.getitem: _getitem,
    **dict.fromkeys((torch.cat, torch.concat), _cat),
    torch.stack: _stack,
    getattr: _attribute,
    torch._assert: _assert,
}
