"""Layers with packed weights, whose integers or small floats represent a float weight.

Nothing depends on the library: a linear layer or an embedding declares the size of its weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from fxsummary.capture.operations.packed import PAIRS

WITHOUT_SIZE = frozenset({UninitializedParameter, UninitializedBuffer})
PLAIN = frozenset({Tensor, nn.Parameter, nn.Buffer}) | WITHOUT_SIZE
"""Types of tensors that are no subclass with operators of its own."""

QUANTIZED = frozenset({torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4})

SIZES = (("out_features", "in_features"), ("outfeatures", "infeatures"), ("num_embeddings", "embedding_dim"))
"""Attributes in which layers declare the rows and columns of their weight."""

_UNPACKED = frozenset({torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64, torch.complex128})
_UNPACKED |= {torch.int64, torch.bool}

Shape = tuple[int, ...]


class Represented(NamedTuple):
    """The packed weights of a module.

    Attributes:
        shapes: by name of a tensor, the shape of the weight that it represents; None if that is unknown.
        parts: by name of a tensor that belongs to a packed weight, such as scales, the name of that weight.
        is_declared: whether the module declares the size of its weight.
    """

    shapes: Mapping[str, Shape | None]
    parts: Mapping[str, str]
    is_declared: bool = False


def represented(module: nn.Module, is_inside: bool = False) -> Represented:
    """Return the packed weights of a module, which are integers of up to 32 bits, or floats of one byte.

    If the module declares the size of its weight, all other tensors except for a bias belong to that weight. If not,
    the size is known for floats of one byte only, and tensors belong to a weight if their names begin with its name.

    Args:
        is_inside: whether it is a submodule of a layer with a packed weight, which its matrices may represent too.
    """
    held = (*module._parameters.items(), *module._buffers.items())
    own = {name: each for name, each in held if each is not None and type(each) not in WITHOUT_SIZE}
    parameters = [name for name, _ in module._parameters.items() if name in own]
    inner: dict[str, Shape | None] = {name: None for name in parameters if is_inside and own[name].dim() > 1}
    size = _declared_size(module)
    if size is not None:
        weight = _declared(own, parameters, prod(size))
        if weight is None:
            return Represented(inner, {})
        return Represented({weight: size}, dict.fromkeys(own.keys() - {weight, "bias"}, weight), is_declared=True)
    packed = [name for name in parameters if _is_packed(own[name])]
    parts = {name: weight for weight in packed for name in own if name != weight and _belongs(name, weight)}
    shapes = {name: _shape_of(own[name]) for name in packed if name not in parts}
    return Represented(shapes | inner, parts)


def linear_size(module: nn.Module) -> Shape | None:
    """Return the numbers of outputs and inputs of a linear layer with a packed weight; None for any other module."""
    is_linear = any({*names} <= vars(module).keys() for names in SIZES[:2])
    return _declared_size(module) if is_linear and represented(module).is_declared else None


def _declared_size(module: nn.Module) -> Shape | None:
    given = vars(module)
    return next(((given[a], given[b]) for a, b in SIZES if type(given.get(a)) is type(given.get(b)) is int), None)


def _declared(own: Mapping[str, Tensor], parameters: Iterable[str], numel: int) -> str | None:
    """Return the name of the packed weight of a layer that declares its size; None if the layer has none.

    It is the largest tensor, if that has at least one bit for each of the weight's elements. If no tensor has that many
    elements, it is a parameter of integers, such as indices of rows in a codebook, which may be larger.
    """
    sizes = {name: each.nbytes for name, each in own.items() if name != "bias"}
    largest = max(sizes, key=sizes.__getitem__, default=None)
    if largest is not None and own[largest].dtype not in _UNPACKED and 8 * sizes[largest] >= numel:
        return largest
    if any(each.numel() == numel for each in own.values()):
        return None
    codes = [name for name in parameters if _is_packed(own[name]) and not own[name].dtype.is_floating_point]
    return max(codes, key=sizes.__getitem__, default=None)


def _is_packed(tensor: Tensor) -> bool:
    return type(tensor) in PLAIN and tensor.dtype not in _UNPACKED and tensor.dtype not in QUANTIZED


def _belongs(name: str, weight: str) -> bool:
    return name.startswith(weight) and not name.endswith("bias")


def _shape_of(tensor: Tensor) -> Shape | None:
    """Return the shape of the weight in a packed tensor of its own size; None if elements may hold several numbers."""
    return tuple(tensor.shape) if tensor.dtype.is_floating_point and tensor.dtype is not PAIRS else None
