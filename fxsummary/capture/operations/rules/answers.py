"""What rules are made of: questions to arguments, and the outcomes that they answer with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.rules.layout import (
    Sizes,
    contiguous_stride,
    elementwise_stride,
    is_contiguous,
    is_dense,
)
from fxsummary.capture.operations.twins import dtype_name, spec_of
from fxsummary.graph.spec import TensorSpec

FLOATS = frozenset({"float32", "float64", "float16", "bfloat16"})
INTEGERS = frozenset({"int64", "int32", "int16", "int8", "uint8"})
INDICES = frozenset({"int64", "int32"})
KNOWN = FLOATS | INTEGERS | {"bool"}

Rule = Callable[..., Outcome]
"""From the arguments of a call, with specs for tensors, to its outcome."""


class NoRuleError(Exception):
    """The rule is not sure: the kernel is to answer."""


def sure(condition: object) -> None:
    """Leave the answer to the kernel unless the condition holds."""
    if not condition:
        raise NoRuleError


def tensor(value: Any, dtypes: frozenset[str] = KNOWN) -> TensorSpec:
    """An argument that must be a strided tensor of one of the dtypes, and not empty."""
    sure(type(value) is TensorSpec and value.dtype in dtypes and value.stride is not None and 0 not in value.shape)
    assert isinstance(value, TensorSpec)
    return value


def floats(value: Any, *others: Any) -> TensorSpec:
    """The first argument, if all are tensors of one floating-point dtype; None among the others is left out."""
    first = tensor(value, FLOATS)
    for other in others:
        sure(other is None or tensor(other).dtype == first.dtype)
    return first


def strides(value: TensorSpec) -> Sizes:
    """The strides of a tensor that has them."""
    assert value.stride is not None
    return value.stride


def weight(module: nn.Module, name: str) -> TensorSpec | None:
    """The spec of a parameter or buffer, None if it is None."""
    value = getattr(module, name)
    if value is None:
        return None
    sure(type(value) in (nn.Parameter, torch.Tensor))
    return spec_of(value)


def new(shape: Sequence[int], like: TensorSpec, dtype: str | None = None, stride: Sizes | None = None) -> TensorSpec:
    """A tensor, contiguous unless strides are given."""
    sizes = tuple(shape)
    sure(0 not in sizes and min(sizes, default=1) > 0)
    return TensorSpec(sizes, dtype or like.dtype, stride or contiguous_stride(sizes), like.device)


def fresh(
    shape: Sequence[int], like: TensorSpec, dtype: str | None = None, flops: int = 0, stride: Sizes | None = None
) -> Outcome:
    """A tensor of its own."""
    return Outcome(new(shape, like, dtype, stride), flops)


def dense(value: TensorSpec, dtype: str | None = None) -> TensorSpec:
    """A tensor of this shape, its dimensions in the same order in memory: ``empty_like``."""
    if is_dense(value.shape, strides(value)):
        return new(value.shape, value, dtype, value.stride)
    return new(value.shape, value, dtype, elementwise_stride(value.shape, [strides(value)]))


def gathered(value: TensorSpec) -> TensorSpec:
    """A tensor like ``value.contiguous()``, which keeps odd strides of dimensions of size 1."""
    kept = is_contiguous(value.shape, strides(value))
    return new(value.shape, value, stride=value.stride if kept else None)


def plain(value: TensorSpec) -> None:
    """Require the strides of a new contiguous tensor."""
    sure(value.stride == contiguous_stride(value.shape))


def clear(value: TensorSpec) -> None:
    """Require that the order in memory is not in doubt, as it is where only strides of sizes 1 are odd."""
    sure(value.stride == contiguous_stride(value.shape) or not is_contiguous(value.shape, strides(value)))


def itself(value: TensorSpec) -> Outcome:
    """The first argument, unchanged."""
    return Outcome(value, aliases=(Alias(0),))


def written(value: Any) -> Outcome:
    """The first argument, written in place."""
    spec = tensor(value)
    sure(all(step or size == 1 for size, step in zip(spec.shape, strides(spec), strict=True)))  # none is repeated
    return Outcome(spec, aliases=(Alias(0),), writes=(0,))


def view(value: TensorSpec, shape: Sequence[int], stride: Sequence[int], offset: int = 0) -> Outcome:
    """The first argument, looked at in another way."""
    return views([(new(shape, value, stride=tuple(stride)), offset)], single=True)


def views(parts: Sequence[tuple[TensorSpec, int]], single: bool = False) -> Outcome:
    """Views of the first argument, each with its offset in it."""
    specs = tuple(spec for spec, _ in parts)
    return Outcome(specs[0] if single else specs, aliases=tuple([Alias(0, offset) for _, offset in parts]))


def named(rules: Mapping[str, Rule]) -> dict[Any, Rule]:
    """Rules by the name that a function of torch and a method share: under the name and under the function."""
    return {**rules, **{getattr(torch, name): rule for name, rule in rules.items()}}


def each(value: Any, count: int) -> Sizes:
    """A setting by dimension: one number stands for all."""
    if type(value) is int:
        return (value,) * count
    sizes = integers(value)
    sure(len(sizes) in (1, count))
    return sizes * (count if len(sizes) == 1 else 1)


def integers(value: Any) -> Sizes:
    """A sequence of integers."""
    sure(type(value) in (tuple, list, torch.Size) and all(type(item) is int for item in value))
    return tuple(value)


def unpacked(values: tuple[Any, ...]) -> Sizes:
    """Integers given one by one or as one sequence."""
    sure(values)
    return integers(values[0] if len(values) == 1 and type(values[0]) is not int else values)


def dimension(dim: Any, rank: int) -> int:
    """A dimension counted from the front."""
    sure(type(dim) is int and -rank <= dim < rank)
    return int(dim) % rank


def dimensions(dims: Any, rank: int) -> Sizes:
    """Distinct dimensions counted from the front, given as a number or a sequence."""
    found = tuple([dimension(dim, rank) for dim in (integers(dims) if type(dims) is not int else (dims,))])
    sure(len(set(found)) == len(found))
    return found


def broadcast(*shapes: Sizes) -> Sizes:
    """The shape that elementwise operations bring their operands to.

    >>> broadcast((3, 1), (2, 1, 4))
    (2, 3, 4)
    """
    rank = max(map(len, shapes))
    result = []
    for dim in range(-rank, 0):
        sizes = {shape[dim] for shape in shapes if -dim <= len(shape)} - {1}
        sure(len(sizes) < 2)
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def numel(shape: Sequence[int]) -> int:
    """Number of elements."""
    return math.prod(shape)


def dtype_of(value: Any) -> str:
    """The name of a dtype given as an argument."""
    sure(type(value) is torch.dtype)
    name = dtype_name(value)
    sure(name in KNOWN)
    return name


def default_dtype() -> str:
    """The dtype of floating-point numbers."""
    return dtype_name(torch.get_default_dtype())
