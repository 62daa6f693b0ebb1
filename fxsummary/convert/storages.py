"""Convert the memory of the values in a capture: the storages of each operation, and the life of each storage."""

from __future__ import annotations

import operator
from collections.abc import Mapping

from torch import fx

from fxsummary.capture.results import Storages, Trace
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.memory import Storage
from fxsummary.graph.records import ModuleInfo
from fxsummary.graph.spec import TensorSpec


def add_storages(
    trace: Trace, found: Storages, attributes: Mapping[fx.Node, NodeData], modules: Mapping[str, ModuleInfo]
) -> tuple[Storage, ...]:
    """Set the attribute ``storages`` of the operations, and return the storages by the numbers in it."""
    buffers = {each.name: each.buffer for module in modules.values() for each in module.parameters}
    numbers: dict[int, int] = {}
    born: list[fx.Node] = []
    last: list[fx.Node] = []
    for node, data in attributes.items():
        own: list[int] = []
        for storage in found.held.get(node, ()):
            number = numbers.setdefault(storage, len(born))
            if number == len(born):
                born.append(node)
                last.append(node)
            last[number] = node
            own.append(number)
        data["storages"] = tuple(own)
        if node.target in trace.made:
            data["workspace"] = None  # the operations before it are not in the trace
        if not _is_element(node, attributes):
            for source in node.all_input_nodes:
                for number in attributes[source]["storages"]:
                    last[number] = node
    result: list[Storage] = []
    for storage, number in numbers.items():
        node, last_read = born[number], last[number].name
        kind = _kind(node, attributes[node], buffers, trace.made)
        dies = last_read if node.op == "get_attr" else _death(found.deaths.get(storage), attributes)
        result.append(Storage(found.nbytes.get(storage, 0), kind, node.name, last_read, dies))
    return tuple(result)


def _is_element(node: fx.Node, attributes: Mapping[fx.Node, NodeData]) -> bool:
    """Whether a node only takes an element of a result that is not a tensor."""
    if node.target is not operator.getitem and node.target is not getattr:
        return False
    whole = node.args[0]
    return isinstance(whole, fx.Node) and type(attributes[whole]["outputs"]) is not TensorSpec


def _kind(node: fx.Node, data: NodeData, buffers: Mapping[str, bool], made: frozenset[str]) -> str:
    if node.op == "placeholder":
        return "input"
    if node.op != "get_attr" or node.target in made:
        return "activation"
    return {None: "constant", True: "buffer", False: "parameter"}[buffers.get((data["reads"] or ("",))[0])]


def _death(node: fx.Node | None, attributes: Mapping[fx.Node, NodeData]) -> str:
    return "" if node is None or node.op == "output" or node not in attributes else node.name
