"""The arguments that a recorded forward gets: meta tensors in place of tensors, copies of what could be changed."""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from fxsummary.capture.inputs.example import Inputs, forward_signature, is_sequence, named_items, rebuilt
from fxsummary.graph.spec import TensorSpec

AddPlaceholder = Callable[[str, "torch.Tensor | TensorSpec"], torch.Tensor]
"""Makes the placeholder of an input, and returns the meta tensor that stands for it."""


class Placeholders:
    """Builds the arguments of forward."""

    def __init__(self, add: AddPlaceholder) -> None:
        self._add = add
        self._data: Mapping[str, torch.Tensor] = {}

    def arguments(self, model: nn.Module, inputs: Inputs) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments, one placeholder for each tensor in them."""
        signature = forward_signature(model)
        arguments: dict[str, Any] = {}
        self._data = inputs.values
        for name, value in (inputs.arguments if inputs.given is None else inputs.given).items():
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                arguments[name] = {key: self._place(key, item) for key, item in value.items()}
            else:
                arguments[name] = self._place(name, value)
        return inputs.split(signature, arguments)

    def _place(self, name: str, value: Any) -> Any:
        if isinstance(value, (torch.Tensor, TensorSpec)):
            return self._add(name, self._data.get(name, value))
        if is_sequence(value):
            return rebuilt(value, [self._place(each, item) for each, item in named_items(name, value)])
        if type(value) is dict:
            return {key: self._place(f"{name}_{key}", item) for key, item in value.items()}
        if is_shared(value):
            return value
        count = itertools.count()
        try:
            return copy_object(value, lambda tensor: self._add(f"{name}_{next(count)}", tensor))
        except Exception:  # the object's own code
            return value


def is_shared(value: Any) -> bool:
    """Whether an argument is used as it is: nothing that a forward changes."""
    return value is None or isinstance(value, (bool, int, float, str, type, nn.Module)) or callable(value)


def copy_object(value: Any, replace: Callable[[torch.Tensor], Any]) -> Any:
    """A deep copy of an object, such as a cache, with its tensors replaced; the user's stays as it is."""
    with _Copying(replace):
        return copy.deepcopy(value)


class _Copying(TorchFunctionMode):
    """While active, the deep copy of a tensor is what ``replace`` makes of it."""

    def __init__(self, replace: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self._replace = replace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.Tensor.__deepcopy__:
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        if id(tensor) not in memo:
            memo[id(tensor)] = self._replace(tensor)
        return memo[id(tensor)]
