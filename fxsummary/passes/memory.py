"""Bytes of what each operation yields."""

from __future__ import annotations

from fxsummary.modelgraph import ModelGraph
from fxsummary.spec import nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes`; the output node only hands on, so it has none of its own."""
    for _, data in graph.nodes(data=True):
        data["output_bytes"] = 0 if data["op"] == "output" else nbytes(data["outputs"])
