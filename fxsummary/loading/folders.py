"""Models that a folder or its ``config.json`` describes, as model hubs keep them; no weights are read.

A folder is one of transformers (``architectures``), diffusers (``_class_name``) or timm (``architecture``), or one of
``torch.hub`` with a ``hubconf.py``.
"""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from fxsummary.errors import ModelImportError
from fxsummary.loading.places import CONFIG, HUB, INDEX, config_of, is_tensors

Config = dict[str, Any]


def builder(place: str) -> Callable[..., Any] | None:
    """Return what makes the model of a folder or of its ``config.json``; None if ``place`` names neither.

    Raises:
        ModelImportError: the folder does not describe a model.
    """
    config, path = config_of(place), Path(place)
    if config is not None:
        return _of_config(Path(config))
    if path.is_dir():
        raise ModelImportError(f"{place!r} describes no model: {_contents(path)}")
    return None


def _contents(path: Path) -> str:
    """Return what a folder without a config holds, and what to name instead."""
    parts = sorted(each.parent.name for each in path.glob(f"*/{CONFIG}"))
    if (path / HUB).is_file():
        entries = [each.name for each in ast.parse((path / HUB).read_text(encoding="utf-8")).body if _is_entry(each)]
        return (
            f"it is a torch.hub folder, so name one of its entries: {', '.join(f'{path / HUB}:{e}' for e in entries)}."
        )
    if parts:
        what = "a pipeline of several models" if (path / INDEX).is_file() else "a folder of several models"
        return f"it is {what}, so name one of them: {', '.join(str(path / each) for each in parts)}."
    weights = sorted(each.name for each in path.iterdir() if is_tensors(each.name))
    if weights:
        return f"it has no {CONFIG}. To see its parameters, name a file: {path / weights[0]}."
    return f"it has neither a {CONFIG} nor a {HUB}."


def _is_entry(statement: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(statement, ast.FunctionDef) and not statement.name.startswith("_")


def _of_config(path: Path) -> Callable[..., Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelImportError(f"cannot read {str(path)!r}: {error}.") from error
    if path.name == INDEX:
        raise ModelImportError(f"{str(path)!r} describes no model: {_contents(path.parent)}")
    for key, make in _MAKERS.items():
        if isinstance(config, dict) and config.get(key):
            return partial(make, path, config)
    raise ModelImportError(
        f"{str(path)!r} does not say which class it configures: it has none of {', '.join(_MAKERS)}. Import the class "
        "yourself, as package.module:Class with --config package.module:Config."
    )


def _of_transformers(path: Path, config: Config, **arguments: Any) -> Any:
    """Return the model of the class in ``architectures``, in the dtype of the config."""
    name = config["architectures"][0]
    if "auto_map" in config:
        raise ModelImportError(
            f"{str(path)!r} needs the code that comes with the model (auto_map), which fxsummary does not run: build "
            "the model in a file of yours with trust_remote_code=True, and pass path/file.py:factory."
        )
    transformers = importlib.import_module("transformers")
    read = transformers.AutoConfig.from_pretrained(str(path.parent), local_files_only=True, **arguments)
    kind = getattr(transformers, name, None)
    if kind is None:
        raise ModelImportError(f"{str(path)!r}: transformers {transformers.__version__} has no class {name}.")
    return kind._from_config(read)


def _of_diffusers(path: Path, config: Config, **arguments: Any) -> Any:
    diffusers = importlib.import_module("diffusers")
    kind = getattr(diffusers, config["_class_name"], None)
    if kind is None:
        raise ModelImportError(f"{str(path)!r}: diffusers {diffusers.__version__} has no {config['_class_name']}.")
    return kind.from_config({**config, **arguments})


def _of_timm(path: Path, config: Config, **arguments: Any) -> Any:
    timm = importlib.import_module("timm")
    known = {name: config[name] for name in ("num_classes", "global_pool") if config.get(name) is not None}
    given = {**known, **config.get("model_args", {}), **arguments}
    return timm.create_model(
        config["architecture"], pretrained=False, pretrained_cfg=config.get("pretrained_cfg"), **given
    )


_MAKERS = {"architectures": _of_transformers, "_class_name": _of_diffusers, "architecture": _of_timm}
"""Functions that make a model, by the key of a config that names its class."""


def notes_on(place: str, model: object) -> tuple[str, ...]:
    """Return what a file of tensors does not tell, or what the config of a folder says and the model does not show."""
    if is_tensors(place):
        from torch.jit import ScriptModule

        return () if isinstance(model, ScriptModule) else (_OF_TENSORS,)
    path = config_of(place)
    config = {} if path is None else json.loads(Path(path).read_text(encoding="utf-8"))
    method = config.get("quantization_config", {}).get("quant_method")
    return (f"the config asks for weights quantized by {method}; shown are the weights before that",) if method else ()


_OF_TENSORS = (
    "a file of tensors tells neither which of them are buffers nor which are frozen: those of floating-point numbers "
    "are shown as trainable parameters"
)
