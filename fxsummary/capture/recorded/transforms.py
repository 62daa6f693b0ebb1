"""Function transforms such as ``torch.vmap`` as one operation: what they run cannot be seen inside.

The tensors that the transformed function holds in its closures are inputs of the operation, so that it can
run again with other values of them; so are the parameters and buffers of modules there, those that it reads.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from fxsummary.capture.module_index import modules_of
from fxsummary.capture.recorded.torch_calls import QUESTIONS
from fxsummary.capture.structures import tensors_in
from fxsummary.graph.spec import map_structure

MAX_DEPTH = 8


class Transform:
    """A transform with its function, to be called with the captured tensors first.

    Args:
        name: how the operation is called.
        implementation: takes the function, then the arguments of the call.
        function: what is transformed, or several such.
        is_input: whether a tensor is an input of the operation; others stay where they are.
        reading: takes what ``implementation`` does, and reads all that counts as read.

    Attributes:
        captured: the tensors in the closures and in modules there, until they are taken with `take_captured`.
    """

    def __init__(
        self,
        name: str,
        implementation: Callable[..., Any],
        function: Any,
        *,
        is_input: Callable[[torch.Tensor], bool] = lambda tensor: True,
        reading: Callable[..., Any] | None = None,
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = "torch.func"
        self._implementation = implementation
        self._reading = reading or implementation
        self._is_input = is_input
        self.captured: list[torch.Tensor] = []
        self._indices: dict[int, int] = {}
        self._modules: list[nn.Module] = []
        self._places: list[tuple[dict[str, Any], str, int]] = []
        self._function = _walk(function, self._to_slot, 0)
        self._in_closures = len(self.captured)
        for module in self._modules:
            self._add(module)

    @property
    def has_modules(self) -> bool:
        """Whether there are tensors of modules among the captured ones."""
        return bool(self._places)

    def take_captured(self) -> tuple[torch.Tensor, ...]:
        """The captured tensors, which are no longer held."""
        captured, self.captured = self.captured, []
        self._indices.clear()
        return tuple(captured)

    @contextmanager
    def keeping_what_is_read(self) -> Iterator[None]:
        """Run it within once: of the tensors of modules, only those that are read then are captured."""
        reads = _Reads()
        implementation, reading = self._implementation, self._reading

        def watched(*args: Any, **kwargs: Any) -> Any:
            reads.wanted.update((id(holder[name]), index) for holder, name, index in self._places)
            with reads:
                return reading(*args, **kwargs)

        self._implementation = watched
        try:
            yield
        finally:
            self._implementation = implementation
            self._keep(reads.read)

    def __call__(self, captured: tuple[torch.Tensor, ...], /, *args: Any, **kwargs: Any) -> Any:
        function = _walk(self._function, lambda item: captured[item.index] if type(item) is _Slot else item, 0)
        args, kwargs = map_structure(lambda value: value, (args, kwargs))  # plain lists and dicts, not those of fx
        own = [(holder, name, holder[name]) for holder, name, _ in self._places]
        try:
            for holder, name, index in self._places:
                holder[name] = captured[index]
            return self._implementation(function, *args, **kwargs)
        finally:
            for holder, name, tensor in own:
                holder[name] = tensor

    def _to_slot(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            self._modules.extend(modules_of(value))
        if isinstance(value, torch.Tensor) and self._is_input(value):
            return _Slot(self._index_of(value))
        return value

    def _index_of(self, tensor: torch.Tensor) -> int:
        index = self._indices.setdefault(id(tensor), len(self.captured))
        if index == len(self.captured):
            self.captured.append(tensor)
        return index

    def _add(self, module: nn.Module) -> None:
        for holder in (module._parameters, module._buffers, vars(module)):
            for name, tensor in holder.items():
                if isinstance(tensor, torch.Tensor):
                    self._places.append((holder, name, self._index_of(tensor)))

    def _keep(self, read: set[int]) -> None:
        """Drop the tensors of modules that are not read."""
        kept = [index for index in range(len(self.captured)) if index < self._in_closures or index in read]
        new = {index: place for place, index in enumerate(kept)}
        self.captured = [self.captured[index] for index in kept]
        self._places = [(holder, name, new[index]) for holder, name, index in self._places if index in new]


class _Reads(TorchFunctionMode):
    """Sees which of some tensors are read.

    Attributes:
        wanted: their numbers, by identity.
        read: the numbers of those read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wanted: dict[int, int] = {}
        self.read: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in QUESTIONS:
            seen = map(id, tensors_in((args, kwargs or {})))
            self.read.update([self.wanted[each] for each in seen if each in self.wanted])
        return func(*args, **(kwargs or {}))


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
    if isinstance(value, types.MethodType):
        owner = _walk(value.__self__, visit, depth + 1)
        function = _walk(value.__func__, visit, depth + 1)
        return value if function is value.__func__ else types.MethodType(function, owner)
    if isinstance(value, functools.partial):
        args = tuple(_walk(item, visit, depth + 1) for item in value.args)
        keywords = {key: _walk(item, visit, depth + 1) for key, item in value.keywords.items()}
        return functools.partial(_walk(value.func, visit, depth + 1), *args, **keywords)
    if type(value) in (tuple, list):
        return type(value)([_walk(item, visit, depth + 1) for item in value])
    if type(value) is dict:
        return {key: _walk(item, visit, depth + 1) for key, item in value.items()}
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
