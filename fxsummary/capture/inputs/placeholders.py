"""The arguments of a recorded forward: meta tensors instead of tensors, and copies of mutable objects."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from fxsummary.capture.inputs.example import Inputs, forward_signature
from fxsummary.capture.structures import Args, Kwargs
from fxsummary.graph.spec import TensorSpec

T = TypeVar("T")
AddPlaceholder = Callable[[str, "torch.Tensor | TensorSpec"], torch.Tensor]
"""Adds a placeholder for an input, and returns its meta tensor."""


def arguments(model: nn.Module, inputs: Inputs, add: AddPlaceholder) -> tuple[Args, Kwargs]:
    """Return positional and keyword arguments for forward, with one placeholder for each tensor in them."""

    def place(name: str, value: object) -> object:
        if isinstance(value, (torch.Tensor, TensorSpec)):
            return add(name, inputs.values.get(name, value))
        if is_shared(value):
            return value
        count = itertools.count()
        try:
            return copy_object(value, lambda tensor: add(f"{name}_{next(count)}", tensor))
        except Exception:  # raised by the object's own code
            return value

    return inputs.map(place, forward_signature(model), inputs.given)


def is_shared(value: object) -> bool:
    """Whether an argument is passed without copying, because forward does not change it."""
    return value is None or isinstance(value, (bool, int, float, str, type, nn.Module)) or callable(value)


def copy_object(value: T, replace: Callable[[torch.Tensor], object]) -> T:
    """Return a deep copy of an object, such as a cache, with its tensors replaced."""
    with _Copying(replace):
        return copy.deepcopy(value)


class _Copying(TorchFunctionMode):
    """While active, deep-copying a tensor calls ``replace`` instead."""

    def __init__(self, replace: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self._replace = replace

    def __torch_function__(
        self, func: Callable[..., object], types: object, args: Args = (), kwargs: Kwargs | None = None
    ) -> Any:
        if func is not torch.Tensor.__deepcopy__:
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        if id(tensor) not in memo:
            memo[id(tensor)] = self._replace(tensor)
        return memo[id(tensor)]
