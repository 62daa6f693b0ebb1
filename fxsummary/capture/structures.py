"""Values in a graph: nested structures of specs, tensors, literals and unknown values."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import fx

from fxsummary.capture import source
from fxsummary.capture.operations.twins import META
from fxsummary.graph.spec import TensorSpec, map_structure

Args = tuple[Any, ...]
"""The positional arguments of a call."""

Kwargs = dict[str, Any]
"""The keyword arguments of a call."""

NUMBERS: frozenset[type] = frozenset({bool, int, float, complex})
"""Types of numbers; ``True``, ``1`` and ``1.0`` are equal in Python but different to torch."""

ATOMS: frozenset[type] = NUMBERS | {
    str, type(None), type(Ellipsis), torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
}  # fmt: skip
"""Types of literals: immutable and without tensors."""

_LITERALS = tuple(ATOMS - {torch.Size})
_SINGLE = frozenset({*_LITERALS, TensorSpec, torch.Tensor, torch.nn.Parameter, fx.Node})
"""Common types of values that contain no others."""


class _Unknown:
    def __repr__(self) -> str:
        return "?"


NESTED = "nested tensors are not supported: pad them"
"""Reason why a recording stops at a nested tensor."""

UNKNOWN = _Unknown()
"""The value of a node that could not be computed."""


# --- walks -----------------------------------------------------------------------------------------


def is_record(value: object) -> bool:
    """Whether a value is a dataclass instance other than a spec, which counts as one value."""
    return dataclasses.is_dataclass(value) and not isinstance(value, (type, TensorSpec))


def fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass instance by name."""
    return {each.name: getattr(record, each.name, None) for each in dataclasses.fields(record)}


def walk(value: object) -> Iterator[object]:
    """Yield the values nested in tuples, lists, dicts, slices and dataclasses, in order."""
    items: Iterable[object] = ()
    if type(value) in _SINGLE:
        yield value
    elif isinstance(value, (tuple, list)):
        items = value
    elif isinstance(value, Mapping):
        items = value.values()
    elif type(value) is slice:
        items = (value.start, value.stop, value.step)
    elif not isinstance(value, torch.Tensor) and is_record(value):
        items = fields_of(value).values()
    else:
        yield value
    for item in items:
        if type(item) in _SINGLE:
            yield item
        else:
            yield from walk(item)


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """Return the tensors in nested values, in order."""
    return (each for each in walk(value) if isinstance(each, torch.Tensor))


def has_unknown(value: object) -> bool:
    """Whether a nested value contains an unknown value."""
    return any(each is UNKNOWN for each in walk(value))


def map_values(function: Callable[[Any], object], structure: object) -> Any:
    """Map a function over nested values as `map_structure` does, but also enter dataclasses."""

    def enter(value: object) -> object:
        if not is_record(value):
            return function(value)
        mapped = copy.copy(value)
        for name, item in fields_of(value).items():
            object.__setattr__(mapped, name, map_values(function, item))
        return mapped

    return map_structure(enter, structure)


def load(argument: object, values: Mapping[fx.Node, object]) -> Any:
    """Return a node's argument with nodes replaced by their values and torch.fx collections by plain ones."""
    return map_structure(lambda item: values[item] if isinstance(item, fx.Node) else item, argument)


def is_plain(value: Any) -> bool:
    """Whether a result contains only tensors, literals, tuples, lists and dicts, so that specs can describe it."""
    kind = type(value)
    if isinstance(value, torch.Tensor):
        return True
    if isinstance(value, tuple):
        is_known = kind is tuple or hasattr(value, "_fields") or kind.__module__ == "torch.return_types"
        return kind is torch.Size or (is_known and all(map(is_plain, value)))
    if kind is list or kind is dict:
        return all(map(is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, _LITERALS)


# --- results ---------------------------------------------------------------------------------------

MAX_DEPTH = 8


def values_of(result: object, value: Callable[[Any, int], object], depth: int = 0) -> Any:
    """Convert a module's result to tuples, lists and dicts, and map ``value`` over the other values.

    ``value`` is called with a value and its depth. Unlike `structure_of`, this does not open objects, because a cache
    that is passed from layer to layer is not a result.
    """
    if depth > MAX_DEPTH or isinstance(result, torch.Tensor):
        return value(result, depth)
    named = fields_of(result) if is_record(result) else result
    if isinstance(named, Mapping):
        return {str(key): values_of(item, value, depth + 1) for key, item in named.items()}
    if isinstance(named, (list, tuple)):
        items = [values_of(item, value, depth + 1) for item in named]
        return items if isinstance(named, list) else tuple(items)
    return value(result, depth)


def structure_of(result: object) -> Any:
    """Convert a result of forward to tuples, lists, dicts, tensors and literals.

    Other objects become dicts of the attributes that contain tensors.
    """
    return values_of(result, _opened)


def _opened(value: object, depth: int) -> object:
    if isinstance(value, (torch.Tensor, *_LITERALS)):
        return value
    is_object = hasattr(value, "__dict__") and not isinstance(value, (type, torch.nn.Module)) and not callable(value)
    if depth > MAX_DEPTH or not is_object:
        return f"<{type(value).__name__}>"
    items = {name: values_of(item, _opened, depth + 1) for name, item in vars(value).items()}
    return {name: item for name, item in items.items() if any(True for _ in tensors_in(item))}


def listed(result: object) -> Any:
    """Return a result of forward; a generator becomes the list of all that it yields."""
    return list(result) if isinstance(result, Iterator) else result


# --- the meta device -------------------------------------------------------------------------------

TO_DEVICE = frozenset({"cpu", "cuda"})


def on_meta(target: object, args: Args, kwargs: Kwargs, device: torch.device = META) -> tuple[Args, Kwargs]:
    """Return the arguments of a call on meta (or ``device``), without arguments that need a real device."""
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": device}
    if "generator" in kwargs or "pin_memory" in kwargs:
        kwargs = {name: value for name, value in kwargs.items() if name not in ("generator", "pin_memory")}
    if target == "to":
        args = (args[0], *[device if isinstance(arg, (torch.device, str)) else arg for arg in args[1:]])
    elif isinstance(target, str) and target in TO_DEVICE:
        args, kwargs = args[:1], {}
    return args, kwargs


_LIMITS = re.compile(
    r"\bmeta\b|'Meta'|\bMeta tensor|data-dependent|has no data|no data!|data is not allocated|Could not run 'aten::"
    r"|no fake impl",
    re.IGNORECASE,
)


def is_limit_of_meta(error: BaseException) -> bool:
    """Whether an operation failed only because its tensors hold no data."""
    if _LIMITS.search(str(error)) or isinstance(error, RecursionError):
        return True
    return isinstance(error, NotImplementedError) and not source.raised_by_user(error)
