"""Output bytes of each operation."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes` on every node; 0 for the output node, which creates no tensor."""
    for _, data in graph.nodes(data=True):
        data["output_bytes"] = 0 if data["op"] == "output" else nbytes(data["outputs"])
