"""Recovers the settings of torch.nn modules from the weights and arguments of their calls in an exported program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from fxsummary.capture.exported.metadata import OUTCOME, with_values
from fxsummary.capture.exported.skeleton import forget_class
from fxsummary.capture.nodes import STACK, function_name
from fxsummary.capture.torch_internals import AnyBatchNorm, AnyConv, AnyDropout, OpOverload
from fxsummary.graph.spec import TensorSpec


class _Seen(NamedTuple):
    """A module and the ATen calls in its first call."""

    module: nn.Module
    calls: list[fx.Node]

    def first(self, *names: str) -> Mapping[str, Any]:
        """Return the arguments of the first operation whose name starts with one of these names."""
        for node in self.calls:
            if function_name(node.target).startswith(names):
                return _given(node)
        raise LookupError

    def shape(self, name: str, *operators: str) -> tuple[int, ...]:
        """Return the shape of a parameter; for a parametrized one, the shape that the operation gets."""
        tensor = self.module._parameters.get(name)
        return _shape(self.first(*operators).get(name)) if tensor is None else tuple(tensor.shape)


def _given(node: fx.Node) -> dict[str, Any]:
    """Return the arguments of an ATen call by name."""
    taken = {argument.name: argument.default_value for argument in node.target._schema.arguments}  # type: ignore[union-attr]
    return taken | dict(zip(taken, with_values(node.args), strict=False))


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, TensorSpec):
        raise LookupError
    return value.shape


def fill_all(modules: Mapping[str, nn.Module], graph: fx.Graph) -> None:
    """Set the attributes of each torch.nn module that its first call shows, and its training flag."""
    finders = {path: find for path, module in modules.items() for kind, find in _FINDERS if isinstance(module, kind)}
    seen = {path: _Seen(modules[path], []) for path in finders}
    first: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "call_function" and isinstance(node.target, OpOverload):
            for call, (path, _) in node.meta[STACK].items():
                if path in finders and first.setdefault(path, call) == call:
                    seen[path].calls.append(node)
    training = {path: _is_training(each.calls) for path, each in seen.items()}
    is_any_training = any(training.values())
    for path, module in modules.items():
        told = training.get(path)
        module.training = is_any_training if told is None else told
    for path, find in finders.items():
        try:
            vars(modules[path]).update(find(seen[path]))
        except LookupError:  # the call does not show the settings
            forget_class(modules[path])


def _is_training(calls: list[fx.Node]) -> bool | None:
    """Whether a call was in training mode, according to dropout and batch normalization; None without either."""
    asked = [_given(node) for node in calls if function_name(node.target) in ("dropout", "batch_norm")]
    told = [given.get(name) for given in asked for name in ("train", "training")]
    return next((each for each in told if isinstance(each, bool)), None)


# --- settings by kind of module --------------------------------------------------------------------

Settings = Mapping[str, object]


def _convolution(seen: _Seen) -> Settings:
    weight, given = seen.shape("weight", "conv"), seen.first("conv")
    groups = given["groups"]
    inputs, outputs = weight[1] * groups, weight[0]
    if isinstance(seen.module, nn.modules.conv._ConvTransposeNd):
        inputs, outputs = weight[0], weight[1] * groups
    found = {"in_channels": inputs, "out_channels": outputs, "kernel_size": weight[2:], "groups": groups}
    return found | {name: given[name] for name in ("stride", "padding", "dilation")}


def _linear(seen: _Seen) -> Settings:
    try:
        features, inputs = seen.shape("weight", "linear")
    except LookupError:  # a decomposed linear has its weight last and transposed
        product = seen.first("addmm", "mm")
        inputs, features = _shape(product.get("mat2"))
    return {"in_features": inputs, "out_features": features}


def _named(name: str, operator: str, *settings: str) -> Callable[[_Seen], Settings]:
    """Return a function that reads settings from the sizes of a parameter."""
    return lambda seen: dict(zip(settings, seen.shape(name, operator), strict=True))


def _recurrent(seen: _Seen) -> Settings:
    held = seen.module._parameters
    names = [name for name in held if name.startswith("weight_ih_l")]
    is_bidirectional = any(name.endswith("_reverse") for name in names)
    projection, hidden = seen.shape("weight_hr_l0") if "weight_hr_l0" in held else (0, seen.shape("weight_hh_l0")[1])
    return {
        "input_size": seen.shape("weight_ih_l0")[1],
        "hidden_size": hidden,
        "num_layers": len(names) // (2 if is_bidirectional else 1),
        "bidirectional": is_bidirectional,
        "proj_size": projection,
    }


def _cell(seen: _Seen) -> Settings:
    return {"input_size": seen.shape("weight_ih")[1], "hidden_size": seen.shape("weight_hh")[1]}


def _attention(seen: _Seen) -> Settings:
    """Read the head size from the queries: these, split into heads, enter the last product before the softmax."""
    calls = [(function_name(node.target), node) for node in seen.calls]
    ends = [place for place, (name, _) in enumerate(calls) if name in ("softmax", "safe_softmax", _ATTENTION)]
    products = [(name, node) for name, node in calls[: ends[0] + 1 if ends else 0] if name in _PRODUCTS]
    inner = seen.module._modules.get("out_proj")
    if not products or inner is None:
        raise LookupError
    name, product = products[-1]
    size = _shape(_given(product).get(_PRODUCTS[name]))[-1]
    features = _Seen(inner, []).shape("weight")[0]
    if not size:
        raise LookupError
    return {"embed_dim": features, "num_heads": features // size}


_ATTENTION = "scaled_dot_product_attention"
_PRODUCTS = {_ATTENTION: "query", "baddbmm": "batch1", "bmm": "self", "matmul": "self"}
"""Products in attention, with the name of the argument for the queries."""


def _dropout(seen: _Seen) -> Settings:
    return {"p": seen.first("dropout")["p"]}


def _group_norm(seen: _Seen) -> Settings:
    given = seen.first("group_norm")
    return {"num_channels": _shape(given["input"])[1], "num_groups": given.get("num_groups", given.get("group"))}


def _layer_norm(seen: _Seen) -> Settings:
    weight = seen.module._parameters.get("weight")
    shape = seen.first("layer_norm", "rms_norm")["normalized_shape"] if weight is None else weight.shape
    return {"normalized_shape": tuple(shape)}


def _features_norm(seen: _Seen) -> Settings:
    tensors: list[torch.Tensor | None] = [*seen.module._parameters.values(), *seen.module._buffers.values()]
    held = [tensor.shape[0] for tensor in tensors if tensor is not None and tensor.dim() == 1]
    return {"num_features": held[0] if held else _shape(seen.first("batch_norm", "instance_norm").get("input"))[1]}


def _window(seen: _Seen) -> Settings:
    for given in map(_given, seen.calls):
        if "kernel_size" in given:
            return {name: given[name] for name in ("kernel_size", "stride", "padding")}
    raise LookupError


def _adaptive(seen: _Seen) -> Settings:
    value = seen.calls[-1].meta[OUTCOME].value if seen.calls else None
    shape = _shape(value[0] if isinstance(value, (tuple, list)) and value else value)
    return {"output_size": shape[-int(type(seen.module).__name__[-2]) :]}


def _upsample(seen: _Seen) -> Settings:
    given = seen.first("upsample")
    scales = given.get("scale_factors")
    if scales:
        return {"scale_factor": scales[0] if len(set(scales)) == 1 else tuple(scales)}
    return {"size": given.get("output_size") or given.get("size")}


_POOLING: Any = nn.modules.pooling
_FINDERS: tuple[tuple[type | tuple[type, ...], Callable[[_Seen], Settings]], ...] = (
    (AnyConv, _convolution),
    (nn.Linear, _linear),
    (nn.Bilinear, _named("weight", "bilinear", "out_features", "in1_features", "in2_features")),
    ((nn.Embedding, nn.EmbeddingBag), _named("weight", "embedding", "num_embeddings", "embedding_dim")),
    (nn.RNNBase, _recurrent),
    (nn.RNNCellBase, _cell),
    (nn.MultiheadAttention, _attention),
    (AnyDropout, _dropout),
    (nn.GroupNorm, _group_norm),
    ((nn.LayerNorm, nn.RMSNorm), _layer_norm),
    (AnyBatchNorm, _features_norm),
    ((_POOLING._MaxPoolNd, _POOLING._AvgPoolNd, _POOLING._LPPoolNd, nn.Unfold), _window),
    ((_POOLING._AdaptiveAvgPoolNd, _POOLING._AdaptiveMaxPoolNd), _adaptive),
    (nn.Upsample, _upsample),
)
