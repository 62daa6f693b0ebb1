"""Views of a tensor in another shape, or with its dimensions in another order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.rules.answers import (
    dimension,
    dimensions,
    fresh,
    integers,
    itself,
    named,
    new,
    numel,
    strides,
    sure,
    tensor,
    unpacked,
    view,
)
from fxsummary.capture.operations.rules.layout import Sizes, expanded_stride, viewed_stride
from fxsummary.graph.spec import TensorSpec

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


def unsqueeze(input: Any, dim: Any) -> Outcome:
    """A new dimension of size 1."""
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


def _move(input: Any, source: Any, destination: Any) -> Outcome:
    rank = len(tensor(input).shape)
    sure(type(source) is type(destination))
    places = dict(zip(dimensions(destination, rank), dimensions(source, rank), strict=True))
    rest = iter([dim for dim in range(rank) if dim not in places.values()])
    return _permute(input, [places[place] if place in places else next(rest) for place in range(rank)])


def _broadcast_to(input: Any, size: Any) -> Outcome:
    return _expand(input, integers(size))


def _detach(input: Any) -> Outcome:
    spec = tensor(input)
    return view(spec, spec.shape, strides(spec))


def _grids(*tensors: Any, indexing: Any = None) -> Outcome:
    """Each vector spread over a dimension of its own: ``meshgrid``."""
    given = tensors[0] if len(tensors) == 1 and type(tensors[0]) in (tuple, list) else tensors
    specs = [tensor(each) for each in given]
    sure(indexing in ("ij", "xy") and all(len(spec.shape) == 1 < spec.shape[0] for spec in specs))
    sure(all(spec.dtype == specs[0].dtype for spec in specs))
    places = list(range(len(specs)))
    if indexing == "xy" and len(specs) > 1:
        places[:2] = [1, 0]
    shape = tuple([specs[places.index(dim)].shape[0] for dim in range(len(specs))])
    grids = []
    for spec, place in zip(specs, places, strict=True):
        grids.append(
            new(shape, spec, stride=tuple([strides(spec)[0] if dim == place else 0 for dim in range(len(shape))]))
        )
    return Outcome(tuple(grids), aliases=tuple([Alias(index, 0) for index in range(len(grids))]))


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
    "unsqueeze": unsqueeze,
    "squeeze": _squeeze,
    **dict.fromkeys(("movedim", "moveaxis"), _move),
    "broadcast_to": _broadcast_to,
    "detach": _detach,
}
"""Rules by the name that a function of torch and a method share."""

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **named(_BY_NAME),
    "view": _view,
    torch.meshgrid: _grids,
    torch.reshape: _function_reshape,
    torch.permute: _function_permute,
    "view_as": _view_as,
    "reshape_as": _reshape_as,
    "expand": _expand,
    "expand_as": _expand_as,
}
