"""The kind of each operation, determined by its label."""

from __future__ import annotations

from fxsummary.graph.labels import kind_of
from fxsummary.graph.modelgraph import ModelGraph


def annotate(graph: ModelGraph) -> None:
    """Set `kind` on every node."""
    for _, data in graph.nodes(data=True):
        data["kind"] = "reshape" if data["target"].endswith(".getattr") else kind_of(data["op"], data["label"])
