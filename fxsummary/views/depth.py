"""Close blocks: a closed block is one operation with the costs of everything inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from itertools import accumulate, islice
from operator import index

from fxsummary.errors import InputError
from fxsummary.graph.attributes import BLANK, NodeData, result
from fxsummary.graph.changes import joined
from fxsummary.graph.labels import PRODUCTS
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.spec import nbytes
from fxsummary.views.blocks import UNREAD, Block, block_tree, result_of
from fxsummary.views.costs import carry_costs
from fxsummary.views.ghosts import are_ghosts
from fxsummary.views.scalars import add_slots
from fxsummary.views.unread import shared_with_others

MOST_IN_A_NORM = 10
_HEAVY = PRODUCTS | {"embedding"}
"""Kinds that hold most of a model's parameters; a norm contains none of them."""


def check_depth(depth: object) -> int | None:
    """Return the number of levels of modules to open, None for no limit; raises InputError for anything else.

    0 shows the model as one row, 1 opens the model, 2 also opens the modules in it, and so on.
    """
    if depth is None:
        return None
    if isinstance(depth, bool) or not hasattr(depth, "__index__") or (number := index(depth)) < 0:
        raise InputError(f"depth={depth!r} is not a number of module levels: pass 0 (the model as one row) or more.")
    return number


def limit_depth(graph: ModelGraph, depth: int) -> ModelGraph:
    """Return the graph with ``depth`` levels of modules open; 0 closes the model itself, 1 all modules in it.

    A closed block is a call_module node. Its costs, times its multiplicity, are those of the operations inside,
    so the totals stay the same; `closed` is the number of these operations. A small norm or activation module gets
    that kind.
    """
    return close_blocks(graph, lambda block, level: level >= depth)


def close_small(graph: ModelGraph) -> ModelGraph:
    """Return the graph with every small norm or activation module closed, such as a handwritten RMSNorm or GELU."""
    return close_blocks(graph, lambda block, level: is_small_norm(graph, block) or is_small_activation(graph, block))


def is_small_norm(graph: ModelGraph, block: Block) -> bool:
    """Return whether a block is a module named ``*Norm`` with at most ten operations, none of them heavy."""
    if "Norm" not in block.type or block.call is None:
        return False
    keys = [key for key in block.operations() if graph.nodes[key]["op"] != "get_attr"]
    return len(keys) <= MOST_IN_A_NORM and not any(graph.nodes[key]["kind"] in _HEAVY for key in keys)


def is_small_activation(graph: ModelGraph, block: Block) -> bool:
    """Return whether a block is an activation of its own: one function, or up to ten elementwise ones of one value."""
    keys = set(islice(block.operations(), MOST_IN_A_NORM + 1))
    nodes = [graph.nodes[key] for key in keys]
    if block.call is None or len(keys) > MOST_IN_A_NORM or len({data["shape"] for data in nodes}) > 1:
        return False
    kinds = {data["kind"] for data in nodes}
    sources = {source for key in keys for source in graph.sources(key)} - keys
    plain = all(data["op"] != "call_module" and not data["reads"] for data in nodes)
    return plain and len(sources) == 1 and "activation" in kinds and kinds <= {"activation", "arithmetic"}


def close_blocks(graph: ModelGraph, closes: Callable[[Block, int], bool]) -> ModelGraph:
    """Replace each outermost block for which ``closes(block, level)`` is true by one node.

    The model itself is level 0, the blocks directly in it are level 1. A repeated pattern of several blocks does not
    count as a level and is never closed as a whole.
    """
    return Closing(graph).close(closes)


