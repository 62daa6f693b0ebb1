"""The style sheet: colours of both schemes as CSS with literal values, and the names in the legend."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from fxsummary.drawing.options import THEMES, check_name

Theme = Literal["auto", "light", "dark"]

LEGEND = {
    "convolution": "convolution",
    "linear": "linear / matmul",
    "attention": "attention",
    "recurrent": "recurrent",
    "norm": "norm",
    "activation": "activation",
    "pool": "pool / resize",
    "embedding": "embedding",
    "arithmetic": "arithmetic",
    "reshape": "reshape",
    "terminal": "input / output",
    "parameter": "parameter",
    "other": "other",
}
"""Kinds that have a colour, in the order of the legend."""


def colour_of(kind: str) -> str:
    """The kind whose colour an operation has.

    >>> colour_of("input"), colour_of("linear"), colour_of("from a plug-in")
    ('terminal', 'linear', 'other')
    """
    if kind in ("input", "output"):
        return "terminal"
    return kind if kind in LEGEND else "other"


@dataclass(frozen=True, slots=True)
class Palette:
    """One colour scheme: fill and stroke by kind and by change, the heat scale, and the rest of the page."""

    kinds: dict[str, tuple[str, str]]
    terminal_text: str
    text: str
    muted: str
    edge: str
    skip: str
    page: str
    groups: tuple[str, str]
    border: str
    bar: str
    track: str
    badge: str
    heat: tuple[str, str, str, str, str]
    heat_unknown: str
    heat_muted: str
    changes: dict[str, tuple[str, str]]


LIGHT = Palette(
    kinds={
        "convolution": ("#e8f1fd", "#1f6feb"),
        "linear": ("#ecebfd", "#5b4fd6"),
        "attention": ("#fdeaf4", "#c2257f"),
        "recurrent": ("#eef4dc", "#5c7a10"),
        "norm": ("#fdf3dc", "#b07908"),
        "activation": ("#e7f6ec", "#1f8a4c"),
        "pool": ("#e0f5f7", "#0e7f8f"),
        "embedding": ("#f3e9fb", "#8a3fc4"),
        "arithmetic": ("#eef1f5", "#44546a"),
        "reshape": ("#f5f6f8", "#75849a"),
        "terminal": ("#26313f", "#26313f"),
        "parameter": ("#ffffff", "#75849a"),
        "other": ("#f1efec", "#7a6f63"),
    },
    terminal_text="#ffffff",
    text="#16202c",
    muted="#566373",
    edge="#5a6b80",
    skip="#2a6fb0",
    page="#ffffff",
    groups=("#f7f9fb", "#eef2f7"),
    border="#cbd5e1",
    bar="#e2853b",
    track="#dde4ec",
    badge="#c2257f",
    heat=("#ffffff", "#fff3e2", "#ffe3c2", "#ffd09b", "#ffb86b"),
    heat_unknown="#e3e7ec",
    heat_muted="#2b3847",
    changes={
        "added": ("#dff5e4", "#16722f"),
        "removed": ("#fde3e1", "#b8242a"),
        "changed": ("#fdf0c8", "#855600"),
        "moved": ("#e2ecfd", "#1a5fd0"),
        "same": ("#ffffff", "#cbd5e1"),
    },
)
DARK = Palette(
    kinds={
        "convolution": ("#14294a", "#6cb0ff"),
        "linear": ("#25224f", "#a59bff"),
        "attention": ("#3f1530", "#ff7fc4"),
        "recurrent": ("#232e0c", "#b3d15a"),
        "norm": ("#38290a", "#f0b849"),
        "activation": ("#10301e", "#5fd08d"),
        "pool": ("#0b2f35", "#4fd0e0"),
        "embedding": ("#2f1a42", "#cf97ff"),
        "arithmetic": ("#242c37", "#a9b8cc"),
        "reshape": ("#1c232d", "#7d8da3"),
        "terminal": ("#dfe6ee", "#dfe6ee"),
        "parameter": ("#12181f", "#7d8da3"),
        "other": ("#2a2622", "#b5a898"),
    },
    terminal_text="#0d1218",
    text="#e6edf3",
    muted="#9fb0c3",
    edge="#8fa3ba",
    skip="#6fb1ee",
    page="#0d1218",
    groups=("#121921", "#18212b"),
    border="#334155",
    bar="#f0a15e",
    track="#2a3441",
    badge="#ff7fc4",
    heat=("#12181f", "#2a1f14", "#432a10", "#5e370b", "#7c4606"),
    heat_unknown="#2b3440",
    heat_muted="#d3dce6",
    changes={
        "added": ("#10301c", "#5fd08d"),
        "removed": ("#421a1c", "#ff8f88"),
        "changed": ("#3a2c08", "#f0b849"),
        "moved": ("#14294a", "#6cb0ff"),
        "same": ("#12181f", "#334155"),
    },
)

SANS = 'Helvetica,Arial,"Liberation Sans","DejaVu Sans Condensed",sans-serif'
MONO = 'Consolas,Menlo,"Liberation Mono","DejaVu Sans Mono",monospace'
"""Consolas is first because viewers that take the first family only get a monospaced one for it on Linux."""
_BASE = (
    f"text{{font-family:{SANS}}}.m{{font-family:{MONO}}}"
    ".e{stroke-width:1.4;fill:none}.sk{stroke-width:1.8;fill:none}.line{fill:none}"
)
_SELECTOR = re.compile(r"(?:^|(?<=[{}]))(?=[^{}@]+\{)")


def stylesheet(theme: str, *, heat: bool = False, changes: bool = False, scope: str = "") -> str:
    """The CSS of a theme; "auto" is light with the dark scheme in one media query.

    It has the heat scale and the colours of changes, or not.

    With a ``scope``, a selector of the element around, the rules hold only inside of that, so that a picture
    that is part of a page leaves the rest of the page, and other pictures, as they are.

    Raises:
        UnknownNameError: the theme is none of auto, light, dark.
    """
    check_name("theme", theme, THEMES)
    rules = _BASE + _rules(DARK if theme == "dark" else LIGHT, heat, changes)
    if theme == "auto":
        rules += f"@media (prefers-color-scheme:dark){{{_rules(DARK, heat, changes)}}}"
    return _SELECTOR.sub(rf"\g<0>{scope} ", rules) if scope else rules


def rules_of(palette: Palette) -> str:
    """Fonts and the rules of one colour scheme, whose colours may be any CSS value."""
    return _BASE + _rules(palette, heat=False, changes=True)


def _rules(p: Palette, heat: bool, changes: bool) -> str:
    fills = {
        "page": p.page, "t": p.text, "mu": p.muted, "iot": p.terminal_text, "ah": p.edge, "ahs": p.skip,
        "h0": p.groups[0], "h1": p.groups[1], "bar": p.bar, "bt": p.track, "badge": p.badge, "bgt": p.page,
    }  # fmt: skip
    rules = [f".{name}{{fill:{colour}}}" for name, colour in fills.items()]
    strokes = {"e": p.edge, "sk": p.skip, "line": p.border, "cut": p.page}
    rules += [f".{name}{{stroke:{colour}}}" for name, colour in strokes.items()]
    rules += [f".g{i}{{fill:{fill};stroke:{p.border}}}" for i, fill in enumerate(p.groups)]
    for kind, (fill, stroke) in p.kinds.items():
        rules.append(f".f-{kind}{{fill:{fill}}}.s-{kind}{{fill:{stroke}}}.o-{kind}{{stroke:{stroke}}}")
    if heat:
        rules += [f".f-heat{step}{{fill:{fill}}}" for step, fill in enumerate(p.heat)]
        rules.append(f".f-heat-unknown{{fill:{p.heat_unknown}}}.hm{{fill:{p.heat_muted}}}")
    for change, (fill, stroke) in p.changes.items() if changes else ():
        rules.append(f".f-{change}{{fill:{fill}}}.s-{change}{{fill:{stroke}}}.o-{change}{{stroke:{stroke}}}")
    return "".join(rules)
