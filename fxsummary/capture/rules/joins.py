"""What joins, repeats and moves elements without computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.outcome import Outcome
from fxsummary.capture.rules.answers import (
    clear,
    dimension,
    dimensions,
    fresh,
    integers,
    plain,
    strides,
    sure,
    tensor,
    unpacked,
)
from fxsummary.capture.rules.layout import contiguous_stride, image_stride, suggests_channels_last
from fxsummary.capture.rules.promotion import promoted
from fxsummary.spec import TensorSpec


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


_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "roll": _roll,
    **dict.fromkeys(("triu", "tril"), _triangle),
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **_BY_NAME,
    **{getattr(torch, name): rule for name, rule in _BY_NAME.items()},
    "repeat": _repeat,
    **dict.fromkeys((torch.cat, torch.concat), _cat),
    torch.stack: _stack,
}
