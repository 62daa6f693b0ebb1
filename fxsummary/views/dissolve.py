"""Dissolve uninformative blocks: keep their operations and remove the module calls around them."""

from __future__ import annotations

from collections.abc import Callable

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.blocks import Block, block_tree, own_call, stacks_in

WRAPPERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "Encoder"})
WRAPPER_SHARE = 0.6
"""Share of the model from which a container is dissolved."""


def dissolve(graph: ModelGraph, says_nothing: Callable[[Block], bool]) -> ModelGraph:
    """Return the graph without uninformative blocks, blocks with one child, and containers of most of the model.

    Their calls are removed from the module stacks of the operations; everything else stays. A block that represents
    several copies is not dissolved.
    ``says_nothing`` returns whether a block that contains only operations is uninformative.
    """
    root = block_tree(graph)
    if not _take_out(root, says_nothing) | _open_wrappers(root):
        return graph
    stacks = stacks_in(root)
    return graph.derived(
        ((key, {**data, "module_stack": stacks[key] + own_call(data)}) for key, data in graph.nodes(data=True)),
        ((source, target, edge.copy()) for source, target, edge in graph.links()),
    )


def _take_out(root: Block, says_nothing: Callable[[Block], bool]) -> bool:
    """Replace uninformative blocks by their contents, inner blocks first."""
    changed = False
    for parent in reversed([*root.walk()]):
        items: list[str | Block] = []
        for item in parent.items:
            dissolves = False
            if isinstance(item, Block) and item.repeat == 1:
                dissolves = len(item.items) == 1 or (not any(item.blocks()) and says_nothing(item))
            items.extend(item.items if isinstance(item, Block) and dissolves else [item])
            changed = changed or dissolves
        parent.items = items
    return changed


def _open_wrappers(root: Block) -> bool:
    """Replace top-level containers of most of the model by their contents; return whether there were any."""
    total = sum(1 for _ in root.operations())

    def wraps(block: Block) -> bool:
        if block.repeat > 1 or block.type not in WRAPPERS or len(block.items) <= 2:
            return False
        return sum(1 for _ in block.operations()) >= WRAPPER_SHARE * total

    changed = False
    while wrapper := next(filter(wraps, root.blocks()), None):
        place = root.items.index(wrapper)
        root.items[place : place + 1] = wrapper.items
        changed = True
    return changed
