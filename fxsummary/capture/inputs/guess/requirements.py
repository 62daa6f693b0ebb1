"""Finds what the first operation that reads an input needs: channels, features or integers."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import modules_by_path, modules_of, tensors_of
from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.results import Trace
from fxsummary.capture.torch_internals import AnyConv

MAX_DEPTH = 6


@dataclass(frozen=True)
class Need:
    """What the first reader of an input needs.

    Attributes:
        kind: "image" (channels, then `dims` spatial sizes), "features" (in the last dimension),
            "sequence" (features after batch and length) or "ids" (integers).
        size: channels or features; the number of ids.
        dims: spatial dimensions of an image.
    """

    kind: str
    size: int
    dims: int = 0


def first_needs(model: nn.Module, trace: Trace) -> dict[str, Need | None]:
    """Return the need of each placeholder by name; None if its readers do not show it."""
    modules = modules_by_path(model)
    nodes = [node for node in trace.graph.nodes if node.op == "placeholder"]
    return {str(node.target): _first_need(node, modules, model) for node in nodes}


def input_needs(model: nn.Module, trace: Trace) -> dict[str, Need | None]:
    """Return the need of each placeholder; that of the model's first layer if its readers do not show it."""
    return {name: need or first_layer(model) for name, need in first_needs(model, trace).items()}


def field_needs(model: nn.Module, trace: Trace) -> dict[str, dict[str, Need]]:
    """Return the needs of the fields of placeholders that are read as dicts, by name and key."""
    modules = modules_by_path(model)
    found: dict[str, dict[str, Need]] = {}
    for node in trace.graph.nodes:
        if node.op == "placeholder" and all(map(_reads_a_field, node.users)):
            for user in node.users:
                need = _first_need(user, modules, model)
                if need is not None:
                    found.setdefault(str(node.target), {})[user.args[1]] = need
    return found


def _reads_a_field(node: fx.Node) -> bool:
    return node.target is operator.getitem and isinstance(node.args[1], str)


def dtype_for(need: Need | None, model: nn.Module) -> str:
    """Return int64 for ids, else the dtype of the model's first floating-point parameter."""
    if need is not None and need.kind == "ids":
        return "int64"
    floats = (dtype_name(p.dtype) for p in tensors_of(model) if p.dtype.is_floating_point)
    return next(floats, "float32")


def _first_need(node: fx.Node, modules: dict[str, nn.Module], model: nn.Module, depth: int = 0) -> Need | None:
    for user in node.users:
        need = _module_need(modules[str(user.target)]) if user.op == "call_module" else _function_need(user, model)
        if need is None and depth < MAX_DEPTH and not _reads_only_the_shape(user):
            need = _first_need(user, modules, model, depth + 1)
        if need is not None:
            return need
    return None


def _reads_only_the_shape(node: fx.Node) -> bool:
    return node.target in ("size", "dim") or node.target is getattr


def _module_need(module: nn.Module) -> Need | None:
    if isinstance(module, AnyConv):
        return Need("image", module.in_channels, len(module.kernel_size))
    if isinstance(module, nn.GroupNorm):
        return Need("image", module.num_channels, 2)
    if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
        return Need("image", module.num_features, 3 if isinstance(module, nn.BatchNorm3d) else 2)
    if isinstance(module, (nn.TransformerEncoder, nn.TransformerDecoder)):
        return _module_need(module.layers[0])
    if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        return Need("sequence", module.self_attn.embed_dim)
    if isinstance(module, nn.LayerNorm):
        return Need("sequence", module.normalized_shape[0]) if len(module.normalized_shape) == 1 else None
    found = ((kind, attribute) for cls, kind, attribute in _LAYERS if isinstance(module, cls))
    kind, attribute = next(found, ("", ""))
    return Need(kind, getattr(module, attribute)) if kind else None


_LAYERS: tuple[tuple[type[nn.Module], str, str], ...] = (
    (nn.Linear, "features", "in_features"),
    (nn.Bilinear, "features", "in1_features"),
    (nn.Embedding, "ids", "num_embeddings"),
    (nn.EmbeddingBag, "ids", "num_embeddings"),
    (nn.RNNBase, "sequence", "input_size"),
    (nn.modules.rnn.RNNCellBase, "features", "input_size"),
    (nn.MultiheadAttention, "sequence", "embed_dim"),
    (nn.Transformer, "sequence", "d_model"),
    (nn.BatchNorm1d, "features", "num_features"),
)
"""Layers whose input follows from one attribute."""


def _function_need(node: fx.Node, model: nn.Module) -> Need | None:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    weights = [arg for arg in (*node.args, *node.kwargs.values()) if isinstance(arg, fx.Node) and arg.op == "get_attr"]
    if not weights:
        return None
    weight: Any = model
    for part in str(weights[0].target).split("."):
        weight = getattr(weight, part, None)
    if not isinstance(weight, torch.Tensor):
        return None
    if name in ("conv1d", "conv2d", "conv3d") and weight.dim() == int(name[4]) + 2:
        groups = node.kwargs.get("groups", node.args[6] if len(node.args) > 6 else 1)
        return Need("image", weight.shape[1] * (groups if isinstance(groups, int) else 1), weight.dim() - 2)
    if name == "linear" and weight.dim() == 2:
        return Need("features", weight.shape[1])
    if name == "matmul" and node.args[0] not in weights:
        return Need("features", weight.shape[-2] if weight.dim() > 1 else weight.shape[0])
    if name == "embedding" and weight.dim() == 2:
        return Need("ids", weight.shape[0])
    return None


def first_layer(model: nn.Module) -> Need | None:
    """Return the need of the first layer of a model that states one."""
    for module in modules_of(model):
        need = _module_need(module)
        if need is not None and not isinstance(module, nn.LayerNorm):
            return need
    return None
