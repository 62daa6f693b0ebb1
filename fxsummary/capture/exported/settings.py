"""Settings of torch.nn modules from what their call in an exported program shows: weights and arguments.

`fill_all` sets the attributes that describe a module, where they can be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture import aten
from fxsummary.capture.exported.hints import ENTRIES, VALUE, with_values
from fxsummary.capture.exported.skeleton import forget_class
from fxsummary.capture.structures import Args
from fxsummary.capture.torch_internals import AnyBatchNorm, AnyConv, AnyDropout, OpOverload
from fxsummary.graph.spec import TensorSpec


class _NotShownError(Exception):
    """The call of a module does not show its settings."""


@dataclass(frozen=True)
class Called:
    """One ATen call inside a module's call.

    Attributes:
        name: the operator by the name of the field.
        args: its positional arguments, specs for tensors.
        value: its result.
        operator: the operator itself.
    """

    name: str
    args: Args
    value: object
    operator: Any

    def argument(self, name: str, default: object = None) -> Any:
        """The argument of this name in the operator's schema."""
        for position, argument in enumerate(self.operator._schema.arguments):
            if argument.name == name:
                return self.args[position] if position < len(self.args) else default
        return default


@dataclass(frozen=True)
class _Seen:
    """A module and the operations in its first call."""

    module: nn.Module
    calls: list[Called]

    def first(self, *names: str) -> Called:
        """The first operation of these names, or names that begin so."""
        for call in self.calls:
            if call.name.startswith(names):
                return call
        raise _NotShownError

    def shape(self, name: str, *operators: str) -> tuple[int, ...]:
        """Shape of a parameter; of a parametrized one as the operation sees it."""
        tensor = self.module._parameters.get(name)
        return _shape(self.first(*operators).argument(name)) if tensor is None else tuple(tensor.shape)


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, TensorSpec):
        raise _NotShownError
    return value.shape


def fill_all(modules: Mapping[str, nn.Module], graph: fx.Graph) -> None:
    """Set what the first call of each module of torch.nn shows of it, and which modules were in training mode."""
    first = _first_calls(modules, graph)
    training = {path: _is_training(called) for path, called in first.items()}
    is_any_training = any(training.values())
    for path, module in modules.items():
        told = training.get(path)
        module.training = is_any_training if told is None else told
        find = next((find for kind, find in _FINDERS if isinstance(module, kind)), None)
        if find is not None:
            try:
                vars(module).update(find(_Seen(module, first.get(path, []))))
            except _NotShownError:
                forget_class(module)


