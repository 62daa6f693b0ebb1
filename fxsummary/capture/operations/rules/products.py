"""Matrix products, convolutions and attention: the operations that have FLOPs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fxsummary.capture.operations.flops import grouped_mm_flops, sdpa_flops
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    INDICES,
    broadcast,
    each,
    floats,
    fresh,
    numel,
    strides,
    sure,
    tensor,
    weight,
)
from fxsummary.capture.operations.rules.layout import Sizes, is_contiguous
from fxsummary.graph.spec import TensorSpec

# --- matrices --------------------------------------------------------------------------------------


def _linear(input: Any, weight: Any, bias: Any = None) -> Outcome:
    spec = floats(input, weight, bias)
    sure(len(weight.shape) == 2 and spec.shape and spec.shape[-1] == weight.shape[1])
    sure(bias is None or bias.shape == weight.shape[:1])
    return fresh((*spec.shape[:-1], weight.shape[0]), spec, flops=2 * numel(spec.shape) * weight.shape[0])


def _matmul(input: Any, other: Any) -> Outcome:
    spec = floats(input, other)
    sure(type(other) is TensorSpec and spec.shape and other.shape)
    left = spec.shape if len(spec.shape) > 1 else (1, *spec.shape)
    right = other.shape if len(other.shape) > 1 else (*other.shape, 1)
    sure(left[-1] == right[-2])
    batch = broadcast(left[:-2], right[:-2])
    shape = (*batch, *left[-2:-1][: len(spec.shape) - 1], *right[-1:][: len(other.shape) - 1])
    return fresh(shape, spec, flops=2 * numel(batch) * left[-2] * left[-1] * right[-1])


def _mm(input: Any, mat2: Any) -> Outcome:
    sure(len(tensor(input).shape) == len(tensor(mat2).shape) == 2)
    return _matmul(input, mat2)


def _bmm(input: Any, mat2: Any) -> Outcome:
    sure(len(tensor(input).shape) == len(tensor(mat2).shape) == 3 and input.shape[0] == mat2.shape[0])
    return _matmul(input, mat2)


def _addmm(input: Any, mat1: Any, mat2: Any) -> Outcome:
    result = _mm(mat1, mat2)
    spec = floats(input, mat1)
    sure(broadcast(spec.shape, result.value.shape) == result.value.shape)
    return result


def _embedding(
    input: Any,
    weight: Any,
    padding_idx: Any = None,
    max_norm: Any = None,
    norm_type: Any = 2.0,
    scale_grad_by_freq: Any = False,
    sparse: Any = False,
) -> Outcome:
    indices, table = tensor(input, INDICES), floats(weight)
    sure(len(table.shape) == 2 and max_norm is None and sparse is False)
    sure(padding_idx is None or -table.shape[0] <= padding_idx < table.shape[0])
    return fresh((*indices.shape, table.shape[1]), table)


def _baddbmm(input: Any, batch1: Any, batch2: Any) -> Outcome:
    result = _bmm(batch1, batch2)
    spec = floats(input, batch1)
    sure(broadcast(spec.shape, result.value.shape) == result.value.shape)
    return result


def _mv(input: Any, vec: Any) -> Outcome:
    sure(len(tensor(input).shape) == 2 and len(tensor(vec).shape) == 1)
    return _matmul(input, vec)


def _dot(input: Any, tensor: Any) -> Outcome:
    sure(len(floats(input, tensor).shape) == len(tensor.shape) == 1)
    return _matmul(input, tensor)


def _grouped_mm(input: Any, mat2: Any, offs: Any = None, bias: Any = None, out_dtype: Any = None) -> Outcome:
    """Rows in groups, each times the matrix of its group."""
    spec = floats(input, mat2)
    sure(len(spec.shape) == 2 and len(mat2.shape) == 3 and spec.shape[1] == mat2.shape[1])
    sure(bias is None and out_dtype is None and tensor(offs, INDICES).shape == mat2.shape[:1])
    return fresh((spec.shape[0], mat2.shape[2]), spec, flops=grouped_mm_flops(spec.shape, mat2.shape))


# --- attention -------------------------------------------------------------------------------------


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: Any = 0.0,
    is_causal: Any = False,
    *,
    scale: Any = None,
    enable_gqa: Any = False,
) -> Outcome:
    q, k, v = floats(query, key, value).shape, key.shape, value.shape
    sure(len(q) == len(k) == len(v) and len(q) in (3, 4))
    sure(q[-1] == k[-1] and k[-2] == v[-2] and k[:-2] == v[:-2])
    repeats = q[-3] // k[-3] if enable_gqa is True and len(q) == 4 else 1
    sure(q[:-2] == (*k[:-3], k[-3] * repeats))
    sure(type(dropout_p) in (int, float) and 0 <= dropout_p < 1)
    sure(type(is_causal) is bool and type(scale) in (int, float, type(None)))
    if attn_mask is not None:
        scores = (*q[:-1], k[-2])
        sure(not is_causal and tensor(attn_mask).dtype in ("bool", query.dtype) and len(attn_mask.shape) >= 2)
        sure(broadcast(attn_mask.shape, scores) == scores)
    return fresh((*q[:-1], v[-1]), query, flops=sdpa_flops(q, k, v))


# --- convolutions ----------------------------------------------------------------------------------

_KEEPS_FORMAT = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)
"""Whether convolutions on meta keep the memory format, as they did before 2.13."""


def _convolution(rank: int) -> Callable[..., Outcome]:
    def rule(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: Any = 1,
    ) -> Outcome:
        spec, kernel = _checked(rank, input, weight, bias)
        steps, dilations = each(stride, rank), each(dilation, rank)
        sure(type(groups) is int and groups > 0 and min(steps + dilations) > 0)
        sure(spec.shape[1] == kernel[1] * groups and kernel[0] % groups == 0 and _bias_fits(bias, kernel[0]))
        spans = [extent * (size - 1) for size, extent in zip(kernel[2:], dilations, strict=True)]
        if padding == "same":
            sure(set(steps) == {1})
            padded = [size + span for size, span in zip(spec.shape[2:], spans, strict=True)]
        else:
            pads = each(0 if padding == "valid" else padding, rank)
            sure(min(pads) >= 0)
            padded = [size + 2 * pad for size, pad in zip(spec.shape[2:], pads, strict=True)]
        sure(all(size > span for size, span in zip(padded, spans, strict=True)))
        sizes = [(size - span - 1) // step + 1 for size, span, step in zip(padded, spans, steps, strict=True)]
        return fresh((spec.shape[0], kernel[0], *sizes), spec, flops=2 * spec.shape[0] * numel(kernel) * numel(sizes))

    return rule


def _transposed_convolution(rank: int) -> Callable[..., Outcome]:
    def rule(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: Any = 1,
        dilation: Any = 1,
    ) -> Outcome:
        spec, kernel = _checked(rank, input, weight, bias)
        steps, dilations, pads, more = (each(value, rank) for value in (stride, dilation, padding, output_padding))
        sure(type(groups) is int and groups > 0 and min(steps + dilations) > 0 and min(pads + more) >= 0)
        sure(all(extra < max(pair) for extra, *pair in zip(more, steps, dilations, strict=True)))
        channels = kernel[1] * groups
        sure(spec.shape[1] == kernel[0] and kernel[0] % groups == 0 and _bias_fits(bias, channels))
        sizes = [
            (size - 1) * step - 2 * pad + extent * (width - 1) + extra + 1
            for size, step, pad, extent, width, extra in zip(
                spec.shape[2:], steps, pads, dilations, kernel[2:], more, strict=True
            )
        ]
        flops = 2 * spec.shape[0] * numel(kernel) * numel(spec.shape[2:])
        return fresh((spec.shape[0], channels, *sizes), spec, flops=flops)

    return rule


def _checked(rank: int, input: Any, weight: Any, bias: Any) -> tuple[TensorSpec, Sizes]:
    spec = floats(input, weight, bias)
    sure(len(spec.shape) == len(weight.shape) == rank + 2)
    if _KEEPS_FORMAT:
        sure(is_contiguous(spec.shape, strides(spec)) and is_contiguous(weight.shape, strides(weight)))
    return spec, weight.shape


def _bias_fits(bias: Any, channels: int) -> bool:
    return bias is None or bias.shape == (channels,)


# --- modules ---------------------------------------------------------------------------------------


def _linear_module(module: nn.Linear, input: Any) -> Outcome:
    return _linear(input, weight(module, "weight"), weight(module, "bias"))


def _embedding_module(module: nn.Embedding, input: Any) -> Outcome:
    return _embedding(input, weight(module, "weight"), module.padding_idx, module.max_norm, sparse=module.sparse)


def _convolution_module(rank: int) -> Callable[..., Outcome]:
    convolution = _convolution(rank)

    def rule(module: nn.modules.conv._ConvNd, input: Any) -> Outcome:
        sure(module.padding_mode == "zeros")
        return convolution(
            input,
            weight(module, "weight"),
            weight(module, "bias"),
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
        )

    return rule


def _transposed_convolution_module(rank: int) -> Callable[..., Outcome]:
    convolution = _transposed_convolution(rank)

    def rule(module: nn.modules.conv._ConvTransposeNd, input: Any) -> Outcome:
        sure(module.padding_mode == "zeros")
        return convolution(
            input,
            weight(module, "weight"),
            weight(module, "bias"),
            module.stride,
            module.padding,
            module.output_padding,
            module.groups,
            module.dilation,
        )

    return rule


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {
    nn.Linear: _linear_module,
    nn.Embedding: _embedding_module,
    **{kind: _convolution_module(rank) for rank, kind in enumerate((nn.Conv1d, nn.Conv2d, nn.Conv3d), 1)},
    **{
        kind: _transposed_convolution_module(rank)
        for rank, kind in enumerate((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), 1)
    },
}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    F.linear: _linear,
    F.embedding: _embedding,
    **dict.fromkeys((torch.matmul, operator.matmul, "matmul"), _matmul),
    **dict.fromkeys((torch.mm, "mm"), _mm),
    **dict.fromkeys((torch.bmm, "bmm"), _bmm),
    **dict.fromkeys((torch.addmm, "addmm"), _addmm),
    **dict.fromkeys((torch.baddbmm, "baddbmm"), _baddbmm),
    **dict.fromkeys((torch.mv, "mv"), _mv),
    **dict.fromkeys((torch.dot, "dot", torch.vdot, "vdot"), _dot),
    **({torch._grouped_mm: _grouped_mm} if hasattr(torch, "_grouped_mm") else {}),
    F.scaled_dot_product_attention: _attention,
    **{function: _convolution(rank) for rank, function in enumerate((F.conv1d, F.conv2d, F.conv3d), 1)},
    **{
        function: _transposed_convolution(rank)
        for rank, function in enumerate((F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d), 1)
    },
}
