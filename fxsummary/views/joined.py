"""Join neighbouring operations without weights or FLOPs, so that a picture has room for those with."""

from __future__ import annotations

from itertools import groupby

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.blocks import block_tree
from fxsummary.views.merger import Merger, copy_of, is_plain

JOINED = "operations in shared rows"
LEAST_JOINED = 3
"""Number of neighbouring operations without weights or FLOPs from which they share a row."""
MOST_LABELS = 3


def join_cheap(graph: ModelGraph) -> ModelGraph:
    """Return the graph with one operation for each three or more neighbours that are plain arithmetic or views."""
    if graph.captured_by == "modules":
        return graph
    merger = Merger(copy_of(graph))
    for block in block_tree(graph).walk():
        for cheap, neighbours in groupby(block.items, lambda item: isinstance(item, str) and is_cheap(graph, item)):
            keys = [item for item in neighbours if isinstance(item, str)]
            if cheap and len(keys) >= LEAST_JOINED:
                _join(merger, keys)
    return merger.finish()


def _join(merger: Merger, keys: list[str]) -> None:
    labels = list(dict.fromkeys(merger.node(key)["label"] for key in keys))
    kinds = {merger.node(key)["kind"] for key in keys}
    named = " · ".join(labels[:MOST_LABELS]) + " · …" * (len(labels) > MOST_LABELS or len(labels) == 1)
    kind = kinds.pop() if len(kinds) == 1 else "arithmetic"
    number = sum(1 + len(merger.node(key).get("absorbed", ())) for key in keys)
    merger.merge(keys, JOINED, label=named, config=f"{number} operations", kind=kind)


def is_cheap(graph: ModelGraph, key: str) -> bool:
    """Return whether an operation is plain arithmetic or a view, and no idiom or run."""
    data = graph.nodes[key]
    is_idiom = "absorbed" in data and " · " not in data["label"]
    plain = data["kind"] in ("arithmetic", "reshape", "other") and is_plain(data)
    return plain and not is_idiom and key not in graph.graph.get("repeats", ())
