"""Guess example inputs from what the model does with them first; what was guessed is always said.

The graph is traced once, without inputs. The first operation that reads an input bounds its shape
(a convolution its channels, an embedding its dtype, a linear layer its features); the rest is tried on
meta until every operation accepts it, the usual sizes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.inputs import Inputs, model_device
from fxsummary.capture.propagate import OperationError, Propagation, propagate
from fxsummary.capture.symbolic import Trace
from fxsummary.capture.twins import dtype_name, spec_of
from fxsummary.spec import TensorSpec, leaves

SIZES = (224, 299, 256, 384, 32, 28, 64, 128, 96, 512, 48, 192, 240, 288, 320, 336, 448, 160, 16)
LENGTHS = (256, 1000, 128, 3000, 16000, 64, 100)
VOLUMES = ((16, 112, 112), (32, 32, 32), (64, 64, 64), (96, 96, 96), (16, 224, 224))
MAX_SIZE = 1024
MAX_DEPTH = 6


@dataclass(frozen=True)
class Need:
    """What the first reader of an input asks for.

    Attributes:
        kind: "image" (channels, then `dims` spatial sizes), "features" (in the last dimension),
            "sequence" (features after batch and length) or "ids" (integers).
        size: channels or features; the number of ids.
        dims: spatial dimensions of an image.
    """

    kind: str
    size: int
    dims: int = 0


def infer(model: nn.Module, trace: Trace) -> tuple[Inputs, Propagation] | None:
    """Inputs that every operation of the traced forward accepts, and the specs that follow; None if none fit."""
    placeholders = [str(node.target) for node in trace.graph.nodes if node.op == "placeholder"]
    needs = input_needs(model, trace)
    if not placeholders or any(need is None for need in needs):
        return None
    attempts = _Attempts(model, trace, dict(zip(placeholders, [n for n in needs if n is not None], strict=True)))
    found = attempts.usual() or attempts.bisected() or attempts.fallback
    if found is None:
        return None
    specs, propagation = found
    return Inputs(specs, inferred=True), propagation


def input_needs(model: nn.Module, trace: Trace) -> list[Need | None]:
    """The need of each placeholder; that of the model's first layer where its readers do not tell."""
    modules = dict(model.named_modules(remove_duplicate=False))
    nodes = [node for node in trace.graph.nodes if node.op == "placeholder"]
    return [_first_need(node, modules, model) or _first_layer(model) for node in nodes]


def dtype_for(need: Need | None, model: nn.Module) -> str:
    """int64 for ids, else the dtype of the model's first floating-point parameter."""
    if need is not None and need.kind == "ids":
        return "int64"
    floats = (dtype_name(p.dtype) for p in model.parameters() if p.dtype.is_floating_point)
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
    if isinstance(module, nn.modules.conv._ConvNd):
        return Need("image", module.in_channels, len(module.kernel_size))
    if isinstance(module, (nn.Linear, nn.Bilinear)):
        return Need("features", module.in_features if isinstance(module, nn.Linear) else module.in1_features)
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return Need("ids", module.num_embeddings)
    if isinstance(module, nn.RNNBase):
        return Need("sequence", module.input_size)
    if isinstance(module, nn.modules.rnn.RNNCellBase):
        return Need("features", module.input_size)
    if isinstance(module, nn.MultiheadAttention):
        return Need("sequence", module.embed_dim)
    if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        return Need("sequence", module.self_attn.embed_dim)
    if isinstance(module, (nn.TransformerEncoder, nn.TransformerDecoder)):
        return _module_need(module.layers[0])
    if isinstance(module, nn.Transformer):
        return Need("sequence", module.d_model)
    if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm, nn.BatchNorm3d)):
        channels = module.num_channels if isinstance(module, nn.GroupNorm) else module.num_features
        return Need("image", channels, 3 if isinstance(module, nn.BatchNorm3d) else 2)
    if isinstance(module, nn.BatchNorm1d):
        return Need("features", module.num_features)
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        return Need("sequence", module.normalized_shape[0])
    return None


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


def _first_layer(model: nn.Module) -> Need | None:
    for module in model.modules():
        need = _module_need(module)
        if need is not None and not isinstance(module, nn.LayerNorm):
            return need
    return None


def size_hints(model: nn.Module) -> list[int]:
    """Image sizes that the model itself names, such as ``image_size`` or timm's ``default_cfg``."""
    found: list[int] = []

    def add(value: Any) -> None:
        size = value[-1] if isinstance(value, (tuple, list)) and value else value
        if type(size) is int and 0 < size <= 4096 and size not in found:
            found.append(size)

    for holder in (model, getattr(model, "config", None)):
        for name in ("image_size", "img_size", "input_size", "sample_size"):
            add(getattr(holder, name, None))
    for name in ("default_cfg", "pretrained_cfg"):
        settings = getattr(model, name, None)
        add(settings.get("input_size") if isinstance(settings, dict) else getattr(settings, "input_size", None))
    for module in model.modules():
        add(module.__dict__.get("img_size"))
        add(module.__dict__.get("image_size"))
    return found


