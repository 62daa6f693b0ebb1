"""What an operation reads, in the order of its arguments."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.scalars import Part, reads_of

Operand = tuple[str, Part]
"""An operation, and the part of its result that is read."""


def operands(graph: ModelGraph, key: str) -> list[Operand]:
    """Return what an operation reads, by slot."""
    reads = [(slot, s, part) for s, edge in graph.sources(key).items() for slot, part in reads_of(edge)]
    return [(source, part) for _, source, part in sorted(reads)]
