"""The settings of a module or call in a few words, such as ``3→16, 3×3, s1, p1``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fxsummary.capture.aten import index_text
from fxsummary.capture.torch_internals import AnyConv
from fxsummary.graph.spec import TensorSpec


def of_module(module: nn.Module) -> str:
    """Settings of a ``torch.nn`` module, and whether it lacks a bias that its kind has; "" for one that is not known.

    >>> of_module(nn.Conv2d(3, 16, 3, padding=1)), of_module(nn.Linear(8, 4)), of_module(nn.ReLU())
    ('3→16, 3×3, s1, p1', '8→4', '')
    >>> of_module(nn.Conv2d(8, 8, 3, groups=8, dilation=2)), of_module(nn.MaxPool2d(3, 2, 1))
    ('8→8, 3×3, s1, d2, depthwise', '3×3, s2, p1')
    >>> of_module(nn.LSTM(8, 16, num_layers=2, bidirectional=True))
    '8→16, 2 layers, bidirectional'
    >>> of_module(nn.Linear(8, 4, bias=False)), of_module(nn.LSTMCell(8, 16))
    ('8→4, bias=False', '8→16')
    """
    settings = _settings(module)
    return ", ".join(filter(None, (settings, "bias=False"))) if _lacks_bias(module) else settings


def _lacks_bias(module: nn.Module) -> bool:
    held = module._parameters
    if isinstance(module, (AnyConv, nn.Linear, nn.Bilinear, nn.LayerNorm)):
        return held.get("bias") is None and "parametrizations" not in module._modules and bool(held)
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)):
        return not any("bias" in name and tensor is not None for name, tensor in held.items())
    return False


def _settings(module: nn.Module) -> str:
    if isinstance(module, AnyConv):
        return _convolution(
            module.in_channels, module.out_channels, module.kernel_size, module.stride, module.padding,
            module.dilation, module.groups,
        )  # fmt: skip
    if isinstance(module, nn.RNNBase):
        parts = [f"{module.input_size}→{module.hidden_size}"]
        parts += [f"proj {module.proj_size}"] if module.proj_size else []
        parts += [f"{module.num_layers} layers"] if module.num_layers > 1 else []
        parts += ["bidirectional"] if module.bidirectional else []
        return ", ".join(parts)
    if isinstance(module, nn.MultiheadAttention):
        return f"{module.embed_dim}, {module.num_heads} heads"
    if isinstance(module, nn.Dropout):
        return f"p={module.p:g}"
    if isinstance(module, nn.Bilinear):
        return f"{module.in1_features}, {module.in2_features}→{module.out_features}"
    if isinstance(module, nn.GroupNorm):
        return f"{module.num_channels}, {module.num_groups} groups"
    return _by_attributes(module)


def _by_attributes(module: nn.Module) -> str:
    """Settings by the names that torch.nn (and quantized) modules share; user modules get none."""
    if not type(module).__module__.startswith("torch.") or isinstance(module, _NOT_BY_ATTRIBUTES):
        return ""
    attributes = vars(module)
    if "in_features" in attributes:
        return f"{attributes['in_features']}→{attributes.get('out_features', attributes.get('n_classes'))}"
    if "hidden_size" in attributes:
        return f"{attributes['input_size']}→{attributes['hidden_size']}"
    if "num_embeddings" in attributes:
        return f"{attributes['num_embeddings']}→{attributes.get('embedding_dim')}"
    if "kernel_size" in attributes:
        stride = attributes.get("stride") or attributes["kernel_size"]
        return _window(attributes["kernel_size"], stride, attributes.get("padding", 0), _dims(module))
    if "normalized_shape" in attributes:
        return "×".join(map(str, attributes["normalized_shape"]))
    if "num_features" in attributes:
        return str(attributes["num_features"])
    if "output_size" in attributes:
        return f"→{_times(attributes['output_size'], _dims(module))}"
    if "scale_factor" in attributes and attributes["scale_factor"] is not None:
        return f"×{_times(attributes['scale_factor'], 1)}"
    if "size" in attributes and attributes["size"] is not None:
        return f"→{_times(attributes['size'], _dims(module))}"
    return ""


_NOT_BY_ATTRIBUTES = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def of_call(name: str, args: Any, kwargs: Any) -> str:
    """Settings of a function or method call: its literals, or what the shape of the weight tells.

    Args:
        name: of the function or method, in short.
        args, kwargs: those of the node, with specs or None for values of other nodes.
    """
    weight = args[1] if len(args) > 1 else kwargs.get("weight")
    if name == "linear" and isinstance(weight, TensorSpec) and len(weight.shape) == 2:
        return f"{weight.shape[1]}→{weight.shape[0]}"
    if name in ("conv1d", "conv2d", "conv3d") and isinstance(weight, TensorSpec):
        stride, padding, dilation, groups = (
            kwargs.get(key, args[position] if len(args) > position else default)
            for position, (key, default) in enumerate(_CONVOLUTION_DEFAULTS, start=3)
        )
        groups = groups if isinstance(groups, int) else 1
        return _convolution(
            weight.shape[1] * groups, weight.shape[0], weight.shape[2:], stride, padding, dilation, groups
        )
    index = index_text(name, args)
    if index is not None:
        return index
    if name == "getitem" and len(args) > 1:
        return f"[{_index(args[1])}]"
    if name in ("view", "reshape", "expand", "repeat"):
        return ""
    literals = [_literal(arg) for arg in args] + [
        f"{key}={text}" for key, value in kwargs.items() if (text := _literal(value))
    ]
    return ", ".join(filter(None, literals))


_CONVOLUTION_DEFAULTS = (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))


def _convolution(
    inputs: int, outputs: int, kernel: Sequence[int], stride: Any, padding: Any, dilation: Any, groups: int
) -> str:
    parts = [f"{inputs}→{outputs}", _window(kernel, stride, padding, len(kernel))]
    if _same(dilation) != "1":
        parts.append(f"d{_same(dilation)}")
    if groups > 1:
        parts.append("depthwise" if groups == inputs else f"{groups} groups")
    return ", ".join(parts)


def _window(kernel: Any, stride: Any, padding: Any, dims: int) -> str:
    text = f"{_times(kernel, dims)}, s{_same(stride)}"
    return text if _same(padding) == "0" else f"{text}, p{_same(padding)}"


def _same(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return str(value[0]) if len(set(value)) == 1 else "×".join(map(str, value))
    return str(value)


def _times(value: Any, dims: int) -> str:
    values = value if isinstance(value, (tuple, list)) else [value] * dims
    return "×".join("·" if item is None else f"{item:g}" for item in values)


def _dims(module: nn.Module) -> int:
    last = type(module).__name__[-2:]
    return int(last[0]) if last in ("1d", "2d", "3d") else 1


def _index(index: Any) -> str:
    if isinstance(index, tuple):
        return ", ".join(map(_index, index))
    if isinstance(index, slice):
        start, stop = ("" if end is None else _index(end) for end in (index.start, index.stop))
        return f"{start}:{stop}" + ("" if index.step is None else f":{_index(index.step)}")
    if index is Ellipsis:
        return "…"
    return str(index) if index is None or isinstance(index, (int, str)) else "%"


def _literal(value: Any) -> str:
    if value is None or isinstance(value, (bool, TensorSpec)):
        return ""
    if isinstance(value, (int, str)):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, (tuple, list)) and value and all(isinstance(item, int) for item in value):
        return f"({', '.join(map(str, value))})"
    return ""
