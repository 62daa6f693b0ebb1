"""Cut broadcasts: a value that many blocks read, such as a mask, is there once more in each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import maxsize

from fxsummary.graph.attributes import BLANK, NodeData, own_result
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.text.numbers import common
from fxsummary.views.blocks import calls_around

BROADCAST = 4
"""A value that this many sibling blocks read is cut."""

Stack = tuple[ModuleCall, ...]


def cut_broadcasts(graph: ModelGraph) -> ModelGraph:
    """The graph with a stand-in for each value that many sibling blocks read, in each of these blocks.

    A stand-in is a node without costs, before all others of its block; `stands_for` is the key of the node
    whose value it is. The edges from there into the block start at the stand-in. All else stays as it is.
    """
    around = {key: calls_around(data) for key, data in graph.nodes(data=True)}
    names = _stand_ins(graph, around)
    if not names:
        return graph
    waiting: dict[Stack, dict[str, NodeData]] = {}
    for (source, stack), name in names.items():
        waiting.setdefault(stack, {})[name] = _stand_in(graph.nodes[source], source, stack)
    times = _times(graph, around, waiting)
    nodes: dict[str, NodeData] = {}
    for key, data in graph.nodes(data=True):
        for length in range(1, len(around[key]) + 1 if waiting else 0):
            stack = around[key][:length]
            for name, stand_in in waiting.pop(stack, {}).items():
                nodes[name] = {**stand_in, "multiplicity": times[stack]}
        nodes[key] = data.copy()
    cut = {source for source, _ in names}
    edges = []
    for source, target, edge in graph.links():
        block = _entered(around[source], around[target]) if source in cut else ()
        edges.append((names.get((source, block), source), target, edge.copy()))
    return graph.derived(nodes.items(), edges)


def _stand_ins(graph: ModelGraph, around: Mapping[str, Stack]) -> dict[tuple[str, Stack], str]:
    """The keys of the stand-ins, by the value's node and the calls around the stand-in."""
    names: dict[tuple[str, Stack], str] = {}
    for source, readers in graph.succ.items():
        if len(readers) < BROADCAST:
            continue
        siblings: dict[int, dict[Stack, None]] = {}
        for reader in readers:
            block = _entered(around[source], around[reader])
            if block:
                siblings.setdefault(len(block), {})[block] = None
        for blocks in siblings.values():
            for block in blocks if len(blocks) >= BROADCAST else ():
                names[source, block] = graph.new_key(f"tag {len(names)}: {source}")
    return names


def _entered(source: Stack, reader: Stack) -> Stack:
    """The calls around the outermost block that a value enters on its way to a reader, that of the block included."""
    shared = common(source, reader)
    return reader[: shared + 1] if shared < len(reader) else ()


def _times(graph: ModelGraph, around: Mapping[str, Stack], blocks: Iterable[Stack]) -> dict[Stack, int]:
    """How many copies each block with a stand-in stands for."""
    times = dict.fromkeys(blocks, maxsize)
    for key, number in graph.nodes(data="multiplicity"):
        for length in range(1, len(around[key]) + 1):
            block = around[key][:length]
            if block in times:
                times[block] = min(times[block], number)
    return times


def _stand_in(data: NodeData, source: str, stack: Stack) -> NodeData:
    """Attributes of a stand-in for a value."""
    return {
        **BLANK, **own_result(data), "output_bytes": 0, "target": data["target"], "kind": data["kind"],
        "label": data["label"], "source": data["source"], "op": "stand_in",
        "stands_for": data.get("stands_for", source), "module_stack": stack, "module": stack[-1].path,
        "module_type": stack[-1].type,
    }  # fmt: skip
