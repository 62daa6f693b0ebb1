"""Operations that cost something and whose result nothing reads.

A matrix product, a convolution or a module with parameters whose result goes nowhere is work for nothing: usually a
``return`` forgot it, or a variable was overwritten. Only what has FLOPs or parameters is reported. Sizes,
views, masks and positions that are computed and then not needed cost next to nothing; libraries leave such in
their models on purpose, so that one forward serves several configurations.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import writes
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint.facts import knows_dataflow, name_of
from fxsummary.review.lint.rule import Rule


def find(graph: ModelGraph) -> Iterator[Finding]:
    """The last operation with a cost of each chain that leads nowhere."""
    if not knows_dataflow(graph) or not any(op == "output" for _, op in graph.nodes(data="op")):
        return
    dead: set[str] = set()
    for key in reversed(list(graph)):
        data = graph.nodes[key]
        if data["op"] in ("output", "placeholder") or writes(data["label"]) or not dead.issuperset(graph.readers(key)):
            continue
        dead.add(key)
        if data["op"] != "get_attr" and (data["flops"] or data["parameters"]) and not _leads_to_cost(graph, key, dead):
            name = name_of(graph, key)
            message = f"nothing reads the result of {name} ({data['label']})"
            yield Finding("dead-operations", message, name, data["source"], remedy="Remove it, or use its result.")


def _leads_to_cost(graph: ModelGraph, key: str, dead: set[str]) -> bool:
    """Whether a later operation of the same dead chain is reported already."""
    return any(graph.nodes[reader]["flops"] or graph.nodes[reader]["parameters"] for reader in graph.readers(key))


RULE = Rule("dead-operations", find, "Work whose result nothing reads is done for nothing.")
