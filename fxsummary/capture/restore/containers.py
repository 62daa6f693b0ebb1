"""Reads and fills containers with the methods of their built-in type, because a subclass may override them."""

from __future__ import annotations

from collections import OrderedDict, deque
from operator import is_
from typing import Any

EXACT = frozenset({dict, OrderedDict, list, set, deque})
_BASES: tuple[type, ...] = (OrderedDict, dict, set, list, deque)


def base_of(container: object) -> Any:
    """Return the built-in type of a container; None if the object is not a container."""
    kind = type(container)
    return kind if kind in EXACT else next((each for each in _BASES if issubclass(kind, each)), None)


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
    if issubclass(base, dict):
        return all(map(is_, base.values(container), copy.values())) and all(map(is_, base.__iter__(container), copy))
    return set(container) == copy if base is set else all(map(is_, base.__iter__(container), copy))
