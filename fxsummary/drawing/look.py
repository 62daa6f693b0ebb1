"""Options for the look of a picture: colours, direction, displayed facts, links to the source."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import quote

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.support.registry import unknown

THEMES = ("auto", "light", "dark")
COLORS = ("kind", "flops", "parameters", "memory", "time")
DIRECTIONS = ("TB", "LR")
PAGES = ("screen", "column", "a4", "slide")
FACTS = ("path", "config", "shape", "parameters", "flops")
"""Facts that a row can show next to the name of its operation."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EXAMPLE = "https://github.com/me/repo/blob/main/{file}#L{line}"


@dataclass(frozen=True, slots=True)
class Look:
    """The look of a scene; `look` creates one from user options.

    Attributes:
        color: meaning of a row's background colour: its kind, or its share of a cost.
        direction: TB, from top to bottom, or LR, from left to right.
        show: the displayed facts of a row.
        source_url: URL template for a source line, "" for no links.
        page: format of the page.
    """

    color: str = "kind"
    direction: str = "TB"
    show: frozenset[str] = frozenset(FACTS)
    source_url: str = ""
    page: str = "screen"


def look(color: str, direction: str, show: Iterable[str] | None, source_url: str | None, page: str = "screen") -> Look:
    """Return the look for user options.

    Raises:
        UnknownNameError: unknown name; the message lists the known ones.
        InputError: the template is not a URL, or has no placeholder for the file.

    >>> sorted(look("kind", "LR", "path,shape", None).show)
    ['path', 'shape']
    >>> look("sepia", "LR", None, None)
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown color 'sepia'. Known: kind, flops, parameters, memory, time
    """
    check_name("color", color, COLORS)
    check_name("direction", direction, DIRECTIONS)
    check_name("page", page, PAGES)
    template = check_template(source_url) if source_url is not None else ""
    return Look(color, direction, _facts(show), template, page)


def check_name(noun: str, name: object, known: Collection[str]) -> None:
    """Raise UnknownNameError for an unknown name."""
    if name not in known:
        raise UnknownNameError(unknown(noun, name, known))


def _facts(show: Iterable[str] | None) -> frozenset[str]:
    if show is None:
        return frozenset(FACTS)
    try:
        names = [name.strip() for name in show.split(",") if name.strip()] if isinstance(show, str) else list(show)
    except TypeError:
        raise InputError(f"show={show!r} is not a set of names. Known: {', '.join(FACTS)}") from None
    for name in names:
        check_name("fact in show", name, FACTS)
    return frozenset(names)


def check_template(template: str) -> str:
    """Return the template if it is an http, https or relative URL with placeholders for the file and the line.

    Raises:
        InputError: it is not such a template.

    >>> check_template("../src/{file}.html#line-{line}")
    '../src/{file}.html#line-{line}'
    >>> check_template("javascript:alert('{file}')")
    Traceback (most recent call last):
    ...
    fxsummary.errors.InputError: source_url="javascript:alert('{file}')" is not an http, https or relative URL: pass...
    """
    reason = ""
    if not isinstance(template, str) or "{file}" not in template:
        reason = "has no placeholder {file}"
    elif re.search(r"[{}]", template.replace("{file}", "").replace("{line}", "")):
        reason = "has placeholders other than {file} and {line}"
    elif re.search(r"[\x00-\x20\x7f-\xa0\\<>\"]", template):
        reason = "contains characters that a URL cannot contain"
    elif (scheme := _SCHEME.match(template)) and scheme[0].lower() not in ("http:", "https:"):
        reason = "is not an http, https or relative URL"
    if reason:
        raise InputError(f"source_url={template!r} {reason}: pass one such as {_EXAMPLE!r}.")
    if template.startswith("{file}"):
        return f"./{template}"  # so that a file name is never read as a scheme
    return template


def address(template: str, source: str) -> str:
    """Return the URL of a source line ``file:line``, "" if it is unknown or not relative to the code's root.

    >>> address("https://host/{file}#L{line}", "models/res net.py:12")
    'https://host/models/res%20net.py#L12'
    >>> address("https://host/{file}#L{line}", "/home/me/net.py:12")
    ''
    """
    file, _, line = source.rpartition(":")
    if not template or not file or not (line.isascii() and line.isdigit()) or file.startswith(("/", "\\", "<")):
        return ""
    if _SCHEME.match(file):
        return ""  # a Windows drive, or not a file
    name = quote(file.encode("utf-8", "replace"), safe="/")
    return template.replace("{line}", line).replace("{file}", name)
