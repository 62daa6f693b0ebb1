"""Format the settings of a module or call in short, such as ``3→16, 3×3, s1, p1``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fxsummary.capture.torch_internals import AnyConv
from fxsummary.graph.spec import TensorSpec

Settings = Mapping[str, Any]


def of_module(module: nn.Module) -> str:
    """Format the settings of a ``torch.nn`` module, including a missing bias; "" for an unknown class.

    >>> of_module(nn.Conv2d(3, 16, 3, padding=1)), of_module(nn.Linear(8, 4)), of_module(nn.ReLU())
    ('3→16, 3×3, s1, p1', '8→4', '')
    >>> of_module(nn.Conv2d(8, 8, 3, groups=8, dilation=2)), of_module(nn.MaxPool2d(3, 2, 1))
    ('8→8, 3×3, s1, d2, depthwise', '3×3, s2, p1')
    >>> of_module(nn.LSTM(8, 16, num_layers=2, bidirectional=True))
    '8→16, 2 layers, bidirectional'
    >>> of_module(nn.Linear(8, 4, bias=False)), of_module(nn.LSTMCell(8, 16))
    ('8→4, bias=False', '8→16')
    """
    return ", ".join(filter(None, (_settings(module), "bias=False" if _lacks_bias(module) else "")))


def _lacks_bias(module: nn.Module) -> bool:
    held = module._parameters
    if isinstance(module, (AnyConv, nn.Linear, nn.Bilinear, nn.LayerNorm)):
        return held.get("bias") is None and "parametrizations" not in module._modules and bool(held)
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)):
        return not any("bias" in name and tensor is not None for name, tensor in held.items())
    return False


def _settings(module: nn.Module) -> str:
    """Format the settings by kind, or by attribute names that torch.nn (and quantized) modules share."""
    settings = vars(module)
    for kind, text in _BY_KIND:
        if isinstance(module, kind):
            return text(settings)
    if not type(module).__module__.startswith("torch.") or isinstance(module, _NOT_BY_NAME):
        return ""
    last = type(module).__name__[-2:]
    dims = int(last[0]) if last in ("1d", "2d", "3d") else 1
    return next((text(settings, dims) for name, text in _BY_NAME.items() if settings.get(name) is not None), "")


def _recurrent(settings: Settings) -> str:
    parts = {
        f"{settings['input_size']}→{settings['hidden_size']}": True,
        f"proj {settings['proj_size']}": settings["proj_size"],
        f"{settings['num_layers']} layers": settings["num_layers"] > 1,
        "bidirectional": settings["bidirectional"],
    }
    return ", ".join([text for text, holds in parts.items() if holds])


def _convolution(settings: Settings) -> str:
    kernel, dilation, groups = settings["kernel_size"], _same(settings["dilation"]), settings["groups"]
    parts = [f"{settings['in_channels']}→{settings['out_channels']}", _window(settings, len(kernel))]
    parts += [f"d{dilation}"] if dilation != "1" else []
    if groups > 1:
        parts.append("depthwise" if groups == settings["in_channels"] else f"{groups} groups")
    return ", ".join(parts)


def _window(settings: Settings, dims: int) -> str:
    kernel, padding = settings["kernel_size"], _same(settings.get("padding", 0))
    text = f"{_times(kernel, dims)}, s{_same(settings.get('stride') or kernel)}"
    return text if padding == "0" else f"{text}, p{padding}"


_BY_KIND: tuple[tuple[Any, Callable[[Settings], str]], ...] = (
    (AnyConv, _convolution),
    (nn.RNNBase, _recurrent),
    (nn.MultiheadAttention, lambda s: f"{s['embed_dim']}, {s['num_heads']} heads"),
    (nn.Dropout, lambda s: f"p={s['p']:g}"),
    (nn.Bilinear, lambda s: f"{s['in1_features']}, {s['in2_features']}→{s['out_features']}"),
    (nn.GroupNorm, lambda s: f"{s['num_channels']}, {s['num_groups']} groups"),
)
_BY_NAME: dict[str, Callable[[Settings, int], str]] = {
    "in_features": lambda s, _: f"{s['in_features']}→{s.get('out_features', s.get('n_classes'))}",
    "hidden_size": lambda s, _: f"{s['input_size']}→{s['hidden_size']}",
    "num_embeddings": lambda s, _: f"{s['num_embeddings']}→{s.get('embedding_dim')}",
    "kernel_size": _window,
    "normalized_shape": lambda s, _: "×".join(map(str, s["normalized_shape"])),
    "num_features": lambda s, _: str(s["num_features"]),
    "output_size": lambda s, dims: f"→{_times(s['output_size'], dims)}",
    "scale_factor": lambda s, _: f"×{_times(s['scale_factor'], 1)}",
    "size": lambda s, dims: f"→{_times(s['size'], dims)}",
}
_NOT_BY_NAME = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def of_call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Format the settings of a function or method call: its literals, or the sizes of its weight.

    Arguments that are values of other nodes are given as specs, or None if these are unknown.
    """
    weight = args[1] if len(args) > 1 else kwargs.get("weight")
    if name == "linear" and isinstance(weight, TensorSpec) and len(weight.shape) == 2:
        return f"{weight.shape[1]}→{weight.shape[0]}"
    if name in ("conv1d", "conv2d", "conv3d") and isinstance(weight, TensorSpec):
        settings = {**_OF_CONVOLUTION, **dict(zip(_OF_CONVOLUTION, args[3:], strict=False)), **kwargs}
        settings["groups"] = groups = settings["groups"] if isinstance(settings["groups"], int) else 1
        outputs, inputs, *kernel = weight.shape
        settings |= {"in_channels": inputs * groups, "out_channels": outputs, "kernel_size": kernel}
        return _convolution(settings)
    if name in ("slice", "select") and len(args) > 1 and isinstance(args[1], int) and args[1] >= 0:
        return f"[{_index((slice(None),) * args[1] + (_taken(name, args),))}]"
    if name == "getitem" and len(args) > 1:
        return f"[{_index(args[1])}]"
    if name in ("view", "reshape", "expand", "repeat"):
        return ""
    named = [f"{key}={text}" for key, value in kwargs.items() if (text := _literal(value))]
    return ", ".join(filter(None, [*map(_literal, args), *named]))


