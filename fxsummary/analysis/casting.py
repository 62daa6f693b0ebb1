"""Mixed precision: what ``torch.autocast`` casts on each device, for tensors on meta, which autocast itself ignores.

Source: ATen/autocast_mode.h (CUDA) and ATen/autocast_mode.cpp (CPU).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.autograd_internals import uninterrupted
from fxsummary.capture.operations.autocast import Casting
from fxsummary.capture.structures import map_values, tensors_in

_BOTH_LOW = (
    "_convolution", "_convolution.deprecated", "conv1d", "conv2d", "conv3d", "conv1d.padding", "conv2d.padding",
    "conv3d.padding", "conv_tbc", "conv_transpose1d", "conv_transpose2d.input", "conv_transpose3d.input", "convolution",
    "prelu", "addmm", "addbmm", "baddbmm", "matmul", "mm", "bmm", "linalg_vecdot", "linear",
    "scaled_dot_product_attention",
)  # fmt: skip
LOW = {
    "cpu": _BOTH_LOW,
    "cuda": (
        *_BOTH_LOW, "addmv", "addr", "einsum", "mv", "chain_matmul", "linalg_multi_dot", "lstm_cell", "gru_cell",
        "rnn_tanh_cell", "rnn_relu_cell", "lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input",
    ),
}  # fmt: skip
"""Operators that run in the lower precision, by device."""

FLOAT32 = {
    "cpu": (
        "avg_pool3d", "binary_cross_entropy", "grid_sampler", "polar", "prod", "prod.dim_int", "quantile",
        "nanquantile", "cdist", "trace", "view_as_complex", "mse_loss", "cosine_embedding_loss", "nll_loss",
        "nll_loss2d", "hinge_embedding_loss", "kl_div", "l1_loss", "smooth_l1_loss", "margin_ranking_loss",
        "multilabel_margin_loss", "soft_margin_loss", "triplet_margin_loss", "multi_margin_loss",
        "binary_cross_entropy_with_logits", "huber_loss", "dist", "pdist", "renorm", "logsumexp",
    ),
    "cuda": (
        "acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "reciprocal", "rsqrt",
        "sinh", "tan", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar", "softplus", "layer_norm",
        "native_layer_norm", "rms_norm", "group_norm", "frobenius_norm.dim", "nuclear_norm", "nuclear_norm.dim",
        "cosine_similarity", "poisson_nll_loss", "cosine_embedding_loss", "nll_loss", "nll_loss2d",
        "hinge_embedding_loss", "kl_div",
        "l1_loss", "smooth_l1_loss", "huber_loss", "mse_loss", "margin_ranking_loss", "multilabel_margin_loss",
        "soft_margin_loss", "triplet_margin_loss", "multi_margin_loss", "binary_cross_entropy_with_logits", "dist",
        "pdist", "cdist", "renorm", "logsumexp", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
        "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
    ),
}  # fmt: skip
"""Operators that run in float32."""

FLOAT32_RESULT = {
    "cpu": (),
    "cuda": ("prod", "prod.dim_int", "softmax.int", "log_softmax.int", "cumprod", "cumsum", "sum", "sum.dim_IntList"),
}
"""Operators that return float32 unless a dtype is given."""

WIDEST = {
    "cpu": ("stack", "cat", "index_copy"),
    "cuda": (
        "addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "vdot", "grid_sampler", "index_put", "tensordot",
        "scatter_add", "cat", "stack",
    ),
}  # fmt: skip
"""Operators that run in the widest dtype of their arguments."""


class Casts:
    """Casts the arguments of operators while autocast is on.

    Attributes:
        now: the state of autocast; None if it is off.
    """

    def __init__(self, device: str) -> None:
        self.now: Casting | None = None
        self._device = device
        self._cached: dict[int, tuple[Tensor, Tensor]] = {}

    def end(self) -> None:
        """Turn autocast off, and drop the casts of parameters, which it keeps until then."""
        self.now = None
        self._cached.clear()

    def kernels(self, others: dict[str, Callable[..., Any]], *, casts: bool) -> dict[str, Callable[..., Any]]:
        """Return functions by operator and overload; each casts, and calls the operator or its function in ``others``.

        Args:
            casts: whether to cast at all.
        """
        found: dict[str, Callable[..., Any]] = {name: partial(self._call, None, each) for name, each in others.items()}
        if not casts:
            return found
        lists = ((self._low, LOW), (_to_float32, FLOAT32), (_with_float32, FLOAT32_RESULT), (_to_widest, WIDEST))
        for cast, names in lists:
            for name in names[self._device]:
                call = others.get(name) or _operator(name)
                if call is not None:
                    found[name] = partial(self._call, cast, call)
        return found

    def _call(self, cast: Callable[..., Any] | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with uninterrupted():
            if self.now is not None and cast is not None:
                args, kwargs = cast(args, kwargs)
            return function(*args, **kwargs)

    def _low(self, args: Any, kwargs: Any) -> Any:
        assert self.now is not None
        dtype = getattr(torch, self.now[1])
        return _cast(lambda each: self._lowered(each, dtype), args, kwargs)

    def _lowered(self, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        """Return a tensor in the lower precision; casts of parameters are kept, as autocast does."""
        if tensor.dtype == dtype:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad and tensor.dtype == torch.float32 and tensor._base is None):
            return tensor.to(dtype)
        known = self._cached.get(id(tensor))
        if known is None:
            known = self._cached[id(tensor)] = tensor, tensor.to(dtype)
        return known[1]


def _operator(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet, None), overload or "default", None)


def _cast(cast: Callable[[Tensor], Tensor], args: Any, kwargs: Any) -> Any:
    """Cast the tensors in the arguments, the last first, as the compiled code of autocast does."""
    kwargs = map_values(lambda each: cast(each) if _is_eligible(each) else each, kwargs)
    cast_args = [map_values(lambda each: cast(each) if _is_eligible(each) else each, each) for each in reversed(args)]
    return tuple(reversed(cast_args)), kwargs


def _is_eligible(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64


def _to_float32(args: Any, kwargs: Any) -> Any:
    return _cast(lambda each: each.to(torch.float32), args, kwargs)


def _with_float32(args: Any, kwargs: Any) -> Any:
    dtyped = kwargs.get("dtype") is not None or any(isinstance(each, torch.dtype) for each in args)
    return args, kwargs if dtyped or not _is_eligible(args[0]) else {**kwargs, "dtype": torch.float32}


def _to_widest(args: Any, kwargs: Any) -> Any:
    found = [each.dtype for each in tensors_in((args, kwargs)) if _is_eligible(each)]
    if len(set(found)) < 2 or torch.float32 not in found:
        return args, kwargs
    return _to_float32(args, kwargs)
