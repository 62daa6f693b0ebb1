"""How devices differ in what they keep for backward: attention, dropout, recurrent layers, grouped products.

Each function takes the arguments of an ATen operator and calls what the device would run, on meta. `DIFFERENCES` lists
the differences with their sources in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fxsummary.analysis.functions import results
from fxsummary.capture.operations.kernels.products import is_fused, recurrent
from fxsummary.capture.operations.twins import dtype_name, spec_of
from fxsummary.graph.spec import contiguous

aten = torch.ops.aten
Report = Callable[[str], None]
"""Notes an operator whose memory is not known."""

DEVICES = ("cuda", "cpu")


class Difference(NamedTuple):
    """What an operator keeps on each device, and where PyTorch says so."""

    operator: str
    cpu: str
    cuda: str
    source: str


DIFFERENCES = (
    Difference(
        "dropout",
        "the mask in the input's dtype, and the scaled mask",
        "a mask of bools, 1 byte per element",
        "ATen/native/Dropout.cpp: is_fused_kernel_acceptable; ATen/native/cuda/Dropout.cu",
    ),
    Difference(
        "attention, float16 and bfloat16 without a mask",
        "output and a float32 logarithm per row",
        "flash: output and a float32 logarithm per row; heads are padded to a multiple of 8",
        "ATen/native/transformers/sdp_utils_cpp.cpp: use_flash_attention_cpp; cuda/sdp_utils.cpp: use_flash_attention",
    ),
    Difference(
        "attention, float32 or with a mask",
        "output and a float32 logarithm per row; with dropout, all scores",
        "memory-efficient: output and a float32 logarithm per row, rows padded to a multiple of 32; mask expanded",
        "ATen/native/transformers/cuda/sdp_utils.cpp: use_mem_efficient_attention; attention.cpp: preprocess_mask",
    ),
    Difference(
        "LSTM, GRU, RNN",
        "a workspace whose size only oneDNN knows",
        "a reserve whose size only cuDNN knows",
        "ATen/native/mkldnn/RNN.cpp; ATen/native/cudnn/RNN.cpp",
    ),
)


def kernels(device: str, report: Report) -> dict[str, Callable[..., Any]]:
    """Return what a device runs, by operator and overload."""
    attention = _cuda_attention if device == "cuda" else _cpu_attention
    found: dict[str, Callable[..., Any]] = {
        "scaled_dot_product_attention": attention,
        "_grouped_mm": _grouped_mm,
        "silu_backward": torch.mul,  # on meta they consist of several operators, on devices of one
        "mish_backward": torch.mul,
        **{f"{name}.input": partial(_recurrent, name, report) for name in _RECURRENT},
        **{f"{name}.data": partial(_packed, name, report) for name in _RECURRENT},
    }
    if device == "cuda":
        found |= {"dropout": _cuda_dropout, "_fused_rms_norm": _cuda_rms_norm}
    return found


_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def _cuda_dropout(x: Tensor, p: float, train: bool) -> Tensor:
    if train and 0 < p < 1 and x.numel():
        return torch.native_dropout(x, p, True)[0]
    return aten.dropout(x, p, train)  # type: ignore[no-any-return]


def _cuda_rms_norm(x: Tensor, shape: list[int], weight: Tensor | None, eps: float | None) -> tuple[Tensor, Tensor]:
    rests = (*x.shape[: x.dim() - len(shape)], *[1] * len(shape))
    specs = [contiguous(tuple(x.shape), dtype_name(x.dtype)), contiguous(rests, "float32")]
    given = (x,) if weight is None else (x, weight)
    result, scale = results(specs, given, given)
    return result, scale


# --- attention -------------------------------------------------------------------------------------


def _cpu_attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    needs_gradient = attn_mask is not None and attn_mask.requires_grad
    if needs_gradient or not is_fused(q, k, v, attn_mask, dropout_p, enable_gqa):
        return _products(q, k, v, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    mask = _as_float(attn_mask, q.dtype)
    fused = aten._scaled_dot_product_flash_attention_for_cpu
    return fused(q, k, v, dropout_p, is_causal, attn_mask=mask, scale=scale)[0]  # type: ignore[no-any-return]


def _cuda_attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    is_plain = q.dim() == 4 and all(each.stride(-1) == 1 for each in (q, k, v)) and 0 not in (*q.shape, *k.shape)
    is_half = q.dtype in (torch.float16, torch.bfloat16)
    has_one_width, has_same_heads = q.shape[-1] == v.shape[-1], q.shape[1] == k.shape[1] == v.shape[1]
    is_square = not is_causal or q.shape[-2] == k.shape[-2]
    if is_plain and is_half and attn_mask is None and has_one_width and q.shape[-1] <= 256 and is_square:
        return _flash(q, k, v, dropout_p, is_causal, scale)
    if is_plain and has_same_heads and (is_half or q.dtype == torch.float32):
        mask = _expanded(_as_float(attn_mask, q.dtype), q, k)
        efficient = aten._scaled_dot_product_efficient_attention
        is_saved = any(each.requires_grad for each in (q, k, v))
        return efficient(q, k, v, mask, is_saved, dropout_p, is_causal, scale=scale)[0]  # type: ignore[no-any-return]
    return _products(q, k, v, attn_mask, dropout_p, is_causal, scale, enable_gqa)


def _flash(q: Tensor, k: Tensor, v: Tensor, dropout_p: float, is_causal: bool, scale: float | None) -> Tensor:
    """Run the flash kernel, which takes heads of a multiple of 8."""
    width = q.shape[-1]
    padding = -width % 8
    if padding:
        q, k, v = (torch.nn.functional.pad(each, (0, padding)) for each in (q, k, v))
        scale = width**-0.5 if scale is None else scale
    result: Tensor = aten._scaled_dot_product_flash_attention(q, k, v, dropout_p, is_causal, False, scale=scale)[0]
    return result[..., :width] if padding else result


def _products(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool, scale: float | None,
    enable_gqa: bool,
) -> Tensor:  # fmt: skip
    """Run attention as two products, with all scores in memory."""
    math = aten._scaled_dot_product_attention_math
    mask = _as_float(mask, q.dtype)
    found = math(q, k, v, mask, dropout_p, is_causal, None, scale=scale, enable_gqa=enable_gqa)
    return found[0]  # type: ignore[no-any-return]


def _as_float(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Convert a mask of bools to numbers that are added to the scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask.logical_not(), float("-inf"))


def _expanded(mask: Tensor | None, q: Tensor, k: Tensor) -> Tensor | None:
    """Expand a mask to all scores; its rows are padded to a multiple of 8 unless they are aligned."""
    if mask is None:
        return None
    steps = mask.stride()
    if not (steps[-1] == 1 and all(step % 8 == 0 for step in steps[:-1])):
        size = mask.shape[-1]
        mask = torch.nn.functional.pad(mask, (0, 8 - size % 8))[..., :size]
    return mask.expand(q.shape[0], q.shape[1], q.shape[2], k.shape[2])


# --- others ----------------------------------------------------------------------------------------


class _Grouped(torch.autograd.Function):
    """``_grouped_mm``, which torch runs on meta only in bfloat16; gradients lie in memory as the arguments do."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, offs: Tensor | None, options: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(a, b, offs)
        return aten._grouped_mm(a, b, offs, *options)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, b, offs = ctx.saved_tensors
        grad = grads[0]
        grad_a = aten._grouped_mm(grad, b.mT, offs) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return grad_a, None, None, None
        is_transposed = b.stride(-2) == 1
        grad_b = aten._grouped_mm(grad.mT, a, offs).mT if is_transposed else aten._grouped_mm(a.mT, grad, offs)
        return grad_a, grad_b, None, None


