"""Passes: each annotates the graph; one file each. `PASSES` reads like a table of contents."""

from __future__ import annotations

from collections.abc import Callable

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.passes import flops, kind, memory, notes, parameters
from fxsummary.support.gc_pause import paused
from fxsummary.support.registry import Registry

PASSES: Registry[Callable[[ModelGraph], None]] = Registry("pass")
"""Every pass by name, each after those that it needs."""

PASSES.register("kind", kind.annotate)
PASSES.register("parameters", parameters.annotate)
PASSES.register("flops", flops.annotate)  # needs kind
PASSES.register("memory", memory.annotate)
PASSES.register("notes", notes.annotate)  # needs parameters


@paused()
def annotate(graph: ModelGraph) -> ModelGraph:
    """Run all passes on a graph, in order; returns the graph."""
    for run in PASSES.values():
        run(graph)
    return graph
