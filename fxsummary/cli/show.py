"""The commands ``show`` and ``render``: a model as text, a picture or another format, on stdout or in a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from fxsummary.cli import picture
from fxsummary.cli.model_options import add_model_arguments, graph_of
from fxsummary.cli.terminal import width, write, write_text
from fxsummary.errors import InputError
from fxsummary.support import files
from fxsummary.support.registry import EXPORTERS, Exporter, exporter_for, unknown

STDOUT = "-"
_TEXT = "text"


def add_commands(commands: Any, look: dict[str, Any]) -> None:
    """Add the parsers of the commands."""
    show = commands.add_parser("show", help="print the summary", **look)
    add_model_arguments(show)
    show.add_argument("--view", help="summary (default), modules, parameters, operations, memory or roofline")
    show.add_argument("--columns", help="columns after the first (default: shape,parameters,flops,share)")
    show.add_argument("--width", type=int, help="width in characters (default: the terminal's width, 80 in a pipe)")
    show.add_argument("--no-fold", action="store_true", help="show every copy of identical blocks")
    show.add_argument("-o", "--output", default=STDOUT, help="write to this file instead of stdout")
    show.set_defaults(run=_show)
    render = commands.add_parser("render", help="write a picture or another format", **look)
    add_model_arguments(render)
    render.add_argument(
        "-o", "--output", required=True, help="file to write, whose suffix selects the format, or - for stdout"
    )
    picture.add_picture_arguments(render)
    render.set_defaults(run=_render)
    for parser in (show, render):
        parser.add_argument(
            "--format", help="text, markdown, json, svg, html or another format (default: text, or by the suffix of -o)"
        )


def _show(options: argparse.Namespace) -> int:
    """Print or write a summary; all values are checked before the model is built."""
    exporter = _exporter(options) if options.format or _has_suffix(options.output) else EXPORTERS[_TEXT]
    chosen = {name: getattr(options, name) for name in ("depth", "view", "columns")}
    given = {name: value for name, value in chosen.items() if value is not None}
    given |= {"fold": False} if options.no_fold else {}
    given |= {"width": options.width} if options.width else {}
    _check(exporter, given)
    if exporter.name == _TEXT and not options.width and options.output == STDOUT:
        given["width"] = width()
    result = exporter(graph_of(options), **given)
    return _put(_ended(result) if isinstance(result, str) else result, exporter, options)


def _render(options: argparse.Namespace) -> int:
    exporter = _exporter(options)
    exporter.check_packages()  # fail before the work, not after
    chosen = picture.render_options(options, exporter)
    result = exporter(graph_of(options), **chosen)
    _put(result, exporter, options)
    if options.output != STDOUT:
        write(f"{options.output}\n")
    return 0


def _has_suffix(output: str) -> bool:
    return Path(output).suffix.lower() in {each.suffix for each in EXPORTERS.values() if each.suffix}


def _exporter(options: argparse.Namespace) -> Exporter:
    """Return the exporter that --format or the suffix of the output names."""
    if options.format is not None:
        known = {name: each for name, each in EXPORTERS.items() if each.suffix}
        if options.format not in known:
            raise InputError(f"--format: {unknown('format', options.format, known)}")
        return known[options.format]
    if options.output == STDOUT:
        raise InputError(f"-o {STDOUT} writes to stdout, which has no suffix: name the format, such as --format svg.")
    return exporter_for(options.output)


def _check(exporter: Exporter, given: dict[str, Any]) -> None:
    """Check the options of a summary before the model is built."""
    from fxsummary.exporters.tables.columns import column_names
    from fxsummary.exporters.tables.summary import VIEWS

    exporter.check_packages()
    for name in given:
        if name not in exporter.options:
            raise InputError(f"--{'no-fold' if name == 'fold' else name} does not apply to {exporter.name}.")
    if exporter.name in (_TEXT, "markdown"):
        VIEWS.get_or_raise(given.get("view", "summary"))
    column_names(given.get("columns"))


def _put(result: Any, exporter: Exporter, options: argparse.Namespace) -> int:
    """Write a result to stdout or to a file."""
    is_text = isinstance(result, str)
    if options.output != STDOUT:
        files.write(Path(options.output), result.encode() if is_text else result)
    elif not is_text:
        sys.stdout.buffer.write(result)
    elif exporter.name == _TEXT:
        write_text(_ended(result))
    else:
        write(_ended(result))
    return 0


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
