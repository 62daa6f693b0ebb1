"""Find the value that an encoder gives to a decoder: all of a graph is on the side that makes it, or on the other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import over_copies
from fxsummary.views.blocks import Block, block_tree, calls_around, own_call, stacks_in

LEAST_MADE, LEAST_OWN = 0.03, 0.001
"""Shares of the FLOPs on the side that makes a value, and on the other side before it reads the value."""
LEAST_READS, MOST_CROSSING = 2, 2
"""Number of operations that read the value, over all copies, and of values that the sides share."""
JOINT = 0.6
"""Share of what follows from the value that follows from the beginning of the other side, too."""
MOST_CANDIDATES = 40


def encoded(graph: ModelGraph) -> str | None:
    """Return the key of the operation whose value one side of a graph reads again and again from the other; or None.

    The other side has a beginning of its own, such as an embedding of what is generated.
    """
    whole = sum(over_copies(data, "flops") for _, data in graph.nodes(data=True))
    candidates = [key for key in graph if _reads(graph, key) >= LEAST_READS] if whole else []
    found = [(made, key) for key in candidates[-MOST_CANDIDATES:] if (made := _made_apart(graph, key, whole))]
    return max(found)[1] if found else None


def _reads(graph: ModelGraph, key: str) -> int:
    """Return how many operations, over all copies, read a value in blocks that it is not made in."""
    own, around = graph.nodes[key]["multiplicity"], calls_around(graph.nodes[key])
    readers = [graph.nodes[reader] for reader in graph.readers(key)]
    apart = [data for data in readers if data["op"] != "output" and data["module_stack"][: len(around) + 1] != around]
    return sum(max(1, data["multiplicity"] // own) for data in apart)


def _made_apart(graph: ModelGraph, key: str, whole: int) -> int:
    """Return the FLOPs that make a value, if it parts a graph into two sides; or else 0."""
    left, after = closure([key], graph.sources), closure(graph.readers(key), graph.readers)
    crossing = [node for node in left if any(reader not in left for reader in graph.readers(node))]
    left_or_after = closure([*left], graph.readers)
    begins = [node for node in graph if node not in left_or_after]
    if len(crossing) > MOST_CROSSING or not begins:
        return 0
    made, own = (sum(over_copies(graph.nodes[node], "flops") for node in part) for part in (left, begins))
    if made < LEAST_MADE * whole or own < LEAST_OWN * whole:
        return 0
    return made if len(after & closure(begins, graph.readers)) >= JOINT * len(after) else 0


def closure(keys: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """Return nodes and all that follow them."""
    pending = [*keys]
    found = set(pending)
    while pending:
        for each in following(pending.pop()):
            if each not in found:
                found.add(each)
                pending.append(each)
    return found


def apart(graph: ModelGraph, key: str) -> ModelGraph:
    """Return the graph without the blocks that hold operations of both sides of a value."""
    left = closure([key], graph.sources)
    root = block_tree(graph)
    changed = False
    while mixed := next((block for block in root.blocks() if _is_mixed(block, left)), None):
        place = root.items.index(mixed)
        root.items[place : place + 1] = mixed.items
        changed = True
    if not changed:
        return graph
    stacks = stacks_in(root)
    return graph.derived(
        ((node, {**data, "module_stack": stacks[node] + own_call(data)}) for node, data in graph.nodes(data=True)),
        ((source, target, edge.copy()) for source, target, edge in graph.links()),
    )


def _is_mixed(block: Block, left: Container[str]) -> bool:
    sides = {key in left for key in block.operations()}
    return len(sides) > 1 and block.repeat == 1
