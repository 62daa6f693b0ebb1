"""The modules, parameters and buffers of a model, by path.

torch's own methods are slow and recursive, and a model may shadow them with an attribute (such as ``parameters``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from fxsummary.capture.torch_internals import CONSTANT_TYPES


def modules_of(model: nn.Module) -> list[nn.Module]:
    """Return ``model.modules()`` as a list, also for trees deeper than the recursion limit."""
    return list({id(module): module for module in modules_by_path(model).values()}.values())


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside `torch.compile`, `nn.DataParallel` or `DistributedDataParallel`."""
    inner: Any = None
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        inner = module._modules.get("module")
    elif type(module).__module__.startswith("torch._dynamo"):
        inner = module._modules.get("_orig_mod")
    return unwrapped(inner) if isinstance(inner, nn.Module) else module


def tensors_of(model: nn.Module) -> Iterator[torch.Tensor]:
    """Yield the parameters of a model, then its buffers; a tensor with several names is yielded several times."""
    return tensors_in_modules(modules_of(model) if model._modules else [model])


def tensors_in_modules(modules: Iterable[nn.Module]) -> Iterator[torch.Tensor]:
    """Yield the modules' own parameters, then their own buffers."""
    modules = list(modules)
    for held in ("_parameters", "_buffers"):
        for module in modules:
            yield from [tensor for tensor in getattr(module, held).values() if tensor is not None]


def device_of(tensors: Iterator[torch.Tensor]) -> str:
    """Return the device of the first tensor, "cpu" if there is none."""
    first = next(tensors, None)
    return "cpu" if first is None else str(first.device)


def submodule(model: nn.Module, path: str) -> nn.Module:
    """Return the module at a path."""
    for name in path.split(".") if path else ():
        model = model._modules[name]  # type: ignore[assignment]
    return model


def modules_by_path(model: nn.Module) -> dict[str, nn.Module]:
    """Return every module by path in the order of ``named_modules()``; a shared module appears under each of its paths.

    A module that contains itself is not entered again.
    """
    found: dict[str, nn.Module] = {}
    seen: set[int] = set()
    todo = [("", model)]
    while todo:
        path, module = todo.pop()
        found[path] = module
        names = path.split(".") if id(module) in seen else ()
        if not module._modules or any(found[".".join(names[:count])] is module for count in range(len(names))):
            continue
        seen.add(id(module))
        prefix = f"{path}." if path else ""
        children = [(prefix + name, child) for name, child in module._modules.items() if child is not None]
        children.reverse()
        todo.extend(children)
    return found


def first_paths(modules: Mapping[str, nn.Module]) -> dict[int, str]:
    """Return the first path of each module, by ``id``.

    Args:
        modules: every module by path.
    """
    paths: dict[int, str] = {}
    for path, module in modules.items():
        paths.setdefault(id(module), path)
    return paths


def tensor_names(modules: Mapping[str, nn.Module]) -> dict[int, str]:
    """Return the first name of each parameter and buffer, by ``id``; parameters come first.

    Args:
        modules: every module by path.
    """
    names: dict[int, str] = {}
    for held in ("_parameters", "_buffers"):
        for path, module in modules.items():
            for name, tensor in getattr(module, held).items():
                if tensor is not None and id(tensor) not in names:
                    names[id(tensor)] = f"{path}.{name}" if path else name
    return names


def constants(modules: Mapping[str, nn.Module]) -> dict[Any, str]:
    """Return the last name of each tensor that is a plain attribute of a module, as torch.fx does.

    Args:
        modules: every module by path.
    """
    kinds: set[type] = set()
    for module in modules.values():
        kinds.update(map(type, vars(module).values()))
    if not any(issubclass(kind, CONSTANT_TYPES) for kind in kinds):
        return {}
    return {
        value: f"{path}.{name}" if path else name
        for path, module in modules.items()
        for name, value in vars(module).items()
        if isinstance(value, CONSTANT_TYPES)
    }
