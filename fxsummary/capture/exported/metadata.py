"""Reads the metadata of exported nodes: module stack, source line and value.

Keys in ``nn_module_stack`` contain memory addresses (strict export) or flattened names, and paths may start with the
wrapper that export puts around the model; `stack_of` returns plain paths. Source lines depend only on ``stack_trace``,
so that a file gives the same graph on every machine. Values are specs; a symbolic dimension has the example's size.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.source import is_user_file
from fxsummary.capture.structures import UNKNOWN
from fxsummary.graph.spec import TensorSpec, map_structure

_WRAPPER = re.compile(r"^_export_root(\.|$)")
_PARAMETRIZED = "torch.nn.utils.parametrize.Parametrized"


def stack_of(node: fx.Node) -> dict[str, tuple[str, str]]:
    """Return the module stack of an exported node: path and class of each module, the outermost (the model) first.

    A key is the path, followed by ``@`` and the number of the call if it is not the first.
    """
    found: dict[str, tuple[str, str]] = {}
    for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
        if not key.startswith("_empty_nn_module_stack"):
            plain, call = _WRAPPER.sub("", path), _call_number(key, path)
            found[f"{plain}@{call}" if call else plain] = plain, _type_name(kind)
    return found


def _call_number(key: str, path: str) -> int:
    """Return the number after the last ``@``, unless that is part of the path.

    >>> _call_number("L__self__fc@1", "fc"), _call_number("L__self__fc@1", "fc@1"), _call_number("1397@1", "1")
    (1, 0, 1)
    """
    if path and key.endswith(path) and not key.removesuffix(path).endswith("@"):
        return 0
    _, separator, call = key.rpartition("@")
    return int(call) if separator and call.isdigit() else 0


def _type_name(kind: Any) -> str:
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    if not name.startswith(_PARAMETRIZED):
        return name
    plain = name.removeprefix(_PARAMETRIZED)  # the original class
    found = getattr(nn, plain, None)
    return f"{found.__module__}.{plain}" if isinstance(found, type) else plain


def all_nodes(module: fx.GraphModule) -> Iterator[fx.Node]:
    """Yield the nodes of a graph and its nested graphs, such as the branches of ``torch.cond``."""
    for inner in module.modules():
        if isinstance(inner, fx.GraphModule):
            yield from inner.graph.nodes


_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_PACKAGE = re.compile(r"/(?:site|dist)-packages/(.+)$")
_STANDARD = re.compile(r"/lib/python3[.\d]*/")


def common_folder(nodes: Iterable[fx.Node]) -> str:
    """Return the folder that contains all source files of a program outside of installed packages."""
    texts = {node.stack_trace for node in nodes if node.stack_trace}
    folders = {os.path.dirname(name) for text in texts for name, _ in frames(text) if not _PACKAGE.search(name)}
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:  # a mix of relative and absolute names
        return ""


def source_line(node: fx.Node, folder: str) -> str:
    """Return ``file:line`` of the innermost frame of user code, "" if unknown; relative to its package or a folder."""
    name, number = [("", ""), *frames(node.stack_trace or "")][-1]
    package = _PACKAGE.search(name)
    return name and f"{package[1] if package else name.removeprefix(folder).lstrip('/')}:{number}"


def frames(text: str) -> list[tuple[str, str]]:
    """Return file and line of each frame of user code."""
    found = [(name.replace("\\", "/"), number) for name, number in _FRAME.findall(text) if is_user_file(name)]
    return [frame for frame in found if not _is_library(frame[0])]


def _is_library(name: str) -> bool:
    package = _PACKAGE.search(name)
    return package[1].startswith("torch/") if package else bool(_STANDARD.search(name))


# --- values ----------------------------------------------------------------------------------------

OUTCOME = "fxsummary_outcome"
"""Key in ``node.meta`` of a flat graph."""

_MANY = 2**31
"""A bound of this size or more is none."""


def value_of(value: object) -> Any:
    """Convert a value to specs and literals; `UNKNOWN` if its size depends on data."""
    if isinstance(value, torch.Tensor):
        shape = tuple([_hint(size) for size in value.shape])
        stride = tuple([_hint(step) for step in value.stride()]) if value.layout is torch.strided else None
        is_known = UNKNOWN not in (*shape, *(stride or ()))
        return TensorSpec(shape, dtype_name(value.dtype), stride, str(value.device)) if is_known else UNKNOWN
    if isinstance(value, (tuple, list)):
        return tuple([value_of(item) for item in value])  # a list in memory may be a tuple in a file
    if isinstance(value, Mapping):
        return {key: value_of(item) for key, item in value.items()}
    return _hint(value)


def _hint(value: object) -> Any:
    if not isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return value
    return value.node.hint if value.node.has_hint() else UNKNOWN


def with_values(argument: object) -> Any:
    """Return a node's argument with nodes replaced by their values."""
    return map_structure(lambda item: item.meta[OUTCOME].value if isinstance(item, fx.Node) else item, argument)


def dynamic_dimensions(inputs: Iterable[tuple[str, object]], ranges: Mapping[Any, Any]) -> str:
    """Return a note that names the symbolic dimensions of the inputs; "" if there are none.

    Args:
        inputs: name and value of each input.
        ranges: the allowed sizes by symbol.
    """
    found: dict[str, tuple[torch.SymInt, list[str]]] = {}
    for name, value in inputs:
        dimensions = enumerate(value.shape) if isinstance(value, torch.Tensor) else ()
        for place, size in [(name, value), *[(f"dimension {i} of {name}", size) for i, size in dimensions]]:
            if isinstance(size, torch.SymInt):
                found.setdefault(str(size), (size, []))[1].append(place)
    parts = [f"{', '.join(places)} ({_size_text(size, ranges)})" for size, places in found.values()]
    return f"dynamic dimensions are shown with the size of the example: {'; '.join(parts)}" if parts else ""


def _size_text(size: torch.SymInt, ranges: Mapping[Any, Any]) -> str:
    text, allowed = str(_hint(size)), ranges.get(size.node.expr)
    low, high = (0.0, math.inf) if allowed is None else (float(allowed.lower), float(allowed.upper))
    low = low if low > -math.inf else 0
    if high < _MANY:
        return f"{text}; {low:.0f} to {high:.0f} allowed"
    return f"{text}; {low:.0f} or more allowed" if low else text
