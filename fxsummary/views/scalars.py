"""Hide operations that do not yield a tensor: sizes, integer arithmetic, asserts, and ``getitem`` on tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fxsummary.graph.attributes import EdgeData, NodeData
from fxsummary.graph.labels import NO_TENSOR, TENSOR_ATTRIBUTES
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import TensorSpec, leaves
from fxsummary.views.costs import is_weightless

Part = tuple[int | str, ...]
"""Path into a value: () for the whole, (1,) for element 1 of a tuple."""


def hide_scalars(graph: ModelGraph) -> ModelGraph:
    """Return the graph without operations that yield no tensor, and without ``getitem`` on tuples of tensors.

    The readers of such a ``getitem`` then read the operation that yields the tuple. Only operations without costs
    are hidden.
    """
    hidden: set[str] = set()
    part_of: dict[str, tuple[str, Part]] = {}
    for key, data in graph.nodes(data=True):
        if type(data["outputs"]) is not TensorSpec and _is_scalar(graph, key, data, hidden):
            hidden.add(key)
        elif data["label"] == "getitem" and _takes_apart(graph, key, data):
            hidden.add(key)
            ((source, edge),) = graph.sources(key).items()
            taken: Part = edge["parts"][0] if edge.get("parts") else (data["arguments"],)
            whole, part = part_of.get(source, (source, ()))
            part_of[key] = whole, part + taken
    if not hidden:
        return graph
    shown = graph.derived((key, data.copy()) for key, data in graph.nodes(data=True) if key not in hidden)
    for source in graph:
        start, part = part_of.get(source, (source, ()))
        if start in hidden:
            continue
        for target, edge in graph.readers(source).items():
            if target not in hidden:
                add_slots(shown, start, target, of_part(edge, part))
    return shown


def reads_of(edge: EdgeData) -> Sequence[tuple[int, Part]]:
    """Return the slots of an edge, each with the part of the value that goes there."""
    slots = edge["slots"]
    return list(zip(slots, edge.get("parts") or ((),) * len(slots), strict=True))


def of_part(edge: EdgeData, part: Part) -> EdgeData:
    """Return the edge from a value to the reader of one of its parts, with paths relative to the whole value."""
    if not part:
        return edge
    return {**edge, "parts": tuple([part + inner for _, inner in reads_of(edge)])}


def take(value: Any, part: Part) -> Any:
    """Return a part of a value; None if the value does not say.

    >>> take((1, {"a": 2}), (1, "a")), take((1, 2), ("1",)), take(None, (0,))
    (2, 2, None)
    """
    for step in part:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, (tuple, list)) and str(step).isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def add_slots(graph: ModelGraph, source: str, target: str, data: EdgeData) -> None:
    """Add an edge between two nodes, or add its slots to the existing edge."""
    known = graph.sources(target).get(source)
    if known is None:
        graph.link(source, target, data.copy())
    else:
        reads = dict([*reads_of(known), *reads_of(data)])
        known["slots"] = tuple(sorted(reads))
        known["parts"] = tuple([reads[slot] for slot in known["slots"]]) if any(reads.values()) else ()


def _is_scalar(graph: ModelGraph, key: str, data: NodeData, hidden: set[str]) -> bool:
    outputs = data["outputs"]
    if data["op"] not in ("call_function", "call_method") or not is_weightless(data):
        return False
    if outputs is not None:
        return next(leaves(outputs), None) is None
    if data["label"] in NO_TENSOR:
        return True
    if data["target"].endswith("getattr"):
        return data["label"] not in TENSOR_ATTRIBUTES
    sources = graph.sources(key)
    return bool(sources) and all(source in hidden for source in sources)


def _takes_apart(graph: ModelGraph, key: str, data: NodeData) -> bool:
    source = graph.only_source(key)
    if data["op"] != "call_function" or not is_weightless(data) or source is None:
        return False
    outputs = graph.nodes[source]["outputs"]
    return outputs is not None and not isinstance(outputs, TensorSpec)