_OF_CONVOLUTION: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
"""The arguments after the bias in a convolution call, with their defaults."""

_TO_THE_END = 2**63 - 1
_UNKNOWN = object()


def _taken(name: str, args: Sequence[Any]) -> object:
    """Return the index in the last dimension of ``slice`` or ``select``, as Python writes it.

    >>> _taken("slice", (None, 1, 0, _TO_THE_END, 1)), _taken("select", (None, 0, -1))
    (slice(0, None, None), -1)
    """
    if name == "select":
        return args[2] if len(args) > 2 else _UNKNOWN
    start, end, step = [*args[2:], None, None, None][:3]
    return slice(start, None if end == _TO_THE_END else end, None if step == 1 else step)


def _same(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return str(value[0]) if len(set(value)) == 1 else "×".join(map(str, value))
    return str(value)


def _times(value: Any, dims: int) -> str:
    values = value if isinstance(value, (tuple, list)) else [value] * dims
    return "×".join("·" if item is None else f"{item:g}" for item in values)


def _index(index: object) -> str:
    if isinstance(index, tuple):
        return ", ".join(map(_index, index))
    if isinstance(index, slice):
        start, stop = ("" if end is None else _index(end) for end in (index.start, index.stop))
        return f"{start}:{stop}" + ("" if index.step is None else f":{_index(index.step)}")
    if index is Ellipsis:
        return "…"
    return str(index) if index is None or isinstance(index, (int, str)) else "%"


def _literal(value: object) -> str:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, (tuple, list)) and value and all(isinstance(item, int) for item in value):
        return f"({', '.join(map(str, value))})"
    return ""
