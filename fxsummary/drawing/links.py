"""Addresses of source lines, made of a template such as ``https://host/repo/blob/main/{file}#L{line}``."""

from __future__ import annotations

import re
from urllib.parse import quote

from fxsummary.errors import InputError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EXAMPLE = "https://github.com/me/repo/blob/main/{file}#L{line}"


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
