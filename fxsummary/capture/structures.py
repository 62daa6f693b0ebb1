"""Values on their way through a graph: nested specs, tensors and literals, and what is not known."""

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
"""The arguments of a call by name."""

NUMBERS: frozenset[type] = frozenset({bool, int, float, complex})
"""Types of numbers; ``True``, ``1`` and ``1.0`` are equal in Python and different to torch."""

ATOMS: frozenset[type] = NUMBERS | {
    str, type(None), type(Ellipsis), torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
}  # fmt: skip
"""Types of literals: immutable, without tensors, and the same wherever they occur."""

_LITERALS = tuple(ATOMS - {torch.Size})


class _Unknown:
    def __repr__(self) -> str:
        return "?"


NESTED = "nested tensors are not supported: pad them"
"""Why a recording stops at one."""

UNKNOWN = _Unknown()
"""The value of a node that could not be computed."""


# --- walks -----------------------------------------------------------------------------------------


def items_of(value: object) -> Iterable[object] | None:
    """What is directly inside a tuple, list, dict, slice or dataclass; None for anything else."""
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, Mapping):
        return value.values()
    if type(value) is slice:
        return (value.start, value.stop, value.step)
    if is_record(value):
        return fields_of(value).values()
    return None


def is_record(value: object) -> bool:
    """Whether a value is an instance of a dataclass that holds further values; a spec is one value."""
    return dataclasses.is_dataclass(value) and not isinstance(value, (type, TensorSpec))


def fields_of(record: Any) -> dict[str, Any]:
    """The fields of a dataclass by name."""
    return {each.name: getattr(record, each.name, None) for each in dataclasses.fields(record)}


def walk(value: object) -> Iterator[object]:
    """Everything that is nested in a value, in order; the value itself if nothing is."""
    items = None if isinstance(value, torch.Tensor) else items_of(value)
    if items is None:
        yield value
    else:
        for item in items:
            yield from walk(item)


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """The tensors in nested values, in order."""
    return (each for each in walk(value) if isinstance(each, torch.Tensor))


def has_unknown(value: object) -> bool:
    """Whether something in a nested value is not known."""
    return any(each is UNKNOWN for each in walk(value))


def map_values(function: Callable[[Any], object], structure: object) -> Any:
    """`map_structure` that enters dataclasses too."""

    def enter(value: object) -> object:
        if not is_record(value):
            return function(value)
        mapped = copy.copy(value)
        for name, item in fields_of(value).items():
            object.__setattr__(mapped, name, map_values(function, item))
        return mapped

    return map_structure(enter, structure)


def load(argument: object, values: Mapping[fx.Node, object]) -> Any:
    """An argument of a node with the values of other nodes in it, its collections as plain ones."""
    return map_structure(lambda item: values[item] if isinstance(item, fx.Node) else item, argument)


def is_plain(value: object) -> bool:
    """Whether a result is made of tensors, literals, tuples, lists and dicts only, so that specs can stand for it."""
    kind = type(value)
    if isinstance(value, torch.Tensor):
        return True
    if isinstance(value, tuple):
        is_known = kind is tuple or hasattr(value, "_fields") or kind.__module__ == "torch.return_types"
        return kind is torch.Size or (is_known and all(map(is_plain, value)))
    if kind is list or kind is dict:
        return all(map(is_plain, items_of(value) or ()))
    return isinstance(value, _LITERALS)


# --- results ---------------------------------------------------------------------------------------

MAX_DEPTH = 8


def values_of(result: object, value: Callable[[Any, int], object], depth: int = 0) -> Any:
    """What a module returned as tuples, lists and dicts of what ``value`` makes of all else, by its depth.

    Objects are left closed, other than in `structure_of`: a cache that goes from layer to layer is no result.
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
    """What forward returned as tuples, lists, dicts, tensors and literals; of other objects what holds tensors."""
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
    """What forward returned; of a generator all that it yields."""
    return list(result) if isinstance(result, Iterator) else result


# --- the meta device -------------------------------------------------------------------------------

TO_DEVICE = frozenset({"cpu", "cuda"})


def on_meta(target: object, args: Args, kwargs: Kwargs, device: torch.device = META) -> tuple[Args, Kwargs]:
    """Whatever device a call asks for, it gets meta (or ``device``), and what needs another is left out."""
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
    """Whether an operation failed because its tensors hold no data, and not because of what they are."""
    if _LIMITS.search(str(error)) or isinstance(error, RecursionError):
        return True
    return isinstance(error, NotImplementedError) and not source.raised_by_user(error)
