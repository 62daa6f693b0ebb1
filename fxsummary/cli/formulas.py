"""The command ``fxsummary formulas``: what a model costs as exact polynomials in the sizes of its inputs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fxsummary.cli.model_options import add_model_arguments, request_of
from fxsummary.cli.terminal import say, write
from fxsummary.loading.load_model import model_of, named_shapes

FORMATS = ("text", "markdown", "latex", "svg")


def add_command(commands: Any, look: dict[str, Any]) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "formulas",
        help="print costs as exact polynomials in the sizes of the inputs",
        description="Sizes in --input may have names: --input input_ids=BxT:int64 or --input Bx3xHxW.",
        **look,
    )
    add_model_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, help="form of the output (default: by the suffix of -o, or text)")
    parser.add_argument("-o", "--output", type=Path, help="write to this file (.txt, .md, .tex or .svg)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from fxsummary.analysis.formulas import formulas

    progress = (lambda text: None) if options.quiet else say
    model = model_of(request_of(options), progress)
    shapes = named_shapes(model, options.input)
    progress("analysing")
    found = formulas(model, **shapes)
    depth = {} if options.depth is None else {"depth": options.depth}
    if options.output is not None:
        chosen = {} if options.format is None else {"form": options.format}
        write(f"{found.render(options.output, **chosen, **depth)}\n")
    elif options.format == "svg":
        write(found.to_svg())
    else:
        text = getattr(found, f"to_{options.format or 'text'}")(**depth)
        write(f"{text.rstrip()}\n")
    return 0
