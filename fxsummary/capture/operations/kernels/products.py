"""Matrix products, convolutions, recurrent layers. Their FLOPs are in `fxsummary.capture.operations.flops`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, broadcast, each, new


def _fit(first: Tensor, *others: Tensor | None) -> bool:
    """Whether tensors are of one floating-point dtype."""
    return first.is_floating_point() and all(each is None or each.dtype is first.dtype for each in others)


def product(a: Tensor, b: Tensor) -> Tensor:
    """``mm`` and ``bmm``."""
    if not _fit(a, b) or not a.dim() == b.dim() in (2, 3) or a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
        return DECLINED
    return new((*a.shape[:-1], b.shape[-1]), a.dtype)


def matrices(a: Tensor, b: Tensor) -> Tensor:
    """``mm``."""
    return product(a, b) if a.dim() == 2 else DECLINED


def batches(a: Tensor, b: Tensor) -> Tensor:
    """``bmm``."""
    return product(a, b) if a.dim() == 3 else DECLINED


def with_sum(bias: Tensor, a: Tensor, b: Tensor, **_: Any) -> Tensor:
    """``addmm`` and ``baddbmm``."""
    result = product(a, b) if _fit(bias, a) else DECLINED
    fits = result is not DECLINED and broadcast(bias.shape, result.shape) == result.shape
    return result if fits else DECLINED


def matrix_vector(a: Tensor, b: Tensor) -> Tensor:
    """``mv``."""
    fits = _fit(a, b) and (a.dim(), b.dim()) == (2, 1) and a.shape[1] == b.shape[0]
    return new(a.shape[:1], a.dtype) if fits else DECLINED


def vectors(a: Tensor, b: Tensor) -> Tensor:
    """``dot`` and ``vdot``."""
    return new((), a.dtype) if _fit(a, b) and a.dim() == b.dim() == 1 and a.shape == b.shape else DECLINED


_KEEPS_FORMAT = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)
"""Whether convolutions on meta keep the memory format, as they did before 2.13."""


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    extra: Any, groups: int,
) -> Tensor:  # fmt: skip
    """A convolution, transposed or not, of any number of dimensions."""
    rank = weight.dim() - 2
    given, channels = weight.shape[1] * groups, weight.shape[0]
    if transposed:
        given, channels = channels, given
    if not _fit(x, weight, bias) or rank < 1 or x.dim() != rank + 2 or x.shape[1] != given or weight.shape[0] % groups:
        return DECLINED
    if bias is not None and bias.shape != (channels,):
        return DECLINED
    if _KEEPS_FORMAT and not (x.is_contiguous() and weight.is_contiguous()):
        return DECLINED
    steps, pads, spans, more = (each(value, rank) for value in (stride, padding, dilation, extra))
    spans = tuple([span * (width - 1) for span, width in zip(spans, weight.shape[2:], strict=True)])
    sizes = [
        (size - 1) * step - 2 * pad + span + add + 1 if transposed else (size + 2 * pad - span - 1) // step + 1
        for size, step, pad, span, add in zip(x.shape[2:], steps, pads, spans, more, strict=True)
    ]
    if min(sizes) <= 0 or 0 in x.shape or min(pads) < 0:
        return DECLINED
    return new((x.shape[0], channels, *sizes), x.dtype)


def grouped(
    a: Tensor, b: Tensor, offs: Tensor | None = None, bias: Tensor | None = None, out_dtype: torch.dtype | None = None
) -> Tensor:
    """``_grouped_mm``; torch's kernel takes only bfloat16 and checks strides.

    (m, k) @ (g, k, n) -> (m, n), rows grouped; (m, k) @ (k, n) -> (g, m, n), inner dimension grouped;
    (g, m, k) @ (k, n) -> (m, n), columns grouped; (g, m, k) @ (g, k, n) -> (g, m, n).
    """
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"contraction dimension of mat_a and mat_b must match, got {a.shape[-1]} and {b.shape[-2]}")
    groups = (offs.shape[0],) if a.dim() == b.dim() == 2 and offs is not None else ()
    batch = a.shape[:1] if a.dim() == b.dim() == 3 else groups
    return new((*batch, a.shape[-2], b.shape[-1]), out_dtype or a.dtype)


KERNELS: dict[str, Any] = {
    "mm": matrices,
    "bmm": batches,
    **dict.fromkeys(("addmm", "baddbmm"), with_sum),
    "mv": matrix_vector,
    **dict.fromkeys(("dot", "vdot"), vectors),
    "convolution": convolution,
    "_grouped_mm": grouped,
}
