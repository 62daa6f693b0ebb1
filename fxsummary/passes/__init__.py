"""Passes, one file each, that annotate the graph. `PASSES` lists them in order."""

from __future__ import annotations

from collections.abc import Callable

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.passes import flops, kind, memory, notes, parameters
from fxsummary.support.gc_pause import paused
from fxsummary.support.registry import Registry

PASSES: Registry[Callable[[ModelGraph], None]] = Registry("pass")
"""All passes by name; each comes after the passes that it needs."""

PASSES.register("kind", kind.annotate)
PASSES.register("parameters", parameters.annotate)
PASSES.register("flops", flops.annotate)  # needs kind
PASSES.register("memory", memory.annotate)
PASSES.register("notes", notes.annotate)  # needs parameters


@paused()
def annotate(graph: ModelGraph) -> ModelGraph:
    """Run all passes on a graph, in order, and return the graph."""
    for run in PASSES.values():
        run(graph)
    return graph
