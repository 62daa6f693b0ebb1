"""Graphs of zoo models, made once per process, and how tests look at them."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode

import fxsummary
from fxsummary import ModelGraph, TensorSpec
from fxsummary.support.registry import EXPORTERS
from zoo import ZOO, Entry, Example

AVAILABLE = {name: exporter for name, exporter in EXPORTERS.items() if not exporter.missing()}
"""The exporters whose packages are installed."""
MAGIC = {".png": b"\x89PNG", ".pdf": b"%PDF-"}
"""First bytes of the forms that are not text."""


@cache
def graph_of(name: str) -> ModelGraph:
    """The graph of a zoo model with its example inputs; do not change it."""
    entry = ZOO[name]
    return graph_with(entry.model(), entry.inputs())


def graph_with(model: nn.Module, example: Example, **options: Any) -> ModelGraph:
    """The graph of a model with an example."""
    return fxsummary.graph(model, *example.args, kwargs=example.kwargs or None, **options)


def meta_model(entry: Entry) -> nn.Module:
    """The zoo model, made on the meta device."""
    with torch.device("meta"):
        return entry.model()


def meta_inputs(entry: Entry) -> Example:
    """The example inputs on the meta device."""
    example = entry.inputs()
    args, kwargs = tree_map(
        lambda value: value.to("meta") if isinstance(value, torch.Tensor) else value,
        (example.args, dict(example.kwargs)),
    )
    return Example(args, kwargs)


@dataclass(frozen=True)
class Forward:
    """What one forward did.

    Attributes:
        result: what it returned, by `shapes_of`.
        flops: by torch's own counter, which is right on the meta device, apart from the holes in `Entry.flops`.
        calls: the modules in the order of their calls.
    """

    result: Any
    flops: int
    calls: tuple[str, ...]


@cache
def run_on_meta(name: str) -> Forward:
    """A forward of a zoo model on the meta device, where attention is not fused, because torch cannot count that."""
    entry = ZOO[name]
    model, example = meta_model(entry), meta_inputs(entry)
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with noted_calls(model) as calls, FlopCounterMode(display=False) as counter, torch.device("meta"):
            result = model(*example.args, **example.kwargs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
    return Forward(shapes_of(result), counter.get_total_flops(), tuple(calls))


@contextmanager
def noted_calls(model: nn.Module) -> Iterator[list[str]]:
    """Note the paths of the modules that are called, in order."""
    calls: list[str] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, args, path=path: calls.append(path))
        for path, module in model.named_modules()
        if not isinstance(module, torch.jit.ScriptModule)  # it takes no hooks
    ]
    yield calls
    for hook in hooks:
        hook.remove()


def shapes_of(value: Any) -> Any:
    """A forward's result, or a structure of specs, with (shape, dtype) for each tensor; dataclasses as dicts."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), str(value.dtype).removeprefix("torch.")
    if isinstance(value, TensorSpec):
        return value.shape, value.dtype
    if isinstance(value, Mapping):
        return {key: shapes_of(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {each.name: shapes_of(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [shapes_of(item) for item in value]
    return value


def contents(graph: ModelGraph) -> str:
    """All that a graph holds, in order."""
    return repr((list(graph.nodes(data=True)), list(graph.edges(data=True)), graph.graph))


def display_width(text: str) -> int:
    """Columns of a terminal: two for wide characters, none for marks."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def unprintable(text: str) -> Iterator[str]:
    """Characters that would control a terminal or turn the direction of its text."""
    for char in text:
        if (unicodedata.category(char) in ("Cc", "Cs") and char != "\n") or unicodedata.bidirectional(char) in _TURNS:
            yield char


_TURNS = frozenset({"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"})
