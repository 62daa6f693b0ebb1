"""Objects with a state of their own, without a ``__dict__``: random number generators, arrays, buffers, iterators."""

from __future__ import annotations

import array
import io
import random
import sys
from collections.abc import Callable
from typing import Any

import torch

from fxsummary.capture.restore.variables import Variables

LARGEST = 2**30
"""Bytes of an array; a larger one, often a file in memory, is not copied."""

Accessors = tuple[Callable[[Any], Any], Callable[[Any, Any], None]]
"""How to read the state of an object, and how to set it."""


def accessors(kind: type) -> Accessors | None:
    """How to read and set the state of the instances of a type; None if it has none that can be set."""
    states = _STATES
    if kind.__module__.partition(".")[0] == "numpy":
        numpy = sys.modules["numpy"]
        states = (
            (numpy.ndarray, (_content, _fill)),
            (numpy.random.Generator, (lambda each: each.bit_generator.state, _set_bits)),
            (numpy.random.RandomState, (lambda each: each.get_state(), lambda each, state: each.set_state(state))),
        )
    return next((each for kinds, each in states if issubclass(kind, kinds)), None)


def of_state(value: object, read: Callable[[Any], Any], write: Callable[[Any, Any], None]) -> Variables:
    """The state of an object, as a dict with one item."""
    return Variables(lambda: {"state": read(value)}, lambda _, state: write(value, state), lambda _: None)


def _content(array: Any) -> Any:
    """A copy of an array; None if nothing can be written to it, or if it is very large."""
    return array.copy() if array.flags.writeable and array.nbytes <= LARGEST else None


def _fill(array: Any, content: Any) -> None:
    if content is not None:
        array[...] = content


def _set_bits(generator: Any, state: object) -> None:
    generator.bit_generator.state = state


def _set_slice(value: Any, content: Any) -> None:
    value[:] = content


def _position(iterator: Any) -> Any:
    """Where an iterator of a sequence is; None at its end."""
    reduced = iterator.__reduce__()
    return reduced[2] if len(reduced) > 2 else None


def _set_position(iterator: Any, position: Any) -> None:
    if position is not None:
        iterator.__setstate__(position)


_SEQUENCE_ITERATORS = (*map(type, map(iter, ([], (), range(0), "", b""))), type(reversed([])))
_STATES: tuple[tuple[Any, Accessors], ...] = (
    (torch.Generator, (lambda each: each.get_state(), lambda each, state: each.set_state(state))),
    (random.SystemRandom, (lambda each: None, lambda each, state: None)),
    (random.Random, (lambda each: each.getstate(), lambda each, state: each.setstate(state))),
    ((bytearray, array.array), (lambda each: each[:], _set_slice)),
    ((io.StringIO, io.BytesIO), (lambda each: each.__getstate__(), lambda each, state: each.__setstate__(state))),
    (_SEQUENCE_ITERATORS, (_position, _set_position)),
)
