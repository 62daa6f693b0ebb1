"""Builds the graph that a `Request` describes: imports the factory, builds the model and analyses it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsummary.errors import InputError, ModelImportError
from fxsummary.loading.libraries import find

if TYPE_CHECKING:
    from torch import nn

    from fxsummary.graph.modelgraph import ModelGraph


_Input = tuple[str | None, tuple[Any, ...], Any]
"""Name, shape (of numbers and names of sizes) and dtype of an input; name and dtype are None if they are not given."""

FILES = (".pt2", ".json")
"""Suffixes of model files: exported programs and saved graphs."""


@dataclass(frozen=True)
class Request:
    """A model and its inputs as text, as given on the command line or in a document.

    Attributes:
        model: ``package.module:factory``, ``path/file.py:factory``, ``library:model`` of a library that lists its
            models, or the path of a ``.pt2`` or ``.json`` file.
        inputs: inputs, each as ``[NAME=]SHAPE[:DTYPE]``.
        arguments: the factory's arguments, each as ``name=value`` with a Python literal.
        config: ``package.module:Config``; the factory's first argument is an instance. None for no config.
        config_arguments: the config's arguments, in the same form as `arguments`.
        train: whether to leave the model in train mode.
    """

    model: str
    inputs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    config: str | None = None
    config_arguments: tuple[str, ...] = ()
    train: bool = False


def analyse(
    request: Request,
    progress: Callable[[str], None] = lambda text: None,
    made: Callable[[nn.Module], None] = lambda model: None,
) -> ModelGraph:
    """Return the graph that a request describes; call ``made`` with the model before it is analysed.

    Raises:
        ModelImportError: the model cannot be imported or built.
        InputError: the request is malformed, or its inputs do not fit the model.
        FxsummaryError: any error of `fxsummary.graph`.
    """
    if request.model.endswith(FILES):
        return _analyse_file(request, progress)
    inputs = [_input(text) for text in request.inputs]
    model = model_of(request, progress)
    made(model)
    progress("analysing")
    shape = None if inputs else _expected_shape(request.model, model)
    return _graph(model, inputs) if shape is None else _api_graph(model, input_shape=shape)


def graph_of(name: str, input_shape: Any = None) -> ModelGraph:
    """Return the graph of a model that `Request` names, in eval mode, with its inputs as for `fxsummary.graph`."""
    request = Request(name)
    if name.endswith(FILES):
        if input_shape is not None:
            raise InputError(f"input_shape does not apply to {name!r}: the inputs of a saved model are given.")
        return _analyse_file(request, lambda text: None)
    model = build(name, {}).eval()
    shape = _expected_shape(name, model) if input_shape is None else input_shape
    return _api_graph(model, input_shape=shape)


def _expected_shape(name: str, model: nn.Module) -> Any:
    """Return the input shape that the model of a library says it expects; None if it does not, or for other models."""
    found = find(name)
    return None if found is None else found[0].input_shape(model)


def _api_graph(model: nn.Module, **inputs: Any) -> ModelGraph:
    from fxsummary.api import graph

    return graph(model, **inputs)


def model_of(request: Request, progress: Callable[[str], None] = lambda text: None) -> nn.Module:
    """Build the model that a request describes, without its inputs.

    Raises:
        ModelImportError: the model cannot be imported or built.
        InputError: the request is malformed, or names a file that holds no module.
    """
    if request.model.endswith(FILES):
        raise InputError(f"{request.model!r} is captured at fixed sizes: pass the model, as package.module:factory.")
    arguments = dict(_argument(text, "--arg") for text in request.arguments)
    config_arguments = dict(_argument(text, "--config-arg") for text in request.config_arguments)
    if config_arguments and request.config is None:
        raise InputError("--config-arg needs --config: pass both.")
    progress(f"building {request.model}")
    positional = () if request.config is None else (build_config(request.config, config_arguments),)
    model = build(request.model, arguments, progress, positional)
    if not request.train:
        model.eval()
    return model


def _graph(model: nn.Module, inputs: Sequence[_Input]) -> ModelGraph:
    """Return the graph of a model with these inputs; missing dtypes are inferred."""
    from fxsummary.api import graph

    return graph(model, **_shapes(model, inputs))


def named_shapes(model: nn.Module, texts: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of `fxsummary.formulas` for inputs such as ``input_ids=BxT:int64``."""
    return _shapes(model, [_input(text, has_names=True) for text in texts])


def _shapes(model: nn.Module, inputs: Sequence[_Input]) -> dict[str, Any]:
    """Return shapes and dtypes as arguments; missing dtypes are inferred."""
    from fxsummary.capture.inputs.example import forward_signature

    if not inputs:
        return {}
    dtypes = [dtype for _, _, dtype in inputs]
    if not any(name for name, _, _ in inputs):
        return {"input_shape": [shape for _, shape, _ in inputs], "input_dtype": dtypes}
    unnamed = iter(forward_signature(model).parameters)
    names = [name or next(unnamed, "") for name, _, _ in inputs]
    shapes = {name: shape for name, (_, shape, _) in zip(names, inputs, strict=True)}
    return {"input_shape": shapes, "input_dtype": dict(zip(names, dtypes, strict=True))}


