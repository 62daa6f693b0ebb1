"""FLOPs: what was counted while capturing, or unknown; never 0 for want of knowing.

2 per multiply-accumulate, batch included, for the matrix-product family only; see `fxsummary.formulas`.
"""

from __future__ import annotations

from fxsummary.modelgraph import ModelGraph
from fxsummary.records import known

_FREE = frozenset({"norm", "activation", "pool", "embedding", "arithmetic", "reshape", "input", "output", "parameter"})
"""Kinds outside the matrix-product family: they cost nothing by the convention, whatever their shape."""

_READS_VALUES = frozenset({"item", "tolist", "nonzero", "unique", "bincount", "multinomial", "numpy"})
"""Calls that end what is known of shapes, because they depend on values; they are no matrix products either."""


def annotate(graph: ModelGraph) -> None:
    """Set `flops` and `trust` on every node: 0 where the kind is outside the family, None where it is not known."""
    unknown: dict[str, None] = {}
    has_no_formula = False
    for key, data in graph.nodes(data=True):
        free = data["kind"] in _FREE or data["label"] in _READS_VALUES
        if data["flops"] is None and free and not data["unknown_operators"]:
            data["flops"] = 0
        data["trust"] = "unknown" if data["flops"] is None else "exact"
        if data["flops"] and data["assumed"]:
            data["trust"] = "assumed"
        if data["flops"] is None:
            unknown.update(dict.fromkeys(data["unknown_operators"] or (f"{data['label']} ({key})",)))
            has_no_formula |= bool(data["unknown_operators"])
    is_bound = any(known(data, "flops") for _, data in graph.nodes(data=True))
    if unknown and (is_bound or has_no_formula):
        names = ", ".join(list(unknown)[:4]) + (f" and {len(unknown) - 4} more" if len(unknown) > 4 else "")
        found = "FLOPs are a lower bound: not known" if is_bound else "FLOPs are not known"
        remedy = "; torch.utils.flop_counter.register_flop_formula adds the formula of an operator"
        graph.graph["notes"] = (*graph.notes, f"{found} for {names}{remedy if has_no_formula else ''}")
