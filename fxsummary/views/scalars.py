"""Hide what is not a tensor: sizes, integer arithmetic, asserts, and the taking apart of tuples."""

from __future__ import annotations

from typing import Any

from fxsummary.modelgraph import ModelGraph
from fxsummary.spec import TensorSpec, leaves

_SCALAR_LABELS = frozenset({"size", "dim", "numel", "len", "_assert", "is_floating_point", "get_device"})
"""Calls that give no tensor, where their result is not known."""


def hide_scalars(graph: ModelGraph) -> ModelGraph:
    """The graph without operations that yield no tensor, and without ``getitem`` on tuples of tensors.

    What read such a ``getitem`` reads the operation that yields the tuple. Nothing hidden has a cost.
    """
    hidden: set[str] = set()
    source_of: dict[str, str] = {}
    for key, data in graph.nodes(data=True):
        if type(data["outputs"]) is not TensorSpec and _is_scalar(graph, key, data, hidden):
            hidden.add(key)
        elif data["label"] == "getitem" and _takes_apart(graph, key, data):
            hidden.add(key)
            (source,) = graph.pred[key]
            source_of[key] = source_of.get(source, source)
    if not hidden:
        return graph
    shown = graph.__class__()
    shown.graph.update(graph.graph)
    shown.fill(((key, dict(data)) for key, data in graph.nodes(data=True) if key not in hidden), ())
    for source, target, data in graph.edges(data=True):
        start = source_of.get(source, source)
        if start not in hidden and target not in hidden:
            add_slots(shown, start, target, data)
    return shown


def add_slots(graph: ModelGraph, source: str, target: str, data: dict[str, Any]) -> None:
    """Add an edge between two nodes, or its slots to the edge that is there already."""
    known = graph.sources(target).get(source)
    if known is None:
        graph.fill((), [(source, target, dict(data))])
    else:
        known["slots"] = tuple(sorted({*known["slots"], *data["slots"]}))


def _is_scalar(graph: ModelGraph, key: str, data: dict[str, Any], hidden: set[str]) -> bool:
    outputs = data["outputs"]
    if data["op"] not in ("call_function", "call_method") or data["flops"]:
        return False
    if outputs is not None:
        return next(leaves(outputs), None) is None
    if data["label"] in _SCALAR_LABELS:
        return True
    if data["target"].endswith("getattr"):
        return data["label"] not in ("T", "mT", "H", "mH", "data", "real", "imag")
    sources = graph.sources(key)
    return bool(sources) and all(source in hidden for source in sources)


def _takes_apart(graph: ModelGraph, key: str, data: dict[str, Any]) -> bool:
    if data["op"] != "call_function" or len(graph.pred[key]) != 1:
        return False
    (source,) = graph.pred[key]
    outputs = graph.nodes[source]["outputs"]
    return outputs is not None and not isinstance(outputs, TensorSpec)
