"""What a reader may choose of a picture: its colours, direction, the facts shown, links to the source."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fxsummary.drawing.links import check_template
from fxsummary.errors import InputError, UnknownNameError

THEMES = ("auto", "light", "dark")
COLORS = ("kind", "flops", "parameters", "memory")
DIRECTIONS = ("TB", "LR")
FACTS = ("path", "config", "shape", "parameters", "flops")
"""What a row can show beside the name of its operation."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a scene is to look; `look` makes it of what a user wrote.

    Attributes:
        color: what the ground of a row stands for: its kind, or its share of a cost.
        direction: TB, from top to bottom, or LR, from left to right.
        show: the facts of a row that are drawn.
        source_url: template of the address of a source line, "" for no links.
    """

    color: str = "kind"
    direction: str = "TB"
    show: frozenset[str] = frozenset(FACTS)
    source_url: str = ""


def look(color: str, direction: str, show: Iterable[str] | None, source_url: str | None) -> Look:
    """The look of a picture.

    Raises:
        UnknownNameError: a name is not known; the message lists those that are.
        InputError: the template cannot be filled in or is no web address.

    >>> sorted(look("kind", "LR", "path,shape", None).show)
    ['path', 'shape']
    >>> look("sepia", "LR", None, None)
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown color 'sepia'. Known: kind, flops, parameters, memory
    """
    check_name("color", color, COLORS)
    check_name("direction", direction, DIRECTIONS)
    return Look(color, direction, _facts(show), check_template(source_url) if source_url is not None else "")


def check_name(noun: str, name: object, known: Collection[str]) -> None:
    """Raise UnknownNameError if a name is none of those known."""
    if name not in known:
        raise UnknownNameError(f"unknown {noun} {name!r}. Known: {', '.join(known)}")


def _facts(show: Iterable[str] | None) -> frozenset[str]:
    if show is None:
        return frozenset(FACTS)
    if isinstance(show, str):
        show = [name.strip() for name in show.split(",") if name.strip()]
    try:
        names = list(show)
    except TypeError:
        raise InputError(f"show={show!r} is not a set of names. Known: {', '.join(FACTS)}") from None
    for name in names:
        check_name("fact in show", name, FACTS)
    return frozenset(names)
