"""Closed-form output specs of the commonest operations, whose meta kernels are slow Python.

A rule answers only for the plain case (contiguous floating-point tensors of one dtype) and leaves all
else, wrong input included, to the kernel, which stays the truth: the tests hold each rule against it.
None of these operations has FLOPs of the matrix-product family.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fxsummary.spec import TensorSpec

Rule = Callable[..., "TensorSpec | None"]

_FLOATS = frozenset({"float32", "float64", "float16", "bfloat16"})


@lru_cache(maxsize=4096)
def contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a contiguous tensor.

    >>> contiguous_stride((2, 3, 4))
    (12, 4, 1)
    """
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def _is_plain(spec: Any) -> bool:
    return type(spec) is TensorSpec and spec.dtype in _FLOATS and spec.stride == contiguous_stride(spec.shape)


def _same(spec: Any, *_: Any, **__: Any) -> TensorSpec | None:
    return spec if _is_plain(spec) else None


def _binary(left: Any, right: Any, *rest: Any, **options: Any) -> TensorSpec | None:
    if rest or options:
        return None
    if type(right) is TensorSpec:
        return _same(left) if left == right else None
    return _same(left) if type(right) in (int, float) else None


def _weights_match(module: nn.Module, spec: TensorSpec) -> bool:
    return all(str(p.dtype) == f"torch.{spec.dtype}" for p in module.parameters(recurse=False))


def _batch_norm(dims: tuple[int, ...]) -> Callable[[Any, Any], TensorSpec | None]:
    def rule(module: nn.modules.batchnorm._BatchNorm, spec: Any) -> TensorSpec | None:
        if not _is_plain(spec) or len(spec.shape) not in dims or not _weights_match(module, spec):
            return None
        values = spec.numel // spec.shape[1] if spec.shape[1] else 0
        return spec if spec.shape[1] == module.num_features and values > 1 else None

    return rule


def _layer_norm(module: nn.LayerNorm, spec: Any) -> TensorSpec | None:
    normalized = tuple(module.normalized_shape)
    fits = _is_plain(spec) and spec.shape[-len(normalized) :] == normalized and _weights_match(module, spec)
    return spec if fits else None


def _activation(module: nn.Module, spec: Any) -> TensorSpec | None:
    return _same(spec)


MODULES: dict[type[nn.Module], Callable[[Any, Any], TensorSpec | None]] = {
    nn.BatchNorm1d: _batch_norm((2, 3)),
    nn.BatchNorm2d: _batch_norm((4,)),
    nn.BatchNorm3d: _batch_norm((5,)),
    nn.LayerNorm: _layer_norm,
    **dict.fromkeys(
        (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.LeakyReLU, nn.ELU,
         nn.Mish, nn.Softplus, nn.Dropout, nn.Identity),
        _activation,
    ),
}  # fmt: skip
"""Rules for leaf modules of exactly these classes, called with one tensor."""

FUNCTIONS: dict[Any, Rule] = {
    **dict.fromkeys((torch.relu, F.relu, F.gelu, F.silu, torch.sigmoid, torch.tanh, "relu", "sigmoid", "tanh"), _same),
    **dict.fromkeys((operator.add, operator.iadd, operator.mul, operator.sub, torch.add, torch.mul), _binary),
}
"""Rules for functions, and for methods by name."""


def by_rule(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TensorSpec | None:
    """The output spec, if there is a rule that answers.

    Args:
        target: a leaf module, a function or a method name.
        args, kwargs: specs and literals.
    """
    if isinstance(target, nn.Module):
        rule = MODULES.get(type(target))
        if rule is None or len(args) != 1 or kwargs or target._forward_hooks or target._forward_pre_hooks:
            return None
        return rule(target, args[0])
    function = FUNCTIONS.get(target)
    return None if function is None else function(*args, **kwargs)
