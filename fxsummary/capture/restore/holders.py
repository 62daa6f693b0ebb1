"""Holders of values, and how the values of each kind of holder are read and put back.

Containers are read with the methods of their built-in type, because a subclass may override them. Other holders are
classes, slots, closure variables, and objects whose state is in no ``__dict__``: random generators, arrays, buffers and
iterators.
"""

from __future__ import annotations

import array
import io
import random
import sys
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import is_
from typing import Any

import torch

# --- containers ------------------------------------------------------------------------------------

EXACT = frozenset({dict, OrderedDict, list, set, deque})
_BASES: tuple[type, ...] = (OrderedDict, dict, set, list, deque)


def base_of(container: object) -> Any:
    """Return the built-in type of a container; None if the object is not a container."""
    kind = type(container)
    return kind if kind in EXACT else next((each for each in _BASES if issubclass(kind, each)), None)


def items(container: object) -> Any:
    """Return the values of a dict, or the items of another container."""
    base = base_of(container)
    return base.values(container) if issubclass(base, dict) else base.__iter__(container)


def copied(container: object) -> Any:
    """Return a shallow copy, of the built-in type."""
    base = base_of(container)
    if type(container) in EXACT:
        return base.copy(container)
    return base(base.items(container) if issubclass(base, dict) else base.__iter__(container))


def refill(container: object, copy: object) -> None:
    """Replace the items of a container with those of a copy, in order."""
    base = base_of(container)
    base.clear(container)
    (base.update if hasattr(base, "update") else base.extend)(container, copy)


def is_same(container: Any, copy: Any) -> bool:
    """Whether a container and its copy hold identical objects (``is``) in the same order."""
    base = base_of(container)
    if base.__len__(container) != len(copy):
        return False
    if base is set:
        return bool(set(container) == copy)
    if issubclass(base, dict) and not all(map(is_, base.values(container), copy.values())):
        return False
    return all(map(is_, base.__iter__(container), copy))


# --- other holders ---------------------------------------------------------------------------------


def dict_of(value: object) -> dict[str, object]:
    """Return ``vars(value)`` without calling a method of the object."""
    return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]


_LIBRARIES = sys.stdlib_module_names | {"torch", "fxsummary", "builtins", "torchgen", "functorch"}


@lru_cache(maxsize=4096)
def is_users(module: str) -> bool:
    """Whether a Python module is user code: neither torch nor the standard library; ``__main__`` is user code."""
    return module.partition(".")[0] not in _LIBRARIES or module == "__main__"


def slots_of(kind: type) -> dict[str, types.MemberDescriptorType]:
    return {
        name: member
        for each in reversed(kind.__mro__)
        for name, member in vars(each).items()
        if type(member) is types.MemberDescriptorType and is_users(each.__module__)
    }


CELL = {"cell_contents": vars(types.CellType)["cell_contents"]}
"""The descriptor behind ``cell.cell_contents``, so that a cell is read like a slot."""


@dataclass(frozen=True)
class Variables:
    """Functions that read named values as a dict, set one and delete one."""

    read: Callable[[], dict[Any, object]]
    set: Callable[[Any, Any], object]
    delete: Callable[[Any], None]


def of_dict(container: dict[Any, object]) -> Variables:
    """Return the items of a dict."""
    base = base_of(container)
    write, delete = partial(base.__setitem__, container), partial(base.__delitem__, container)
    return Variables(lambda: dict(base.items(container)), write, delete)


def of_class(kind: type) -> Variables:
    """Return the attributes of a class."""
    return Variables(lambda: dict(vars(kind)), partial(type.__setattr__, kind), partial(type.__delattr__, kind))


def of_slots(value: object, slots: Mapping[str, Any]) -> Variables:
    """Return the values that descriptors keep in an object; an unassigned one has none."""

    def read() -> dict[str, object]:
        found = {}
        for name, slot in slots.items():
            try:
                found[name] = slot.__get__(value)
            except (AttributeError, ValueError):  # a closure variable raises ValueError
                continue
        return found

    return Variables(
        read, lambda name, new: slots[name].__set__(value, new), lambda name: slots[name].__delete__(value)
    )


def of_state(value: object, read: Callable[[Any], object], write: Callable[[Any, Any], object]) -> Variables:
    """Return the state of an object, as a dict with one item."""
    return Variables(lambda: {"state": read(value)}, lambda _, state: write(value, state), lambda _: None)


# --- states ----------------------------------------------------------------------------------------

LARGEST = 2**30
"""Maximum size in bytes of an array to copy; a larger one is often a memory-mapped file."""

State = tuple[Callable[[Any], Any], Callable[[Any, Any], object]]
"""Functions that read and set the state of an object."""


def state_of(kind: type) -> State | None:
    """Return functions that read and set the state of a type's instances; None if they have no such state."""
    states = _STATES
    if kind.__module__.partition(".")[0] == "numpy":
        numpy = sys.modules["numpy"]
        states = (
            (numpy.ndarray, (_content, numpy.copyto)),
            (numpy.random.Generator, (lambda each: each.bit_generator.state, _set_bits)),
            (numpy.random.RandomState, (numpy.random.RandomState.get_state, numpy.random.RandomState.set_state)),
        )
    return next((each for kinds, each in states if issubclass(kind, kinds)), None)


def _content(array: Any) -> Any:
    """Return a copy of an array; None, which is not put back, if it is read-only or very large."""
    return array.copy() if array.flags.writeable and array.nbytes <= LARGEST else None


def _set_bits(generator: Any, state: object) -> None:
    generator.bit_generator.state = state


def _set_slice(value: Any, content: Any) -> None:
    value[:] = content


def _position(iterator: object) -> Any:
    """Return the position of a sequence iterator; None at its end."""
    reduced = iterator.__reduce__()
    return reduced[2] if len(reduced) > 2 else None


_SEQUENCE_ITERATORS = (*map(type, map(iter, ([], (), range(0), "", b""))), type(reversed([])))
_STATES: tuple[tuple[Any, State], ...] = (
    (torch.Generator, (torch.Generator.get_state, torch.Generator.set_state)),
    (random.Random, (random.Random.getstate, random.Random.setstate)),
    ((bytearray, array.array), (lambda each: each[:], _set_slice)),
    ((io.StringIO, io.BytesIO), (lambda each: each.__getstate__(), lambda each, state: each.__setstate__(state))),
    (_SEQUENCE_ITERATORS, (_position, lambda iterator, position: iterator.__setstate__(position))),
)
