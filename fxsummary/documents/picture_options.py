"""Options of the picture as text: for the command line, README blocks, Sphinx and MkDocs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fxsummary.errors import InputError

_FACTS = "path,config,shape,parameters,flops"
OPTIONS = {
    "title": "heading (default: the model's class name)",
    "ghosts": "draw what forward does not need, too: modules never called, operations whose results nothing reads",
    "no-title": "no heading",
    "no-subtitle": "no line of facts below the heading",
    "no-legend": "no legend",
    "theme": "auto, light or dark (default: auto; light in .png, .pdf and .tikz)",
    "page": "screen, column, a4 or slide: the page that the picture is for",
    "color": "colour by kind (default), flops, parameters, memory or time",
    "direction": "TB, from top to bottom (default), or LR, from left to right",
    "show": f"facts to show: any of {_FACTS} (default: all)",
    "source-url": "link to the source, such as https://host/blob/main/{file}#L{line}",
    "background": "page (default) or none, a transparent ground",
    "font": "font family, such as 'Times New Roman'",
    "font-size": "size of most texts in px; the picture is scaled (default: 11)",
}
"""The options by name, with their help."""

PREFIX = "no-"
FLAGS = ("ghosts", *(name for name in OPTIONS if name.startswith(PREFIX)))
"""The options that have no value."""


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `fxsummary.exporters.svg.to_svg` for options in text.

    Raises:
        InputError: a number cannot be read.

    >>> chosen({"no-legend": "", "source-url": "{file}", "font-size": "9"})
    {'legend': False, 'source_url': '{file}', 'font_size': 9.0}
    """
    return dict(_of(name, value) for name, value in given.items())


def _of(name: str, value: Any) -> tuple[str, Any]:
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX), False
    if name in FLAGS:
        return name, True
    if name == "font-size":
        try:
            value = float(value)
        except ValueError:
            raise InputError(f"font-size {value!r} is not a number, such as 9.") from None
    return name.replace("-", "_"), value
