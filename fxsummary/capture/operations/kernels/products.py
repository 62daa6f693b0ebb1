"""Matrix products, convolutions, recurrent layers. Their FLOPs are in `fxsummary.capture.operations.flops`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, broadcast, dense_like, each, fit, is_plain, new


def product(ranks: tuple[int, int], a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices, batches of matrices, or vectors."""
    inner = max(b.dim() - 2, 0)
    fits = fit(a, b) and (a.dim(), b.dim()) == ranks and a.shape[-1] == b.shape[inner]
    if not fits or (inner and a.shape[:inner] != b.shape[:inner]):
        return DECLINED
    return new((*a.shape[:-1], *b.shape[inner + 1 :]), a.dtype)


def with_sum(bias: Tensor, a: Tensor, b: Tensor, **_: Any) -> Tensor:
    """Run ``addmm``."""
    result = product((2, 2), a, b) if fit(bias, a) else DECLINED
    fits = result is not DECLINED and broadcast(bias.shape, result.shape) == result.shape
    return result if fits else DECLINED


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Run ``linear``, which a mode sees as one call below autograd."""
    fits = fit(x, weight, bias) and x.dim() > 0 and weight.dim() == 2 and x.shape[-1:] == weight.shape[1:]
    if not fits or not x.is_contiguous() or (bias is not None and bias.shape != weight.shape[:1]):
        return DECLINED
    return new((*x.shape[:-1], weight.shape[0]), x.dtype)


_KEEPS_FORMAT = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)
"""Whether convolutions on meta keep the memory format, as they did before 2.13."""


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    extra: Any, groups: int,
) -> Tensor:  # fmt: skip
    """Run a convolution, transposed or not, of any number of dimensions."""
    batch, given, *sizes = x.shape if x.dim() > 2 else (0, 0)
    outer, inner, *widths = weight.shape
    wanted, channels = (outer, inner * groups) if transposed else (inner * groups, outer)
    if not fit(x, weight, bias) or not batch or len(sizes) != len(widths) or given != wanted or outer % groups:
        return DECLINED
    is_kept = _KEEPS_FORMAT and not (x.is_contiguous() and weight.is_contiguous())
    if is_kept or (bias is not None and bias.shape != (channels,)):
        return DECLINED
    settings = [each(value, len(sizes)) for value in (stride, padding, dilation, extra)]
    if any(len(setting) != len(sizes) for setting in settings) or 0 in settings[0]:
        return DECLINED
    result = [
        (size - 1) * step - 2 * pad + extent * (width - 1) + more + 1
        if transposed
        else (size + 2 * pad - extent * (width - 1) - 1) // step + 1
        for size, width, step, pad, extent, more in zip(sizes, widths, *settings, strict=True)
    ]
    return new((batch, channels, *result), x.dtype) if min(*result, *sizes) > 0 and min(settings[1]) >= 0 else DECLINED


def recurrent(
    x: Tensor, states: Any, weights: Any, has_biases: bool, layers: int, dropout: float, train: bool, twice: bool,
    batch_first: bool,
) -> Any:  # fmt: skip
    """Run ``lstm``, ``gru``, ``rnn_tanh`` or ``rnn_relu`` over sequences of the same length."""
    states = [states] if isinstance(states, Tensor) else states
    directions = 2 if twice else 1
    if x.dim() != 3 or not x.is_contiguous() or (train and dropout) or not fit(x, *states, *weights):
        return DECLINED
    steps, batch = (x.shape[1], x.shape[0]) if batch_first else x.shape[:2]
    if any(each.shape[:-1] != (layers * directions, batch) or not is_plain(each) for each in states) or 0 in x.shape:
        return DECLINED
    projections = len(states) == 2 and states[0].shape != states[1].shape
    if len(weights) != layers * directions * (2 + 2 * has_biases + projections) or weights[0].shape[1] != x.shape[2]:
        return DECLINED
    width = directions * states[0].shape[2]
    stride = (width, batch * width, 1) if batch_first else None
    output = new((batch, steps, width) if batch_first else (steps, batch, width), x.dtype, stride)
    return output, *[new(each.shape, x.dtype) for each in states]


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0, is_causal: bool = False,
    *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """Run ``scaled_dot_product_attention``; the result lies in memory as the queries do, as in the fused kernels."""
    if not fit(q, k, v) or not q.dim() == k.dim() == v.dim() or q.dim() not in (3, 4) or not 0 <= dropout < 1:
        return DECLINED
    repeats = q.shape[-3] // max(k.shape[-3], 1) if enable_gqa and q.dim() == 4 else 1
    heads = (*k.shape[:-3], k.shape[-3] * repeats)
    if q.shape[:-2] != heads or q.shape[-1] != k.shape[-1] or k.shape[:-1] != v.shape[:-1] or 0 in q.shape:
        return DECLINED
    scores = torch.Size((*q.shape[:-1], k.shape[-2]))
    if mask is not None and (
        is_causal or mask.dtype not in (torch.bool, q.dtype) or broadcast(mask.shape, scores) != scores
    ):
        return DECLINED
    return dense_like(q) if is_fused(q, k, v, mask, dropout, enable_gqa) else DECLINED


def is_fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, enable_gqa: bool) -> bool:
    """Whether the fused kernel of the CPU runs attention, rather than products with all scores in memory.

    Source: ``use_flash_attention_cpp`` in ATen/native/transformers/sdp_utils_cpp.cpp.
    """
    is_possible = q.dim() == 4 and q.shape[-1] == v.shape[-1] and dropout == 0 and q.dtype in _FUSED
    rests = [each for each in (q, k, v, mask) if each is not None]
    return is_possible and all(each.stride(-1) == 1 for each in rests) and (enable_gqa or q.shape[1] == k.shape[1])


_FUSED = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def attention_workspace(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: float = 0.0, *_: Any,
    enable_gqa: bool = False, **__: Any,
) -> int:  # fmt: skip
    """Bytes of the fused kernel: a logarithm for each row of scores, and a mask of bools in the dtype of the scores."""
    if not is_fused(q, k, v, mask, dropout, enable_gqa):
        return 0  # its parts show what they hold
    logarithms = q.shape[:-1].numel() * max(q.itemsize, 4)
    is_cast = mask is not None and mask.dtype == torch.bool
    return logarithms + (mask.numel() * q.itemsize if is_cast and mask is not None else 0)


def grouped(
    a: Tensor, b: Tensor, offs: Tensor | None = None, bias: Tensor | None = None, out_dtype: torch.dtype | None = None
) -> Tensor:
    """Run ``_grouped_mm``; torch's kernel accepts only bfloat16 and checks strides.

    (m, k) @ (g, k, n) -> (m, n), with rows in groups; (m, k) @ (k, n) -> (g, m, n), with the inner dimension in groups;
    (g, m, k) @ (k, n) -> (m, n), with columns in groups; (g, m, k) @ (g, k, n) -> (g, m, n).
    """
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"contraction dimension of mat_a and mat_b must match, got {a.shape[-1]} and {b.shape[-2]}")
    groups = (offs.shape[0],) if a.dim() == b.dim() == 2 and offs is not None else ()
    batch = a.shape[:1] if a.dim() == b.dim() == 3 else groups
    return new((*batch, a.shape[-2], b.shape[-1]), out_dtype or a.dtype)


_RECURRENT = tuple([f"{name}.{kind}" for name in ("lstm", "gru", "rnn_tanh", "rnn_relu") for kind in ("input", "data")])

WORKSPACES: dict[str, Callable[..., int | None]] = {
    "scaled_dot_product_attention": attention_workspace,
    **dict.fromkeys(_RECURRENT, lambda *_, **__: None),
}

KERNELS: dict[str, Callable[..., Any]] = {
    "mm": partial(product, (2, 2)),
    "bmm": partial(product, (3, 3)),
    "mv": partial(product, (2, 1)),
    **dict.fromkeys(("dot", "vdot"), partial(product, (1, 1))),
    "addmm": with_sum,
    "linear": linear,
    "convolution": convolution,
    "_grouped_mm": grouped,
    **{f"{name}.input": recurrent for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    "scaled_dot_product_attention": attention,
}
