"""Passes: each annotates the graph; one file each. `PASSES` reads like a table of contents."""

from __future__ import annotations

from collections.abc import Callable

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.passes import flops, kind, memory, notes, parameters
from fxsummary.support.gc_pause import paused

PASSES: tuple[tuple[str, Callable[[ModelGraph], None]], ...] = (
    ("kind", kind.annotate),
    ("parameters", parameters.annotate),
    ("flops", flops.annotate),  # needs kind
    ("memory", memory.annotate),
    ("modules", notes.annotate),  # needs parameters
)
"""Every pass by name, each after those that it needs."""


@paused()
def annotate(graph: ModelGraph) -> ModelGraph:
    """Run all passes on a graph, in order; returns the graph."""
    for _, run in PASSES:
        run(graph)
    return graph
