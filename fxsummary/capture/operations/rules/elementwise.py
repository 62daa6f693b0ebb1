"""Activations, functions of one tensor, dropout."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    INTEGERS,
    clear,
    dense,
    floats,
    itself,
    named,
    sure,
    tensor,
    written,
)
from fxsummary.capture.operations.rules.promotion import combined, operands, promoted
from fxsummary.graph.spec import TensorSpec


def _activation(input: Any, *settings: Any, inplace: Any = False, **more: Any) -> Outcome:
    spec = floats(input)
    sure(type(inplace) is bool and all(type(value) in (int, float) for value in (*settings, *more.values())))
    return written(spec) if inplace else Outcome(combined([spec], spec.dtype))


def _unary(input: Any) -> Outcome:
    spec = floats(input)
    return Outcome(combined([spec], spec.dtype))


def _sign(input: Any) -> Outcome:
    spec = tensor(input, FLOATS | INTEGERS)
    return Outcome(combined([spec], spec.dtype))


def _invert(input: Any) -> Outcome:
    spec = tensor(input, INTEGERS | {"bool"})
    return Outcome(combined([spec], spec.dtype))


def _logical_not(input: Any) -> Outcome:
    spec = tensor(input)
    return Outcome(combined([spec], "bool"))


def _unary_(input: Any) -> Outcome:
    return written(floats(input))


def _gelu(input: Any, *, approximate: Any = "none") -> Outcome:
    sure(approximate in ("none", "tanh"))
    return _unary(input)


def _clamp(input: Any, min: Any = None, max: Any = None) -> Outcome:
    spec = tensor(input, FLOATS | INTEGERS)
    bounds = [value for value in (min, max) if value is not None]
    if any(type(value) is TensorSpec for value in bounds):
        tensors, numbers = operands(input, *bounds)
        dtype = promoted(tensors, numbers)
        sure(dtype == spec.dtype and not numbers)
        clear(spec)
        return Outcome(combined(tensors, dtype))
    kinds = (int, float) if spec.dtype in FLOATS else (int,)
    sure(bounds and all(type(value) in kinds for value in bounds))
    return Outcome(combined([spec], spec.dtype))


def _clamp_(input: Any, min: Any = None, max: Any = None) -> Outcome:
    sure(_clamp(input, min, max).value.shape == input.shape)
    return written(input)


def _clamp_min(input: Any, min: Any) -> Outcome:
    return _clamp(input, min)


def _clamp_max(input: Any, max: Any) -> Outcome:
    return _clamp(input, max)


def _is(input: Any) -> Outcome:
    spec = floats(input)
    return Outcome(combined([spec], "bool"))


def _dropout(input: Any, p: Any = 0.5, training: Any = True, inplace: Any = False) -> Outcome:
    spec = floats(input)
    sure(type(p) in (int, float) and 0 <= p <= 1 and type(training) is bool and type(inplace) is bool)
    if not training or p == 0:
        return itself(spec)
    sure(p < 1)
    return written(spec) if inplace else Outcome(combined([spec, dense(spec)], spec.dtype))


def _inactive_dropout(input: Any, p: Any = 0.5, training: Any = True, inplace: Any = False) -> Outcome:
    sure(training is False and type(p) in (int, float) and 0 <= p <= 1)
    return itself(floats(input))


# --- modules ---------------------------------------------------------------------------------------


def _activation_module(module: nn.Module, input: Any) -> Outcome:
    return _activation(input, inplace=getattr(module, "inplace", False))


def _gelu_module(module: nn.GELU, input: Any) -> Outcome:
    return _gelu(input, approximate=module.approximate)


def _dropout_module(module: nn.Dropout, input: Any) -> Outcome:
    return _dropout(input, module.p, module.training, module.inplace)


def _inactive_dropout_module(module: Any, input: Any) -> Outcome:
    sure(not module.training)
    return itself(floats(input))


def _identity(module: nn.Module, input: Any) -> Outcome:
    return itself(tensor(input))


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {
    **dict.fromkeys(
        (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.LeakyReLU, nn.ELU, nn.Mish,
         nn.Softplus, nn.Hardtanh, nn.SELU, nn.CELU),
        _activation_module,
    ),
    nn.GELU: _gelu_module,
    nn.Dropout: _dropout_module,
    **dict.fromkeys((nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout), _inactive_dropout_module),
    nn.Identity: _identity,
}  # fmt: skip

_UNARY = (
    "exp", "log", "log2", "log1p", "expm1", "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "sigmoid", "erf", "square",
    "reciprocal", "sinh", "cosh", "asin", "acos", "atan", "erfc", "floor", "ceil", "round", "trunc", "frac",
)  # fmt: skip
_BY_NAME: dict[str, Callable[..., Outcome]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(("neg", "abs", "sign"), _sign),
    "relu": _activation,
    "logical_not": _logical_not,
    "bitwise_not": _invert,
    **dict.fromkeys(("clamp", "clip"), _clamp),
    "clamp_min": _clamp_min,
    "clamp_max": _clamp_max,
    "isnan": _is,
}
"""Rules by the name that a function of torch and a method share."""

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **named(_BY_NAME),
    **{f"{name}_": _unary_ for name in (*_UNARY, "neg", "abs", "relu")},
    **dict.fromkeys(
        (F.relu, F.relu6, F.silu, F.hardswish, F.hardsigmoid, F.leaky_relu, F.elu, F.mish, F.softplus, F.hardtanh,
         F.selu, F.celu),
        _activation,
    ),
    **dict.fromkeys(("clamp_", "clip_"), _clamp_),
    F.gelu: _gelu,
    **dict.fromkeys((F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout), _inactive_dropout),
    F.logsigmoid: _unary,
    **dict.fromkeys((F.sigmoid, F.tanh), _unary),
    F.dropout: _dropout,
    torch.relu_: _unary_,
    operator.neg: _sign,
    operator.invert: _invert,
}  # fmt: skip
