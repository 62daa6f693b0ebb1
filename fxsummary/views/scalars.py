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
        if _is_scalar(graph, key, data, hidden):
            hidden.add(key)
        elif _takes_apart(graph, key, data):
            hidden.add(key)
            (source,) = graph.pred[key]
            source_of[key] = source_of.get(source, source)
    if not hidden:
        return graph
    shown = graph.__class__()
    shown.graph.update(graph.graph)
    shown.add_nodes_from((key, dict(data)) for key, data in graph.nodes(data=True) if key not in hidden)
    for source, target, data in graph.edges(data=True):
        start = source_of.get(source, source)
        if start in shown and target in shown:
            add_slots(shown, start, target, data)
    return shown


def add_slots(graph: ModelGraph, source: str, target: str, data: dict[str, Any]) -> None:
    """Add an edge, or its slots to the edge that is there already."""
    if graph.has_edge(source, target):
        known = graph.edges[source, target]
        known["slots"] = tuple(sorted({*known["slots"], *data["slots"]}))
    else:
        graph.add_edge(source, target, **data)


def _is_scalar(graph: ModelGraph, key: str, data: dict[str, Any], hidden: set[str]) -> bool:
    if data["op"] not in ("call_function", "call_method") or data["flops"]:
        return False
    if data["outputs"] is not None:
        return next(leaves(data["outputs"]), None) is None
    if data["label"] in _SCALAR_LABELS:
        return True
    if data["label"] == "getattr":
        return not data["arguments"].endswith(("'T'", "'mT'", "'H'", "'data'", "'real'", "'imag'"))
    return bool(graph.pred[key]) and all(source in hidden for source in graph.pred[key])


def _takes_apart(graph: ModelGraph, key: str, data: dict[str, Any]) -> bool:
    if data["label"] != "getitem" or data["op"] != "call_function" or len(graph.pred[key]) != 1:
        return False
    (source,) = graph.pred[key]
    outputs = graph.nodes[source]["outputs"]
    return outputs is not None and not isinstance(outputs, TensorSpec)
