"""Costs by module path and by kind: operations combined into one, each attribute by the rule in its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, cast

from fxsummary.graph.attributes import BLANK, NodeData, result
from fxsummary.graph.costs import Costs, costs_of
from fxsummary.graph.modelgraph import ModelGraph, ParameterInfo
from fxsummary.graph.records import known, over_copies
from fxsummary.graph.spec import nbytes
from fxsummary.passes.parameters import counts
from fxsummary.views.blocks import UNREAD, Block, block_tree, own_call, result_of
from fxsummary.views.costs import carry_costs


def by_module(graph: ModelGraph) -> dict[str, Costs]:
    """Return the costs of each module by path, "" for the model; see `ModelGraph.by_module`."""
    found, made = module_data(graph), _activations(graph, "module")
    for path in _inner_first(found):
        made[_parent(path)] += made[path]
    is_known = _knows_storages(graph)
    return {path: costs_of(data, made[path] if is_known else None) for path, data in found.items()}


def by_kind(graph: ModelGraph) -> dict[str, Costs]:
    """Return the costs of the operations of each kind; see `ModelGraph.by_kind`."""
    made, kinds = _activations(graph, "kind"), dict[str, NodeData]()
    for _, data in graph.nodes(data=True):
        _carry(data, kinds.setdefault(data["kind"], _blank(graph)))
    if unread := [each for each in _held(graph) if not each.read]:
        carry_costs({**_blank(graph), **_of_tensors(unread)}, kinds.setdefault("parameter", _blank(graph)))
    is_known = _knows_storages(graph)
    return {kind: costs_of(data, made[kind] if is_known else None) for kind, data in kinds.items()}


def module_data(graph: ModelGraph) -> dict[str, NodeData]:
    """Return each module, with its submodules, as one operation; the model itself has the path "".

    An operation counts in the module whose code runs it, and in the modules around that in the module tree. A
    parameter counts in the module that holds it under its first name.
    """
    found = {
        path: _blank(graph, op="call_module", target=path, module=path, module_type=info.type, label=info.type,
            config=info.config)
        for path, info in graph.modules.items()
    }  # fmt: skip
    for _, data in graph.nodes(data=True):
        if data["op"] != UNREAD:
            _carry(data, found[data["module"] if data["module"] in found else ""])
    for path, info in graph.modules.items():
        found[path].update(_of_tensors([each for each in info.parameters if not each.tied_to]))
    for path in _inner_first(found):
        carry_costs(found[path], found[_parent(path)])
        found[_parent(path)]["closed"] += found[path]["closed"]
    if graph.is_partial:
        found[""]["at_least"] = {**found[""].get("at_least", {}), "flops": known(found[""], "flops")}
        found[""]["flops"] = None
    calls = first_calls(graph)
    for path, data in found.items() if graph.captured_by != "modules" else ():
        data.update(_result(graph, calls[path]) if path in calls else {"outputs": ()})
    return found


def first_calls(graph: ModelGraph) -> dict[str, Block]:
    """Return the first call of each module that is called, by path."""
    found: dict[str, Block] = {}
    for block in block_tree(graph).walk():
        if not block.is_pattern:
            found.setdefault(block.path, block)
        for key in block.items:
            if isinstance(key, str) and (call := own_call(graph.nodes[key])):
                found.setdefault(call[0].path, Block(call[0], [key]))
    return found


def frozen_part(nodes: Iterable[NodeData]) -> str:
    """Return "frozen" if none of the parameters of some operations is trainable, "partly frozen" if some are, or ""."""
    numbers = [(over_copies(data, "parameters"), over_copies(data, "trainable_parameters")) for data in nodes]
    held, trained = (sum(each) for each in zip(*numbers, strict=True)) if numbers else (0, 0)
    return "" if held == trained else "partly frozen" if trained else "frozen"


def _result(graph: ModelGraph, block: Block) -> NodeData:
    """Return the result of a call, with kind and source."""
    returned, first = result_of(graph, block), graph.data(next(block.operations()))
    kind = first["kind"] if own_call(first) == (block.call,) else "other"
    told: NodeData = {"assumed": returned.assumed, "kind": kind, "source": first["source"]}
    return {**result(returned.outputs), **told, "output_bytes": nbytes(returned.outputs)}


def _blank(graph: ModelGraph, **attributes: object) -> NodeData:
    compared = {} if graph.comparison is None else {"change": "same", "differences": ()}
    return cast(NodeData, {**BLANK, "kind": "other", "closed": 0, "unread": 0, **compared, **attributes})


def _carry(source: NodeData, target: NodeData) -> None:
    carry_costs(source, target, source["multiplicity"])
    target["closed"] += source.get("closed", 1) * source["multiplicity"]


def _of_tensors(tensors: list[ParameterInfo]) -> NodeData:
    """Return the attributes that follow from the tensors that a module holds."""
    parameters = [each for each in tensors if not each.buffer]
    buffers = [each.nbytes or 0 for each in tensors if each.buffer and each.spec is not None]
    return {
        **counts(parameters, unknown=False), "buffers": len(buffers), "buffer_bytes": sum(buffers),
        "unread": sum(each.numel or 0 for each in parameters if not each.read),
    }  # fmt: skip


def _held(graph: ModelGraph) -> Iterator[ParameterInfo]:
    """Yield the distinct tensors of the model that operations may read."""
    in_rows = graph.graph.get("unread_shown", False)
    tensors = (each for module in graph.modules.values() for each in module.parameters)
    return (each for each in tensors if not each.tied_to and (each.buffer or not in_rows))


def _knows_storages(graph: ModelGraph) -> bool:
    """Whether the storages of a graph are known and are those of its operations: a view leaves operations out."""
    return graph.memory is not None and len(graph.memory.operations) == len(graph)


def _activations(graph: ModelGraph, attribute: Literal["module", "kind"]) -> Counter[str]:
    """Return the bytes of the tensors made, by an attribute of the operation that makes them."""
    made: Counter[str] = Counter()
    for each in graph.storages if _knows_storages(graph) else ():
        if each.kind == "activation":
            made[graph.nodes[each.born][attribute]] += each.nbytes
    return made


def _inner_first(paths: Iterable[str]) -> list[str]:
    """Return the paths other than "", those of inner modules before those around them."""
    return sorted(filter(None, paths), key=lambda path: -path.count("."))


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
