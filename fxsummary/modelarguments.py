"""The MODEL of the command line: its arguments, and the graph that they mean."""

from __future__ import annotations

import argparse
import ast
import sys
from typing import TYPE_CHECKING, Any

from fxsummary.building import build, build_config
from fxsummary.errors import InputError

if TYPE_CHECKING:
    from fxsummary.modelgraph import ModelGraph


FILES = (".pt2", ".json")
"""Suffixes of exported programs and of saved graphs, which are as they are."""
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
        help="an input, such as 1x3x224x224 or input_ids=1x128:int64; again for further inputs",
    )
    parser.add_argument(
        "--arg", action="append", default=[], metavar="NAME=VALUE", help="an argument of the factory, a Python literal"
    )
    parser.add_argument("--config", metavar="CONFIG", help="package.module:Config, the factory's first argument")
    parser.add_argument(
        "--config-arg", action="append", default=[], metavar="NAME=VALUE", help="an argument of CONFIG, as with --arg"
    )
    parser.add_argument("--depth", type=_depth, help="levels of modules to show (default: all that fit)")
    parser.add_argument("--train", action="store_true", help="leave the model in train mode")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _depth(text: str) -> int:
    depth = int(text)
    if depth < 1:
        raise argparse.ArgumentTypeError("depth is 1 or more")
    return depth


def graph_of(options: argparse.Namespace) -> ModelGraph:
    """The graph that MODEL and its options mean."""
    if options.model.endswith(FILES):
        return _graph_of_file(options)
    arguments = dict(_argument(text) for text in options.arg)
    config_arguments = dict(_argument(text, "--config-arg") for text in options.config_arg)
    if config_arguments and options.config is None:
        raise InputError("--config-arg goes with --config, which is not given.")
    inputs = [_input(text) for text in options.input]
    progress = (lambda text: None) if options.quiet else say
    progress(f"building {options.model}")
    positional = () if options.config is None else (build_config(options.config, config_arguments),)
    model = build(options.model, arguments, progress, positional)
    if not options.train:
        model.eval()
    progress("analysing")
    from fxsummary.api import graph

    unnamed = [tensor for name, tensor in inputs if name is None]
    named = {name: tensor for name, tensor in inputs if name is not None}
    return graph(model, *unnamed, kwargs=named or None)


def _graph_of_file(options: argparse.Namespace) -> ModelGraph:
    saved = is_saved(options.model)
    what = "a saved graph is as it was saved" if saved else "an exported program is as it was exported"
    for name in OF_MODELS:
        if getattr(options, name):
            raise InputError(f"--{name.replace('_', '-')} does not go with {options.model!r}: {what}.")
    if not options.quiet:
        say(f"reading {options.model}")
    if saved:
        from fxsummary.saved import load

        return load(options.model)
    from fxsummary.api import graph

    return graph(options.model)


def is_saved(model: str) -> bool:
    """Whether MODEL is a graph saved as JSON."""
    return model.endswith(".json")


def _argument(text: str, option: str = "--arg") -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise InputError(f"{option} {text!r} is not name=value.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _input(text: str) -> tuple[str | None, Any]:
    import torch

    name, separator, rest = text.rpartition("=")
    dims, _, dtype_name = rest.partition(":")
    dtype = getattr(torch, dtype_name or "float32", None)
    sizes = dims.lower().split("x") if dims else []
    if not all(size.isdigit() for size in sizes) or not isinstance(dtype, torch.dtype) or (separator and not name):
        raise InputError(f"--input {text!r} is not [NAME=]SHAPE[:DTYPE], such as 1x3x224x224 or input_ids=1x128:int64.")
    return name or None, torch.empty([int(size) for size in sizes], dtype=dtype, device="meta")


def say(text: str) -> None:
    """Tell on stderr what happens."""
    sys.stderr.write(f"fxsummary: {text}\n")