class Closing:
    """Closes blocks of one graph, as often as needed.

    Attributes:
        closed: the nodes of blocks closed so far, by their calls.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.closed: dict[ModuleCall | None, NodeData] = {}
        self._graph = graph
        self._root = block_tree(graph)

    def close(self, closes: Callable[[Block, int], bool]) -> ModelGraph:
        """Return the graph with blocks closed; see `close_blocks`."""
        graph = self._graph
        chosen: dict[str, tuple[Block, list[str]]] = {}
        for block in _chosen(self._root, closes):
            if keys := _inside(graph, block):
                chosen[_name(graph, block, chosen)] = block, keys
        if not chosen:
            return graph
        node_of = {key: name for name, (_, keys) in chosen.items() for key in keys}
        nodes: dict[str, NodeData] = {}
        for key, data in graph.nodes(data=True):
            name = node_of.get(key, key)
            if name == key:
                nodes[key] = data.copy()
            elif name not in nodes:
                nodes[name] = self._closed(*chosen[name]).copy()
        for name, (block, _) in chosen.items():
            if not block.again and (remark := self._remarks.get(block.path)):
                nodes[name]["shared"] = remark
        result = graph.derived((), ())
        result.fill(nodes.items(), ())
        add_edges(result, graph, node_of)
        return result

    def _closed(self, block: Block, keys: list[str]) -> NodeData:
        if block.call not in self.closed:
            self.closed[block.call] = _closed(self._graph, block, keys, block.copies)
        return self.closed[block.call]

    @cached_property
    def _remarks(self) -> Mapping[str, str]:
        return shared_with_others(self._graph)


def add_edges(result: ModelGraph, graph: ModelGraph, node_of: dict[str, str]) -> None:
    """Add the edges of a graph between the nodes that replace their ends."""
    for source, target, edge in graph.links():
        start, end = node_of.get(source, source), node_of.get(target, target)
        if start == end:
            continue
        if (start, end) == (source, target):
            add_slots(result, start, end, edge)
        elif end == target or start not in result.sources(end):
            slots = edge["slots"] if end == target else (len(result.sources(end)),)
            add_slots(result, start, end, {**edge, "slots": slots, "parts": ()})


def shown_at(graph: ModelGraph) -> list[int]:
    """Return the number of operations and closed modules shown with 0, 1, 2, ... levels of modules open."""
    operations: Counter[int] = Counter()
    modules: Counter[int] = Counter()
    pending = [(block_tree(graph), 0)]
    while pending:
        block, level = pending.pop()
        is_module = not block.is_pattern
        below = level + is_module
        modules[level] += is_module
        operations[below] += sum(isinstance(item, str) for item in block.items)
        pending.extend((inner, below) for inner in block.blocks())
    counted = accumulate(operations[depth] for depth in range(max(operations) + 1))
    return [number + modules[depth] for depth, number in enumerate(counted)]


def _chosen(root: Block, closes: Callable[[Block, int], bool]) -> list[Block]:
    chosen: list[Block] = []
    pending = [(root, 0)]
    while pending:
        block, level = pending.pop()
        is_module = not block.is_pattern
        if is_module and closes(block, level):
            chosen.append(block)
            continue
        pending.extend((inner, level + is_module) for inner in block.blocks())
    return chosen


def _inside(graph: ModelGraph, block: Block) -> list[str]:
    """Return the operations in a block; for the model itself all except its inputs and outputs."""
    if block.call is not None:
        return list(block.operations())
    return [key for key in block.operations() if graph.nodes[key]["op"] not in ("placeholder", "output")]


def _name(graph: ModelGraph, block: Block, taken: Collection[str]) -> str:
    """Return an unused node key for a block, formed as torch.fx does."""
    path, call = (block.path, block.call.call) if block.call is not None else (graph.name.lower(), 0)
    name = path.replace(".", "_") + (f"_{call}" if call else "")
    while name in graph or name in taken:
        name += "_"
    return name


def closed_block(graph: ModelGraph, block: Block, per: int) -> NodeData:
    """Return the attributes of a block as one operation, for one of ``per`` copies of its parent."""
    keys = _inside(graph, block)
    return _closed(graph, block, keys, per) if keys else {**BLANK, "kind": "other"}


def _closed(graph: ModelGraph, block: Block, keys: list[str], times: int) -> NodeData:
    """Return the attributes of a closed block's node, with the costs of one of its ``times`` copies."""
    inside = [graph.nodes[key] for key in keys]
    last = inside[-1]
    returned = result_of(graph, block)
    stack = last["module_stack"]
    calls = 0 if block.call is None else 1 + next(i for i, call in enumerate(stack) if call == block.call)
    info = graph.modules.get(block.path)
    type_ = block.type or graph.name
    kind = "norm" if is_small_norm(graph, block) else "activation" if is_small_activation(graph, block) else "other"
    node: NodeData = {
        **BLANK,
        "op": "call_module",
        "target": block.path,
        "kind": kind,
        "module": block.path,
        "module_type": type_,
        "module_stack": stack[:calls],
        "label": type_,
        "config": info.config if info else "",
        **result(returned.outputs),
        "output_bytes": nbytes(returned.outputs),
        "source": inside[0]["source"],
        "multiplicity": block.copies,
        "closed": sum(data.get("closed", 1) * data["multiplicity"] // times for data in inside if data["op"] != UNREAD),
    }
    if "change" in last:
        node |= {"change": "same", "differences": (), "was": ""}
    for data in inside:
        carry_costs(data, node, data["multiplicity"] // times)
    node["assumed"] = returned.assumed
    if are_ghosts(inside):
        node["ghost"] = True
    if "change" in last:
        node["change"] = joined(data["change"] for data in inside)
    return node
