"""What joins, repeats and moves elements without computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    clear,
    dense,
    dimension,
    dimensions,
    fresh,
    integers,
    named,
    strides,
    sure,
    tensor,
    unpacked,
)
from fxsummary.capture.operations.rules.layout import contiguous_stride, image_stride, suggests_channels_last
from fxsummary.capture.operations.rules.promotion import promoted
from fxsummary.capture.operations.rules.views import unsqueeze
from fxsummary.graph.spec import TensorSpec


def _joined(tensors: Any) -> list[TensorSpec]:
    sure(type(tensors) in (tuple, list) and tensors)
    return [tensor(each) for each in tensors]


def _without_empty(tensors: Any) -> list[Any]:
    """Without those of shape (0,), which may be put beside anything of their dtype."""
    sure(type(tensors) in (tuple, list) and all(type(each) is TensorSpec for each in tensors))
    filled = [each for each in tensors if each.shape != (0,)]
    sure(filled and all(each.dtype == filled[0].dtype for each in tensors if each.shape == (0,)))
    return filled


def _cat(tensors: Any, dim: Any = 0, *, axis: Any = None) -> Outcome:
    dim = dim if axis is None else axis
    filled = _without_empty(tensors)
    specs = _joined(filled)
    place = dimension(dim, len(specs[0].shape))
    rests = {spec.shape[:place] + spec.shape[place + 1 :] for spec in specs}
    sure(len(rests) == 1 and len({len(spec.shape) for spec in specs}) == 1)
    kept = len(filled) == len(tensors) and all(suggests_channels_last(spec.shape, strides(spec)) for spec in specs)
    first = specs[0]
    shape = (*first.shape[:place], sum(spec.shape[place] for spec in specs), *first.shape[place + 1 :])
    stride = image_stride(shape, first.shape, strides(first)) if kept else None
    return fresh(shape, first, promoted(specs, []), stride=stride)


def _stack(tensors: Any, dim: Any = 0) -> Outcome:
    specs = _joined(tensors)
    shape = specs[0].shape
    place = dimension(dim, len(shape) + 1)
    sure(all(spec.shape == shape for spec in specs))
    if not all(spec.stride == contiguous_stride(shape) for spec in specs):
        sure(not any(suggests_channels_last(spec.shape, strides(spec)) for spec in specs))
        return _cat([unsqueeze(spec, place).value for spec in specs], place)
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


def _repeat_interleave(input: Any, repeats: Any, dim: Any = None, *, output_size: Any = None) -> Outcome:
    spec = tensor(input)
    sure(type(repeats) is int and repeats > 0)
    length = spec.numel if dim is None else spec.shape[dimension(dim, len(spec.shape))]
    sure(output_size in (None, length * repeats))
    if dim is None:
        return fresh((spec.numel * repeats,), spec)
    place = dimension(dim, len(spec.shape))
    return fresh((*spec.shape[:place], spec.shape[place] * repeats, *spec.shape[place + 1 :]), spec)


def _flip(input: Any, dims: Any) -> Outcome:
    spec = tensor(input)
    dimensions(integers(dims), len(spec.shape))
    clear(spec)
    return Outcome(dense(spec))


def _flip_method(input: Any, *given: Any, dims: Any = None) -> Outcome:
    return _flip(input, unpacked(given) if dims is None else dims)


def _tile(input: Any, dims: Any) -> Outcome:
    counts = integers(dims)
    return _repeat(input, (1,) * (len(tensor(input).shape) - len(counts)) + counts)


def _tile_method(input: Any, *given: Any, dims: Any = None) -> Outcome:
    return _tile(input, unpacked(given) if dims is None else dims)


def _triangle(input: Any, diagonal: Any = 0) -> Outcome:
    spec = tensor(input)
    sure(len(spec.shape) >= 2 and type(diagonal) is int)
    clear(spec)
    return fresh(spec.shape, spec)


_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "roll": _roll,
    "repeat_interleave": _repeat_interleave,
    **dict.fromkeys(("triu", "tril"), _triangle),
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **named(_BY_NAME),
    "repeat": _repeat,
    torch.flip: _flip,
    "flip": _flip_method,
    torch.tile: _tile,
    "tile": _tile_method,
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), _cat),
    torch.stack: _stack,
}
