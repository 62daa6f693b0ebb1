"""The style sheet: the colours of both schemes as CSS with literal values, and the names in the legend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from fxsummary.drawing.look import THEMES, check_name

_KINDS = {  # fill and stroke in the light scheme, then in the dark one
    "convolution": ("#e8f1fd", "#1f6feb", "#14294a", "#6cb0ff"),
    "linear": ("#ecebfd", "#5b4fd6", "#25224f", "#a59bff"),
    "attention": ("#fdeaf4", "#c2257f", "#3f1530", "#ff7fc4"),
    "recurrent": ("#eef4dc", "#5c7a10", "#232e0c", "#b3d15a"),
    "norm": ("#fdf3dc", "#b07908", "#38290a", "#f0b849"),
    "activation": ("#e7f6ec", "#1f8a4c", "#10301e", "#5fd08d"),
    "pool": ("#e0f5f7", "#0e7f8f", "#0b2f35", "#4fd0e0"),
    "embedding": ("#f3e9fb", "#8a3fc4", "#2f1a42", "#cf97ff"),
    "arithmetic": ("#eef1f5", "#44546a", "#242c37", "#a9b8cc"),
    "reshape": ("#f5f6f8", "#75849a", "#1c232d", "#7d8da3"),
    "terminal": ("#26313f", "#26313f", "#dfe6ee", "#dfe6ee"),
    "parameter": ("#ffffff", "#75849a", "#12181f", "#7d8da3"),
    "other": ("#f1efec", "#7a6f63", "#2a2622", "#b5a898"),
}
LEGEND = {
    kind: {"linear": "linear / matmul", "pool": "pool / resize", "terminal": "input / output"}.get(kind, kind)
    for kind in _KINDS
}
"""Kinds with a colour, in legend order."""


def colour_of(kind: str) -> str:
    """Return the kind whose colour an operation has.

    >>> colour_of("input"), colour_of("linear"), colour_of("from a plug-in")
    ('terminal', 'linear', 'other')
    """
    if kind in ("input", "output"):
        return "terminal"
    return kind if kind in LEGEND else "other"


_CHANGES = {
    "added": ("#dff5e4", "#16722f", "#10301c", "#5fd08d"),
    "removed": ("#fde3e1", "#b8242a", "#421a1c", "#ff8f88"),
    "changed": ("#fdf0c8", "#855600", "#3a2c08", "#f0b849"),
    "moved": ("#e2ecfd", "#1a5fd0", "#14294a", "#6cb0ff"),
    "same": ("#ffffff", "#cbd5e1", "#12181f", "#334155"),
}
_USES = {
    "needed": ("#6ea3ec", "#4a7fcb"),
    "held": ("#e2853b", "#f0a15e"),
    "outlives": ("#9aa9bc", "#64748b"),
    "inside": ("#35a89d", "#4cc3b5"),
}
"""What holds memory that is in use."""
COLOURS = {
    **{
        f"{use}-{name}": (colours[at], colours[at + 2])
        for name, colours in (_KINDS | _CHANGES).items()
        for at, use in enumerate(("fill", "stroke"))
    },
    **{f"use-{use}": colours for use, colours in _USES.items()},
    "groups-0": ("#f7f9fb", "#121921"),
    "groups-1": ("#eef2f7", "#18212b"),
    "heat-0": ("#ffffff", "#12181f"),
    "heat-1": ("#fff3e2", "#2a1f14"),
    "heat-2": ("#ffe3c2", "#432a10"),
    "heat-3": ("#ffd09b", "#5e370b"),
    "heat-4": ("#ffb86b", "#7c4606"),
    "terminal-text": ("#ffffff", "#0d1218"),
    "text": ("#16202c", "#e6edf3"),
    "muted": ("#566373", "#9fb0c3"),
    "edge": ("#5a6b80", "#8fa3ba"),
    "skip": ("#2a6fb0", "#6fb1ee"),
    "page": ("#ffffff", "#0d1218"),
    "border": ("#cbd5e1", "#334155"),
    "bar": ("#e2853b", "#f0a15e"),
    "track": ("#dde4ec", "#2a3441"),
    "badge": ("#c2257f", "#ff7fc4"),
    "heat-unknown": ("#e3e7ec", "#2b3440"),
    "heat-muted": ("#2b3847", "#d3dce6"),
    "heat-bar": ("#8f3d0a", "#ffd9a8"),
}
"""All colours by name, in the light scheme and in the dark one."""


class Palette:
    """One colour scheme: fill and stroke by kind and by change, and the rest of the page.

    Args:
        colour: function from a name in `COLOURS` to a CSS value.
    """

    def __init__(self, colour: Callable[[str], str]) -> None:
        self.kinds, self.changes = (
            {name: (colour(f"fill-{name}"), colour(f"stroke-{name}")) for name in table} for table in (_KINDS, _CHANGES)
        )
        self.uses = {f"use-{use}": colour(f"use-{use}") for use in _USES}
        self.groups = colour("groups-0"), colour("groups-1")
        self.heat = [colour(f"heat-{step}") for step in range(5)]
        self.heat_unknown, self.heat_muted, self.heat_bar = map(colour, ("heat-unknown", "heat-muted", "heat-bar"))
        self.page, self.border, self.edge, self.skip = map(colour, ("page", "border", "edge", "skip"))
        self.text, self.muted, self.terminal_text = map(colour, ("text", "muted", "terminal-text"))
        self.bar, self.track, self.badge = map(colour, ("bar", "track", "badge"))


LIGHT, DARK = Palette(lambda name: COLOURS[name][0]), Palette(lambda name: COLOURS[name][1])

SANS = 'Helvetica,Arial,"Liberation Sans","DejaVu Sans Condensed",sans-serif'
MONO = 'Consolas,Menlo,"Liberation Mono","DejaVu Sans Mono",monospace'
"""Consolas is first, because Linux maps it to a monospaced font, and some viewers read only the first family."""
_BASE = (
    f"text{{font-family:{SANS}}}.m{{font-family:{MONO}}}"
    ".e{stroke-width:1.4;fill:none}.sk{stroke-width:1.8;fill:none}.line{fill:none}"
)
_SELECTOR = re.compile(r"(?:^|(?<=[{}]))(?=[^{}@]+\{)")


def stylesheet(
    theme: str,
    *,
    heat: bool = False,
    changes: bool = False,
    uses: bool = False,
    ghosts: bool = False,
    scope: str = "",
) -> str:
    """Return the CSS of a theme; "auto" is light with the dark scheme in a media query.

    With a ``scope`` (the selector of an enclosing element), the rules apply only inside that element, so that an
    embedded picture does not affect the page or other pictures.

    Raises:
        UnknownNameError: the theme is not auto, light or dark.
    """
    check_name("theme", theme, THEMES)
    rules = _BASE + _rules(DARK if theme == "dark" else LIGHT, heat, changes, uses, ghosts)
    if theme == "auto":
        rules += f"@media (prefers-color-scheme:dark){{{_rules(DARK, heat, changes, uses, ghosts)}}}"
    return _inside(rules, scope) if scope else rules


def dark_rules(scope: str) -> str:
    """Return the CSS that turns pictures in the light scheme into dark ones: all colours, for what is in a scope."""
    return _inside(_rules(DARK, heat=True, changes=True, uses=True, ghosts=True), scope)


def _inside(rules: str, scope: str) -> str:
    return _SELECTOR.sub(rf"\g<0>{scope} ", rules)


def with_variables() -> tuple[str, str, str]:
    """Return the fonts and rules with CSS variables for colours, and the variables in the light and dark scheme."""
    light, dark = (";".join(f"--{name}:{pair[at]}" for name, pair in COLOURS.items()) for at in (0, 1))
    return _BASE + _rules(Palette("var(--{})".format), heat=False, changes=True, uses=True, ghosts=False), light, dark


def _rules(p: Palette, heat: bool, changes: bool, uses: bool, ghosts: bool) -> str:
    fills = {
        "page": p.page, "t": p.text, "mu": p.muted, "iot": p.terminal_text, "ah": p.edge, "ahs": p.skip,
        "h0": p.groups[0], "h1": p.groups[1], "bar": p.bar, "bt": p.track, "badge": p.badge, "bgt": p.page,
    }  # fmt: skip
    rules = [f".{name}{{fill:{colour}}}" for name, colour in fills.items()]
    strokes = {"e": p.edge, "sk": p.skip, "line": p.border, "cut": p.page}
    rules += [f".{name}{{stroke:{colour}}}" for name, colour in strokes.items()]
    rules += [f".g{i}{{fill:{fill};stroke:{p.border}}}" for i, fill in enumerate(p.groups)]
    rules += _of_pairs(p.kinds)
    if heat:
        rules += [f".f-heat{step}{{fill:{fill}}}" for step, fill in enumerate(p.heat)]
        rules.append(f".f-heat-unknown{{fill:{p.heat_unknown}}}.hm{{fill:{p.heat_muted}}}")
        rules.append(f".heat .bar{{fill:{p.heat_bar}}}")
    rules += [f".{name}{{fill:{fill}}}" for name, fill in p.uses.items() if uses]
    rules += [f".peak{{fill:none;stroke:{p.badge}}}"] if uses else []
    if changes:
        rules += [*_of_pairs(p.changes), ".o-removed{stroke-dasharray:4 3}"]
    if ghosts:
        rules += [*_of_pairs({"ghost": (p.page, p.muted)}), ".o-ghost{stroke-dasharray:4 3}"]
    return "".join(rules)


def _of_pairs(colours: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for name, (fill, stroke) in colours.items():
        yield f".f-{name}{{fill:{fill}}}.s-{name}{{fill:{stroke}}}.o-{name}{{stroke:{stroke}}}"
