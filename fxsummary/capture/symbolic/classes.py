"""Which traced values are tensors, as far as tracing can tell: it knows no results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import fx, nn

_SEVERAL = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention, nn.AdaptiveLogSoftmaxWithLoss)
"""Modules of torch.nn that return several tensors."""


def is_tensor(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the value of a node is a tensor; False if it may be something else."""
    each: fx.Node | None = node
    while each is not None:
        if each.op in ("placeholder", "get_attr"):
            return True
        if each.op == "call_module":
            return _returns_one(modules.get(str(each.target)))
        name = each.target if isinstance(each.target, str) else getattr(each.target, "__name__", "")
        if not _is_of_tensors(name):
            return False
        if getattr(each.target, "__module__", "") != "_operator":
            return True
        each = next(iter(each.all_input_nodes), None)  # a sum of sizes is no tensor
    return False


def _returns_one(module: nn.Module | None) -> bool:
    """Whether a leaf module returns one tensor."""
    is_known = type(module).__module__.startswith("torch.nn.") and not isinstance(module, _SEVERAL)
    return is_known and not getattr(module, "return_indices", False)


@cache
def _is_of_tensors(name: str) -> bool:
    """Whether all ATen operators of a name that take a tensor return one tensor."""
    packet: Any = getattr(torch.ops.aten, name, None) if name.isidentifier() and not name.startswith("__") else None
    schemas = [] if packet is None else [getattr(packet, overload)._schema for overload in packet.overloads()]
    taking = [each for each in schemas if each.arguments and str(each.arguments[0].type) in _TENSORS]
    return bool(taking) and all([str(each.type) for each in schema.returns] == ["Tensor"] for schema in taking)


_TENSORS = ("Tensor", "List[Tensor]")
