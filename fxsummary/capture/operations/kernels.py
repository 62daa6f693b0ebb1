"""Meta kernels in place of torch's own, where those refuse what the real kernels take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._ops import HigherOrderOperator


def grouped_mm(
    a: torch.Tensor,
    b: torch.Tensor,
    offsets: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    out_dtype: torch.dtype | None = None,
    **options: Any,
) -> torch.Tensor:
    """``_grouped_mm``; torch's takes bfloat16 only and checks strides.

    (m, k) @ (g, k, n) -> (m, n), rows grouped; (m, k) @ (k, n) -> (g, m, n), inner dimension grouped;
    (g, m, k) @ (k, n) -> (m, n), columns grouped; (g, m, k) @ (g, k, n) -> (g, m, n).
    """
    offsets = options.get("offs", offsets)
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"contraction dimension of mat_a and mat_b must match, got {a.shape[-1]} and {b.shape[-2]}")
    groups = (offsets.shape[0],) if a.dim() == b.dim() == 2 and offsets is not None else ()
    batch = a.shape[:1] if a.dim() == b.dim() == 3 else groups
    return a.new_empty((*batch, a.shape[-2], b.shape[-1]), dtype=out_dtype or a.dtype)


def of_higher_order(func: Any) -> Callable[..., Any] | None:
    """Torch's own fake implementation of an operator that takes functions."""
    if not isinstance(func, HigherOrderOperator):
        return None
    from torch._higher_order_ops import utils

    return getattr(utils, "registered_hop_fake_fns", {}).get(func)


_KERNELS: dict[str, Callable[..., Any]] = {"_grouped_mm": grouped_mm}

META: dict[Any, Callable[..., Any]] = {
    getattr(torch.ops.aten, name): kernel for name, kernel in _KERNELS.items() if hasattr(torch.ops.aten, name)
}
"""Kernels by ATen operator; called with its arguments, on meta."""
