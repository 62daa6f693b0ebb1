"""Cut broadcasts: give each block a stand-in for a value that many blocks read, such as a mask."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from sys import maxsize

from fxsummary.graph.attributes import BLANK, NodeData, own_path, own_result, placed
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.text.numbers import common, relative_path
from fxsummary.views.blocks import calls_around

BROADCAST = 4
"""Number of sibling blocks that must read a value before it is cut."""

Stack = tuple[ModuleCall, ...]


def cut_broadcasts(graph: ModelGraph, kept: str | None = None) -> ModelGraph:
    """Return the graph with a stand-in, in each reading block, for each value that many sibling blocks read.

    A stand-in is a node without costs, in front of all others in its block; `stands_for` is the key of the node
    that produces the value. The block's edges from that node start at the stand-in instead. Everything else stays, and
    the value of the node ``kept``.
    """
    around = {key: calls_around(data) for key, data in graph.nodes(data=True)}
    names = {end: name for end, name in _stand_ins(graph, around).items() if end[0] != kept}
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
    """Return the keys of the stand-ins, by the value's node and the calls around the stand-in."""
    names: dict[tuple[str, Stack], str] = {}
    carried = _carried(graph, around)
    for source, readers in graph.succ.items():
        siblings: dict[int, dict[Stack, int]] = {}
        for reader in readers:
            block = _entered(around[source], around[reader])
            if block:
                times = _reading_copies(graph, source, around[reader][len(block) - 1 :], carried)
                of_level = siblings.setdefault(len(block), {})
                of_level[block] = max(of_level.get(block, 0), times)
        for blocks in siblings.values():
            for block in blocks if sum(blocks.values()) >= BROADCAST else ():
                if blocks[block] > 1 or len(blocks) >= BROADCAST:
                    names[source, block] = graph.new_key(f"tag {len(names)}: {source}")
    return names


def _reading_copies(graph: ModelGraph, source: str, calls: Stack, carried: Container[tuple[str, ModuleCall]]) -> int:
    """Return how many copies of the outermost repeated block among these read one value from outside; 1 if one does."""
    repeats = graph.graph.get("repeats", {})
    for call in calls:
        if call in repeats:
            return 1 if (source, call) in carried else repeats[call].count
    return 1


def _carried(graph: ModelGraph, around: Mapping[str, Stack]) -> set[tuple[str, ModuleCall]]:
    """Return the values that only the first copy of a repeated block reads, each with the block.

    They are read by operations that read the result of the copy before in all other copies. If those are in closed
    modules, it is the value that is made last.
    """
    place = {key: at for at, key in enumerate(graph)}
    found: set[tuple[str, ModuleCall]] = set()
    for call, repeat in graph.graph.get("repeats", {}).items():
        if isinstance(call, str):
            continue
        inside = [key for key in graph if call in around[key]]
        reads = [(source, key) for key in inside for source in graph.sources(key) if call not in around[source]]
        operations = {key for key, _ in repeat.carried} | {key for key, _ in repeat.own}
        first = {
            source for source, key in reads if operations.intersection((key, *graph.nodes[key].get("absorbed", ())))
        }
        if not first and reads:
            first = {max((source for source, _ in reads), key=place.__getitem__)}
        found |= {(source, call) for source in first}
    return found


def _entered(source: Stack, reader: Stack) -> Stack:
    """Return the calls down to the outermost block that a value enters on its way to a reader."""
    shared = common(source, reader)
    return reader[: shared + 1] if shared < len(reader) else ()


def _times(graph: ModelGraph, around: Mapping[str, Stack], blocks: Iterable[Stack]) -> dict[Stack, int]:
    """Return the number of copies that each block with a stand-in represents."""
    times = dict.fromkeys(blocks, maxsize)
    for key, number in graph.nodes(data="multiplicity"):
        for length in range(1, len(around[key]) + 1):
            block = around[key][:length]
            if block in times:
                times[block] = min(times[block], number)
    return times


def original_name(graph: ModelGraph, stand_in: NodeData, parent: str = "") -> str:
    """Return the name of the operation that a stand-in shows again, in a block: its module's path, or its label."""
    return relative_path(own_path(graph.nodes[stand_in["stands_for"]]), parent) or str(stand_in["label"])


def _stand_in(data: NodeData, source: str, stack: Stack) -> NodeData:
    return {
        **BLANK, **own_result(data), **placed(stack), "output_bytes": 0, "target": data["target"], "kind": data["kind"],
        "label": data["label"], "source": data["source"], "op": "stand_in",
        "stands_for": data.get("stands_for", source),
    }  # fmt: skip
