"""Holders of values other than containers: closures, classes, slots, and objects with an internal state.

Each is read as a dict. Random number generators, arrays, buffers and iterators have an internal state, which is not in
a ``__dict__``.
"""

from __future__ import annotations

import array
import io
import random
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from fxsummary.capture.restore.containers import base_of


@dataclass(frozen=True)
class Variables:
    """Functions that read named values as a dict, set one and delete one."""

    read: Callable[[], dict[Any, object]]
    set: Callable[[Any, object], None]
    delete: Callable[[Any], None]


def of_cell(cell: types.CellType) -> Variables:
    """Return a closure variable, as a dict with at most one item."""

    def read() -> dict[str, object]:
        try:
            return {"cell_contents": cell.cell_contents}
        except ValueError:  # not assigned yet
            return {}

    return Variables(read, partial(setattr, cell), partial(delattr, cell))


def of_dict(container: dict[Any, object]) -> Variables:
    """Return the items of a dict."""
    base = base_of(container)
    return Variables(
        lambda: dict(base.items(container)), partial(base.__setitem__, container), partial(base.__delitem__, container)
    )


def of_class(kind: type) -> Variables:
    """Return the attributes of a class."""
    return Variables(lambda: dict(vars(kind)), partial(type.__setattr__, kind), partial(type.__delattr__, kind))


def of_slots(value: object, slots: Mapping[str, types.MemberDescriptorType]) -> Variables:
    """Return the attributes of an object that are in slots."""

    def read() -> dict[str, object]:
        found = {}
        for name, slot in slots.items():
            try:
                found[name] = slot.__get__(value)
            except AttributeError:
                continue
        return found

    return Variables(
        read, lambda name, new: slots[name].__set__(value, new), lambda name: slots[name].__delete__(value)
    )


# --- states ----------------------------------------------------------------------------------------

LARGEST = 2**30
"""Maximum size in bytes of an array to copy; a larger one is often a memory-mapped file."""

Accessors = tuple[Callable[[Any], Any], Callable[[Any, Any], None]]
"""Functions that read and set the state of an object."""


def accessors(kind: type) -> Accessors | None:
    """Return functions that read and set the state of a type's instances; None if they have no such state."""
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
    """Return the state of an object, as a dict with one item."""
    return Variables(lambda: {"state": read(value)}, lambda _, state: write(value, state), lambda _: None)


def _content(array: Any) -> Any:
    """Return a copy of an array; None if it is read-only or very large."""
    return array.copy() if array.flags.writeable and array.nbytes <= LARGEST else None


def _fill(array: Any, content: Any) -> None:
    if content is not None:
        array[...] = content


def _set_bits(generator: Any, state: object) -> None:
    generator.bit_generator.state = state


def _set_slice(value: Any, content: Any) -> None:
    value[:] = content


def _position(iterator: object) -> Any:
    """Return the position of a sequence iterator; None at its end."""
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
