"""Draw a loop as one operation if its steps differ, because some of them take another branch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fxsummary.graph.attributes import BLANK, NodeData, placed, result
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import of_each_copy
from fxsummary.graph.spec import nbytes
from fxsummary.views.blocks import Block, Item, block_tree, operations
from fxsummary.views.costs import carry_costs
from fxsummary.views.depth import add_edges
from fxsummary.views.merger import is_plain

LEAST_RUNS = 2
"""Number of runs of equal steps from which a loop is drawn as one operation."""
IN_LOOPS = "operations in loops"


def close_loops(graph: ModelGraph) -> ModelGraph:
    """Return the graph with one operation for each loop with several runs of equal steps, and other steps between them.

    Such a loop has neither parameters nor FLOPs, and all its steps are from the same lines of source.
    """
    loops = [(chain, items) for chain in block_tree(graph).chains() for items in _loops(graph, chain[-1])]
    if not loops or graph.comparison is not None:
        return graph
    node_of: dict[str, str] = {}
    merged: dict[str, NodeData] = {}
    for around, items in loops:
        keys = list(operations(items))
        node_of |= dict.fromkeys(keys, keys[0])
        merged[keys[0]] = _as_one(graph, around, keys)
    hidden = Counter(graph.graph.get("hidden", {}))
    hidden[IN_LOOPS] += sum(graph.nodes[key]["multiplicity"] for key in node_of)
    closed = graph.derived((), (), hidden=dict(sorted(hidden.items())))
    nodes = graph.nodes(data=True)
    closed.fill([(key, merged.get(key) or data.copy()) for key, data in nodes if node_of.get(key, key) == key], ())
    add_edges(closed, graph, node_of)
    return closed


def _loops(graph: ModelGraph, block: Block) -> Iterator[list[Item]]:
    """Yield the neighbours in a block that are steps of one loop."""
    items, start = block.items, 0
    for place, item in enumerate(items):
        lines = _lines(graph, item) if place >= start and isinstance(item, Block) and item.is_pattern else set()
        if not lines:
            continue
        first, end = place, place + 1
        while first > start and _is_of(graph, items[first - 1], lines):
            first -= 1
        while end < len(items) and _is_of(graph, items[end], lines):
            end += 1
        if sum(isinstance(each, Block) for each in items[first:end]) >= LEAST_RUNS:
            yield items[first:end]
        start = end


def _is_of(graph: ModelGraph, item: Item, lines: set[tuple[str, str]]) -> bool:
    """Return whether all that an item does is in these lines."""
    found = _lines(graph, item)
    return bool(found) and found <= lines


def _lines(graph: ModelGraph, item: Item) -> set[tuple[str, str]]:
    """Return the lines of an item, each with the label of an operation; none if it has costs or a line is unknown."""
    nodes = [graph.nodes[key] for key in operations([item])]
    lines = {(data["source"], data["label"]) for data in nodes}
    return lines if all(is_plain(data) and data["source"] for data in nodes) else set()


def _as_one(graph: ModelGraph, around: Sequence[Block], keys: Sequence[str]) -> NodeData:
    """Return the attributes of a loop as one operation, whose results are those of the steps that are read."""
    inside, copies = set(keys), around[-1].copies
    nodes = [graph.nodes[key] for key in keys]
    read = [data for key, data in zip(keys, nodes, strict=True) if not inside.issuperset(graph.readers(key))]
    each = [of_each_copy(data, "outputs")[: data["multiplicity"] // copies] for data in read or nodes[-1:]]
    outputs = tuple([value for values in each for value in values])
    last = nodes[-1]["source"], nodes[-1]["label"]
    steps = sum(data["multiplicity"] for data in nodes if (data["source"], data["label"]) == last) // copies
    number = sum(data["multiplicity"] for data in nodes) // copies
    node: NodeData = {
        **BLANK,
        **placed(tuple([block.call for block in around if block.call is not None]), graph.name),
        **result(outputs),
        "op": "call_function",
        "kind": "arithmetic",
        "label": "loop",
        "config": f"{steps} steps, {number:,} operations",
        "source": nodes[0]["source"],
        "output_bytes": nbytes(outputs),
        "multiplicity": copies,
        "absorbed": tuple(keys[1:]),
    }
    for data in nodes:
        carry_costs(data, node, data["multiplicity"] // copies)
    return node
