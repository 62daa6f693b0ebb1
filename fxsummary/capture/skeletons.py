"""The arguments of operations without tensors: literals, and a `Slot` for each value that an operation reads."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.operations.memo import BY_IDENTITY
from fxsummary.capture.recorded.torch_calls import Assemble
from fxsummary.capture.structures import ATOMS
from fxsummary.capture.torch_internals import HigherOrderOperator, cell_contents
from fxsummary.graph.spec import TensorSpec


class Slot(int):
    """The position of a value among those that an operation reads."""


class OpaqueError(Exception):
    """An operation cannot be repeated."""


def skeleton(value: Any, places: Mapping[fx.Node, Slot]) -> Any:
    """Return an argument with a `Slot` for each node."""
    kind = type(value)
    if kind is fx.Node:
        return places[value]
    if kind in ATOMS or kind is TensorSpec:
        return value
    if isinstance(value, tuple):
        items = [
            places[item] if type(item) is fx.Node else item if type(item) in ATOMS else skeleton(item, places)
            for item in value
        ]
        return tuple.__new__(kind, items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [skeleton(item, places) for item in value]
    if isinstance(value, dict):
        return {key: skeleton(item, places) for key, item in value.items()}
    if kind is slice:
        return slice(*[skeleton(item, places) for item in (value.start, value.stop, value.step)])
    return checked(value)


def checked(value: Any) -> Any:
    """Return a function or literal; raise OpaqueError if it may hold tensors or modules of the user."""
    if isinstance(value, (Assemble, HigherOrderOperator)) or _is_free(value):
        return value
    raise OpaqueError(type(value).__name__)


def _is_free(value: object, depth: int = 0) -> bool:
    """Whether a value holds nothing, apart from other functions and literals."""
    if isinstance(value, types.FunctionType):
        held = [*map(cell_contents, value.__closure__ or ()), *(value.__defaults__ or ())]
        return depth < _MAX_DEPTH and all(each is value or _is_free(each, depth + 1) for each in held)
    if isinstance(value, types.BuiltinFunctionType):
        return not isinstance(value.__self__, (torch.Tensor, nn.Module))
    return type(value) in ATOMS or isinstance(value, BY_IDENTITY)


_MAX_DEPTH = 4
