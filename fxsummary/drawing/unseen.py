"""What a picture does not show of a model: modules that are closed."""

from __future__ import annotations

from collections import Counter

from fxsummary.drawing.compose import Picture
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import over_copies
from fxsummary.text.numbers import listed
from fxsummary.views.blocks import block_tree
from fxsummary.views.depth import shown_at

MOST_NAMES = 3
"""Maximum number of classes of closed modules in the heading."""


def unseen_flops(picture: Picture) -> int:
    """Return the FLOPs in closed modules whose classes the picture does not open."""
    opened = {block.type for block in block_tree(picture.graph).walk() if not block.is_pattern}
    return sum(over_copies(data, "flops") for data in picture.closed_nodes() if data["label"] not in opened)


def closed_kinds(graph: ModelGraph, picture: Picture, level: int) -> list[tuple[list[str], int]]:
    """Return the paths and FLOPs of the closed blocks of a level by class and number of operations, largest first."""
    paths: dict[tuple[str, int], list[str]] = {}
    flops: Counter[tuple[str, int]] = Counter()
    closed = {data["target"]: data for data in picture.closed_nodes()}
    pending = [(block_tree(graph), 0)]
    while pending:
        block, at = pending.pop()
        data = closed.get(block.path) if not block.is_pattern else None
        if data is not None and at == level:
            kind = data["label"], data["closed"]
            paths.setdefault(kind, []).append(block.path)
            flops[kind] += over_copies(data, "flops")
        elif at < level or block.is_pattern:
            pending += [(inner, at + (not block.is_pattern)) for inner in reversed(list(block.blocks()))]
    return [(paths[kind], number) for kind, number in flops.most_common()]


def closed_in(picture: Picture, view: ModelGraph, joins: bool) -> str:
    """Return what a picture does not show of a view, and the depth that shows all; "" for nothing."""
    small = {data["target"] for _, data in view.nodes(data=True) if "closed" in data}
    nodes = [data for data in picture.closed_nodes() if data["target"] not in small]
    nodes.sort(key=lambda data: -over_copies(data, "flops"))
    names = list(dict.fromkeys(data["label"] for data in nodes))
    parts = [f"closed: {listed(names, MOST_NAMES)}"] if names else []
    parts += ["neighbouring operations without weights or FLOPs share rows"] if joins else []
    return f"{'; '.join(parts)}; depth={len(shown_at(view)) - 1} shows all" if parts else ""
