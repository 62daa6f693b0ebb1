"""Imports the factories that MODEL and CONFIG name, and builds models with them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fxsummary.errors import ModelImportError
from fxsummary.loading import folders
from fxsummary.loading.libraries import find, library_of, names_of
from fxsummary.loading.places import is_tensors
from fxsummary.support.registry import hint

if TYPE_CHECKING:
    from torch import nn


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
    """Return what MODEL names: a file of tensors, a folder, a model of a library, or a factory in a module or file."""
    if is_tensors(model):
        from fxsummary.loading import checkpoints

        return partial(checkpoints.module_of, model)
    if (builder := folders.builder(model)) is not None:
        return builder
    with _reported(f"cannot import {model.partition(':')[0]!r}:"):
        found = find(model)
    return _load(model) if found is None else partial(found[0].build, found[1])


@contextmanager
def _reported(doing: str, remedy: str = "") -> Iterator[None]:
    """Raise ModelImportError for any exception of the user's code, with the chain of its causes."""
    try:
        yield
    except ModelImportError:
        raise
    except Exception as error:
        causes = dict.fromkeys(f"{type(each).__name__}: {each}" for each in _causes(error))
        told = "\n  caused by ".join(causes)
        raise ModelImportError(f"{doing} {told}{_hint(told) or remedy}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those behind it, the last one first."""
    seen: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and not any(behind is each for each in seen):
        yield behind
        seen.append(behind)
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)


def _hint(told: str) -> str:
    """Return what to do about a well-known error; "" for any other."""
    if re.search(r"operator torchvision::\w+ does not exist", told):
        torch = metadata.version("torch")
        return (
            f"\n  The torchvision that is installed was built for another torch than {torch}. Install both from one "
            "index:\n  pip install --upgrade torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        )
    return ""


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
    if model.endswith(".py") and what == "MODEL":
        return _only_model(model)
    if not separator or not place or not name:
        raise ModelImportError(f"{what} {model!r} {_no_place(model) if what == 'MODEL' else _NO_FACTORY}")
    with _reported(f"cannot import {place!r}:"):
        value: Any = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    for part in name.split("."):
        with _reported(f"cannot import {model!r}:"):  # some modules import their parts on access
            if hasattr(value, part):
                value = getattr(value, part)
                continue
        listed = library_of(model)
        has = (each for each, one in getattr(value, "__dict__", {}).items() if _is_public(each, one))
        known = [*(names_of(listed[1]) if listed else has)]
        shown = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "") or "nothing public"
        raise ModelImportError(f"{place!r} has no {name!r}. {hint(part, known)}It has {shown}.")
    return value


_NO_FACTORY = "is not package.module:factory or path/file.py:factory."


def _no_place(model: str) -> str:
    """Return what a text is that names no factory, and what to do."""
    suffix = Path(model).suffix.lower()
    if suffix in _OTHERS:
        return f"is {_OTHERS[suffix]}"
    if model.endswith((".pt2", ".json")) or Path(model).exists():
        return "is no file of a model."
    if re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        return (
            "is no folder here, and fxsummary downloads nothing. For a model of a hub, download its folder, and pass "
            "that; config.json alone is enough."
        )
    of_library = " A model of a library is library:model, such as timm:resnet50." if ":" not in model else ""
    return f"{_NO_FACTORY[:-1]}, nor a folder or file of a model.{of_library}"


_OTHERS = {
    ".onnx": "an ONNX file, which holds no PyTorch model: convert it, for example with onnx2torch, in a file of yours.",
    ".gguf": "a GGUF file: transformers reads it, with from_pretrained(..., gguf_file=...) in a file of yours.",
    ".h5": "a Keras file, which holds no PyTorch model.",
    ".keras": "a Keras file, which holds no PyTorch model.",
    ".tflite": "a TensorFlow Lite file, which holds no PyTorch model.",
    ".msgpack": "a file of Flax weights, which holds no PyTorch model.",
    ".ipynb": "a notebook: move the model to a Python file, or call fxsummary.graph(model) in the notebook.",
    ".onnx_data": "a part of an ONNX file, which holds no PyTorch model.",
}
"""What files of other programs are, and what to do with them, by suffix."""


def _only_model(model: str) -> object:
    """Return the only model in a Python file.

    Raises:
        ModelImportError: the file has none or several; the message lists them.
    """
    with _reported(f"cannot import {model!r}:"):
        module = _load_file(Path(model))
    found = {name: value for name, value in vars(module).items() if _is_model(value, module)}
    if len(found) == 1:
        return next(iter(found.values()))
    named = ", ".join(f"{model}:{name}" for name in found)
    raise ModelImportError(
        f"{model!r} has {len(found)} models: {named}. Name one of them."
        if found
        else (f"{model!r} has no torch.nn.Module. Name a function that returns one, as {model}:NAME.")
    )


def _is_model(value: object, module: object) -> bool:
    """Whether a value is a model, or a class of models that its own module defines."""
    from torch import nn

    if isinstance(value, type):
        return issubclass(value, nn.Module) and value.__module__ == getattr(module, "__name__", "")
    return isinstance(value, nn.Module)


def _is_public(name: str, value: object) -> bool:
    return not name.startswith("_") and not isinstance(value, ModuleType)


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
