"""The options of pictures on the command line."""

from __future__ import annotations

import argparse
from typing import Any

from fxsummary.documents.picture_options import FLAGS, OPTIONS, PREFIX, chosen
from fxsummary.errors import InputError
from fxsummary.support.registry import Exporter

_METAVARS = {"show": "FACTS", "source-url": "URL"}


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``render``: those of formats that are no pictures, too."""
    parser.add_argument("--no-fold", action="store_true", help="draw every copy of identical blocks")
    group = parser.add_argument_group("picture options (.svg, .png, .pdf, .tikz)")
    group.add_argument(
        "--view", help="model (default), memory (bytes over operations) or roofline; .txt, .md, .tex: as for show"
    )
    add_look_arguments(group)
    group.add_argument("--scale", type=float, help="scale of a .png, e.g. 2 for twice the size (default: 1)")


def add_look_arguments(group: argparse._ActionsContainer) -> None:
    """Add the options for the look of a picture."""
    for name, text in OPTIONS.items():
        if name in FLAGS:
            group.add_argument(f"--{name}", action="store_true", help=text)
        else:
            group.add_argument(f"--{name}", metavar=_METAVARS.get(name), help=text)


def look_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options for the look of a picture that are given, by name."""
    values = {name: getattr(options, name.replace("-", "_")) for name in OPTIONS}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def render_options(options: argparse.Namespace, exporter: Exporter) -> dict[str, Any]:
    """Return the options for an exporter; raise InputError for an option that it does not have."""
    given = look_of(options)
    others = {name: value for name in ("view", "scale", "depth") if (value := getattr(options, name)) is not None}
    if options.no_fold:
        others["fold"] = False
    names = {**{name: _needed(name) for name in given}, **{"no-fold" if n == "fold" else n: n for n in others}}
    if option := next((option for option, name in names.items() if name not in exporter.options), ""):
        raise InputError(f"--{option} does not apply to {exporter.suffix} files.")
    found = {**chosen(given), **others}
    if "color" in exporter.options:
        _check(found)
    return found


def _needed(name: str) -> str:
    """Return the option that an exporter has if it has an option of the command line."""
    return "legend" if name.startswith(PREFIX) else name.replace("-", "_")


def _check(found: dict[str, Any]) -> None:
    """Check values before the model is built."""
    from fxsummary.drawing.look import check_name, look
    from fxsummary.drawing.sheet import FONT_SIZE, sheet
    from fxsummary.exporters.svg import VIEWS

    check_name("view", found.get("view", "model"), VIEWS)
    look(found.get("color", "kind"), found.get("direction", "TB"), found.get("show"), found.get("source_url"))
    ground, size = found.get("background", "page"), found.get("font_size", FONT_SIZE)
    sheet(None, True, True, ground, found.get("font"), size)
