"""Function transforms such as ``torch.vmap`` as one operation: what they run cannot be seen inside.

The tensors that the transformed function holds in its closures are inputs of the operation, so that it can
run again with other values of them.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from fxsummary.spec import map_structure

MAX_DEPTH = 8


class Transform:
    """A transform with its function, to be called with the tensors of its closures first.

    Args:
        name: how the operation is called.
        implementation: takes the function, then the arguments of the call.
        function: what is transformed.

    Attributes:
        captured: the tensors in the closures, in order, until they are taken with `take_captured`.
    """

    def __init__(self, name: str, implementation: Callable[..., Any], function: Callable[..., Any]) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = "torch.func"
        self._implementation = implementation
        self.captured: list[torch.Tensor] = []
        self._function = _walk(function, self._to_slot, 0)

    def take_captured(self) -> tuple[torch.Tensor, ...]:
        """The captured tensors, which are no longer held."""
        captured, self.captured = self.captured, []
        return tuple(captured)

    def __call__(self, captured: tuple[torch.Tensor, ...], /, *args: Any, **kwargs: Any) -> Any:
        function = _walk(self._function, lambda item: captured[item.index] if type(item) is _Slot else item, 0)
        args, kwargs = map_structure(lambda value: value, (args, kwargs))  # plain lists and dicts, not those of fx
        return self._implementation(function, *args, **kwargs)

    def _to_slot(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        for index, tensor in enumerate(self.captured):
            if tensor is value:
                return _Slot(index)
        self.captured.append(value)
        return _Slot(len(self.captured) - 1)


@dataclass(frozen=True)
class _Slot:
    """Where a captured tensor goes in."""

    index: int


def _walk(value: Any, visit: Callable[[Any], Any], depth: int) -> Any:
    """A copy of a value with ``visit`` applied to what its closures hold; the same object where nothing changes."""
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, types.FunctionType) and (value.__closure__ or value.__defaults__):
        return _walk_function(value, visit, depth)
    if isinstance(value, functools.partial):
        args = tuple(_walk(item, visit, depth + 1) for item in value.args)
        keywords = {key: _walk(item, visit, depth + 1) for key, item in value.keywords.items()}
        return functools.partial(_walk(value.func, visit, depth + 1), *args, **keywords)
    if type(value) in (tuple, list):
        return type(value)([_walk(item, visit, depth + 1) for item in value])
    return visit(value)


def _walk_function(function: types.FunctionType, visit: Callable[[Any], Any], depth: int) -> Any:
    cells = [_contents(cell) for cell in function.__closure__ or ()]
    walked = [_EMPTY if item is _EMPTY else _walk(item, visit, depth + 1) for item in cells]
    given = function.__defaults__ or ()
    defaults = tuple(_walk(item, visit, depth + 1) for item in given)
    if all(a is b for a, b in zip((*cells, *given), (*walked, *defaults), strict=True)):
        return function
    closure = tuple(types.CellType() if item is _EMPTY else types.CellType(item) for item in walked)
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__, defaults or None, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


_EMPTY = object()


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return _EMPTY