def _first_calls(modules: Mapping[str, nn.Module], graph: fx.Graph) -> dict[str, list[Called]]:
    """The operations in the first call of each module that has settings, by its path."""
    kinds = tuple(kind for kinds, _ in _FINDERS for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    described = {path for path, module in modules.items() if isinstance(module, kinds)}
    first: dict[str, tuple[int, list[Called]]] = {}
    for node in graph.nodes:
        if node.op == "call_function" and isinstance(node.target, OpOverload):
            for path, _, number in node.meta[ENTRIES]:
                if path in described and first.setdefault(path, (number, []))[0] == number:
                    name, args = aten.function_name(node.target), with_values(node.args)
                    first[path][1].append(Called(name, args, node.meta[VALUE], node.target))
    return {path: called for path, (_, called) in first.items()}


def _is_training(calls: list[Called]) -> bool | None:
    """Whether a call was one in training mode, where dropout and batch normalisation tell; else None."""
    asked = [call for call in calls if call.name in ("dropout", "batch_norm")]
    told = [call.argument(name) for call in asked for name in ("train", "training")]
    return next((each for each in told if isinstance(each, bool)), None)


# --- what shows the settings of each kind ----------------------------------------------------------

Settings = Mapping[str, object]


def _convolution(seen: _Seen) -> Settings:
    weight, call = seen.shape("weight", "conv"), seen.first("conv")
    groups = call.argument("groups", 1)
    channels = weight[1] * groups, weight[0]
    if isinstance(seen.module, nn.modules.conv._ConvTransposeNd):
        channels = weight[0], weight[1] * groups
    found = {"in_channels": channels[0], "out_channels": channels[1], "kernel_size": weight[2:], "groups": groups}
    defaults = {"stride": 1, "padding": 0, "dilation": 1}
    return found | {name: call.argument(name, default) for name, default in defaults.items()}


def _linear(seen: _Seen) -> Settings:
    try:
        features, inputs = seen.shape("weight", "linear")
    except _NotShownError:
        inputs, features = _shape(seen.first("addmm", "mm").args[-1])  # decomposed, the weight comes transposed
    return {"in_features": inputs, "out_features": features}


def _named(name: str, operator: str, *settings: str) -> Callable[[_Seen], Settings]:
    """Settings that are the sizes of a parameter."""
    return lambda seen: dict(zip(settings, seen.shape(name, operator), strict=True))


def _gates(module: nn.Module) -> int:
    return 4 if isinstance(module, (nn.LSTM, nn.LSTMCell)) else 3 if isinstance(module, (nn.GRU, nn.GRUCell)) else 1


def _recurrent(seen: _Seen) -> Settings:
    rows, columns = seen.shape("weight_ih_l0")
    held = seen.module._parameters
    names = [name for name in held if name.startswith("weight_ih_l")]
    is_bidirectional = any(name.endswith("_reverse") for name in names)
    return {
        "input_size": columns,
        "hidden_size": rows // _gates(seen.module),
        "num_layers": len(names) // (2 if is_bidirectional else 1),
        "bidirectional": is_bidirectional,
        "proj_size": seen.shape("weight_hr_l0")[0] if "weight_hr_l0" in held else 0,
    }


def _cell(seen: _Seen) -> Settings:
    rows, columns = seen.shape("weight_ih")
    return {"input_size": columns, "hidden_size": rows // _gates(seen.module)}


def _attention(seen: _Seen) -> Settings:
    """The queries, split into heads, are what goes into the last product before the softmax."""
    inner, products = seen.module._modules.get("out_proj"), []
    for call in seen.calls:
        if call.name in ("scaled_dot_product_attention", "baddbmm", "bmm", "matmul"):
            products.append(call)
        if call.name in ("scaled_dot_product_attention", "softmax", "safe_softmax"):
            break
    else:
        raise _NotShownError
    if inner is None or not products:
        raise _NotShownError
    query = _shape(products[-1].args[products[-1].name == "baddbmm"])
    features = _Seen(inner, []).shape("weight")[0]
    if not query[-1]:
        raise _NotShownError
    return {"embed_dim": features, "num_heads": features // query[-1]}


def _dropout(seen: _Seen) -> Settings:
    p = seen.first("dropout").argument("p")
    if not isinstance(p, (int, float)):
        raise _NotShownError
    return {"p": p}


def _group_norm(seen: _Seen) -> Settings:
    call = seen.first("group_norm")
    groups = call.argument("num_groups", call.argument("group"))
    return {"num_channels": _shape(call.args[0])[1], "num_groups": groups}


def _layer_norm(seen: _Seen) -> Settings:
    has_weight = seen.module._parameters.get("weight") is not None
    shape = seen.shape("weight") if has_weight else seen.first("layer_norm", "rms_norm").argument("normalized_shape")
    return {} if shape is None else {"normalized_shape": tuple(shape)}


def _features_norm(seen: _Seen) -> Settings:
    tensors: list[torch.Tensor | None] = [*seen.module._parameters.values(), *seen.module._buffers.values()]
    for held in tensors:
        if held is not None and held.dim() == 1:
            return {"num_features": held.shape[0]}
    return {"num_features": _shape(seen.first("batch_norm", "instance_norm").args[0])[1]}


def _window(seen: _Seen) -> Settings:
    for call in seen.calls:
        kernel = call.argument("kernel_size")
        if kernel is not None:
            stride = call.argument("stride") or kernel
            return {"kernel_size": kernel, "stride": stride, "padding": call.argument("padding", 0)}
    raise _NotShownError


def _adaptive(seen: _Seen) -> Settings:
    value = seen.calls[-1].value if seen.calls else None
    shape = _shape(value[0] if isinstance(value, (tuple, list)) and value else value)
    return {"output_size": shape[-int(type(seen.module).__name__[-2]) :]}


def _upsample(seen: _Seen) -> Settings:
    call = seen.first("upsample")
    scales = call.argument("scale_factors")
    if scales:
        return {"scale_factor": scales[0] if len(set(scales)) == 1 else tuple(scales)}
    return {"size": call.argument("output_size") or call.argument("size")}


_POOLING: Any = nn.modules.pooling
_FINDERS: tuple[tuple[Any, Callable[[_Seen], Settings]], ...] = (
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
