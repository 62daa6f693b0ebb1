"""What holds values without being a container: closures, classes, slots; each read as a dict."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True)
class Variables:
    """Values by name, and how to change them."""

    read: Callable[[], dict[str, object]]
    set: Callable[[str, object], None]
    delete: Callable[[str], None]


def of_cell(cell: types.CellType) -> Variables:
    """A variable of an enclosing function, as a dict with at most one item."""

    def read() -> dict[str, object]:
        try:
            return {"cell_contents": cell.cell_contents}
        except ValueError:  # not assigned yet
            return {}

    return Variables(read, partial(setattr, cell), partial(delattr, cell))


def of_class(kind: type) -> Variables:
    """The attributes of a class."""
    return Variables(lambda: dict(vars(kind)), partial(type.__setattr__, kind), partial(type.__delattr__, kind))


def of_slots(value: object, slots: Mapping[str, Any]) -> Variables:
    """The attributes of an object that are not in a ``__dict__``."""

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
