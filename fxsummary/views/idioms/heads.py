"""The heads of attention: views that split, merge and repeat them, under these names."""

from __future__ import annotations

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import VIEWS, base
from fxsummary.views.idioms.merger import Merger, is_plain

_VIEWS = VIEWS | {"index"}


def merge_repeated_heads(merger: Merger) -> None:
    """Key and value heads repeated for groups of query heads: index, expand, reshape."""
    for key, data in list(merger.graph.nodes(data=True)):
        if key not in merger.graph or not (base(data["label"]) in VIEWS or data.get("run")) or not data["shape"]:
            continue
        keys = [key]
        while len(sources := list(merger.graph.sources(keys[0]))) == 1 and len(merger.graph.readers(sources[0])) == 1:
            if not is_plain(merger.node(sources[0])) or not _is_view(merger.node(sources[0])):
                break
            keys.insert(0, sources[0])
        edges = list(merger.graph.sources(keys[0]).values())
        before, after = edges[0]["shape"] if len(edges) == 1 else None, data["shape"]
        if before is None or len(before) != 4 or len(after) != 4 or before[1] == 0:
            continue
        if after[1] > before[1] and after[1] % before[1] == 0 and (*before[2:],) == (*after[2:],):
            name: NodeData = {"label": "repeat heads", "config": f"×{after[1] // before[1]}"}
            if len(keys) == 1:
                data.update(name)
            else:
                merger.merge(keys, "views of repeated heads", **name)


def _is_view(data: NodeData) -> bool:
    return base(data["label"]) in _VIEWS or bool(data.get("run"))


def name_heads(merger: Merger) -> None:
    """Views between tokens × channels and heads × tokens × size of a head."""
    for key, data in merger.graph.nodes(data=True):
        if not data.get("run") or not data["shape"] or len(merger.graph.sources(key)) != 1:
            continue
        before = next(iter(merger.graph.sources(key).values()))["shape"]
        if before is None:
            continue
        found = _split_of(before, data["shape"]), _split_of(data["shape"], before)
        if found[0] or found[1]:
            data["label"], data["config"] = ("split heads", found[0]) if found[0] else ("merge heads", found[1])


def _split_of(tokens: tuple[int, ...], heads: tuple[int, ...]) -> str:
    """``12 × 64``, number and size of the heads that channels were split into; "" if they were not.

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
