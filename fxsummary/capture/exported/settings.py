"""Settings of torch.nn modules from what their call in an exported program shows: weights and arguments.

`fill` sets the attributes by which `fxsummary.capture.config` describes a module, where they can be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from fxsummary.capture import config
from fxsummary.capture.exported.skeleton import forget_class
from fxsummary.capture.torch_internals import AnyBatchNorm, AnyConv, AnyDropout, OpOverload
from fxsummary.graph.spec import TensorSpec


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
    args: tuple[Any, ...]
    value: Any
    operator: Any

    def argument(self, name: str, default: Any = None) -> Any:
        """The argument of this name in the operator's schema."""
        for position, argument in enumerate(self.operator._schema.arguments):
            if argument.name == name:
                return self.args[position] if position < len(self.args) else default
        return default


Settings = Mapping[str, Any]


def has_settings(module: nn.Module) -> bool:
    """Whether a module is one of those whose settings can be found in its call."""
    return isinstance(module, _DESCRIBED)


def fill(module: nn.Module, calls: Sequence[Called]) -> None:
    """Set what is known of a module of ``torch.nn``; one of which too little is known keeps only its name."""
    calls = [call for call in calls if isinstance(call.operator, OpOverload)]
    for kind, find in _FINDERS:
        if isinstance(module, kind):
            vars(module).update(find(module, calls))
            break
    try:
        config.of_module(module)
    except (AttributeError, TypeError):
        forget_class(module)


def is_training(calls: Sequence[Called]) -> bool | None:
    """Whether a call was one in training mode, where dropout and batch normalisation tell; else None."""
    for call in calls:
        if call.name in ("dropout", "batch_norm") and isinstance(call.operator, OpOverload):
            for name in ("train", "training"):
                told = call.argument(name)
                if isinstance(told, bool):
                    return told
    return None


def _shape(module: nn.Module, name: str) -> tuple[int, ...] | None:
    tensor = module._parameters.get(name)
    return None if tensor is None else tuple(tensor.shape)


def _first(calls: Sequence[Called], *names: str) -> Called | None:
    return next((call for call in calls if call.name in names or call.name.startswith(names)), None)


def _weight(module: nn.Module, calls: Sequence[Called], *names: str) -> tuple[int, ...] | None:
    """Shape of the weight; of a parametrized one as the call sees it."""
    shape, call = _shape(module, "weight"), _first(calls, *names)
    if shape is None and call is not None:
        spec = call.argument("weight")
        shape = spec.shape if isinstance(spec, TensorSpec) else None
    return shape


def _convolution(module: nn.Module, calls: Sequence[Called]) -> Settings:
    call, weight = _first(calls, "conv"), _weight(module, calls, "conv")
    if call is None or weight is None:
        return {}
    groups = call.argument("groups", 1)
    settings = {
        "kernel_size": weight[2:],
        "stride": call.argument("stride", 1),
        "padding": call.argument("padding", 0),
        "dilation": call.argument("dilation", 1),
        "groups": groups,
    }
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        return {**settings, "in_channels": weight[0], "out_channels": weight[1] * groups}
    return {**settings, "in_channels": weight[1] * groups, "out_channels": weight[0]}


def _linear(module: nn.Module, calls: Sequence[Called]) -> Settings:
    weight, product = _weight(module, calls, "linear"), _first(calls, "addmm", "mm")
    if weight is None and product is not None and isinstance(product.args[-1], TensorSpec):
        weight = product.args[-1].shape[::-1]  # decomposed, the weight comes transposed
    return {} if weight is None else {"in_features": weight[1], "out_features": weight[0]}


def _bilinear(module: nn.Module, calls: Sequence[Called]) -> Settings:
    weight = _shape(module, "weight")
    return {} if weight is None else dict(zip(("out_features", "in1_features", "in2_features"), weight, strict=True))


def _embedding(module: nn.Module, calls: Sequence[Called]) -> Settings:
    weight = _weight(module, calls, "embedding")
    return {} if weight is None else {"num_embeddings": weight[0], "embedding_dim": weight[1]}


def _recurrent(module: nn.Module, calls: Sequence[Called]) -> Settings:
    gates = 4 if isinstance(module, nn.LSTM) else 3 if isinstance(module, nn.GRU) else 1
    names = [name for name in module._parameters if name.startswith("weight_ih_l")]
    weight = _shape(module, "weight_ih_l0")
    if weight is None:
        return {}
    is_bidirectional = any(name.endswith("_reverse") for name in names)
    return {
        "input_size": weight[1],
        "hidden_size": weight[0] // gates,
        "num_layers": len(names) // (2 if is_bidirectional else 1),
        "bidirectional": is_bidirectional,
        "proj_size": (_shape(module, "weight_hr_l0") or (0,))[0],
    }


