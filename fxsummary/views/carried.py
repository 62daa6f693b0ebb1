"""Find the values that a folded step reads from the step before it, between the operations that a view shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import Repeat
from fxsummary.views.scalars import take


class Carried(NamedTuple):
    """A value that each step makes for the next one: the nodes that make and read it, and its spec."""

    source: str
    reader: str
    outputs: Any


def carried_values(graph: ModelGraph, whole: ModelGraph) -> Iterator[Carried]:
    """Yield the values that the steps in a view of ``whole`` carry, each once, unless a closed module hides them."""
    runs: dict[Any, Repeat] = graph.graph.get("repeats", {})
    steps = {name: run for name, run in runs.items() if run.unit == "steps"}
    if not steps:
        return
    homes = _Homes(graph, whole)
    for name, run in steps.items():
        found = {}
        for (reader, _), (source, part) in run.carried.items():
            start, end = homes.of(source), homes.of(reader)
            if start and end and homes.is_inside(start, name) and homes.is_inside(end, name):
                found[start, end, source, part] = Carried(start, end, take(whole.nodes[source]["outputs"], part))
        yield from found.values()


class _Homes:
    """The nodes of a view that show the operations of the whole graph."""

    def __init__(self, graph: ModelGraph, whole: ModelGraph) -> None:
        self.graph, self.whole = graph, whole
        self.absorbed = {each: key for key, data in graph.nodes(data=True) for each in data.get("absorbed", ())}
        self.closed = {data["module_stack"][-1]: key for key, data in graph.nodes(data=True)
                       if data.get("closed") and data["module_stack"]}  # fmt: skip

    def of(self, key: str) -> str:
        """Return the node that shows an operation; "" if none does."""
        if key not in self.whole:
            return ""
        if key in self.graph or key in self.absorbed:
            return self.absorbed.get(key, key)
        return next((self.closed[call] for call in self.whole.nodes[key]["module_stack"] if call in self.closed), "")

    def is_inside(self, node: str, run: Any) -> bool:
        """Return whether a node is a run of steps, or in its block."""
        return node == run or run in self.graph.nodes[node]["module_stack"]
