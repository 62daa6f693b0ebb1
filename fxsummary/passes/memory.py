"""Bytes of what each operation yields."""

from __future__ import annotations

from fxsummary.modelgraph import ModelGraph
from fxsummary.spec import leaves


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes`; the output node only hands on, so it has none of its own."""
    for _, data in graph.nodes(data=True):
        if data["op"] == "output":
            data["output_bytes"] = 0
        elif data["outputs"] is None:
            data["output_bytes"] = None
        else:
            data["output_bytes"] = sum(spec.nbytes for spec in leaves(data["outputs"]))
