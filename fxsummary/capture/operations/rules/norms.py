"""Normalizations and softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    clear,
    dimension,
    dtype_of,
    floats,
    fresh,
    gathered,
    integers,
    numel,
    plain,
    strides,
    sure,
    tensor,
    weight,
)
from fxsummary.capture.operations.rules.layout import image_stride, is_contiguous
from fxsummary.capture.operations.rules.promotion import combined


def _batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: Any = False,
    momentum: Any = 0.1,
    eps: Any = 1e-5,
) -> Outcome:
    spec = floats(input, running_mean, running_var, weight, bias)
    sure(len(spec.shape) >= 2 and type(training) is bool)
    channels = spec.shape[1:2]
    sure(all(each is None or each.shape == channels for each in (running_mean, running_var, weight, bias)))
    sure(numel(spec.shape) > channels[0] if training else running_mean is not None and running_var is not None)
    sure(spec.stride == image_stride(spec.shape, spec.shape, strides(spec)))
    return Outcome(spec)


def _layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5) -> Outcome:
    spec, normalized = floats(input, weight, bias), integers(normalized_shape)
    sure(normalized and spec.shape[-len(normalized) :] == normalized)
    sure(all(each is None or each.shape == normalized for each in (weight, bias)))
    if len(spec.shape) > 3:
        clear(spec)
    return Outcome(combined([gathered(spec)], spec.dtype))


def _rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Outcome:
    sure(is_contiguous(tensor(input).shape, strides(input)))
    return _layer_norm(input, normalized_shape, weight)


def _group_norm(input: Any, num_groups: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5) -> Outcome:
    spec = floats(input, weight, bias)
    sure(len(spec.shape) >= 2 and type(num_groups) is int and num_groups > 0 and spec.shape[1] % num_groups == 0)
    sure(numel(spec.shape) > num_groups * spec.shape[0])
    sure(all(each is None or each.shape == spec.shape[1:2] for each in (weight, bias)))
    sure(is_contiguous(spec.shape, strides(spec)))
    return Outcome(combined([spec], spec.dtype))


def _softmax(input: Any, dim: Any, dtype: Any = None) -> Outcome:
    spec = tensor(input, FLOATS)
    dimension(dim, len(spec.shape))
    name = spec.dtype if dtype is None else dtype_of(dtype)
    sure(name in FLOATS)
    clear(spec)
    return fresh(spec.shape, spec, name)


def _functional_softmax(input: Any, dim: Any = None, _stacklevel: Any = 3, dtype: Any = None) -> Outcome:
    return _softmax(input, dim, dtype)


def _weight_norm(v: Any, g: Any, dim: Any = 0) -> Outcome:
    """A weight from its direction and its length."""
    spec = floats(v, g)
    sure(type(dim) is int and -1 <= dim < len(spec.shape))
    lengths = () if dim == -1 else tuple([size if each == dim else 1 for each, size in enumerate(spec.shape)])
    sure(g.shape == lengths)
    plain(spec)
    plain(g)
    return fresh(spec.shape, spec)


# --- modules ---------------------------------------------------------------------------------------


def _batch_norm_module(dims: tuple[int, ...]) -> Callable[..., Outcome]:
    def rule(module: nn.modules.batchnorm._BatchNorm, input: Any) -> Outcome:
        sure(len(tensor(input).shape) in dims)
        mean, variance = weight(module, "running_mean"), weight(module, "running_var")
        scale, bias = weight(module, "weight"), weight(module, "bias")
        return _batch_norm(input, mean, variance, scale, bias, module.training or mean is variance is None)

    return rule


def _layer_norm_module(module: nn.LayerNorm, input: Any) -> Outcome:
    return _layer_norm(input, module.normalized_shape, weight(module, "weight"), weight(module, "bias"))


def _rms_norm_module(module: nn.RMSNorm, input: Any) -> Outcome:
    return _rms_norm(input, module.normalized_shape, weight(module, "weight"))


def _group_norm_module(module: nn.GroupNorm, input: Any) -> Outcome:
    return _group_norm(input, module.num_groups, weight(module, "weight"), weight(module, "bias"))


def _softmax_module(module: nn.Softmax, input: Any) -> Outcome:
    return _softmax(input, module.dim)


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {
    nn.BatchNorm1d: _batch_norm_module((2, 3)),
    nn.BatchNorm2d: _batch_norm_module((4,)),
    nn.BatchNorm3d: _batch_norm_module((5,)),
    nn.LayerNorm: _layer_norm_module,
    nn.RMSNorm: _rms_norm_module,
    nn.GroupNorm: _group_norm_module,
    nn.Softmax: _softmax_module,
    nn.LogSoftmax: _softmax_module,
}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    F.batch_norm: _batch_norm,
    F.layer_norm: _layer_norm,
    F.rms_norm: _rms_norm,
    F.group_norm: _group_norm,
    torch._weight_norm: _weight_norm,
    **dict.fromkeys((torch.softmax, torch.log_softmax, "softmax", "log_softmax"), _softmax),
    **dict.fromkeys((F.softmax, F.log_softmax), _functional_softmax),
}
