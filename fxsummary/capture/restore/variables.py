"""What holds values without being a container: closures, classes, slots; each read as a dict."""

from __future__ import annotations

import types
from typing import Any


class Cell:
    """A variable of an enclosing function, read and written as a dict with at most one item."""

    def __init__(self, cell: types.CellType) -> None:
        self._cell = cell

    def read(self) -> dict[str, Any]:
        try:
            return {"": self._cell.cell_contents}
        except ValueError:  # not assigned yet
            return {}

    def set(self, name: str, value: Any) -> None:
        self._cell.cell_contents = value

    def delete(self, name: str) -> None:
        del self._cell.cell_contents


class ClassAttributes:
    """The attributes of a class."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def read(self) -> dict[str, Any]:
        return dict(vars(self._kind))

    def set(self, name: str, value: Any) -> None:
        type.__setattr__(self._kind, name, value)

    def delete(self, name: str) -> None:
        type.__delattr__(self._kind, name)


class Slots:
    """The attributes of an object that are not in a ``__dict__``."""

    def __init__(self, value: object, slots: dict[str, Any]) -> None:
        self._value = value
        self._slots = slots

    def read(self) -> dict[str, Any]:
        found = {}
        for name, slot in self._slots.items():
            try:
                found[name] = slot.__get__(self._value)
            except AttributeError:
                continue
        return found

    def set(self, name: str, value: Any) -> None:
        self._slots[name].__set__(self._value, value)

    def delete(self, name: str) -> None:
        self._slots[name].__delete__(self._value)


Variables = Cell | ClassAttributes | Slots
