"""The arguments and results of operations that run again."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fxsummary.capture.operations.twins import materialize
from fxsummary.capture.program import Operation
from fxsummary.capture.skeletons import Slot
from fxsummary.capture.structures import ATOMS, UNKNOWN, tensors_in
from fxsummary.graph.spec import TensorSpec, leaves, map_structure


def fill(skeleton: Any, given: Sequence[Any]) -> Any:
    """Return an argument with a value for each `Slot`."""
    kind = type(skeleton)
    if kind is Slot:
        return given[skeleton]
    if kind in ATOMS:
        return skeleton
    if kind is tuple:
        return tuple([fill(item, given) for item in skeleton])
    return map_structure(partial(_filled, given), skeleton)


def _filled(given: Sequence[Any], item: Any) -> Any:
    if type(item) is Slot:
        return given[item]
    return materialize(item) if type(item) is TensorSpec else item


def fits(value: Any, recorded: Any) -> bool:
    """Whether a result has the recorded shapes."""
    if type(recorded) is TensorSpec:
        return isinstance(value, Tensor) and value.shape == recorded.shape
    specs = list(leaves(recorded)) if recorded is not UNKNOWN else []
    return not specs or [each.shape for each in specs] == [tuple(each.shape) for each in tensors_in(value)]


def view_of(operation: Operation, given: Sequence[Any]) -> Tensor | None:
    """Return the recorded view of an argument; None if the result is not one view."""
    alias, spec = operation.aliases[0], operation.value
    if alias is None or alias.offset is None or type(spec) is not TensorSpec or spec.stride is None:
        return None
    tensors = list(tensors_in((fill(operation.args, given), fill(operation.kwargs, given))))
    base = tensors[alias.index]
    return base.as_strided(spec.shape, spec.stride, int(base.storage_offset()) + alias.offset)


def saved_by_mask(operation: Operation, given: list[Any]) -> list[Tensor] | None:
    """Return what an operation saves that selects elements by a mask; None for another operation."""
    tensors = [each for each in given if isinstance(each, Tensor)]
    if operation.target in (torch.masked_select, "masked_select"):
        return tensors
    is_index = operation.target in (operator.getitem, torch.ops.aten.index.Tensor)
    masks = [each for each in tensors[1:] if each.dtype == torch.bool]
    return [each for each in tensors[1:] if not each.is_floating_point()] if is_index and masks else None