class _Attempts:
    """Tries shapes on a traced graph; `fallback` keeps the first that pass but change the batch size."""

    def __init__(self, model: nn.Module, trace: Trace, needs: dict[str, Need]) -> None:
        self._model = model
        self._trace = trace
        self._needs = needs
        self._device = model_device(model)
        self._too_large_or_small = False
        self._channels: tuple[int, int] | None = None
        self.fallback: tuple[dict[str, TensorSpec], Propagation] | None = None

    def usual(self) -> tuple[dict[str, TensorSpec], Propagation] | None:
        """The usual sizes, all inputs at the same place in their list."""
        hints = size_hints(self._model)
        lists = [list(_candidates(need, hints)) for need in self._needs.values()]
        for index in range(max(map(len, lists))):
            shapes = [shapes[min(index, len(shapes) - 1)] for shapes in lists]
            found, _ = self._attempt(shapes)
            if found is not None:
                return found
            if self._channels is not None:
                return self._with_channels(*self._channels)
        return None

    def _with_channels(self, wanted: int, got: int) -> tuple[dict[str, TensorSpec], Propagation] | None:
        """Once more for a model that folds space into channels before its first convolution."""
        self._channels = None
        for name, need in self._needs.items():
            if need.kind == "image" and need.size * wanted % got == 0 and need.size * wanted >= got:
                self._needs[name] = replace(need, size=need.size * wanted // got)
                return self.usual()
        return None

    def bisected(self) -> tuple[dict[str, TensorSpec], Propagation] | None:
        """The smallest image whose features fit the first linear layer: they grow with its size."""
        if not self._too_large_or_small or any(need.kind != "image" for need in self._needs.values()):
            return None
        low, high = 1, MAX_SIZE
        while low < high:
            middle = (low + high) // 2
            found, comparison = self._attempt([_image(need, middle) for need in self._needs.values()])
            if found is not None or comparison >= 0:
                high = middle
            else:
                low = middle + 1
        return self._attempt([_image(need, low) for need in self._needs.values()])[0]

    def _attempt(self, shapes: list[tuple[int, ...]]) -> tuple[tuple[dict[str, TensorSpec], Propagation] | None, int]:
        """What follows from these shapes, or None and whether the features are too many (1) or too few (-1)."""
        specs = {name: self._spec(shape, need) for (name, need), shape in zip(self._needs.items(), shapes, strict=True)}
        try:
            propagation = propagate(self._model, self._trace, self._device, specs)
        except OperationError as error:
            self._channels = _compare_channels(error, self._model)
            comparison = _compare_features(error, self._model)
            self._too_large_or_small |= comparison is not None
            return None, -1 if comparison is None else comparison
        found = specs, propagation
        if _keeps_batch(propagation):
            return found, 0
        self.fallback = self.fallback or found
        return None, 0

    def _spec(self, shape: tuple[int, ...], need: Need) -> TensorSpec:
        dtype = getattr(torch, dtype_for(need, self._model))
        return spec_of(torch.empty(shape, dtype=dtype, device="meta"), self._device)


def _candidates(need: Need, hints: list[int]) -> Iterator[tuple[int, ...]]:
    if need.kind == "image" and need.dims == 2:
        yield from (_image(need, size) for size in dict.fromkeys([*hints, *SIZES]))
    elif need.kind == "image":
        for sizes in [(length,) for length in LENGTHS] if need.dims == 1 else VOLUMES:
            yield (1, need.size, *sizes)
    elif need.kind == "ids":
        yield from ((1, 128), (1, 32), (1, 512), (128,))
    elif need.kind == "sequence":
        yield from ((1, 16, need.size), (16, 1, need.size), (1, need.size))
    else:
        yield from ((1, need.size), (1, 16, need.size), (1, 16, 16, need.size))


def _image(need: Need, size: int) -> tuple[int, ...]:
    return (1, need.size, *[size] * need.dims)


def _keeps_batch(propagation: Propagation) -> bool:
    first = next(leaves(propagation.output), None)
    return first is None or not first.shape or first.shape[0] == 1


def _compare_features(error: OperationError, model: nn.Module) -> int | None:
    """1 if a linear layer (or the view before it) got more features than it takes, -1 if fewer, else None."""
    node, arguments = error.node, error.arguments
    spec = arguments[0] if arguments else None
    if not isinstance(spec, TensorSpec):
        return None
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        if isinstance(module, nn.Linear) and spec.shape and spec.shape[-1] != module.in_features:
            return 1 if spec.shape[-1] > module.in_features else -1
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name in ("view", "reshape"):
        sizes = [size for size in _flat(arguments[1:]) if type(size) is int and size > 1]
        if sizes and spec.numel != sizes[-1]:
            return 1 if spec.numel > sizes[-1] else -1
    return None


def _compare_channels(error: OperationError, model: nn.Module) -> tuple[int, int] | None:
    """Channels that a convolution takes and those that it got, if that is what it refuses."""
    node, spec = error.node, error.arguments[0] if error.arguments else None
    if node.op != "call_module" or not isinstance(spec, TensorSpec) or len(spec.shape) < 2:
        return None
    module = model.get_submodule(str(node.target))
    if isinstance(module, nn.modules.conv._ConvNd) and spec.shape[1] != module.in_channels:
        return module.in_channels, spec.shape[1]
    return None


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value
