"""Changes by module, summed over the operations inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from fxsummary.graph.changes import ModuleChange, Run, before, joined
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.records import summed
from fxsummary.views.blocks import Block, block_tree

Cost = Literal["parameters", "flops"]


def module_change(graph: ModelGraph, block: Block, former: Mapping[ModuleCall, ModuleCall]) -> ModuleChange:
    """Return the change of a module call, given the old module calls by new ones."""
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


def costs(graph: ModelGraph, keys: Iterable[str], attribute: Cost) -> tuple[int | None, int | None]:
    """Return a cost of operations before and after, over all copies; None if an operation's cost is unknown."""
    sides: tuple[list[int | None], list[int | None]] = [], []
    for data in (graph.nodes[key] for key in keys):
        for side, number in zip(sides, (before(data, attribute), data[attribute]), strict=True):
            side.append(None if number is None else number * data["multiplicity"])
    return summed(sides[0]), summed(sides[1])


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