def _cell(module: nn.Module, calls: Sequence[Called]) -> Settings:
    gates = 4 if isinstance(module, nn.LSTMCell) else 3 if isinstance(module, nn.GRUCell) else 1
    weight = _shape(module, "weight_ih")
    return {} if weight is None else {"input_size": weight[1], "hidden_size": weight[0] // gates}


def _attention(module: nn.Module, calls: Sequence[Called]) -> Settings:
    inner = module._modules.get("out_proj")
    weight = None if inner is None else _shape(inner, "weight")
    query = _query(calls)
    if weight is None or query is None or not query.shape[-1]:
        return {}
    return {"embed_dim": weight[0], "num_heads": weight[0] // query.shape[-1]}


def _query(calls: Sequence[Called]) -> TensorSpec | None:
    """The queries, split into heads: what goes into the last product before the softmax."""
    found: Called | None = None
    for call in calls:
        if call.name in ("scaled_dot_product_attention", "baddbmm", "bmm", "matmul"):
            found = call
        if call.name in ("scaled_dot_product_attention", "softmax", "safe_softmax"):
            break
    else:
        return None
    query = None if found is None else found.args[1 if found.name == "baddbmm" else 0]
    return query if isinstance(query, TensorSpec) else None


def _dropout(module: nn.Module, calls: Sequence[Called]) -> Settings:
    call = _first(calls, "dropout")
    p = None if call is None else call.argument("p")
    return {"p": p} if isinstance(p, (int, float)) else {}


def _group_norm(module: nn.Module, calls: Sequence[Called]) -> Settings:
    call = _first(calls, "group_norm")
    if call is None or not isinstance(call.args[0], TensorSpec):
        return {}
    groups = call.argument("num_groups", call.argument("group"))
    return {"num_channels": call.args[0].shape[1], "num_groups": groups}


def _layer_norm(module: nn.Module, calls: Sequence[Called]) -> Settings:
    call, shape = _first(calls, "layer_norm", "rms_norm"), _shape(module, "weight")
    if shape is None and call is not None:
        shape = call.argument("normalized_shape")
    return {} if shape is None else {"normalized_shape": tuple(shape)}


def _features_norm(module: nn.Module, calls: Sequence[Called]) -> Settings:
    held = [t for t in (*module._parameters.values(), *module._buffers.values()) if t is not None and t.dim() == 1]
    if held:
        return {"num_features": held[0].shape[0]}
    call = _first(calls, "batch_norm", "instance_norm")
    return {"num_features": call.args[0].shape[1]} if call and isinstance(call.args[0], TensorSpec) else {}


def _window(module: nn.Module, calls: Sequence[Called]) -> Settings:
    call = next((call for call in calls if call.argument("kernel_size") is not None), None)
    if call is None:
        return {}
    kernel = call.argument("kernel_size")
    return {"kernel_size": kernel, "stride": call.argument("stride") or kernel, "padding": call.argument("padding", 0)}


def _adaptive(module: nn.Module, calls: Sequence[Called]) -> Settings:
    value = calls[-1].value if calls else None
    spec = value[0] if isinstance(value, (tuple, list)) and value else value
    dims = int(type(module).__name__[-2])
    return {"output_size": spec.shape[-dims:]} if isinstance(spec, TensorSpec) else {}


def _upsample(module: nn.Module, calls: Sequence[Called]) -> Settings:
    call = _first(calls, "upsample")
    if call is None:
        return {}
    scales = call.argument("scale_factors")
    if scales:
        return {"scale_factor": scales[0] if len(set(scales)) == 1 else tuple(scales)}
    return {"size": call.argument("output_size") or call.argument("size")}


_POOLS = (
    nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd, nn.modules.pooling._LPPoolNd, nn.Unfold,
)  # fmt: skip
_ADAPTIVE = (nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd)
_FINDERS: tuple[tuple[Any, Callable[[nn.Module, Sequence[Called]], Settings]], ...] = (
    (AnyConv, _convolution),
    (nn.Linear, _linear),
    (nn.Bilinear, _bilinear),
    ((nn.Embedding, nn.EmbeddingBag), _embedding),
    (nn.RNNBase, _recurrent),
    (nn.RNNCellBase, _cell),
    (nn.MultiheadAttention, _attention),
    (AnyDropout, _dropout),
    (nn.GroupNorm, _group_norm),
    ((nn.LayerNorm, nn.RMSNorm), _layer_norm),
    (AnyBatchNorm, _features_norm),
    (_POOLS, _window),
    (_ADAPTIVE, _adaptive),
    (nn.Upsample, _upsample),
)
_DESCRIBED = tuple(kind for kinds, _ in _FINDERS for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
