"""Which blocks of a summary are open: not those whose contents were shown before, and the most costly ones first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from fxsummary.exporters.tables.references import References, references
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.graph.records import over_copies
from fxsummary.views.blocks import Block
from fxsummary.views.fold.items import Items
from fxsummary.views.joined import LEAST_JOINED, in_rows

MOST_ROWS = 52
"""Number of rows of a summary without a depth; beyond, cheap operations share rows and blocks are closed."""

MORE_ROWS = 34
"""Number of rows more so that one block of the most costly class is open."""
UNSEEN = 0.1
"""Share of the FLOPs of the model that such a block must have."""


@dataclass
class Opening:
    """The blocks of a summary that are not open, by identity.

    Attributes:
        shown_before: what to show in place of the contents of blocks that are shown before.
        closed: the blocks that are closed to save rows, with the number of rows in each.
        joins: number of neighbouring operations without weights or FLOPs from which they share a row; 0 for none.
    """

    shown_before: References = field(default_factory=References)
    closed: dict[int, int] = field(default_factory=dict)
    joins: int = 0

    def is_open(self, block: Block) -> bool:
        """Whether the contents of a block are shown."""
        before = self.shown_before
        return not any(id(block) in closed for closed in (before.same, before.like, self.closed))

    def rows(self, graph: ModelGraph, items: Iterable[str | Block]) -> list[str | Block | list[str]]:
        """Return what the rows for some items show: a block, an operation, or several operations."""
        return list(in_rows(graph, items, self.joins) if self.joins else items)


def open_blocks(graph: ModelGraph, root: Block, depth: int | None, fold: Fold) -> Opening:
    """Return which blocks of a summary are open.

    Args:
        graph: the graph that is shown; root: its blocks.
        depth: levels of modules to open; None for as many as fit `MOST_ROWS`, the most costly blocks first.
        fold: whether to refer to blocks that were shown before, and unless "exact" also to those that differ.
    """
    opening = Opening()
    items = Items(graph, root)
    if fold:
        opening.shown_before = references(items, like=False)
    if depth is None and fold:
        if fold != "exact" and _count(graph, root, opening) > MOST_ROWS:
            opening.shown_before = references(items, like=True)
        opening.joins = LEAST_JOINED if _count(graph, root, opening) > MOST_ROWS else 0
        _close_least(graph, root, opening)
    return opening


def _seen(root: Block, opening: Opening) -> list[tuple[Block, ...]]:
    """Return the blocks in open ones, each with its enclosing blocks."""
    return [chain for chain in root.chains() if all(map(opening.is_open, chain[:-1]))]


def _count(graph: ModelGraph, root: Block, opening: Opening) -> int:
    """Return the number of rows."""
    found = (chain[-1] for chain in _seen(root, opening))
    return sum(len(opening.rows(graph, block.items)) for block in found if opening.is_open(block))


def _close_least(graph: ModelGraph, root: Block, opening: Opening) -> None:
    """Close the innermost blocks that say least until all rows fit, and open again what then has room.

    Blocks of a class that is shown before say less than the first ones; among these, the share of operations with
    weights or FLOPs counts.
    """
    chains = _seen(root, opening)
    parent_of = {id(chain[-1]): chain[-2] for chain in chains[1:]}
    opened = [chain[-1] for chain in chains if opening.is_open(chain[-1])]
    rows = {id(block): len(opening.rows(graph, block.items)) for block in opened}
    inner_open = Counter(id(parent_of[id(block)]) for block in opened[1:])
    total, says = sum(rows.values()), _says(graph, opened)
    waiting = [(says[id(block)], block) for block in opened if not inner_open[id(block)]]
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
    total += _open_costliest(graph, [chain[-1] for chain in chains], opening, MOST_ROWS + MORE_ROWS - total)
    if total > MOST_ROWS:
        opening.joins = 2
    for key in sorted(opening.closed, key=says.__getitem__, reverse=True):
        if total + opening.closed[key] <= MOST_ROWS and opening.is_open(parent_of[key]):
            total += opening.closed.pop(key)


def _open_costliest(graph: ModelGraph, order: Iterable[Block], opening: Opening, room: int) -> int:
    """Open the closed block with the most FLOPs if no block of its class is open; return the number of its rows."""
    opened = {block.type for block in order if opening.is_open(block)}
    flops = {
        id(block): sum(over_copies(graph.data(key), "flops") for key in block.operations())
        for block in order
        if id(block) in opening.closed and block.type not in opened
    }
    costliest = max(flops, key=flops.__getitem__, default=0)
    if not costliest or opening.closed[costliest] > room or flops[costliest] < UNSEEN * (graph.totals.flops or 0):
        return 0
    return opening.closed.pop(costliest)


def _says(graph: ModelGraph, opened: Iterable[Block]) -> dict[int, tuple[bool, float, int]]:
    """Return how much each open block says: whether it is the first of its class, and its share of costly rows."""
    says: dict[int, tuple[bool, float, int]] = {}
    classes: set[str] = set()
    for block in opened:
        says[id(block)] = block.type not in classes, _costly(graph, block), -len(says)
        classes.add(block.type)
    return says


def _costly(graph: ModelGraph, block: Block) -> float:
    """Return the share of the operations of a block that have weights or FLOPs."""
    nodes = [graph.nodes[key] for key in block.operations()]
    return sum(data["flops"] != 0 or data["parameters"] != 0 for data in nodes) / max(len(nodes), 1)
