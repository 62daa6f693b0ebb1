"""Values that a model returns from deep inside, such as caches, are told on their rows; no edge leads there."""

from __future__ import annotations

from collections.abc import Callable

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.blocks import Block

DEEP = 4
"""Modules around a value, the page included, from which on its way to the output is not drawn."""


def cut_outputs(
    root: Block, graph: ModelGraph, *, can_tell: Callable[[str], bool]
) -> tuple[list[tuple[str, str]], frozenset[str]]:
    """Take away edges to the outputs that come from deep inside, or from every copy of a repeated module, as caches do.

    Returns the edges that stay and the sources of the others, whose rows are to say it; only of those
    for which ``can_tell`` holds. At least one edge to an output stays.

    Args:
        root: the blocks of the graph.
    """
    edges = list(graph.edges)
    outputs = {key for key, op in graph.nodes(data="op") if op == "output"}
    ends = [edge for edge in edges if edge[1] in outputs]
    chains = _chains(root)

    def is_deep(key: str) -> bool:
        chain = chains[key]
        repeated = next((block for block in chain if block.repeat > 1), None)
        return repeated is None and len(chain) >= DEEP

    cut = {edge for edge in ends if can_tell(edge[0]) and (is_deep(edge[0]) or graph.edges[edge].get("each"))}
    if len(cut) == len(ends) and ends:
        cut.discard(max(ends, key=edges.index))
    return [edge for edge in edges if edge not in cut], frozenset(source for source, _ in cut)


def _chains(root: Block) -> dict[str, tuple[Block, ...]]:
    """For each operation the blocks around it, outermost first."""
    chains: dict[str, tuple[Block, ...]] = {}
    pending: list[tuple[Block, tuple[Block, ...]]] = [(root, (root,))]
    while pending:
        block, chain = pending.pop()
        for item in block.items:
            if isinstance(item, Block):
                pending.append((item, (*chain, item)))
            else:
                chains[item] = chain
    return chains
