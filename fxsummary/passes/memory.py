"""Output bytes of each operation."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes` on every node; 0 for the output node, which creates no tensor."""
    known: dict[int, int | None] = {}  # by the id of the outputs, which identical operations share
    for _, data in graph.nodes(data=True):
        outputs = data["outputs"]
        number = known.get(id(outputs))
        if number is None:
            number = known[id(outputs)] = nbytes(outputs)
        data["output_bytes"] = 0 if data["op"] == "output" else number