def _grouped_mm(a: Tensor, b: Tensor, offs: Tensor | None = None, *options: Any, **named: Any) -> Tensor:
    return _Grouped.apply(a, b, offs, (*options, *named.values()))  # type: ignore[no-any-return, no-untyped-call]


def _recurrent(
    name: str, report: Report, x: Tensor, states: Any, weights: Any, has_biases: bool, layers: int, dropout: float,
    train: bool, twice: bool, batch_first: bool,
) -> Any:  # fmt: skip
    """Run a recurrent layer: at least its input, its states and its output are kept."""
    given = x.detach().contiguous(), states, weights
    found = recurrent(*given, has_biases, layers, 0.0, train, twice, batch_first)
    if found is NotImplemented:
        raise NotImplementedError(f"{name} on meta")
    return _kept(name, report, found, (x, states, weights))


def _packed(
    name: str, report: Report, data: Tensor, sizes: Tensor, states: Any, weights: Any, has_biases: bool, layers: int,
    dropout: float, train: bool, twice: bool,
) -> Any:  # fmt: skip
    """Run a recurrent layer over packed sequences."""
    hidden = [states] if isinstance(states, Tensor) else list(states)
    width = hidden[0].shape[-1] * (2 if twice else 1)
    found = data.new_empty((data.shape[0], width)), *[each.new_empty(each.shape) for each in hidden]
    return _kept(name, report, found, (data, states, weights))


def _kept(name: str, report: Report, found: tuple[Tensor, ...], given: tuple[Any, ...]) -> tuple[Tensor, ...]:
    report(name)
    x, states, _ = given
    return tuple(results([spec_of(each) for each in found], given, (x, states)))
