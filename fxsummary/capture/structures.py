"""Values on their way through a graph: specs for tensors, literals, and what is not known."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import fx

from fxsummary.capture import source
from fxsummary.capture.literals import ATOMS
from fxsummary.capture.operations.twins import META
from fxsummary.graph.spec import TensorSpec, map_structure


class _Unknown:
    def __repr__(self) -> str:
        return "?"


NESTED = "nested tensors are not supported: pad them"
"""Why a recording stops at one."""

UNKNOWN = _Unknown()
"""The value of a node that could not be computed."""


def map_values(function: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` that enters dataclasses too."""

    def enter(value: Any) -> Any:
        if not dataclasses.is_dataclass(value) or isinstance(value, (type, TensorSpec)):
            return function(value)
        mapped = copy.copy(value)
        for each in dataclasses.fields(value):
            object.__setattr__(mapped, each.name, map_values(function, getattr(value, each.name)))
        return mapped

    return map_structure(enter, structure)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in nested tuples, lists, dicts, slices and dataclasses, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif type(value) is slice:
        yield from tensors_in((value.start, value.stop, value.step))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            yield from tensors_in(getattr(value, each.name, None))


def is_plain(value: Any) -> bool:
    """Whether a result is made of tensors, literals, tuples, lists and dicts only, so that specs can stand for it."""
    kind = type(value)
    if isinstance(value, torch.Tensor):
        return True
    if isinstance(value, tuple):
        is_known = kind is tuple or hasattr(value, "_fields") or kind.__module__ == "torch.return_types"
        return kind is torch.Size or (is_known and all(map(is_plain, value)))
    if kind is list:
        return all(map(is_plain, value))
    if kind is dict:
        return all(map(is_plain, value.values()))
    return isinstance(value, _LITERALS)


def load(argument: Any, values: Mapping[fx.Node, Any]) -> Any:
    """An argument of a node with the values of other nodes in it, its collections as plain ones."""
    return map_structure(lambda item: values[item] if isinstance(item, fx.Node) else item, argument)


MAX_DEPTH = 8


def structure_of(result: Any, depth: int = 0) -> Any:
    """What forward returned as tuples, lists, dicts, tensors and literals; of other objects what holds tensors."""
    if result is None or isinstance(result, (torch.Tensor, *_LITERALS)):
        return result
    if depth > MAX_DEPTH:
        return f"<{type(result).__name__}>"
    if isinstance(result, Mapping):
        return {str(key): structure_of(item, depth + 1) for key, item in result.items()}
    if isinstance(result, list):
        return [structure_of(item, depth + 1) for item in result]
    if isinstance(result, tuple):
        return tuple([structure_of(item, depth + 1) for item in result])
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        named = {each.name: getattr(result, each.name, None) for each in dataclasses.fields(result)}
        return {name: structure_of(item, depth + 1) for name, item in named.items()}
    if hasattr(result, "__dict__") and not isinstance(result, (type, torch.nn.Module)) and not callable(result):
        items = {name: structure_of(item, depth + 1) for name, item in vars(result).items()}
        return {name: item for name, item in items.items() if any(True for _ in tensors_in(item))}
    return f"<{type(result).__name__}>"


def values_of(result: Any, value: Callable[[Any], Any], depth: int = 0) -> Any:
    """What a module returned as tuples, lists and dicts of what ``value`` makes of all else.

    Other than in `structure_of` other objects are left closed: a cache that goes from layer to layer is no result.
    """
    if isinstance(result, Mapping) and depth < MAX_DEPTH:
        return {str(key): values_of(item, value, depth + 1) for key, item in result.items()}
    if isinstance(result, (list, tuple)) and depth < MAX_DEPTH:
        return tuple([values_of(item, value, depth + 1) for item in result])
    if dataclasses.is_dataclass(result) and not isinstance(result, type) and depth < MAX_DEPTH:
        named = {each.name: getattr(result, each.name, None) for each in dataclasses.fields(result)}
        return {name: values_of(item, value, depth + 1) for name, item in named.items()}
    return value(result)


_LITERALS = tuple(ATOMS - {torch.Size})


def listed(result: Any) -> Any:
    """What forward returned; of a generator all that it yields."""
    return list(result) if isinstance(result, Iterator) else result


def has_unknown(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(has_unknown(item) for item in value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if type(value) is slice:
        return has_unknown((value.start, value.stop, value.step))
    return value is UNKNOWN


def has_spec(value: Any, wanted: Callable[[TensorSpec], bool] = lambda spec: True) -> bool:
    if isinstance(value, (tuple, list)):
        return any(has_spec(item, wanted) for item in value)
    if isinstance(value, dict):
        return any(has_spec(item, wanted) for item in value.values())
    return type(value) is TensorSpec and wanted(value)


def is_sparse(spec: TensorSpec) -> bool:
    return spec.stride is None


TO_DEVICE = frozenset({"cpu", "cuda"})


def on_meta(target: Any, args: Any, kwargs: Any, device: torch.device = META) -> tuple[Any, Any]:
    """Whatever device a call asks for, it gets meta (or ``device``), and what needs another is left out."""
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": device}
    if "generator" in kwargs or "pin_memory" in kwargs:
        kwargs = {name: value for name, value in kwargs.items() if name not in ("generator", "pin_memory")}
    if target == "to":
        args = tuple([device if index and _is_device(arg) else arg for index, arg in enumerate(args)])
    elif isinstance(target, str) and target in TO_DEVICE:
        args, kwargs = args[:1], {}
    return args, kwargs


def _is_device(value: Any) -> bool:
    return isinstance(value, (torch.device, str))


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
