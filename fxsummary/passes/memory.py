"""Output bytes of each operation."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes` on every node; 0 for the output node, which creates no tensor."""
    known: dict[int, int | None] = {}  # by identity, because copies share their outputs
    for _, data in graph.nodes(data=True):
        outputs = data["outputs"]
        if id(outputs) not in known:
            known[id(outputs)] = nbytes(outputs)
        data["output_bytes"] = 0 if data["op"] == "output" else known[id(outputs)]