def _analyse_file(request: Request, progress: Callable[[str], None]) -> ModelGraph:
    saved = request.model.endswith(".json")
    what = "a saved graph" if saved else "an exported program"
    given = {
        "--arg": request.arguments, "--config": request.config, "--config-arg": request.config_arguments,
        "--input": request.inputs, "--train": request.train,
    }  # fmt: skip
    if name := next((name for name, value in given.items() if value), ""):
        raise InputError(f"{name} does not apply to {request.model!r}: {what} cannot be changed.")
    progress(f"reading {request.model}")
    if saved:
        from fxsummary.graph.saved import load

        return load(request.model)
    from fxsummary.api import graph

    return graph(request.model)


def _argument(text: str, option: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise InputError(f"{option} {text!r} is not of the form name=value.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _input(text: str, has_names: bool = False) -> _Input:
    import torch

    name, separator, rest = text.rpartition("=")
    dims, colon, dtype_name = rest.partition(":")
    dtype = getattr(torch, dtype_name, None) if colon else None
    sizes = (dims if has_names else dims.lower()).split("x") if dims else []
    is_dtype = isinstance(dtype, torch.dtype) or not colon
    is_good = all(size.isdigit() or (has_names and size.isidentifier()) for size in sizes)
    if not is_good or not is_dtype or (separator and not name):
        raise InputError(f"--input {text!r} is not [NAME=]SHAPE[:DTYPE], e.g. 1x3x224x224 or input_ids=1x128:int64.")
    return name or None, tuple([int(size) if size.isdigit() else size for size in sizes]), dtype


def shape_of(text: str) -> tuple[int, ...]:
    """Return the shape in an input as it is written on the command line, such as ``1x3x224x224``."""
    return _input(text)[1]


def import_module(name: str) -> None:
    """Import a module, also from the current folder, or raise ModelImportError."""
    with _reported(f"cannot import {name!r}:"):
        _load_module(name)


def build_config(config: str, arguments: dict[str, object]) -> object:
    """Import CONFIG and create an instance, or raise ModelImportError if that fails."""
    factory = _load(config, "CONFIG")
    if callable(factory):
        with _reported(f"{config} raised", ". Pass its arguments with --config-arg name=value."):
            return factory(**arguments)
    if arguments:
        raise ModelImportError(f"{config} is a {type(factory).__name__}, which takes no --config-arg.")
    return factory


def build(
    model: str,
    arguments: dict[str, object],
    progress: Callable[[str], None] = lambda text: None,
    positional: Sequence[object] = (),
) -> nn.Module:
    """Import MODEL and call it with these arguments, on the meta device if possible, or raise ModelImportError."""
    from torch import nn

    from fxsummary.loading import on_meta

    factory = _factory(model)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise ModelImportError(f"{model} is a {type(factory).__name__}; it must be or return a torch.nn.Module.")
    if not positional and _lacks_config(factory, arguments):
        raise ModelImportError(f"{model} needs a config: pass --config {_config_of(factory, model)}.")
    with _reported(f"{model} raised", ". Pass its arguments with --arg name=value."):
        made = on_meta.made(lambda: factory(*positional, **arguments), progress)
    if not isinstance(made, nn.Module):
        raise ModelImportError(f"{model} returned a {type(made).__name__}, not a torch.nn.Module.")
    return made


def _factory(model: str) -> Any:
    """Return what MODEL names: in a library that lists it, in a module, or in a file."""
    with _reported(f"cannot import {model.partition(':')[0]!r}:"):
        found = find(model)
    return _load(model) if found is None else partial(found[0].build, found[1])


@contextmanager
def _reported(doing: str, remedy: str = "") -> Iterator[None]:
    """Raise ModelImportError for any exception of the user's code."""
    try:
        yield
    except Exception as error:
        raise ModelImportError(f"{doing} {type(error).__name__}: {error}{remedy}") from error


def _lacks_config(factory: Callable[..., object], arguments: dict[str, object]) -> bool:
    """Whether a factory requires an argument named config that is not given."""
    with suppress(TypeError, ValueError):  # the factory has no signature
        parameter = inspect.signature(factory).parameters.get("config")
        return parameter is not None and parameter.default is parameter.empty and "config" not in arguments
    return False


def _config_of(factory: Callable[..., object], model: str) -> str:
    """Return where to import the config of a model class, according to its ``config_class``."""
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
    with _reported(f"cannot import {place!r}:"):
        value: Any = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    for part in name.split("."):
        with _reported(f"cannot import {model!r}:"):  # some modules import their parts on access
            if hasattr(value, part):
                value = getattr(value, part)
                continue
        known = [each for each in vars(value) if not each.startswith("_")] if hasattr(value, "__dict__") else []
        raise ModelImportError(f"{place!r} has no {name!r}; it has {', '.join(known[:20]) or 'nothing public'}.")
    return value


def _load_module(name: str) -> object:
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(os.getcwd())


def _load_file(path: Path) -> object:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module
