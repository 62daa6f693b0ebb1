"""Count the nonzero elements of parameters: their values are read, and only the numbers kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn
from torch.nn.utils import prune

from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo, ParameterInfo

_PLAIN = (torch.Tensor, nn.Parameter)


def count_nonzero(graph: ModelGraph, model: nn.Module) -> None:
    """Set `nonzero` of each parameter; what `torch.nn.utils.prune` masks counts as zero.

    Raises:
        InputError: the values of a parameter cannot be read.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    graph.modules = {
        path: replace(info, parameters=tuple(_counted(info, modules[path]))) for path, info in graph.modules.items()
    }


def _counted(info: ModuleInfo, module: nn.Module) -> Iterator[ParameterInfo]:
    for each in info.parameters:
        if each.buffer:
            yield each
            continue
        name = each.name.rpartition(".")[2]
        tensor = module._parameters.get(name)
        if type(tensor) not in _PLAIN or tensor is None or tensor.is_meta:
            raise InputError(
                f"nonzero=True counts the nonzero values of all parameters, but {each.name} has none that can be read: "
                "pass a model with plain tensors on a real device."
            )
        yield replace(each, nonzero=int(torch.count_nonzero(_as_used(module, name, tensor.detach()))))


def _as_used(module: nn.Module, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return the values that forward uses: those of a pruned parameter with its mask applied."""
    mask = module._buffers.get(f"{name.removesuffix('_orig')}_mask") if name.endswith("_orig") else None
    return tensor if mask is None or not prune.is_pruned(module) else tensor * mask
