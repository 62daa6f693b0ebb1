"""The MODEL of the command line: its arguments, and the graph that they mean."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fxsummary.building import Request, analyse

if TYPE_CHECKING:
    from fxsummary.modelgraph import ModelGraph


OF_MODELS = ("arg", "config", "config_arg", "input", "train")
"""Options that say how to make a model, and with what to look at it."""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """MODEL, and the options that go with it."""
    help_text = "package.module:factory, path/file.py:factory, file.pt2 or a saved graph.json"
    parser.add_argument("model", metavar="MODEL", help=help_text)
    add_model_options(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The options alone."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]SHAPE[:DTYPE]",
        help="an input, such as 1x3x224x224, input_ids=1x128 or mask=1x128:bool, whose dtype is inferred if it is left "
        "out; again for further inputs",
    )
    parser.add_argument(
        "--arg", action="append", default=[], metavar="NAME=VALUE", help="an argument of the factory, a Python literal"
    )
    parser.add_argument("--config", metavar="CONFIG", help="package.module:Config, the factory's first argument")
    parser.add_argument(
        "--config-arg", action="append", default=[], metavar="NAME=VALUE", help="an argument of CONFIG, as with --arg"
    )
    parser.add_argument(
        "--depth", type=_depth, help="levels of modules to open, 0 for the model as one row (default: all that fit)"
    )
    parser.add_argument("--train", action="store_true", help="leave the model in train mode")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _depth(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of levels: give 0 (the model as one row) or more")
    return int(text)


def graph_of(options: argparse.Namespace) -> ModelGraph:
    """The graph that MODEL and its options mean."""
    request = Request(
        options.model,
        tuple(options.input),
        tuple(options.arg),
        options.config,
        tuple(options.config_arg),
        options.train,
    )
    return analyse(request, (lambda text: None) if options.quiet else say)


def say(text: str) -> None:
    """Tell on stderr what happens."""
    sys.stderr.write(f"fxsummary: {text}\n")
