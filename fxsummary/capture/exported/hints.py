"""Values of exported nodes as specs, with the example's size where a dimension is symbolic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import fx

from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.structures import UNKNOWN
from fxsummary.graph.spec import TensorSpec, map_structure

VALUE, COST, ENTRIES = "fxsummary_value", "fxsummary_cost", "fxsummary_entries"
"""Keys in ``node.meta`` of a flat graph: specs and literals of a node, its FLOPs, and its module stack."""

_SYMBOLIC = (torch.SymInt, torch.SymFloat, torch.SymBool)
_MANY = 2**31


def value_of(value: Any) -> Any:
    """A value as specs and literals; `UNKNOWN` for one whose size depends on data."""
    if isinstance(value, torch.Tensor):
        shape = [_hint(size) for size in value.shape]
        stride = [_hint(step) for step in value.stride()] if value.layout is torch.strided else None
        if None in shape or (stride is not None and None in stride):
            return UNKNOWN
        steps = None if stride is None else tuple(stride)
        return TensorSpec(tuple(shape), dtype_name(value.dtype), steps, str(value.device))
    if isinstance(value, _SYMBOLIC):
        hint = _hint(value)
        return UNKNOWN if hint is None else hint
    if isinstance(value, (tuple, list)):
        return tuple([value_of(item) for item in value])  # a list in memory may be a tuple in a file
    if isinstance(value, Mapping):
        return {key: value_of(item) for key, item in value.items()}
    return value


def _hint(value: Any) -> Any:
    if not isinstance(value, _SYMBOLIC):
        return value
    return value.node.hint if value.node.has_hint() else None


def with_values(argument: object) -> Any:
    """An argument of a node of a flat graph, with the values of other nodes in it."""
    return map_structure(lambda item: item.meta[VALUE] if isinstance(item, fx.Node) else item, argument)


def dynamic_dimensions(inputs: Iterable[tuple[str, object]], ranges: Mapping[Any, Any]) -> str:
    """A sentence that names the dimensions of the inputs that are symbolic; "" where there are none.

    Args:
        inputs: name and value of each input.
        ranges: what sizes are allowed, by symbol.
    """
    places: dict[str, list[str]] = {}
    sizes: dict[str, torch.SymInt] = {}
    for name, value in inputs:
        dimensions = enumerate(value.shape) if isinstance(value, torch.Tensor) else ()
        for place, size in [(name, value), *[(f"dimension {i} of {name}", size) for i, size in dimensions]]:
            if isinstance(size, torch.SymInt):
                places.setdefault(str(size), []).append(place)
                sizes[str(size)] = size
    if not places:
        return ""
    parts = [f"{', '.join(places[key])} ({_size_text(size, ranges)})" for key, size in sizes.items()]
    return f"dynamic dimensions are shown with the size of the example: {'; '.join(parts)}"


def _size_text(size: torch.SymInt, ranges: Mapping[Any, Any]) -> str:
    hint, allowed = _hint(size), ranges.get(size.node.expr)
    text = "?" if hint is None else str(hint)
    low, high = _bound(getattr(allowed, "lower", None)), _bound(getattr(allowed, "upper", None))
    if high is not None:
        return f"{text}; {low or 0} to {high} allowed"
    return f"{text}; {low} or more allowed" if low else text


def _bound(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError, AttributeError):  # none, or infinity in one of its forms
        return None
    return number if number < _MANY else None
