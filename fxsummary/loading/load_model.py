"""Builds the graph that a `Request` describes: imports the factory, builds the model and analyses it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fxsummary.errors import InputError
from fxsummary.loading import revision
from fxsummary.loading.factories import build, build_config
from fxsummary.loading.libraries import find
from fxsummary.loading.places import is_captured
from fxsummary.support.registry import unknown

if TYPE_CHECKING:
    from torch import nn

    from fxsummary.graph.modelgraph import ModelGraph


_Input = tuple[str | None, tuple[Any, ...], Any]
"""Name, shape (of numbers and names of sizes) and dtype of an input; name and dtype are None if they are not given."""


@dataclass(frozen=True)
class Request:
    """A model and its inputs as text, as given on the command line or in a document.

    Attributes:
        model: ``package.module:factory``, ``path/file.py:factory``, either of them behind a git revision
            (``main:models.py:Net``), ``library:model`` of a library that lists its models, a Python file with one
            model, a folder with a ``config.json``, or the path of an exported program (``.pt2``), a saved graph
            (``.json``), a TorchScript file or a file of tensors.
        inputs: inputs, each as ``[NAME=]SHAPE[:DTYPE]``.
        arguments: the factory's arguments, each as ``name=value`` with a Python literal.
        config: ``package.module:Config``; the factory's first argument is an instance. None for no config.
        config_arguments: the config's arguments, in the same form as `arguments`.
        train: whether to leave the model in train mode.
        dtype: name of the dtype to which its floating-point tensors are cast; None to leave them.
        leaf: class names or paths of modules to show as one operation.
    """

    model: str
    inputs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    config: str | None = None
    config_arguments: tuple[str, ...] = ()
    train: bool = False
    dtype: str | None = None
    leaf: tuple[str, ...] = ()


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
    if is_captured(request.model):
        return _analyse_file(request, progress)
    if named := revision.split(request.model):
        return revision.call_at(*named, analyse, replace(request, model=named[1]), progress=progress)
    inputs = [_input(text) for text in request.inputs]
    model = model_of(request, progress)
    made(model)
    progress("analysing")
    shape = None if inputs else _expected_shape(request.model, model)
    given = _shapes(model, inputs) if shape is None else {"input_shape": shape}
    return _api_graph(request.model, model, leaf=request.leaf or None, **given)


def graph_of(name: str, /, *args: Any, **options: Any) -> ModelGraph:
    """Return the graph of a model that `Request` names, in eval mode, with the options of `fxsummary.graph`."""
    if is_captured(name):
        if args or any(each is not None for each in options.values()):
            raise InputError(f"{name!r} contains its inputs: pass it alone.")
        return _analyse_file(Request(name), lambda text: None)
    if named := revision.split(name):
        return revision.call_at(*named, graph_of, named[1], *args, progress=lambda text: None, **options)
    model = build(name, {}).eval()
    if not args and options.get("kwargs") is None and options.get("input_shape") is None:
        options["input_shape"] = _expected_shape(name, model)
    return _api_graph(name, model, *args, **options)


def _expected_shape(name: str, model: nn.Module) -> Any:
    """Return the input shape that the model of a library says it expects; None if it does not, or for other models."""
    found = find(name)
    return None if found is None else found[0].input_shape(model)


def _api_graph(name: str, model: nn.Module, *args: Any, **options: Any) -> ModelGraph:
    from fxsummary.api import graph
    from fxsummary.loading.folders import notes_on

    found = graph(model, *args, **options)
    if more := notes_on(name, model):
        found.notes = (*found.notes, *more)
    return found


def model_of(request: Request, progress: Callable[[str], None] = lambda text: None) -> nn.Module:
    """Build the model that a request describes, without its inputs.

    Raises:
        ModelImportError: the model cannot be imported or built.
        InputError: the request is malformed, or names a file that holds no module.
    """
    if is_captured(request.model):
        raise InputError(f"{request.model!r} is captured at fixed sizes: pass the model, as package.module:factory.")
    if named := revision.split(request.model):
        raise InputError(f"{request.model!r}: this needs the model itself, not its graph: check out {named[0]} first.")
    arguments = dict(_argument(text, "--arg") for text in request.arguments)
    config_arguments = dict(_argument(text, "--config-arg") for text in request.config_arguments)
    if config_arguments and request.config is None:
        raise InputError("--config-arg needs --config: pass both.")
    dtype = None if request.dtype is None else _dtype(request.dtype)
    progress(f"building {request.model}")
    positional = () if request.config is None else (build_config(request.config, config_arguments),)
    model = build(request.model, arguments, progress, positional)
    if dtype is not None:
        model.to(dtype)
    if not request.train:
        model.eval()
    return model


def _dtype(name: str) -> Any:
    """Return a floating-point dtype of torch by name, or raise InputError."""
    import torch

    known = [each for each, value in vars(torch).items() if isinstance(value, torch.dtype) and value.is_floating_point]
    if name not in known:
        raise InputError(f"--dtype: {unknown('dtype', name, known)}")
    return getattr(torch, name)


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
        "--input": request.inputs, "--train": request.train, "--dtype": request.dtype, "--leaf": request.leaf,
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
