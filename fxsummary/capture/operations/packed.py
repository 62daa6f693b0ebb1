"""The weights in packed objects, which quantized modules of ``torch.ao`` hold, and a dtype that packs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

PAIRS = getattr(torch, "float4_e2m1fn_x2", None)
"""The dtype whose elements hold two numbers each."""


def packed_tensors(value: object) -> Iterator[Tensor]:
    """Yield the quantized and floating-point tensors in the state of a packed object; nothing if it shows none."""
    if isinstance(value, torch.ScriptObject):
        try:
            value = value.__getstate__()
        except (AttributeError, RuntimeError):
            return
    if isinstance(value, Tensor):
        if value.is_quantized or value.is_floating_point():
            yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from packed_tensors(item)


def packed_weights(value: object) -> Sequence[tuple[int, ...]]:
    """Return the shapes of the weights in packed objects, without the biases."""
    return [tuple(each.shape) for each in packed_tensors(value) if each.dim() > 1]
