"""Find modules with a structure: parts that read several different values, such as branches, a pyramid or experts."""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.drawing.compose import Picture
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import over_copies
from fxsummary.views.blocks import Block, Item, block_tree

LEAST_JOINS = 2
"""Number of joins of different values from which a module has a structure; a residual block has one."""


def structures(picture: Picture) -> set[str]:
    """Return the classes of the open modules with a structure."""
    graph = picture.graph
    return {
        block.type for block in block_tree(graph).walk() if _is_module(block) and _joins(graph, block)[0] >= LEAST_JOINS
    }


def hidden_structures(graph: ModelGraph, picture: Picture, least: float) -> Iterator[tuple[Block, ...]]:
    """Yield the modules with a structure whose classes a picture does not open, each with the modules around it.

    Those with most joins for their size come first.

    Args:
        graph: the graph with everything open.
        picture: a picture of it with closed modules.
        least: FLOPs of the cheapest of them.
    """
    closed = {data["target"] for data in picture.closed_nodes()}
    known = {block.type for block in block_tree(picture.graph).walk()}
    found: dict[str, tuple[Block, ...]] = {}
    share: dict[str, float] = {}
    for chain in block_tree(graph).chains():
        block = chain[-1]
        if not _is_module(block) or block.type in known or not any(each.path in closed for each in chain[1:]):
            continue
        flops = sum(over_copies(graph.nodes[key], "flops") for key in block.operations())
        number, size = _joins(graph, block)
        if block.type not in found and flops >= least and number >= LEAST_JOINS:
            found[block.type], share[block.type] = chain, number / size
    yield from [found[name] for name in sorted(found, key=lambda name: -share[name])]


def _joins(graph: ModelGraph, block: Block) -> tuple[int, int]:
    """Return how many operations of a block join different values, and the number of its operations and modules."""
    items = list(_items(block))
    return sum(_is_join(graph, item) for item in items if isinstance(item, str)), len(items)


def _is_module(block: Block) -> bool:
    return block.call is not None and not block.is_pattern


def _items(block: Block) -> Iterator[Item]:
    """Yield the operations and modules directly in a block, and those of its patterns."""
    for item in block.items:
        if isinstance(item, Block) and item.is_pattern:
            yield from _items(item)
        else:
            yield item


def _is_join(graph: ModelGraph, key: str) -> bool:
    """Return whether an operation reads several results that differ; those of one line in a loop do not."""
    if "closed" in graph.nodes[key]:
        return False
    results = [graph.nodes[source] for source in graph.sources(key) if graph.sources(source)]
    return len({(data["source"], data["label"]) for data in results}) > 1
