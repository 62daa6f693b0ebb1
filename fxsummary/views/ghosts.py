"""Mark what a forward pass does not need, so that a picture draws it as a ghost: operations that nothing reads.

Modules that forward never calls are rows of `fxsummary.views.unread`.
"""

from __future__ import annotations

from collections.abc import Iterable

from fxsummary.errors import InputError
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import writes
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.blocks import UNREAD
from fxsummary.views.unread import with_unread


def with_ghosts(graph: ModelGraph) -> ModelGraph:
    """Return a copy of a graph in which ghosts are marked, with a row for each module that forward never calls.

    Raises:
        InputError: the graph is a comparison.
    """
    if graph.comparison is not None:
        raise InputError("a comparison has no ghosts: leave out ghosts=True, or draw one of its two models.")
    ghosts, shown = dead(graph), with_unread(graph, ghosts=True)
    nodes = ((key, {**data, "ghost": True} if key in ghosts else data.copy()) for key, data in shown.nodes(data=True))
    return shown.derived(nodes, ((source, target, edge.copy()) for source, target, edge in shown.links()))


def are_ghosts(nodes: Iterable[NodeData]) -> bool:
    """Return whether all operations of a module are ghosts; its rows of parameters do not count."""
    operations = [data for data in nodes if data["op"] != UNREAD]
    return bool(operations) and all(data.get("ghost") for data in operations)


def dead(graph: ModelGraph) -> set[str]:
    """Return the operations whose results nothing reads, or only other such operations; in-place writes are not.

    A graph without dataflow, or without an output, has none.
    """
    found: set[str] = set()
    if graph.captured_by == "modules" or not any(op == "output" for _, op in graph.nodes(data="op")):
        return found
    for key in reversed(list(graph)):
        data = graph.nodes[key]
        has_effect = data["op"] in ("output", "placeholder") or writes(data["label"])
        if not has_effect and found.issuperset(graph.readers(key)):
            found.add(key)
    return found
