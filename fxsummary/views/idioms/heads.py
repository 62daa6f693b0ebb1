"""Attention heads: merge the views that split, merge or repeat them, under these names."""

from __future__ import annotations

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import VIEWS, base
from fxsummary.graph.records import differing
from fxsummary.views.merger import Merger, counted, is_plain

_VIEWS = VIEWS | {"index"}


def merge_repeated_heads(merger: Merger) -> None:
    """Merge the operations that repeat key and value heads for groups of query heads: index, expand, reshape."""
    graph = merger.graph
    for key, data in merger.nodes():
        if not (base(data["label"]) in VIEWS or data.get("run")) or not data["shape"]:
            continue
        keys = [key]
        while (source := graph.only_source(keys[0])) is not None and len(graph.readers(source)) == 1:
            view = merger.node(source)
            if not is_plain(view) or not (base(view["label"]) in _VIEWS or view.get("run")):
                break
            keys.insert(0, source)
        edges = list(graph.sources(keys[0]).values())
        before, after = edges[0]["shape"] if len(edges) == 1 else None, data["shape"]
        if before is None or len(before) != 4 or len(after) != 4 or before[1] == 0:
            continue
        if after[1] > before[1] and after[1] % before[1] == 0 and before[2:] == after[2:]:
            times = "" if differing(data, "outputs") else f"×{after[1] // before[1]}"
            if len(keys) == 1:
                _name(data, "repeat heads", times)
            else:
                merger.merge(keys, "views of repeated heads", label="repeat heads", config=times)


def name_heads(merger: Merger) -> None:
    """Merge views between tokens × channels and heads × tokens × head size."""
    for key, data in merger.graph.nodes(data=True):
        edges = list(merger.graph.sources(key).values())
        if not data.get("run") or not data["shape"] or len(edges) != 1 or edges[0]["shape"] is None:
            continue
        if config := _split_of(edges[0]["shape"], data["shape"]):
            _name(data, "split heads", "" if differing(data, "outputs") else config)
        elif config := _split_of(data["shape"], edges[0]["shape"]):
            _name(data, "merge heads", "" if differing(data, "outputs") else config)


def _name(data: NodeData, label: str, config: str) -> None:
    """Give views a name, and the number and size of heads if these are the same in all copies."""
    data["label"], data["config"] = label, config
    data["config"] = counted(data)


def _split_of(tokens: tuple[int, ...], heads: tuple[int, ...]) -> str:
    """Return number and size of the heads that channels were split into, as ``12 × 64``; "" if they were not.

    >>> _split_of((1, 9, 32), (1, 4, 9, 8)), _split_of((1, 9, 96), (3, 1, 4, 9, 8)), _split_of((1, 9, 32), (1, 9, 32))
    ('4 × 8', '3 × 4 × 8', '')
    """
    if len(tokens) != 3 or len(heads) not in (4, 5):
        return ""
    parts, (batch, number, length, size) = heads[:-4], heads[-4:]
    split = (*parts, number, size)
    channels = number * size * (parts[0] if parts else 1)
    fits = (batch, length, channels) == tokens and number > 0
    return " × ".join(map(str, split)) if fits else ""
