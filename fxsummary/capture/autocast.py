"""Dtypes inside ``torch.autocast``: kernels on meta do not know of it, so its effect is applied to specs.

Matrix products and convolutions run in the autocast dtype; other operations follow the dtype of their
inputs, and where they refuse a mixture, run in float32. The lists that autocast keeps beyond that (such as
softmax in float32 on CUDA) are not followed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from fxsummary.capture.twins import dtype_name
from fxsummary.spec import TensorSpec, map_structure

_FUNCTIONS = frozenset(
    {
        "linear", "matmul", "__matmul__", "bmm", "mm", "addmm", "addbmm", "baddbmm", "einsum",
        "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
        "scaled_dot_product_attention",
    }
)  # fmt: skip
_MODULES = (nn.modules.conv._ConvNd, nn.Linear, nn.MultiheadAttention)


def active() -> str | None:
    """Name of the dtype that autocast is using now; None where it is off."""
    for device in ("cpu", "cuda"):
        if torch.is_autocast_enabled(device):
            return dtype_name(torch.get_autocast_dtype(device))
    return None


def is_cast(target: Any) -> bool:
    """Whether a leaf module, function or method runs in the autocast dtype."""
    if isinstance(target, nn.Module):
        return isinstance(target, _MODULES)
    return (target if isinstance(target, str) else getattr(target, "__name__", "")) in _FUNCTIONS


def cast(structure: Any, dtype: str) -> Any:
    """The structure with floating-point specs of this dtype."""

    def convert(value: Any) -> Any:
        is_float = type(value) is TensorSpec and getattr(torch, value.dtype).is_floating_point
        return replace(value, dtype=dtype) if is_float else value

    return map_structure(convert, structure)
