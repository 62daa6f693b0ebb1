"""FLOPs of one ATen call: 2 per multiply-accumulate, batch included, matrix-product family only.

The convention, and most formulas, are those of `torch.utils.flop_counter`, including formulas that a user added with
``register_flop_formula``. `FORMULAS` has what its registry lacks. Elementwise work (norms, activations, softmax, bias,
arithmetic) is not counted. Formulas get shapes, never values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry, shape_wrapper

from fxsummary.capture.operations.packed import PAIRS, packed_weights

aten = torch.ops.aten
Shape = Sequence[int]


def mv_flops(matrix: Shape, *_: object, **__: object) -> int:
    """(m, k) @ (k), or (k) · (k): one multiply-accumulate per element of the first.

    >>> mv_flops((3, 4), (4,))
    24
    """
    return 2 * math.prod(matrix)


def linear_flops(x: Shape, weight: Shape, *_: object, **__: object) -> int:
    """(…, k) @ (n, k)ᵀ, or (…, k) @ (k): each element is multiplied by n weights, or one; the bias is not counted.

    >>> linear_flops((2, 3, 4), (5, 4)), linear_flops((2, 3, 4), (4,))
    (240, 48)
    """
    return 2 * math.prod(x) * math.prod(weight[:-1])


def addbmm_flops(bias: Shape, a: Shape, b: Shape, **_: object) -> int:
    """(m, n) + the sum over the batch of (b, m, k) @ (b, k, n).

    >>> addbmm_flops((3, 5), (2, 3, 4), (2, 4, 5))
    240
    """
    return 2 * math.prod(a) * b[-1]


def trilinear_flops(a: Shape, b: Shape, c: Shape, *dims: Shape, **_: object) -> int:
    """Three tensors multiplied and summed, as in ``nn.Bilinear``: the first two, then their product with the third.

    Args:
        dims: the dimensions that each of the three lacks, the summed dimensions, and one that is irrelevant.

    >>> trilinear_flops((2, 3), (4, 3, 5), (2, 5), [1, 3], [0], [1, 2], [2, 3]) == 2 * 2 * 4 * (3 * 5 + 5)
    True
    """
    rank, summed = len(a) + len(dims[0]), dims[3]
    first, second, third = (
        dict(zip([place for place in range(rank) if place not in lacks], shape, strict=True))
        for lacks, shape in zip(dims[:3], (a, b, c), strict=True)
    )
    both = {**first, **second}
    rest = {**{place: size for place, size in both.items() if place not in summed or place in third}, **third}
    return 2 * (math.prod(both.values()) + math.prod(rest.values()))


def distance_flops(a: Shape, b: Shape, p: float = 2, *_: object, **__: object) -> int:
    """Distances between (…, m, k) and (…, n, k): one multiply-accumulate per pair and feature; 0 if not Euclidean.

    >>> distance_flops((100, 64), (50, 64)), distance_flops((100, 64), (50, 64), 1.0)
    (640000, 0)
    """
    batch = torch.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2]))
    return 2 * math.prod(batch) * a[-2] * b[-2] * a[-1] if p == 2 else 0


def own_distance_flops(a: Shape, p: float = 2, **_: object) -> int:
    """Distances between the rows of (n, k): each pair once."""
    return a[0] * (a[0] - 1) * a[1] if p == 2 else 0


def solve_triangular_flops(a: Shape, b: Shape, *_: object, out_shape: Shape = (), **__: object) -> int:
    """Solution of a triangular system (n, n): n / 2 multiply-accumulates per element on average.

    >>> solve_triangular_flops((4, 4), (4, 3), out_shape=(4, 3))
    48
    """
    return a[-1] * math.prod(out_shape or b)


def grouped_mm_flops(a: Shape, b: Shape, *_: object, **__: object) -> int:
    """Grouped matmul: each row (or column) is multiplied by the matrix of its group.

    (m, k) @ (g, k, n), with rows in groups: 2·m·k·n. The same for (g, m, k) @ (k, n), with columns in groups, and for
    (m, k) @ (k, n), because the inner sizes of the groups add up to k. (g, m, k) @ (g, k, n): g such products.

    >>> grouped_mm_flops((10, 4), (3, 4, 5)), grouped_mm_flops((3, 10, 4), (4, 5))
    (400, 400)
    >>> grouped_mm_flops((3, 10, 4), (3, 4, 5))
    1200
    """
    batch = a[0] if len(a) == len(b) == 3 else 1
    return 2 * batch * a[-2] * a[-1] * b[-1]


def scaled_mm_flops(a: torch.Tensor, b: torch.Tensor, *_: object, **__: object) -> int:
    """Product of matrices with scales, perhaps in groups. If elements hold two numbers each, k is twice the size.

    >>> scaled_mm_flops(torch.empty(2, 4), torch.empty(4, 3))
    48
    """
    return grouped_mm_flops(tuple(a.shape), tuple(b.shape)) * (2 if a.dtype is PAIRS else 1)


def sdpa_flops(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
    """q @ kᵀ, then scores @ v, for query (…, L, E), key (…, S, E), value (…, S, Ev); masks save nothing.

    2·B·L·S·E + 2·B·L·S·Ev, with B the product of the query's leading dimensions: grouped-query attention repeats the
    key's heads.

    >>> sdpa_flops((1, 12, 197, 64), (1, 12, 197, 64), (1, 12, 197, 64)) == 4 * 12 * 197**2 * 64
    True
    """
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def sdpa_backward_flops(grad: Shape, query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
    """Backward of fused attention: it computes the scores again, then four products; 2.5 times the forward pass."""
    return 2 * math.prod(query[:-1]) * key[-2] * (3 * query[-1] + 2 * value[-1])


def convolution_backward_flops(
    grad: Shape, x: Shape, weight: Shape, _bias: object, _stride: object, _padding: object, _dilation: object,
    transposed: bool, _extra: object, _groups: int, mask: Sequence[bool], **_: object,
) -> int:  # fmt: skip
    """Backward of a convolution: the gradients of input and weight cost as much as the forward pass each.

    torch's formula ignores the groups.

    >>> settings = [0], [1, 1], [1, 1], [1, 1], False, [0, 0], 8, [True, True, False]
    >>> convolution_backward_flops((1, 8, 16, 16), (1, 8, 16, 16), (8, 1, 3, 3), *settings)
    73728
    """
    places = x[2:] if transposed else grad[2:]
    return 2 * x[0] * math.prod(places) * math.prod(weight) * sum(mask[:2])


def recurrent_flops(input: Shape, *others: object, **_: object) -> int:
    """LSTM, GRU and plain RNN over input (T, B, I) or (B, T, I): each step is multiplied by each weight matrix once.

    2·T·B·(elements of all weight matrices), over layers, directions and projections. The gates' elementwise products
    are not counted. In a packed sequence, the data (N, I) contains all steps.

    >>> recurrent_flops((5, 1, 3), [(1, 1, 4), (1, 1, 4)], [(16, 3), (16, 4), (16,), (16,)])
    1120
    >>> recurrent_flops((5, 3), (3,), [(1, 2, 4)], [(16, 3), (16, 4)])
    1120
    """
    shapes = [each for other in others for each in (other if isinstance(other, list) else [other])]
    matrices = [each for each in shapes if isinstance(each, tuple) and len(each) == 2]
    return 2 * math.prod(input[:-1]) * sum(map(math.prod, matrices))


def product_flops(x: Shape, *_: object, out_shape: Any, **__: object) -> int:
    """(…, k) by a weight with n columns in any representation, where the result is (…, n): 2·(elements of x)·n.

    >>> product_flops((2, 3, 4), "packed", out_shape=(2, 3, 5))
    240
    """
    columns: int = out_shape[-1] if isinstance(out_shape[-1], int) else out_shape[0][-1]
    return 2 * math.prod(x) * columns


def no_flops(*_: object, **__: object) -> int:
    """Elementwise work, which is not counted."""
    return 0


def packed_convolution_flops(x: Shape, packed: object, *_: object, out_shape: Shape, **__: object) -> int:
    """Convolution with a packed weight (O, C / groups, K…): each output is a sum over all but the first dimension."""
    (weight,) = packed_weights(packed)
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


def packed_recurrent_flops(x: Shape, hidden: object, *others: object, **_: object) -> int:
    """Recurrent layer or cell with packed weights: each step is multiplied by each weight matrix once."""
    weights = [each for other in others for each in packed_weights(other)]
    return 2 * math.prod(x[:-1]) * sum(map(math.prod, weights))


_EXTRA: dict[str, Callable[..., int]] = {
    "mv": mv_flops,
    **dict.fromkeys(("addmv", "addmv_"), lambda bias, matrix, *_, **__: mv_flops(matrix)),
    **dict.fromkeys(("dot", "vdot"), mv_flops),
    "linear": linear_flops,
    **dict.fromkeys(("addbmm", "addbmm_"), addbmm_flops),
    **dict.fromkeys(("addmm_", "baddbmm_"), lambda bias, a, b, **_: grouped_mm_flops(a, b)),
    "_trilinear": trilinear_flops,
    **dict.fromkeys(("_cdist_forward", "_euclidean_dist"), distance_flops),
    "_pdist_forward": own_distance_flops,
    "linalg_solve_triangular": solve_triangular_flops,
    "_grouped_mm": grouped_mm_flops,
    "scaled_dot_product_attention": sdpa_flops,
    "_scaled_dot_product_flash_attention_for_cpu": sdpa_flops,
    "_scaled_dot_product_flash_attention_for_cpu_backward": sdpa_backward_flops,
    "_scaled_dot_product_fused_attention_overrideable": sdpa_flops,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), recurrent_flops),
    **dict.fromkeys(
        ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"),
        lambda input, hidden, *weights, **_: recurrent_flops(input, *weights),
    ),
    **dict.fromkeys(
        (
            "_int_mm",
            "_weight_int8pack_mm",
            "_weight_int4pack_mm",
            "_weight_int4pack_mm_for_cpu",
            "_weight_int4pack_mm_with_scales_and_zeros",
            "_dyn_quant_matmul_4bit",
        ),
        product_flops,
    ),
    **dict.fromkeys(("quantized_lstm", "quantized_gru"), packed_recurrent_flops),
    "mkldnn_rnn_layer": lambda input, *others, **_: recurrent_flops(input, *others[:4]),  # two matrices, two biases
}

FORMULAS: dict[object, Callable[..., int]] = {
    getattr(aten, name): shape_wrapper(formula) for name, formula in _EXTRA.items() if hasattr(aten, name)
}
FORMULAS |= {
    getattr(aten, name): scaled_mm_flops
    for name in ("_scaled_mm_v2", "_scaled_grouped_mm", "_scaled_grouped_mm_v2")
    if hasattr(aten, name)
}
"""Formulas that torch's registry lacks, by ATen operator, in its calling convention."""

