"""Close blocks: a closed block is one operation with the costs of everything inside."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from fxsummary.changes import joined
from fxsummary.modelgraph import ModelGraph
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.scalars import add_slots
from fxsummary.views.simplify import NO_COSTS, carry_costs

MOST_IN_A_NORM = 10
_HEAVY = frozenset({"convolution", "linear", "attention", "recurrent", "embedding"})


def limit_depth(graph: ModelGraph, depth: int) -> ModelGraph:
    """The graph with blocks nested deeper than ``depth`` closed; 0 closes every block.

    A closed block is a node of op call_module whose costs, times its multiplicity, are those of the
    operations inside, so the totals stay the same; `closed` is their number. A small norm or activation
    module counts as such.
    """
    return close_blocks(graph, lambda block, level: level > depth)


def close_small(graph: ModelGraph) -> ModelGraph:
    """The graph with every small norm or activation module, such as a handwritten RMSNorm or GELU, closed."""
    return close_blocks(graph, lambda block, level: is_small_norm(graph, block) or is_small_activation(graph, block))


def is_small_norm(graph: ModelGraph, block: Block) -> bool:
    """Whether a block is a module named ``*Norm`` of at most ten operations, none of them heavy."""
    if "Norm" not in block.type or block.call is None:
        return False
    keys = [key for key in block.operations() if graph.nodes[key]["op"] != "get_attr"]
    return len(keys) <= MOST_IN_A_NORM and not any(graph.nodes[key]["kind"] in _HEAVY for key in keys)


def is_small_activation(graph: ModelGraph, block: Block) -> bool:
    """Whether a block is an activation written out: up to ten elementwise functions of one value."""
    keys = set(islice(block.operations(), MOST_IN_A_NORM + 1))
    nodes = [graph.nodes[key] for key in keys]
    if block.call is None or not 2 <= len(keys) <= MOST_IN_A_NORM or len({data["shape"] for data in nodes}) > 1:
        return False
    kinds = {data["kind"] for data in nodes}
    sources = {source for key in keys for source in graph.pred[key]} - keys
    plain = all(data["op"] != "call_module" and not data["reads"] for data in nodes)
    return plain and len(sources) == 1 and "activation" in kinds and kinds <= {"activation", "arithmetic"}


def close_blocks(graph: ModelGraph, closes: Callable[[Block, int], bool]) -> ModelGraph:
    """The graph with one node in place of each outermost block for which ``closes(block, level)`` holds.

    Levels count from 1, the blocks directly in the model. A repeated pattern of several blocks is no
    level of its own and is never closed as a whole.
    """
    closed = _chosen(block_tree(graph), closes)
    if not closed:
        return graph
    node_of = {key: _node_name(graph, block) for block in closed for key in block.operations()}
    block_of = {node_of[next(block.operations())]: block for block in closed}
    result = graph.__class__()
    result.graph.update(graph.graph)
    nodes: dict[str, dict[str, Any]] = {}
    for key, data in graph.nodes(data=True):
        name = node_of.get(key, key)
        if name == key:
            nodes[key] = dict(data)
        elif name not in nodes:
            nodes[name] = _closed(graph, block_of[name])
    result.fill(nodes.items(), ())
    for source, target, data in graph.edges(data=True):
        start, end = node_of.get(source, source), node_of.get(target, target)
        if start != end:
            known = result.sources(end)
            slots = data["slots"] if end == target else (len(known),)
            if end == target or start not in known:
                parts = data["parts"] if (start, end) == (source, target) else ()
                add_slots(result, start, end, {**data, "slots": slots, "parts": parts})
    return result


def _chosen(root: Block, closes: Callable[[Block, int], bool]) -> list[Block]:
    chosen: list[Block] = []
    pending = [(root, 0)]
    while pending:
        block, level = pending.pop()
        is_module = block.call is not None and not block.is_pattern
        if is_module and closes(block, level):
            chosen.append(block)
            continue
        below = level + (is_module or block is root)
        pending.extend((inner, below) for inner in block.blocks())
    return chosen


def _node_name(graph: ModelGraph, block: Block) -> str:
    """A node key made like torch.fx makes them, not taken by an operation."""
    assert block.call is not None
    name = block.path.replace(".", "_") + (f"_{block.call.call}" if block.call.call else "")
    while name in graph:
        name += "_"
    return name


def _closed(graph: ModelGraph, block: Block) -> dict[str, object]:
    """Attributes of the node that stands for a block."""
    assert block.call is not None
    keys = list(block.operations())
    last = graph.nodes[keys[-1]]
    times = min(graph.nodes[key]["multiplicity"] for key in keys)
    stack = last["module_stack"]
    depth = next(i for i, call in enumerate(stack) if call == block.call)
    info = graph.modules.get(block.path)
    kind = "norm" if is_small_norm(graph, block) else "activation" if is_small_activation(graph, block) else "other"
    node: dict[str, object] = {
        "op": "call_module",
        "target": block.path,
        "kind": kind,
        "module": block.path,
        "module_type": block.type,
        "module_stack": stack[: depth + 1],
        "label": block.type,
        "config": info.config if info else "",
        "arguments": "",
        "packed": any(graph.nodes[key].get("packed") for key in keys),
        "source": graph.nodes[keys[0]]["source"],
        "multiplicity": times,
        "closed": sum(graph.nodes[key].get("closed", 1) * graph.nodes[key]["multiplicity"] // times for key in keys),
    }
    node |= {name: last[name] for name in ("outputs", "shape", "dtype", "output_bytes")}
    node |= NO_COSTS
    compared = "change" in last
    if compared:
        node |= {"change": "same", "differences": (), "was": ""}
    for key in keys:
        carry_costs(graph.nodes[key], node, graph.nodes[key]["multiplicity"] // times)
    if compared:
        node["change"] = joined(graph.nodes[key]["change"] for key in keys)
    return node
