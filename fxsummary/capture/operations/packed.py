"""The weights in packed objects, which quantized modules of ``torch.ao`` hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


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
