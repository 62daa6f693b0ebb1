"""Named things by name: refuses overwrites, and lists the known names on a miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, Literal, TypeVar

from fxsummary.errors import DuplicateNameError, UnknownNameError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping that is filled once per name.

    >>> colours: Registry[str] = Registry("colour")
    >>> colours.register("red", "#f00")
    '#f00'
    >>> colours.get_or_raise("rde")
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown colour 'rde': did you mean 'red'? Known: red
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._items: dict[str, T] = {}

    def register(self, name: str, value: T) -> T:
        """Add ``value`` under ``name``; raises DuplicateNameError if the name is taken."""
        if name in self._items:
            raise DuplicateNameError(f"{self._noun} {name!r} is registered already: {self._items[name]!r}")
        self._items[name] = value
        return value

    def get_or_raise(self, name: str) -> T:
        """The value of ``name``; raises UnknownNameError that lists the known names."""
        try:
            return self._items[name]
        except KeyError:
            close = get_close_matches(name, self._items, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UnknownNameError(f"unknown {self._noun} {name!r}: {hint}Known: {', '.join(self._items)}") from None

    def __getitem__(self, name: str) -> T:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True)
class Attribute:
    """A node attribute as exporters show it.

    Attributes:
        name: the key in the node's attribute dict.
        title: column heading.
        format: turns a value into text; None (unknown) never reaches it, it is shown as ``?``.
        total: ``"sum"`` if the values of operations add up to the value of their module.
        default: shown in the text table without being asked for.
    """

    name: str
    title: str
    format: Callable[[object], str]
    total: Literal["sum", "none"] = "none"
    default: bool = False


ATTRIBUTES: Registry[Attribute] = Registry("attribute")
"""Every attribute that a pass computes and an exporter may show."""
