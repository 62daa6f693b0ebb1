"""Arithmetic, comparisons and choices between tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import (
    FLOATS,
    INTEGERS,
    broadcast,
    default_dtype,
    fresh,
    named,
    plain,
    sure,
    tensor,
    written,
)
from fxsummary.capture.operations.rules.promotion import combined, operands, promoted
from fxsummary.graph.spec import TensorSpec


def _arithmetic(input: Any, other: Any, *, alpha: Any = 1) -> Outcome:
    tensors, numbers = operands(input, other)
    dtype = promoted(tensors, numbers)
    sure(dtype != "bool" and type(alpha) in (int, float) and (type(alpha) is int or dtype in FLOATS))
    return Outcome(combined(tensors, dtype))


def _subtract(input: Any, other: Any, *, alpha: Any = 1) -> Outcome:
    sure(all(type(each) is not bool and getattr(each, "dtype", "") != "bool" for each in (input, other)))
    return _arithmetic(input, other, alpha=alpha)


def _multiply(input: Any, other: Any) -> Outcome:
    return _arithmetic(input, other)


def greater(input: Any, other: Any) -> Outcome:
    """``maximum`` and ``minimum``."""
    sure(type(input) is type(other) is TensorSpec)
    return _arithmetic(input, other)


def _divide(input: Any, other: Any, *, rounding_mode: Any = None) -> Outcome:
    if rounding_mode is not None:
        sure(rounding_mode in ("floor", "trunc"))
        return _floor_divide(input, other)
    tensors, numbers = operands(input, other)
    dtype = promoted(tensors, numbers)
    return Outcome(combined(tensors, dtype if dtype in FLOATS else default_dtype()))


def _floor_divide(input: Any, other: Any) -> Outcome:
    for value in (input, other):
        if type(value) is TensorSpec:
            plain(value)
    sure(type(other) is TensorSpec or other != 0)
    return _arithmetic(input, other)


def _remainder(input: Any, other: Any) -> Outcome:
    sure(type(input) is TensorSpec)
    return _floor_divide(input, other)


def _power(input: Any, exponent: Any) -> Outcome:
    tensors, numbers = operands(input, exponent)
    dtype = promoted(tensors, numbers)
    sure(dtype in FLOATS and (type(exponent) is TensorSpec or exponent not in (0, 1)))
    return Outcome(combined(tensors, dtype))


def _in_place(rule: Callable[..., Outcome]) -> Callable[..., Outcome]:
    def in_place(input: Any, other: Any, **options: Any) -> Outcome:
        spec = tensor(input)
        result = rule(input, other, **options).value
        sure(result.shape == spec.shape and result.dtype == spec.dtype)
        return written(spec)

    return in_place


def _comparison(input: Any, other: Any) -> Outcome:
    return Outcome(combined(operands(input, other)[0], "bool"))


def _logical(input: Any, other: Any) -> Outcome:
    plain(tensor(input))
    plain(tensor(other))
    return _comparison(input, other)


def _bitwise(input: Any, other: Any) -> Outcome:
    tensors, numbers = operands(input, other)
    dtype = promoted(tensors, numbers)
    sure(dtype not in FLOATS)
    return Outcome(combined(tensors, dtype))


def _where(condition: Any, input: Any, other: Any) -> Outcome:
    sure(tensor(condition).dtype == "bool")
    if TensorSpec not in (type(input), type(other)):
        kinds = {type(input), type(other)}
        sure(kinds in ({int}, {float}))
        return Outcome(combined([condition], "int64" if kinds == {int} else default_dtype()))
    tensors, numbers = operands(input, other)
    return Outcome(combined([condition, *tensors], promoted(tensors, numbers)))


def _where_method(input: Any, condition: Any, other: Any) -> Outcome:
    return _where(condition, tensor(input), other)


def _masked_fill(input: Any, mask: Any, value: Any) -> Outcome:
    spec = tensor(input)
    kinds = (int, float) if spec.dtype in FLOATS else (int,) if spec.dtype in INTEGERS else (bool,)
    if type(value) is TensorSpec:
        sure(value.shape == () and value.dtype == spec.dtype)
    else:
        sure(type(value) in (bool, *kinds))
    sure(tensor(mask).dtype == "bool")
    shape = broadcast(spec.shape, mask.shape)
    plain(spec)
    return fresh(shape, spec)


def _masked_fill_(input: Any, mask: Any, value: Any) -> Outcome:
    sure(_masked_fill(input, mask, value).value.shape == input.shape)
    return written(input)


def _copy_(input: Any, src: Any, non_blocking: Any = False) -> Outcome:
    sure(type(non_blocking) is bool and broadcast(input.shape, tensor(src).shape) == input.shape)
    return written(input)


def _fill_(input: Any, value: Any) -> Outcome:
    sure(type(value) in (bool, int, float))
    return written(input)


def _zero_(input: Any) -> Outcome:
    return written(input)


_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_BY_NAME: dict[str, Callable[..., Outcome]] = {
    "add": _arithmetic,
    **dict.fromkeys(("sub", "subtract"), _subtract),
    **dict.fromkeys(("mul", "multiply"), _multiply),
    **dict.fromkeys(("div", "divide", "true_divide"), _divide),
    **dict.fromkeys(("remainder", "fmod"), _remainder),
    "floor_divide": _floor_divide,
    "pow": _power,
    **dict.fromkeys(("minimum", "maximum"), greater),
    **dict.fromkeys(_COMPARISONS, _comparison),
    **dict.fromkeys(("logical_and", "logical_or"), _logical),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), _bitwise),
    "masked_fill": _masked_fill,
}
"""Rules by the name that a function of torch and a method share."""

MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **named(_BY_NAME),
    **{f"{name}_": _in_place(rule) for name, rule in _BY_NAME.items() if name in ("add", "sub", "mul", "div")},
    torch.where: _where,
    "where": _where_method,
    "masked_fill_": _masked_fill_,
    operator.add: _arithmetic,
    operator.sub: _subtract,
    operator.mul: _multiply,
    operator.truediv: _divide,
    operator.floordiv: _floor_divide,
    operator.pow: _power,
    operator.iadd: _in_place(_arithmetic),
    operator.isub: _in_place(_subtract),
    operator.imul: _in_place(_multiply),
    operator.itruediv: _in_place(_divide),
    **{getattr(operator, name): _comparison for name in _COMPARISONS},
    operator.mod: _remainder,
    **dict.fromkeys((operator.and_, operator.or_, operator.xor), _bitwise),
    "copy_": _copy_,
    "fill_": _fill_,
    "zero_": _zero_,
}
