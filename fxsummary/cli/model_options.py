"""The MODEL argument of the command line and its options, and the graph that they describe."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fxsummary.cli.terminal import say
from fxsummary.loading.load_model import Request, analyse

if TYPE_CHECKING:
    from fxsummary.graph.modelgraph import ModelGraph


OF_MODELS = ("arg", "config", "config_arg", "input", "train", "dtype", "leaf")
"""Options for building a model and its inputs."""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add MODEL and its options."""
    help_text = "package.module:factory, path/file.py:factory, a folder, a file or library:model; see below"
    parser.add_argument("model", metavar="MODEL", help=help_text)
    add_model_options(parser)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a model, without MODEL."""
    examples = "1x3x224x224, input_ids=1x128 or mask=1x128:bool"
    dtype = "A dtype that you leave out is inferred"
    repeated = {
        "--input": ("[NAME=]SHAPE[:DTYPE]", f"an input, such as {examples}; repeatable. {dtype}"),
        "--arg": ("NAME=VALUE", "a Python literal to pass to the factory"),
        "--config-arg": ("NAME=VALUE", "a Python literal to pass to CONFIG"),
        "--leaf": ("NAME", "class name or path of modules to show as one operation; repeatable"),
    }
    for option, (metavar, text) in repeated.items():
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=text)
    parser.add_argument("--config", metavar="CONFIG", help="package.module:Config; the factory's first argument")
    levels = "levels of modules to open, 0 for the model as one row (default: all that fit)"
    parser.add_argument("--depth", type=_depth, help=levels)
    parser.add_argument("--dtype", help="cast the model to this dtype, such as bfloat16 (default: as it is built)")
    parser.add_argument("--train", action="store_true", help="keep the model in train mode")
    parser.add_argument("--quiet", action="store_true", help="print no progress to stderr")


def _depth(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of levels: give 0 (the model as one row) or more")
    return int(text)


def graph_of(options: argparse.Namespace) -> ModelGraph:
    """Build the graph that MODEL and its options describe."""
    return analyse(request_of(options), (lambda text: None) if options.quiet else say)


def request_of(options: argparse.Namespace) -> Request:
    """Return what MODEL and its options describe."""
    given = tuple(options.input), tuple(options.arg), options.config, tuple(options.config_arg), options.train
    return Request(options.model, *given, dtype=options.dtype, leaf=tuple(options.leaf))
