"""Changes by module, summed over the operations inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from fxsummary.graph.changes import ModuleChange, Run, before, joined
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.blocks import Block, block_tree

Cost = Literal["parameters", "flops"]
Calls = Mapping[ModuleCall, ModuleCall]
"""Old module calls by new ones."""


def module_changes(graph: ModelGraph, former: Calls) -> tuple[ModuleChange, ...]:
    """Return every module call of a compared graph, the model itself first, in execution order."""
    return tuple(module_change(graph, block, former) for block in block_tree(graph).walk())


def module_change(graph: ModelGraph, block: Block, former: Calls) -> ModuleChange:
    """Return the change of one module call."""
    keys = list(block.operations())
    was = former.get(block.call, block.call) if block.call is not None else None
    kind = block.type or graph.name
    return ModuleChange(
        path=block.path,
        type=kind if was is None or was.type == kind else f"{was.type} ⇒ {kind}",
        change=joined(graph.nodes[key]["change"] for key in keys),
        was="" if was is None or was.path == block.path else was.path,
        parameters=costs(graph, keys, "parameters"),
        flops=costs(graph, keys, "flops"),
    )


def costs(
    graph: ModelGraph, keys: Iterable[str], attribute: Literal["parameters", "flops"]
) -> tuple[int | None, int | None]:
    """Return a cost of operations before and after, over all copies; None if an operation's cost is unknown."""
    sums: list[int | None] = [0, 0]
    for key in keys:
        data = graph.nodes[key]
        for side, number in enumerate((before(data, attribute), data[attribute])):
            known = sums[side]
            sums[side] = None if number is None or known is None else known + number * data["multiplicity"]
    return sums[0], sums[1]


def runs(graph: ModelGraph) -> tuple[Run, ...]:
    """Return the groups of two or more siblings of one class whose number changed."""
    found: list[Run] = []
    for block in block_tree(graph).walk():
        counts: dict[tuple[str, str], list[int]] = {}
        for item in block.items:
            path, kind, change = _sibling(graph, item)
            name = path.rpartition(".")[2]
            if name.isdigit() or (isinstance(item, Block) and name[-1:].isdigit()):
                count = counts.setdefault((path.rpartition(".")[0], kind), [0, 0])
                count[0] += change != "added"
                count[1] += change != "removed"
        found += [
            Run(path, kind, old, new)
            for (path, kind), (old, new) in counts.items()
            if old != new and old and new and max(old, new) > 1
        ]
    return tuple(found)


def _sibling(graph: ModelGraph, item: str | Block) -> tuple[str, str, str]:
    """Return path, class and change of a block or a module operation; "" for other operations."""
    if isinstance(item, Block):
        return item.path, item.type, joined(graph.nodes[key]["change"] for key in item.operations())
    data = graph.nodes[item]
    return (data["target"] if data["op"] == "call_module" else "", data["label"], data["change"])
