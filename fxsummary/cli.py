"""The command line: results on stdout, progress and errors on stderr.

Exit codes: 0, done; 2, it could not be done (usage, the model, its inputs or the output file), and stderr
says why; 1 is left for checks that do not hold.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsummary.errors import FxsummaryError, InputError, ModelImportError

if TYPE_CHECKING:
    from torch import nn

    from fxsummary.modelgraph import ModelGraph

DONE, FAILED = 0, 2

_EPILOG = """\
MODEL is package.module:factory or path/file.py:factory; the factory is a class
or function that makes the model (with --arg name=value for its arguments), or a
module. A factory that takes a config gets what --config makes. It is built on
the meta device where that works, so that no weights are allocated, and put into
eval mode. Or MODEL is an exported program, a file.pt2
written by torch.export.save, which brings its inputs with it; it is read by
torch.export.load, which unpickles: only open files that you trust.

examples:
  fxsummary show timm:create_model --arg model_name=resnet50
  fxsummary render models.py:CNN -o cnn.svg
  fxsummary show models.py:Bert --input input_ids=1x128:int64 --depth 3
  fxsummary show transformers:BertModel --config transformers:BertConfig
  fxsummary show model.pt2

exit codes: 0 done, 2 could not be done (stderr says why)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except FxsummaryError as error:
        _say(f"error: {error}")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fxsummary",
        description="See a PyTorch model's architecture and what it costs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="print the summary", epilog=_EPILOG, formatter_class=parser.formatter_class)
    _add_model_arguments(show)
    show.add_argument("--view", default="summary", help="summary, modules, parameters or operations")
    show.add_argument("--width", type=int, help="columns to use (default: those of the terminal, 80 in a pipe)")
    show.add_argument("--no-fold", action="store_true", help="show each of several identical blocks")
    show.add_argument("-o", "--output", help="write to this file instead of stdout")
    show.set_defaults(run=_show)
    render = commands.add_parser(
        "render", help="write a picture or a file", epilog=_EPILOG, formatter_class=parser.formatter_class
    )
    _add_model_arguments(render)
    render.add_argument("-o", "--output", required=True, help="file to write; its suffix names the form")
    render.set_defaults(run=_render)
    return parser


class _Version(argparse.Action):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from fxsummary import __version__

        sys.stdout.write(f"fxsummary {__version__}\n")
        parser.exit()


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="package.module:factory, path/file.py:factory or file.pt2")
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


def _show(options: argparse.Namespace) -> int:
    graph = _graph(options)
    width = options.width or (shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80)
    text = graph.to_text(width=width, depth=options.depth, view=options.view, fold=not options.no_fold)
    if options.output:
        from fxsummary import files

        files.write(Path(options.output), f"{text}\n".encode())
        return DONE
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return DONE


def _render(options: argparse.Namespace) -> int:
    from fxsummary.registry import exporter_for

    suffix = Path(options.output).suffix.lower()
    exporter_for(suffix)  # before the work, not after
    depth = {} if options.depth is None or suffix == ".dot" else {"depth": options.depth}
    path = _graph(options).render(options.output, **depth)
    sys.stdout.write(f"{path}\n")
    return DONE


def _graph(options: argparse.Namespace) -> ModelGraph:
    if options.model.endswith(".pt2"):
        return _graph_of_file(options)
    arguments = dict(_argument(text) for text in options.arg)
    config_arguments = dict(_argument(text, "--config-arg") for text in options.config_arg)
    if config_arguments and options.config is None:
        raise InputError("--config-arg goes with --config, which is not given.")
    inputs = [_input(text) for text in options.input]
    progress = (lambda text: None) if options.quiet else _say
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
    for name in ("--arg", "--config", "--config-arg", "--input", "--train"):
        if getattr(options, name.strip("-").replace("-", "_")):
            raise InputError(f"{name} does not go with {options.model!r}: an exported program is as it was exported.")
    if not options.quiet:
        _say(f"reading {options.model}")
    from fxsummary.api import graph

    return graph(options.model)


