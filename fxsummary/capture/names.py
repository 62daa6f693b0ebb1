"""What a model owns, by name: in one walk over its modules each, however deep."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx import _symbolic_trace

Modules = dict[int, tuple[str, nn.Module]]
"""Path and module, by the identity of the module."""


def modules(model: nn.Module) -> Modules:
    """``model.named_modules()``."""
    found: Modules = {}
    todo = [("", model)]
    while todo:
        path, module = todo.pop()
        if id(module) in found:
            continue
        found[id(module)] = path, module
        children = module._modules
        if children:
            prefix = f"{path}." if path else ""
            todo.extend([(prefix + name, child) for name, child in reversed(children.items()) if child is not None])
    return found


def tensors(modules: Modules, kind: str) -> dict[int, str]:
    """The first name of each tensor, by its identity.

    Args:
        kind: "_parameters" or "_buffers".
    """
    names: dict[int, str] = {}
    for path, module in modules.values():
        owned = getattr(module, kind)
        for name, tensor in owned.items() if owned else ():
            if tensor is not None:
                names.setdefault(id(tensor), f"{path}.{name}" if path else name)
    return names


def constants(model: nn.Module, modules: Modules) -> dict[Any, str]:
    """The last name of each tensor that is a plain attribute of a module, as torch.fx finds it."""
    kinds: set[type] = set()
    for _, module in modules.values():
        kinds.update(map(type, vars(module).values()))
    names: dict[Any, str] = {}
    if any(issubclass(kind, _CONSTANTS) for kind in kinds):
        _collect(model, "", names)
    return names


def _collect(module: nn.Module, prefix: str, names: dict[Any, str]) -> None:
    for name, value in vars(module).items():
        if isinstance(value, _CONSTANTS):
            names[value] = prefix + name
    for name, child in module.named_children():
        _collect(child, f"{prefix}{name}.", names)


_CONSTANTS: Any = getattr(_symbolic_trace, "_constant_attribute_types", (torch.Tensor, torch.ScriptObject))
