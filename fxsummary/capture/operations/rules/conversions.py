"""Changes of dtype and copies in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import dense, dtype_of, fresh, itself, strides, sure, tensor
from fxsummary.capture.operations.rules.layout import is_contiguous, suggests_channels_last
from fxsummary.graph.spec import TensorSpec


def _converted(spec: TensorSpec, dtype: str, copy: Any = False) -> Outcome:
    sure(type(copy) is bool)
    return itself(spec) if spec.dtype == dtype and not copy else Outcome(dense(spec, dtype))


def _to(
    input: Any,
    *given: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: Any = False,
    copy: Any = False,
    memory_format: Any = torch.preserve_format,
) -> Outcome:
    spec = tensor(input)
    flags = [value for value in given if type(value) is bool]
    others = [value for value in (*given, dtype) if value is not None and type(value) not in (torch.device, str, bool)]
    first = given[: len(given) - len(flags)]
    sure(given[len(first) :] == tuple(flags) and len(flags) <= 2 and len(first) <= 2)
    sure(len(first) < 2 or type(first[0]) in (torch.device, str, type(None)))
    sure(len(others) <= 1 and type(device) in (torch.device, str, type(None)))
    target = spec.dtype if not others else others[0].dtype if type(others[0]) is TensorSpec else dtype_of(others[0])
    copy = flags[1] if len(flags) == 2 else copy
    if memory_format is torch.preserve_format:
        return _converted(spec, target, copy)
    sure(memory_format is torch.contiguous_format and type(copy) is bool)
    if spec.dtype == target and not copy and not suggests_channels_last(spec.shape, strides(spec)):
        return itself(spec)
    return fresh(spec.shape, spec, target)


def _type_as(input: Any, other: Any) -> Outcome:
    return _converted(tensor(input), tensor(other).dtype)


def _type(input: Any, dtype: Any) -> Outcome:
    return _converted(tensor(input), dtype_of(dtype))


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


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {
    **dict.fromkeys(("clone", torch.clone), _clone),
    "to": _to,
    "type": _type,
    "type_as": _type_as,
    "contiguous": _contiguous,
    "float": _convert_to("float32"),
    "half": _convert_to("float16"),
    "bfloat16": _convert_to("bfloat16"),
    "double": _convert_to("float64"),
    "long": _convert_to("int64"),
    "int": _convert_to("int32"),
    "bool": _convert_to("bool"),
}