def build_config(config: str, arguments: dict[str, Any]) -> Any:
    """Import CONFIG and make it.

    Raises:
        ModelImportError: it cannot be imported, or it raises.
    """
    factory = _load(config, "CONFIG")
    if not callable(factory):
        if arguments:
            raise ModelImportError(f"{config} is a {type(factory).__name__}, which takes no --config-arg.")
        return factory
    try:
        return factory(**arguments)
    except Exception as error:  # the user's code
        raise ModelImportError(
            f"{config} raised {type(error).__name__}: {error}. Pass what it needs with --config-arg name=value."
        ) from error


def build(
    model: str, arguments: dict[str, Any], progress: Any = lambda text: None, positional: Sequence[Any] = ()
) -> nn.Module:
    """Import MODEL and make it, on the meta device where that works.

    Args:
        arguments: arguments of the factory by name.
        progress: told what happens.
        positional: arguments that come before those by name, such as a config.

    Raises:
        ModelImportError: it cannot be imported, or the factory raises.
    """
    import torch
    from torch import nn

    factory = _load(model)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise ModelImportError(f"{model} is a {type(factory).__name__}; it must make or be a torch.nn.Module.")
    if not positional and _lacks_config(factory, arguments):
        raise ModelImportError(f"{model} is made from a config: pass --config {_config_of(factory, model)}.")
    try:
        try:
            with torch.device("meta"):
                made = factory(*positional, **arguments)
        except Exception as error:  # any factory may need real tensors
            progress(f"not on the meta device ({type(error).__name__}); building with weights")
            made = factory(*positional, **arguments)
    except Exception as error:  # the user's code
        raise ModelImportError(
            f"{model} raised {type(error).__name__}: {error}. Pass what it needs with --arg name=value."
        ) from error
    if not isinstance(made, nn.Module):
        raise ModelImportError(f"{model} made a {type(made).__name__}, not a torch.nn.Module.")
    return made


def _lacks_config(factory: Any, arguments: dict[str, Any]) -> bool:
    """Whether a factory requires an argument named config that is not given."""
    try:
        parameter = inspect.signature(factory).parameters.get("config")
    except (TypeError, ValueError):  # it has no signature
        return False
    return parameter is not None and parameter.default is parameter.empty and "config" not in arguments


def _config_of(factory: Any, model: str) -> str:
    """Where the config of a model class is, by its attribute ``config_class``."""
    kind = getattr(factory, "config_class", None)
    if not isinstance(kind, type):
        return "package:ConfigClass"
    place = model.rpartition(":")[0]
    is_beside = kind.__module__ == factory.__module__ or getattr(sys.modules.get(place), kind.__name__, None) is kind
    return f"{place if is_beside else kind.__module__}:{kind.__qualname__}"


def _load(model: str, what: str = "MODEL") -> Any:
    place, separator, name = model.rpartition(":")
    if not separator or not place or not name:
        or_file = ", nor a .pt2 file" if what == "MODEL" else ""
        raise ModelImportError(f"{what} {model!r} is not package.module:factory or path/file.py:factory{or_file}.")
    try:
        value: Any = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    except Exception as error:  # importing runs the user's code
        raise ModelImportError(f"cannot import {place!r}: {type(error).__name__}: {error}") from error
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError as error:
            known = [each for each in vars(value) if not each.startswith("_")] if hasattr(value, "__dict__") else []
            raise ModelImportError(
                f"{place!r} has no {name!r}; it has {', '.join(known[:20]) or 'nothing public'}."
            ) from error
        except Exception as error:  # some modules import their parts when asked for them
            raise ModelImportError(f"cannot import {model!r}: {type(error).__name__}: {error}") from error
    return value


def _load_module(name: str) -> Any:
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(os.getcwd())


def _load_file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module


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


def _say(text: str) -> None:
    sys.stderr.write(f"fxsummary: {text}\n")
