"""Function transforms such as ``torch.vmap`` as one operation.

The inputs of the operation include the tensors in the closures of the transformed function, and the parameters and
buffers that it reads, so that the operation can run again with other values of them.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.module_index import modules_of
from fxsummary.capture.operations.twins import Twins
from fxsummary.capture.recorded.torch_calls import QUESTIONS, FunctionMode
from fxsummary.capture.structures import Args, Kwargs, map_values
from fxsummary.capture.torch_internals import cell_contents, with_closure
from fxsummary.graph.spec import map_structure

Replace = Callable[[torch.Tensor], torch.Tensor]


class Transform:
    """A transform with its function; called with the captured tensors before the other arguments.

    Args:
        name: the name of the operation.
        implementation: runs the transform; takes the function, then the other arguments.
        function: the function to transform, or several.
        is_input: whether a tensor is an input of the operation.
        reading: runs instead of ``implementation`` to see which tensors the function reads.

    Attributes:
        captured: the tensors in the closures, and those read in modules there, by ``id``; None after `take_captured`.
        of_modules: the tensors of modules in the closures, by ``id``, until it is known which ones are read.
    """

    def __init__(
        self,
        name: str,
        implementation: Callable[..., Any],
        function: object,
        *,
        is_input: Callable[[torch.Tensor], bool] = lambda tensor: True,
        reading: Callable[..., Any] | None = None,
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = "torch.func"
        self.captured: dict[int, Any] = {}
        self.of_modules: dict[int, torch.Tensor] = {}
        self._implementation = implementation
        self._reading = reading or implementation
        self._is_input = is_input
        self._read: set[int] = set()
        self._function = _walk(function, self._to_slot)

    def take_captured(self) -> tuple[torch.Tensor, ...]:
        """Return the captured tensors, and release them."""
        captured = tuple(self.captured.values())
        self.captured = dict.fromkeys(self.captured)
        self.of_modules.clear()
        return captured

    def __call__(self, captured: tuple[torch.Tensor, ...], /, *args: object, **kwargs: object) -> Any:
        values = dict(zip(self.captured, captured, strict=True))
        replace: Replace = lambda tensor: values[id(tensor)] if id(tensor) in self._read else tensor  # noqa: E731
        return self._run(self._implementation, replace, values, args, kwargs)

    def read(self, captured: tuple[torch.Tensor, ...], /, *args: object, **kwargs: object) -> Any:
        """Run on meta, and capture the tensors of modules that are read."""
        twins = Twins()

        def replace(tensor: torch.Tensor) -> torch.Tensor:
            if id(tensor) not in self.of_modules:
                return tensor
            self._read.add(id(tensor))
            return twins.tensor(tensor)

        try:
            return self._run(self._reading, replace, dict(zip(self.captured, captured, strict=True)), args, kwargs)
        finally:
            self.captured.update({key: tensor for key, tensor in self.of_modules.items() if key in self._read})

    def _run(
        self, run: Callable[..., Any], replace: Replace, values: dict[int, torch.Tensor], args: Any, kwargs: Any
    ) -> Any:
        function = _walk(self._function, lambda item: values[item] if type(item) is _Slot else item)
        args, kwargs = map_structure(
            lambda value: value, (args, kwargs)
        )  # plain lists and dicts, not those of torch.fx

        def call(function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
            if function not in QUESTIONS:
                args, kwargs = map_values(
                    lambda each: replace(each) if isinstance(each, torch.Tensor) else each, (args, kwargs)
                )
            return function(*args, **kwargs)

        with FunctionMode(call):
            return run(function, *args, **kwargs)

    def _to_slot(self, value: object) -> object:
        if isinstance(value, nn.Module):
            for module in modules_of(value):
                held = [*module._parameters.values(), *module._buffers.values(), *vars(module).values()]
                self.of_modules.update({id(each): each for each in held if isinstance(each, torch.Tensor)})
        if isinstance(value, torch.Tensor) and self._is_input(value):
            self.captured[id(value)] = value
            return _Slot(id(value))
        return value


class _Slot(int):
    """The place of the captured tensor with this ``id``."""


def _walk(value: object, visit: Callable[[object], object], around: frozenset[int] = frozenset()) -> Any:
    """Return a copy of a value with ``visit`` applied inside closures; the value itself if nothing changes.

    Args:
        around: the values that contain it, by ``id``: a function may be in its own closure.
    """
    if id(value) in around:
        return value

    def inside(item: object) -> Any:
        return _walk(item, visit, around | {id(value)})

    if isinstance(value, types.FunctionType) and (value.__closure__ or value.__defaults__):
        held = [*map(cell_contents, value.__closure__ or ()), *(value.__defaults__ or ())]
        walked = list(map(inside, held))
        return value if all(map(operator.is_, held, walked)) else with_closure(value, walked)
    if isinstance(value, types.MethodType):
        function = inside(value.__func__)
        owner = inside(value.__self__)
        return value if function is value.__func__ else types.MethodType(function, owner)
    if isinstance(value, functools.partial):
        return functools.partial(inside(value.func), *inside(value.args), **inside(value.keywords))
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return type(value)(map(inside, value))
    if type(value) is dict:
        return {key: inside(item) for key, item in value.items()}
    return visit(value)
