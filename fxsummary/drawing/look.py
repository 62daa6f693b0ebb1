"""What a reader may choose of a picture: its colours, direction, the facts shown, links to the source."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import quote

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.support.registry import unknown

THEMES = ("auto", "light", "dark")
COLORS = ("kind", "flops", "parameters", "memory")
DIRECTIONS = ("TB", "LR")
FACTS = ("path", "config", "shape", "parameters", "flops")
"""What a row can show beside the name of its operation."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EXAMPLE = "https://github.com/me/repo/blob/main/{file}#L{line}"


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
        raise UnknownNameError(unknown(noun, name, known))


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


def check_template(template: str) -> str:
    """The template itself, if it is a web address or a relative one with places for the file and the line.

    Raises:
        InputError: it is something else.

    >>> check_template("../src/{file}.html#line-{line}")
    '../src/{file}.html#line-{line}'
    >>> check_template("javascript:alert('{file}')")
    Traceback (most recent call last):
    ...
    fxsummary.errors.InputError: source_url="javascript:alert('{file}')" is not an http or https or relative address...
    """
    remedy = f"pass one such as {_EXAMPLE!r}."
    if not isinstance(template, str) or "{file}" not in template:
        raise InputError(f"source_url={template!r} has no place {{file}} for the file: {remedy}")
    if re.search(r"[{}]", template.replace("{file}", "").replace("{line}", "")):
        raise InputError(f"source_url={template!r} has other places than {{file}} and {{line}}: {remedy}")
    if re.search(r"[\x00-\x20\x7f-\xa0\\<>\"]", template):
        raise InputError(f"source_url={template!r} holds characters that no address has: {remedy}")
    if (scheme := _SCHEME.match(template)) and scheme[0].lower() not in ("http:", "https:"):
        raise InputError(f"source_url={template!r} is not an http or https or relative address: {remedy}")
    if template.startswith("{file}"):
        return f"./{template}"  # so that no name of a file is taken for a scheme
    return template


def address(template: str, source: str) -> str:
    """The address of a source line ``file:line``, "" where it is not known or not relative to the code's root.

    >>> address("https://host/{file}#L{line}", "models/res net.py:12")
    'https://host/models/res%20net.py#L12'
    >>> address("https://host/{file}#L{line}", "/home/me/net.py:12")
    ''
    """
    file, _, line = source.rpartition(":")
    if not template or not file or not (line.isascii() and line.isdigit()) or file.startswith(("/", "\\", "<")):
        return ""
    if _SCHEME.match(file):
        return ""  # the drive of another system, or nothing that is a file
    name = quote(file.encode("utf-8", "replace"), safe="/")
    return template.replace("{line}", line).replace("{file}", name)
