"""Which blocks of a summary are open: not those whose contents were shown before, and the most costly ones first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import groupby

from fxsummary.exporters.tables.likeness import LEAST_ROWS, differences
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import common, relative_path
from fxsummary.views.blocks import Block
from fxsummary.views.fold.items import Item, Items
from fxsummary.views.merger import is_plain
from fxsummary.views.shown import Fold

MOST_ROWS = 52
"""Number of rows of a summary without a depth; beyond, cheap operations share rows and blocks are closed."""
LEAST_JOINED = 3
"""Number of neighbouring operations without weights or FLOPs from which they share a row."""


@dataclass
class Opening:
    """The blocks of a summary that are not open, by identity.

    Attributes:
        same: what to show instead of the contents of a block that was shown before, such as ``= layers.0``.
        like: the same for a block that differs from it, such as ``like layer1 but with downsample``, to save rows.
        closed: the blocks that are closed to save rows, with the number of rows in each.
        joins: whether neighbouring operations without weights or FLOPs share a row.
    """

    same: dict[int, str] = field(default_factory=dict)
    like: dict[int, str] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    joins: bool = False

    def is_open(self, block: Block) -> bool:
        """Whether the contents of a block are shown."""
        return not any(id(block) in closed for closed in (self.same, self.like, self.closed))

    def rows(self, graph: ModelGraph, items: Iterable[str | Block]) -> list[str | Block | list[str]]:
        """Return what the rows for some items show: a block, an operation, or several operations."""
        if not self.joins:
            return list(items)
        rows: list[str | Block | list[str]] = []
        for cheap, group in groupby(items, lambda item: isinstance(item, str) and _is_cheap(graph, item)):
            members = list(group)
            keys = [item for item in members if isinstance(item, str)]
            rows += [keys] if cheap and len(members) >= LEAST_JOINED else members
        return rows


def _is_cheap(graph: ModelGraph, key: str) -> bool:
    """Return whether an operation is plain arithmetic or a view, and no idiom."""
    data = graph.nodes[key]
    is_idiom = "absorbed" in data and " · " not in data["label"]
    plain = data["kind"] in ("arithmetic", "reshape", "other") and is_plain(data)
    return plain and not is_idiom and key not in graph.graph.get("repeats", ())


def open_blocks(graph: ModelGraph, root: Block, depth: int | None, fold: Fold) -> Opening:
    """Return which blocks of a summary are open.

    Args:
        graph: the graph that is shown; root: its blocks.
        depth: levels of modules to open; None for as many as fit `MOST_ROWS`, the most costly blocks first.
        fold: whether a block whose contents were shown before is closed.
    """
    opening = Opening()
    items = Items(graph, root)
    if fold:
        _find_same(items, opening)
    if depth is None and fold:
        if fold != "exact" and _count(graph, root, opening) > MOST_ROWS:
            _find_like(items, opening)
        opening.joins = _count(graph, root, opening) > MOST_ROWS
        _close_least(graph, root, opening)
    return opening


def _count(graph: ModelGraph, root: Block, opening: Opening) -> int:
    """Return the number of rows."""
    pending, count = [root], 0
    for block in pending:  # grows
        if opening.is_open(block):
            count += len(opening.rows(graph, block.items))
            pending.extend(block.blocks())
    return count


def _find_same(items: Items, opening: Opening) -> None:
    """Close the blocks with the same contents as one that is shown before."""
    seen: dict[int, Item] = {}
    pending = list(reversed(items.root.items))
    while pending:
        item = pending.pop()
        block = item.block
        if block is None:
            continue
        if not block.is_pattern and item.rows > LEAST_ROWS:
            before = seen.setdefault(item.symbol, item)
            if before is not item:
                others = [*_others(items, before, item), *["integers"] * (before.numbers != item.numbers)]
                differs = f", other {', '.join(others)}" if others else ""
                opening.same[id(block)] = f"= {_name(before, item)}{differs}"
                continue
        pending.extend(reversed(item.items))


def _find_like(items: Items, opening: Opening) -> None:
    """Close the blocks that differ little from one of the same class that is shown before."""
    seen: dict[str, list[Item]] = {}
    pending = list(reversed(items.root.items))
    while pending:
        item = pending.pop()
        block = item.block
        if block is None or not opening.is_open(block):
            continue
        if not block.is_pattern and item.rows > LEAST_ROWS:
            earlier = seen.setdefault(block.type, [])
            found = [(each, but) for each in earlier if (but := differences(items, each, item)) is not None]
            if found:
                before, but = min(found, key=lambda pair: len(pair[1]))
                opening.like[id(block)] = f"like {_name(before, item)}" + (f" but {' and '.join(but)}" if but else "")
                continue
            earlier.append(item)
        pending.extend(reversed(item.items))


def _name(before: Item, item: Item) -> str:
    """Return the path of a block as seen from another: as a sibling, or from where it differs."""
    if before.path.startswith(f"{item.parent}." if item.parent else ""):
        return relative_path(before.path, item.parent)
    parts = before.path.split(".")
    return ".".join(parts[max(common(parts, item.path.split(".")) - 1, 0) :])


def _others(items: Items, before: Item, item: Item) -> Sequence[str]:
    """Return the masks, tables and similar values that a block reads in place of those that another reads."""
    pairs = [(old, new) for old, new in zip(before.reads, item.reads, strict=True) if items.is_free(new)]
    others = [new for old, new in pairs if not items.is_free(old) or items.content(old) != items.content(new)]
    return list(dict.fromkeys(items.graph.nodes[items.keys[place]]["label"] for place, _ in others))


def _close_least(graph: ModelGraph, root: Block, opening: Opening) -> None:
    """Close the innermost blocks that say least until all rows fit, and open again what then has room.

    Blocks of a class that is shown before say less than the first ones; among these, the share of operations with
    weights or FLOPs counts.
    """
    parent_of: dict[int, Block] = {}
    order = [root]
    for block in order:  # grows; parents come first
        for inner in block.blocks() if opening.is_open(block) else ():
            parent_of[id(inner)] = block
            order.append(inner)
    rows = {id(block): len(opening.rows(graph, block.items)) if opening.is_open(block) else 0 for block in order}
    inner_open = {id(block): sum(map(opening.is_open, block.blocks())) for block in order}
    total, says = sum(rows.values()), _says(graph, root, opening)
    waiting = [(says[id(block)], block) for block in order if opening.is_open(block) and not inner_open[id(block)]]
    heapify(waiting)
    while total > MOST_ROWS and waiting and (block := heappop(waiting)[1]) is not root:
        parent = parent_of[id(block)]
        if block.is_pattern:
            rows[id(parent)] += rows[id(block)]
        else:
            opening.closed[id(block)] = rows[id(block)]
            total -= rows[id(block)]
        inner_open[id(parent)] -= 1
        if not inner_open[id(parent)]:
            heappush(waiting, (says[id(parent)], parent))
    for key in sorted(opening.closed, key=says.__getitem__, reverse=True):
        if total + opening.closed[key] <= MOST_ROWS and opening.is_open(parent_of[key]):
            total += opening.closed.pop(key)


def _says(graph: ModelGraph, root: Block, opening: Opening) -> dict[int, tuple[bool, float, int]]:
    """Return how much each open block says: whether it is the first of its class, and its share of costly rows."""
    says: dict[int, tuple[bool, float, int]] = {}
    classes: set[str] = set()
    pending = [root]
    while pending:
        block = pending.pop()
        if opening.is_open(block):
            says[id(block)] = block.type not in classes, _costly(graph, block), -len(says)
            classes.add(block.type)
            pending.extend(reversed([*block.blocks()]))
    return says


def _costly(graph: ModelGraph, block: Block) -> float:
    """Return the share of the operations of a block that have weights or FLOPs."""
    nodes = [graph.nodes[key] for key in block.operations()]
    return sum(data["flops"] != 0 or data["parameters"] != 0 for data in nodes) / max(len(nodes), 1)
