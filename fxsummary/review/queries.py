"""What several rules ask of a graph."""

from __future__ import annotations

from collections.abc import Collection

from fxsummary.graph.attributes import own_path
from fxsummary.graph.labels import base
from fxsummary.graph.modelgraph import ModelGraph


def before(graph: ModelGraph, key: str | None, passed: Collection[str], *, alone: bool = False) -> str | None:
    """Return a value, or the one behind operations whose names are ``passed``; None if ``alone`` and others read it."""
    while key is not None and not (alone and len(graph.readers(key)) != 1):
        if base(graph.nodes[key]["label"]) not in passed:
            return key
        key = graph.only_source(key)
    return None


def knows_dataflow(graph: ModelGraph) -> bool:
    """Return whether the graph contains all of forward, so that forward does nothing else."""
    return graph.captured_by != "modules" and not graph.is_partial


def name_of(graph: ModelGraph, key: str) -> str:
    """Return the path of an operation's module or parameter, or its key."""
    return own_path(graph.nodes[key]) or key
