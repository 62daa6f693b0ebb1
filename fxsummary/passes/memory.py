"""Bytes of what each operation yields."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes`; the output node only hands on, so it has none of its own."""
    known: dict[int, int | None] = {}  # by the identity of what operations that are alike have in common
    for _, data in graph.nodes(data=True):
        outputs = data["outputs"]
        number = known.get(id(outputs))
        if number is None:
            number = known[id(outputs)] = nbytes(outputs)
        data["output_bytes"] = 0 if data["op"] == "output" else number
