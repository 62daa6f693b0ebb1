"""Functions that keep what they get, in a module of their own."""

from __future__ import annotations

from typing import Any

LIST: list[Any] = []
NAME: Any = None


def append(value: Any) -> None:
    """Keep a value in a list."""
    LIST.append(value)


def rebind(value: Any) -> None:
    """Keep a value under a global name."""
    global NAME
    NAME = value


def forget() -> None:
    """Keep nothing."""
    LIST.clear()
    rebind(None)
