"""Convert live values to plain ones: text, tuples, lists, dicts and specs."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import torch
from torch import fx

from fxsummary.capture.structures import UNKNOWN
from fxsummary.capture.torch_internals import fx_name
from fxsummary.graph.spec import TensorSpec


def arguments(node: fx.Node) -> str:
    """Format the arguments, with ``%`` for values of other nodes.

    The text always says whether dropout is active, even by default.
    """
    told = {**given(node), **{key: node.kwargs[key] for key in ("training",) if key in node.kwargs}}
    parts = [_text(arg) for arg in node.args]
    parts += [f"{key}={_text(value)}" for key, value in node.kwargs.items() if key in told]
    return ", ".join(parts)


def given(node: fx.Node) -> dict[str, fx.node.Argument]:
    """Return the arguments by name, without private ones and defaults."""
    if not node.kwargs:
        return {}
    defaults = _defaults(node.target)
    return {
        name: value
        for name, value in node.kwargs.items()
        if not (name.startswith("_") or (name in defaults and _is_same(value, defaults[name])))
    }


@functools.cache
def _defaults(target: fx.node.Target) -> dict[str, object]:
    """Return the defaults of a Python function or method; for a boolean dispatch, those of the usual branch."""
    function = getattr(torch.Tensor, target, None) if isinstance(target, str) else target
    if isinstance(function, FunctionType) and function.__closure__:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))
        function = cells["if_false"].cell_contents if "if_false" in cells else function
    try:
        parameters = inspect.signature(function).parameters if isinstance(function, FunctionType) else {}
    except ValueError:
        return {}
    return {name: each.default for name, each in parameters.items() if each.default is not each.empty}


def _is_same(value: object, default: object) -> bool:
    return type(value) is type(default) and bool(value == default)


def _text(value: object) -> str:
    if isinstance(value, fx.Node):
        return "%"
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_repr(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, slice):
        return f"slice({_text(value.start)}, {_text(value.stop)}, {_text(value.step)})"
    return _repr(value)


def _repr(value: object) -> str:
    """Return the repr without addresses, so that the same model gives the same text."""
    if isinstance(value, str):
        return repr(value).replace("%", "%%")
    if isinstance(value, _WITH_REPR):
        return repr(value)
    return getattr(value, "__qualname__", f"<{type(value).__name__}>")


_OF_TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size)
_WITH_REPR = (int, float, complex, type(None), type(Ellipsis), *_OF_TORCH)


def qualified_name(target: Callable[..., object]) -> str:
    try:
        return fx_name(target).removeprefix("_").replace("torch._C._nn.", "torch.nn.functional.")
    except Exception:  # a callable without a module or a name
        return getattr(target, "__qualname__", type(target).__name__)


_PLAIN = frozenset({bool, int, float, str, type(None), TensorSpec})


def plain(value: object) -> Any:
    """Convert a value to tuples, lists, dicts, specs, numbers and strings; None for unknown values."""
    if value is UNKNOWN:
        return None
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (int, float)):  # an enum or NumPy scalar
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    return str(value) if isinstance(value, (torch.dtype, torch.device)) else f"<{type(value).__name__}>"
