"""Layers with dynamically quantized or half-precision weights in packed objects, which torch cannot run on meta."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.kernels.results import DECLINED, new
from fxsummary.capture.operations.packed import packed_weights


def linear(x: Tensor, packed: Any, *_: Any) -> Any:
    """(…, k) by a packed weight (n, k)."""
    shapes = packed_weights(packed)
    if len(shapes) != 1 or not x.dim() or x.shape[-1] != shapes[0][1]:
        return DECLINED
    return new((*x.shape[:-1], shapes[0][0]), x.dtype)


def lstm(
    x: Tensor, hx: Any, params: Any, biases: bool, layers: int, dropout: float, train: bool, bidirectional: bool,
    batch_first: bool, **_: Any,
) -> Any:  # fmt: skip
    """Return the output (T, B, directions · H), or (B, T, …), and the last hidden and cell state."""
    if not isinstance(hx, (list, tuple)) or len(hx) != 2 or x.dim() != 3:
        return DECLINED
    return _sequence(x, hx[0], bidirectional), *[new(each.shape, each.dtype) for each in hx]


def gru(
    x: Tensor, hx: Tensor, params: Any, biases: bool, layers: int, dropout: float, train: bool, bidirectional: bool,
    batch_first: bool, **_: Any,
) -> Any:  # fmt: skip
    """Return the output, and the last hidden state."""
    return (_sequence(x, hx, bidirectional), new(hx.shape, hx.dtype)) if x.dim() == 3 else DECLINED


def _sequence(x: Tensor, hidden: Tensor, bidirectional: bool) -> Tensor:
    return new((*x.shape[:2], hidden.shape[-1] * (1 + bidirectional)), x.dtype)


def lstm_cell(x: Tensor, hx: Any, *_: Any) -> Any:
    """Return the hidden and the cell state after one step."""
    return tuple([new(each.shape, each.dtype) for each in hx])


def cell(x: Tensor, hx: Tensor, *_: Any) -> Any:
    """Return the hidden state after one step."""
    return new(hx.shape, hx.dtype)


def quantize(x: Tensor, scale: Any, zero_point: Any, dtype: torch.dtype) -> Any:
    """Return a quantized tensor; torch's own kernel returns floats."""
    return torch.empty(x.shape, dtype=dtype, device=x.device)


KERNELS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        [f"quantized::linear{relu}_dynamic{kind}" for relu in ("", "_relu") for kind in ("", "_fp16")], linear
    ),
    "aten::quantize_per_tensor": quantize,
    "aten::quantize_per_tensor.tensor_qparams": quantize,
    "aten::quantized_lstm.input": lstm,
    "aten::quantized_gru.input": gru,
    "quantized::quantized_lstm_cell_dynamic": lstm_cell,
    **dict.fromkeys([f"quantized::quantized_{kind}_cell_dynamic" for kind in ("gru", "rnn_relu", "rnn_tanh")], cell),
}

WORKSPACES: dict[str, Callable[..., int | None]] = dict.fromkeys(KERNELS, lambda *_, **__: None)
"""They quantize their inputs, in libraries that tell nothing of it."""
