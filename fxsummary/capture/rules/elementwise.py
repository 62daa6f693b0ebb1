"""Activations, arithmetic, comparisons, dropout, changes of dtype."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from fxsummary.capture.outcome import Outcome
from fxsummary.capture.rules.answers import (
    FLOATS,
    INTEGERS,
    KNOWN,
    broadcast,
    default_dtype,
    dense,
    dtype_of,
    floats,
    fresh,
    itself,
    new,
    plain,
    strides,
    sure,
    tensor,
    written,
)
from fxsummary.capture.rules.layout import contiguous_stride, elementwise_stride, expanded_stride, is_contiguous
from fxsummary.capture.twins import dtype_name
from fxsummary.spec import TensorSpec

_NUMBERS = (bool, int, float)


def operands(*values: Any) -> tuple[list[TensorSpec], list[type]]:
    """The tensors among the operands, and the types of the numbers."""
    tensors = [tensor(value) for value in values if type(value) is TensorSpec]
    others = [value for value in values if type(value) is not TensorSpec]
    sure(tensors and all(type(value) in _NUMBERS for value in others))
    sure(all(abs(value) < 2**63 for value in others if type(value) is int))
    return tensors, [type(value) for value in others]


def promoted(tensors: list[TensorSpec], numbers: list[type]) -> str:
    """The dtype that operands are brought to: tensors count before tensors of rank 0, those before numbers."""
    ranked = [_together([spec.dtype for spec in tensors if bool(spec.shape) is has_dims]) for has_dims in (True, False)]
    literal = _together([_LITERAL[number] if number is not float else default_dtype() for number in numbers])
    result = _decides(ranked[0], _decides(ranked[1], literal))
    assert result is not None
    return result


_LITERAL = {bool: "bool", int: "int64"}


_PROMOTED = {
    (first, second): dtype_name(torch.promote_types(getattr(torch, first), getattr(torch, second)))
    for first in KNOWN
    for second in KNOWN
}


def _together(dtypes: list[str]) -> str | None:
    result: str | None = None
    for dtype in dtypes:
        result = dtype if result is None else _PROMOTED[result, dtype]
    return result


def _decides(first: str | None, second: str | None) -> str | None:
    """The first of two dtypes, unless the second is of a higher kind: truth value, integer, floating point."""
    if first is None or second is None:
        return first or second
    return first if _kind(first) >= _kind(second) else second


def _kind(dtype: str) -> int:
    return 2 if dtype in FLOATS else 1 if dtype in INTEGERS else 0


def combined(tensors: list[TensorSpec], dtype: str) -> TensorSpec:
    """The result of an elementwise operation on tensors, which are broadcast."""
    shape = broadcast(*[spec.shape for spec in tensors])
    if all(spec.shape == shape and spec.stride == contiguous_stride(shape) for spec in tensors):
        return new(shape, tensors[0], dtype)
    expanded = [expanded_stride(spec.shape, strides(spec), shape) for spec in tensors]
    return new(shape, tensors[0], dtype, elementwise_stride(shape, expanded))


# --- of one tensor ---------------------------------------------------------------------------------


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
    bounds = [value for value in (min, max) if value is not None]
    sure(bounds and all(type(value) in (int, float) for value in bounds))
    return _unary(input)


def _dropout(input: Any, p: Any = 0.5, training: Any = True, inplace: Any = False) -> Outcome:
    spec = floats(input)
    sure(type(p) in (int, float) and 0 <= p <= 1 and type(training) is bool and type(inplace) is bool)
    if not training or p == 0:
        return itself(spec)
    sure(p < 1)
    return written(spec) if inplace else Outcome(combined([spec, dense(spec)], spec.dtype))


# --- of several ------------------------------------------------------------------------------------


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


def _extreme(input: Any, other: Any) -> Outcome:
    sure(type(input) is type(other) is TensorSpec)
    return _arithmetic(input, other)


def _divide(input: Any, other: Any, *, rounding_mode: Any = None) -> Outcome:
    sure(rounding_mode is None)
    tensors, numbers = operands(input, other)
    dtype = promoted(tensors, numbers)
    return Outcome(combined(tensors, dtype if dtype in FLOATS else default_dtype()))


def _floor_divide(input: Any, other: Any) -> Outcome:
    for value in (input, other):
        if type(value) is TensorSpec:
            plain(value)
    sure(type(other) is TensorSpec or other != 0)
    return _arithmetic(input, other)


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
    tensors, numbers = operands(input, other) if TensorSpec in (type(input), type(other)) else ([], [])
    sure(tensors)
    return Outcome(combined([condition, *tensors], promoted(tensors, numbers)))


def _where_method(input: Any, condition: Any, other: Any) -> Outcome:
    return _where(condition, tensor(input), other)


def _masked_fill(input: Any, mask: Any, value: Any) -> Outcome:
    spec = floats(input)
    sure(tensor(mask).dtype == "bool" and type(value) in (int, float))
    shape = broadcast(spec.shape, mask.shape)
    plain(spec)
    return fresh(shape, spec)


def _masked_fill_(input: Any, mask: Any, value: Any) -> Outcome:
    sure(_masked_fill(input, mask, value).value.shape == input.shape)
    return written(input)


# --- dtype and memory ------------------------------------------------------------------------------


def _converted(spec: TensorSpec, dtype: str, copy: Any = False) -> Outcome:
    sure(type(copy) is bool)
    return itself(spec) if spec.dtype == dtype and not copy else Outcome(dense(spec, dtype))


def _to(
    input: Any, *given: Any, dtype: Any = None, device: Any = None, non_blocking: Any = False, copy: Any = False
) -> Outcome:
    spec = tensor(input)
    dtypes = [value for value in (*given, dtype) if value is not None and type(value) not in (torch.device, str)]
    sure(len(given) <= 2 and len(dtypes) <= 1 and type(device) in (torch.device, str, type(None)))
    target = spec.dtype if not dtypes else dtypes[0].dtype if type(dtypes[0]) is TensorSpec else dtype_of(dtypes[0])
    return _converted(spec, target, copy)


def _type_as(input: Any, other: Any) -> Outcome:
    return _converted(tensor(input), tensor(other).dtype)


def _convert_to(dtype: str) -> Callable[..., Outcome]:
    return lambda input: _converted(tensor(input), dtype)


def _clone(input: Any, *, memory_format: Any = torch.preserve_format) -> Outcome:
    spec = tensor(input)
    if memory_format is torch.contiguous_format:
        return fresh(spec.shape, spec)
    sure(memory_format is torch.preserve_format)
    return Outcome(dense(spec))


def _contiguous(input: Any, memory_format: Any = torch.contiguous_format) -> Outcome:
    spec = tensor(input)
    sure(memory_format is torch.contiguous_format)
    return itself(spec) if is_contiguous(spec.shape, strides(spec)) else fresh(spec.shape, spec)


# --- modules ---------------------------------------------------------------------------------------


def _activation_module(module: nn.Module, input: Any) -> Outcome:
    return _activation(input, inplace=getattr(module, "inplace", False))


def _gelu_module(module: nn.GELU, input: Any) -> Outcome:
    return _gelu(input, approximate=module.approximate)


def _dropout_module(module: nn.Dropout, input: Any) -> Outcome:
    return _dropout(input, module.p, module.training, module.inplace)


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
    nn.Identity: _identity,
}  # fmt: skip

_UNARY = (
    "exp", "log", "log2", "log1p", "expm1", "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "sigmoid", "erf", "square",
    "reciprocal", "floor", "ceil", "round", "trunc",
)  # fmt: skip
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_BY_NAME: dict[str, Callable[..., Outcome]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(("neg", "abs"), _sign),
    "relu": _activation,
    "logical_not": _logical_not,
    "bitwise_not": _invert,
    "clamp": _clamp,
    "add": _arithmetic,
    "sub": _subtract,
    **dict.fromkeys(("mul", "multiply"), _multiply),
    "div": _divide,
    "floor_divide": _floor_divide,
    "pow": _power,
    **dict.fromkeys(("minimum", "maximum"), _extreme),
    **dict.fromkeys(_COMPARISONS, _comparison),
    **dict.fromkeys(("logical_and", "logical_or"), _logical),
    **dict.fromkeys(("bitwise_and", "bitwise_or"), _bitwise),
    "masked_fill": _masked_fill,
    "clone": _clone,
}
"""Rules by the name that a function of torch and a method share."""

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **_BY_NAME,
    **{getattr(torch, name): rule for name, rule in _BY_NAME.items()},
    **{f"{name}_": _unary_ for name in (*_UNARY, "neg", "relu")},
    **{f"{name}_": _in_place(rule) for name, rule in _BY_NAME.items() if name in ("add", "sub", "mul", "div")},
    **dict.fromkeys(
        (F.relu, F.relu6, F.silu, F.hardswish, F.hardsigmoid, F.leaky_relu, F.elu, F.mish, F.softplus, F.hardtanh,
         F.selu, F.celu),
        _activation,
    ),
    F.gelu: _gelu,
    F.dropout: _dropout,
    torch.relu_: _unary_,
    torch.where: _where,
    "where": _where_method,
    "masked_fill_": _masked_fill_,
    operator.neg: _sign,
    operator.invert: _invert,
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
    operator.and_: _bitwise,
    operator.or_: _bitwise,
    "to": _to,
    "type_as": _type_as,
    "contiguous": _contiguous,
    "float": _convert_to("float32"),
    "half": _convert_to("float16"),
    "bfloat16": _convert_to("bfloat16"),
    "double": _convert_to("float64"),
    "long": _convert_to("int64"),
    "int": _convert_to("int32"),
    "bool": _convert_to("bool"),
}  # fmt: skip
