"""Calls that take functions: transforms of torch.func, and operators such as ``cond`` and ``flex_attention``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

import torch

from fxsummary.capture.operations.flop_count import formula
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError
from fxsummary.capture.recorded.tensor_origins import Tensors
from fxsummary.capture.recorded.transforms import Transform
from fxsummary.capture.structures import map_values
from fxsummary.capture.torch_internals import in_python, is_in_transform, without_modes


class HigherOrder:
    """Records them.

    Args:
        operation: records one call: opcode, target, callee, arguments.
        unseen: calls a function that is no part of what is recorded.
        listening: the mode by which calls are seen.
    """

    def __init__(
        self,
        operation: Callable[..., object],
        unseen: Callable[..., object],
        tensors: Tensors,
        operations: Operations,
        listening: AbstractContextManager[object],
    ) -> None:
        self._operation = operation
        self._unseen = unseen
        self._tensors = tensors
        self._operations = operations
        self._listening = listening

    def transform(self, transform: Transform, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A transform of torch.func is one operation; one inside of another is part of that."""
        if is_in_transform():
            return transform(transform.take_captured(), *args, **kwargs)
        if transform.of_modules:
            self._unseen(self._find_reads, (transform, args, kwargs), {})
        captured = transform.take_captured()
        return self._operation("call_function", transform, transform, (captured, *args), kwargs)

    def _find_reads(self, transform: Transform, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run it on meta for once, to see which parameters it reads."""
        specs = map_values(self._spec, (tuple(transform.captured), *args)), map_values(self._spec, kwargs)
        with suppress(NoDataError, RefusedError):
            self._operations.run(transform.read, *specs)

    def _spec(self, value: object) -> object:
        return self._tensors.of(value).spec if isinstance(value, torch.Tensor) else value

    def operator(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``cond`` and ``while_loop`` go the way that the values tell, others by the calls that they make.

        One that has a formula, such as ``flex_attention``, is one operation.
        """
        name = function.name() if callable(function.name) else function.name
        if name == "cond" and len(args) == 4:
            condition, if_true, if_false, operands = args
            with self._listening:
                return (if_true if bool(condition) else if_false)(*operands)
        if name == "while_loop" and len(args) >= 3:
            with self._listening:
                return _loop(*args)
        written_out = in_python(function)
        if written_out is not None and formula(function) is None:
            with without_modes(), self._listening:
                return written_out(*args, **kwargs)
        whole = Transform(
            name,
            lambda inner: function(*inner, **kwargs),
            args,
            is_input=self._tensors.is_named,
            reading=written_out and (lambda inner: written_out(*inner, **kwargs)),
        )
        return self.transform(whole, (), {})


def _loop(condition: Any, body: Any, carried: tuple[Any, ...], more: tuple[Any, ...] = (), *_: Any) -> tuple[Any, ...]:
    while bool(condition(*carried, *more)):
        carried = tuple(body(*carried, *more))
    return carried
