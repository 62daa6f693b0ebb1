"""Join neighbouring operations without weights or FLOPs, so that a picture has room for those with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.blocks import Item, block_tree
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
        for row in in_rows(graph, block.items):
            if isinstance(row, list):
                kinds = {graph.nodes[key]["kind"] for key in row}
                kind = kinds.pop() if len(kinds) == 1 else "arithmetic"
                merger.merge(row, JOINED, label=name_of(graph, row), kind=kind)
    return merger.finish()


def in_rows(graph: ModelGraph, items: Iterable[Item], least: int = LEAST_JOINED) -> Iterator[Item | list[str]]:
    """Yield the items of a block, those that share a row as a list: at least so many neighbours."""
    for cheap, neighbours in groupby(items, lambda item: isinstance(item, str) and is_cheap(graph, item)):
        members = list(neighbours)
        keys = [item for item in members if isinstance(item, str)]
        yield from [keys] if cheap and len(keys) >= least else members


def name_of(graph: ModelGraph, keys: Sequence[str]) -> str:
    """Return the labels of operations that share a row."""
    labels = list(dict.fromkeys(graph.nodes[key]["label"] for key in keys))
    return " · ".join(labels[:MOST_LABELS]) + " · …" * (len(labels) > MOST_LABELS)


def number_of(graph: ModelGraph, keys: Sequence[str]) -> int:
    """Return how many operations share a row, with those that they absorbed."""
    return sum(1 + len(graph.nodes[key].get("absorbed", ())) for key in keys)


def is_cheap(graph: ModelGraph, key: str) -> bool:
    """Return whether an operation is plain arithmetic or a view, and no idiom, run or ghost."""
    data = graph.nodes[key]
    is_idiom = "absorbed" in data and " · " not in data["label"]
    plain = data["kind"] in ("arithmetic", "reshape", "other") and is_plain(data)
    return plain and not is_idiom and "ghost" not in data and key not in graph.graph.get("repeats", ())
