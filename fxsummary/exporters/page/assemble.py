"""The HTML text: the skeleton filled in, with a policy that forbids the page to ask for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from fxsummary.drawing.markup import escape
from fxsummary.drawing.style import DARK, LIGHT, Palette, rules_of

SCRIPTS = ("data.js", "picture.js", "panel.js", "tree.js", "search.js", "main.js")
"""In the order in which they are joined to one script."""

HEAT = {
    "light": ("#ffffff", "#fff3e2", "#ffe3c2", "#ffd09b", "#ffb86b"),
    "dark": ("#12181f", "#2b2115", "#49301a", "#6b401b", "#8a4f1a"),
}
"""From below 2 % to 75 % and more of the largest."""

_UNSAFE = re.compile("[<>&\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def assemble(
    *,
    title: str,
    facts: str,
    description: str,
    theme: str,
    pictures: Sequence[str],
    first: int,
    data: Mapping[str, Any],
) -> str:
    """The page; equal arguments give equal bytes."""
    style = f"{_variables()}{rules_of(_with_variables(LIGHT))}\n{_asset('page.css')}"
    script = "\n".join(map(_asset, SCRIPTS))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    templates = [
        f'<template id="picture-{number}">{svg}</template>' for number, svg in enumerate(pictures) if number != first
    ]
    return Template(_asset("page.html")).substitute(
        policy=policy,
        title=escape(title),
        facts=escape(facts),
        description=escape(description),
        theme=escape(theme),
        style=style,
        script=script,
        picture=pictures[first],
        first=first,
        pictures="\n".join(templates),
        data=embedded(data),
    )


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or is read as markup.

    >>> embedded({"</script>": "a & b \\u2028"})
    '{"\\\\u003c/script\\\\u003e":"a \\\\u0026 b \\\\u2028"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _with_variables(palette: Palette) -> Palette:
    """A palette whose colours are the CSS variables that `_variables` sets."""
    values: dict[str, Any] = {}
    for each in fields(palette):
        value = getattr(palette, each.name)
        if isinstance(value, dict):
            values[each.name] = {kind: (f"var(--fill-{kind})", f"var(--stroke-{kind})") for kind in value}
        elif isinstance(value, tuple):
            values[each.name] = tuple(f"var(--{each.name}-{number})" for number in range(len(value)))
        else:
            values[each.name] = f"var(--{each.name.replace('_', '-')})"
    return replace(palette, **values)


def _variables() -> str:
    """Both schemes: light, dark where the reader's system is, and either where the page says so."""
    light, dark = _colours(LIGHT, HEAT["light"]), _colours(DARK, HEAT["dark"])
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f'@media screen{{:root[data-theme="dark"]{{color-scheme:dark;{dark}}}}}\n'
        f'@media screen and (prefers-color-scheme:dark){{:root[data-theme="auto"]{{color-scheme:dark;{dark}}}}}\n'
    )


def _colours(palette: Palette, heat: Sequence[str]) -> str:
    declared = [f"--heat-{number}:{colour}" for number, colour in enumerate(heat)]
    for each in fields(palette):
        value = getattr(palette, each.name)
        if isinstance(value, dict):
            declared += [f"--fill-{kind}:{fill};--stroke-{kind}:{stroke}" for kind, (fill, stroke) in value.items()]
        elif isinstance(value, tuple):
            declared += [f"--{each.name}-{number}:{colour}" for number, colour in enumerate(value)]
        else:
            declared.append(f"--{each.name.replace('_', '-')}:{value}")
    return ";".join(declared)
