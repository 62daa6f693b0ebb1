"""What a tensor is asked, such as its sizes and its dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import dimension, strides, sure, tensor, view


def _attribute(input: Any, name: Any) -> Outcome:
    spec = tensor(input)
    if name == "shape":
        return Outcome(torch.Size(spec.shape))
    if name == "dtype":
        return Outcome(getattr(torch, spec.dtype))
    if name == "data":
        return view(spec, spec.shape, strides(spec))
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


def _set_grad_enabled(mode: Any) -> Outcome:
    sure(type(mode) is bool)
    return Outcome(None)


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **dict.fromkeys(("numel", torch.numel), _numel),
    "size": _size,
    "dim": _dim,
    getattr: _attribute,
    torch._C._set_grad_enabled: _set_grad_enabled,
    torch._assert: _assert,
}
