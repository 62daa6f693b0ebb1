"""Finds what the first operation that reads an input needs: channels, features or integers."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import modules_of, submodule, tensors_of
from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.results import Trace
from fxsummary.capture.torch_internals import AnyConv

MAX_DEPTH = 6


@dataclass(frozen=True)
class Need:
    """The kind and size of input that its first reader needs.

    Attributes:
        kind: "image1", "image2" or "image3" (channels, then so many spatial sizes), "features" (in the last dimension),
            "sequence" (features after batch and length) or "ids" (integers).
        size: channels or features; the number of ids.
    """

    kind: str
    size: int

    @property
    def dims(self) -> int:
        """Number of spatial dimensions; 0 unless it is an image."""
        return int(self.kind[-1]) if self.kind.startswith("image") else 0


def first_needs(model: nn.Module, trace: Trace) -> dict[str, Need | None]:
    """Return the need of each placeholder by name; None if its readers do not show it."""
    return {str(node.target): _first_need(node, model) for node in trace.graph.nodes if node.op == "placeholder"}


def input_needs(model: nn.Module, trace: Trace) -> dict[str, Need | None]:
    """Return the need of each placeholder; if its readers do not show it, the need of the model's first layer."""
    return {name: need or first_layer(model) for name, need in first_needs(model, trace).items()}


def field_needs(model: nn.Module, trace: Trace) -> dict[str, dict[str, Need]]:
    """Return the needs of the fields of placeholders that are read as dicts, by name and key."""
    found: dict[str, dict[str, Need]] = {}
    for node in trace.graph.nodes:
        users = list(node.users)
        if node.op == "placeholder" and all(u.target is operator.getitem and type(u.args[1]) is str for u in users):
            for user in users:
                need = _first_need(user, model)
                if need is not None:
                    found.setdefault(str(node.target), {})[user.args[1]] = need
    return found


def dtype_for(need: Need | None, model: nn.Module) -> str:
    """Return int64 for ids, else the dtype of the model's first floating-point parameter of more than one byte."""
    if need is not None and need.kind == "ids":
        return "int64"
    floats = (dtype_name(p.dtype) for p in tensors_of(model) if p.dtype.is_floating_point and p.dtype.itemsize > 1)
    return next(floats, "float32")


def first_layer(model: nn.Module) -> Need | None:
    """Return the need of the model's first layer that shows one; None if there is none."""
    layers = (module for module in modules_of(model) if not isinstance(module, nn.LayerNorm))
    return next(filter(None, map(_module_need, layers)), None)


def _first_need(node: fx.Node, model: nn.Module, depth: int = 0) -> Need | None:
    for user in node.users:
        is_call = user.op == "call_module"
        need = _module_need(submodule(model, str(user.target))) if is_call else _function_need(user, model)
        reads_only_the_shape = user.target in ("size", "dim") or user.target is getattr
        if need is None and depth < MAX_DEPTH and not reads_only_the_shape:
            need = _first_need(user, model, depth + 1)
        if need is not None:
            return need
    return None


def _module_need(module: nn.Module) -> Need | None:
    if isinstance(module, AnyConv):
        return Need(f"image{len(module.kernel_size)}", module.in_channels)
    if isinstance(module, (nn.TransformerEncoder, nn.TransformerDecoder)):
        return _module_need(module.layers[0])
    if isinstance(module, nn.LayerNorm):
        return Need("sequence", module.normalized_shape[0]) if len(module.normalized_shape) == 1 else None
    found = (Need(kind, attrgetter(size)(module)) for kinds, kind, size in _LAYERS if isinstance(module, kinds))
    return next(found, None)


_LAYERS: tuple[tuple[type | tuple[type, ...], str, str], ...] = (
    (nn.GroupNorm, "image2", "num_channels"),
    (nn.BatchNorm2d, "image2", "num_features"),
    (nn.BatchNorm3d, "image3", "num_features"),
    ((nn.TransformerEncoderLayer, nn.TransformerDecoderLayer), "sequence", "self_attn.embed_dim"),
    (nn.Linear, "features", "in_features"),
    (nn.Bilinear, "features", "in1_features"),
    ((nn.Embedding, nn.EmbeddingBag), "ids", "num_embeddings"),
    (nn.RNNBase, "sequence", "input_size"),
    (nn.RNNCellBase, "features", "input_size"),
    (nn.MultiheadAttention, "sequence", "embed_dim"),
    (nn.Transformer, "sequence", "d_model"),
    (nn.BatchNorm1d, "features", "num_features"),
)
"""Layers with the kind of their input and the attribute that holds its size."""


def _function_need(node: fx.Node, model: nn.Module) -> Need | None:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    weights = [arg for arg in (*node.args, *node.kwargs.values()) if isinstance(arg, fx.Node) and arg.op == "get_attr"]
    weight: Any = model
    for part in str(weights[0].target).split(".") if weights else ():
        weight = getattr(weight, part, None)
    if not isinstance(weight, torch.Tensor):
        return None
    if name in ("conv1d", "conv2d", "conv3d") and weight.dim() == int(name[4]) + 2:
        groups = node.kwargs.get("groups", node.args[6] if len(node.args) > 6 else 1)
        return Need(f"image{name[4]}", weight.shape[1] * (groups if isinstance(groups, int) else 1))
    if name == "matmul" and node.args[0] not in weights:
        return Need("features", weight.shape[max(weight.dim() - 2, 0)])
    if weight.dim() == 2 and name in ("linear", "embedding"):
        return Need("features", weight.shape[1]) if name == "linear" else Need("ids", weight.shape[0])
    return None