OTHERS: dict[str, Callable[..., int]] = {
    name: shape_wrapper(formula)
    for formula, names in {
        product_flops: "quantized.linear quantized.linear_relu quantized.linear_leaky_relu quantized.linear_tanh "
        "quantized.linear_dynamic quantized.linear_relu_dynamic quantized.linear_dynamic_fp16 "
        "quantized.linear_relu_dynamic_fp16 bitsandbytes.gemm_4bit bitsandbytes.gemv_4bit "
        "bitsandbytes.int8_linear_matmul bitsandbytes.int8_scaled_mm bitsandbytes.int8_mixed_scaled_mm "
        "quanto.qbytes_mm",
        packed_convolution_flops: " ".join(
            [f"quantized.conv{dim}d{kind}" for dim in (1, 2, 3) for kind in ("", "_relu", "_dynamic")]
        ),
        packed_recurrent_flops: "quantized.quantized_lstm_cell_dynamic quantized.quantized_gru_cell_dynamic "
        "quantized.quantized_rnn_relu_cell_dynamic quantized.quantized_rnn_tanh_cell_dynamic",
        no_flops: "quantized.add quantized.add_relu quantized.mul quantized.mul_relu quantized.cat quantized.cat_relu "
        "quantized.add_scalar quantized.mul_scalar quantized.hardswish quantized.leaky_relu quantized.elu "
        "quantized.sigmoid quantized.prelu quantized.layer_norm quantized.group_norm quantized.instance_norm "
        "quantized.batch_norm quantized.batch_norm2d quantized.batch_norm2d_relu quantized.batch_norm3d "
        "quantized.embedding_byte quantized.embedding_4bit quantized.embedding_bag_byte quantized.embedding_bag_4bit "
        "bitsandbytes.dequantize_4bit bitsandbytes.quantize_4bit bitsandbytes.dequantize_blockwise "
        "bitsandbytes.quantize_blockwise bitsandbytes.int8_vectorwise_quant bitsandbytes.int8_vectorwise_dequant "
        "bitsandbytes.int8_double_quant bitsandbytes.int8_mm_dequant quanto.quantize_symmetric "
        "quanto.quantize_affine quanto.unpack",
    }.items()
    for name in names.split()
}
"""Formulas for operators on quantized weights that are not of ATen, by name."""

CORRECTED: dict[object, Callable[..., int]] = {
    flop_registry.get(aten.convolution_backward): shape_wrapper(convolution_backward_flops),
    flop_registry.get(aten._scaled_mm): scaled_mm_flops,
}
"""Formulas to use instead of torch's own ones, which are wrong."""
