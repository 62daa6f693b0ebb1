"""FLOPs of each operation, counted during the capture; unknown FLOPs are None, never 0.

2 per multiply-accumulate, batch included, for matrix products only; see `fxsummary.capture.operations.flops`.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.labels import FREE, VALUE_READS, base
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import known
from fxsummary.text.numbers import listed


def annotate(graph: ModelGraph) -> None:
    """Set `flops` and `trust` on every node: 0 FLOPs for kinds without matrix products, None if unknown."""
    unknown: dict[str, None] = {}
    for key, data in graph.nodes(data=True):
        free = data["kind"] in FREE or base(data["label"]) in VALUE_READS
        if data["flops"] is None and free and not data["unknown_operators"]:
            data["flops"] = 0
        data["trust"] = "unknown" if data["flops"] is None else "exact"
        if data["flops"] and data["assumed"]:
            data["trust"] = "assumed"
        if data["flops"] is None:
            unknown.update(dict.fromkeys(data["unknown_operators"] or (f"{data['label']} ({key})",)))
    graph.notes += tuple(_notes(graph, list(unknown)))


def _notes(graph: ModelGraph, unknown: list[str]) -> Iterator[str]:
    """Name the operators without a formula, and the operations that make the total a lower bound."""
    is_bound = any(known(data, "flops") for _, data in graph.nodes(data=True))
    without_formula = [name for name in unknown if "." in name.partition(" ")[0]]  # operators, such as aten.mm
    others = [name for name in unknown if name not in without_formula]
    if without_formula:
        yield (
            f"FLOPs are {'a lower bound' if is_bound else 'unknown'}: no formula for {listed(without_formula)}; "
            "add one with torch.utils.flop_counter.register_flop_formula"
        )
    if others and is_bound:
        yield f"FLOPs are a lower bound: unknown for {listed(others)}"
