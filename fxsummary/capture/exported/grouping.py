"""Groups the ATen nodes of each call of a leaf module into one call_module node.

Groups and single nodes are ordered so that every value exists before it is read, as close to the program's order as
possible. A group is split up again if no such order exists, because an outside node both reads from it and is read by
it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import networkx as nx
from torch import fx, nn

from fxsummary.capture.exported import metadata
from fxsummary.capture.exported.costs import add_up
from fxsummary.capture.exported.metadata import ENTRIES, OUTCOME
from fxsummary.capture.exported.skeleton import Skeleton
from fxsummary.capture.nodes import SOURCE, STACK
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.structures import UNKNOWN
from fxsummary.graph.spec import map_structure

Call = tuple[str, int]
"""A call of a module: its path, and the number of the call."""


class Unit(NamedTuple):
    """One node of the new graph: a call of a leaf module, or an unchanged node."""

    members: list[fx.Node]
    call: Call | None = None


def leaf_calls(graph: fx.Graph, is_leaf: Callable[[str], bool]) -> dict[Call, list[fx.Node]]:
    """Return the nodes of each call of a leaf module; nodes in nested leaves belong to the outermost one."""
    found: dict[Call, list[fx.Node]] = {}
    for node in graph.nodes:
        if node.op == "call_function":
            leaf = next((entry for entry in node.meta[ENTRIES] if is_leaf(entry.path)), None)
            if leaf is not None:
                found.setdefault((leaf.path, leaf.call), []).append(node)
    return found


def in_order(nodes: Iterable[fx.Node], calls: dict[Call, list[fx.Node]]) -> list[Unit]:
    """Group all nodes except get_attr into units, and return these in an executable order."""
    kept = [node for node in nodes if node.op != "get_attr"]
    while True:
        units = _units(kept, calls)
        unit_of = {node: index for index, unit in enumerate(units) for node in unit.members}
        order = nx.DiGraph()
        order.add_nodes_from(range(len(units)))
        order.add_edges_from(
            (unit_of[source], index)
            for node, index in unit_of.items()
            for source in node.all_input_nodes
            if unit_of.get(source, index) != index
        )
        knots = [knot for knot in nx.strongly_connected_components(order) if len(knot) > 1]
        if not knots:
            return [units[index] for index in nx.lexicographical_topological_sort(order)]
        tied = {units[index].call for knot in knots for index in knot if len(units[index].members) > 1}
        calls = {call: members for call, members in calls.items() if call not in tied}


def _units(nodes: list[fx.Node], calls: dict[Call, list[fx.Node]]) -> list[Unit]:
    call_of = {node: call for call, members in calls.items() for node in members}
    units: dict[Call | fx.Node, Unit] = {}
    for node in nodes:
        call = call_of.get(node)
        units.setdefault(call or node, Unit([], call)).members.append(node)
    return list(units.values())


class _Writer:
    def __init__(self, skeleton: Skeleton) -> None:
        self.graph = fx.Graph()
        self.outcomes: dict[fx.Node, Outcome] = {}
        self._skeleton = skeleton
        self._written: dict[fx.Node, fx.Node] = {}

    def copy(self, node: fx.Node) -> fx.Node:
        args, kwargs = map_structure(self._load, (node.args, node.kwargs))
        copy = self.graph.create_node(node.op, node.target, args, kwargs, node.name)
        self._written[node] = self._note(copy, node, node.meta[OUTCOME])
        return copy

    def _load(self, value: object) -> Any:
        if not isinstance(value, fx.Node):
            return value
        return self._written.get(value) or self.copy(value)  # a get_attr node is written before its first reader

    def call(self, members: list[fx.Node], path: str) -> None:
        """Write one node for a call of a leaf module; if other nodes read several results, also one for each."""
        inside = set(members)
        own = self._skeleton.tensor_names(path)
        reads = dict.fromkeys(node for each in members for node in each.all_input_nodes if node not in inside)
        args = tuple([self._load(node) for node in reads if not _is_own(node, own)])
        module = self._skeleton.modules[path]
        outputs = [node for node in members if any(user not in inside for user in node.users)]
        if isinstance(module, nn.MultiheadAttention):  # the attention weights come second
            outputs.sort(key=lambda node: not _reads(node, f"{path}.out_proj.".lstrip("."), inside))
        source = _several(outputs, inside, module)
        if source is None and len(outputs) > 1:
            value: object = tuple([node.meta[OUTCOME].value for node in outputs])
        else:
            value = (source or [*members, *outputs][-1]).meta[OUTCOME].value
        outcome = replace(add_up([node.meta[OUTCOME] for node in members]), value=value)
        name = path.replace(".", "_") or type(module).__name__.lower()
        written = self.graph.create_node("call_module", path, args, {}, name)
        self._note(written, members[0], outcome, path)
        if source is None and len(outputs) <= 1:
            self._written.update(dict.fromkeys(outputs, written))
            return
        for index, node in enumerate(outputs):
            key = node.args[1] if source is not None else index
            name = node.name if node.target is operator.getitem else "getitem"
            item = self.graph.create_node("call_function", operator.getitem, (written, key), {}, name)
            self._written[node] = self._note(item, node, Outcome(node.meta[OUTCOME].value, 0), path)
            item.meta[STACK].popitem()  # the caller takes the item, so it is outside the module

    def _note(self, node: fx.Node, origin: fx.Node, outcome: Outcome, leaf: str | None = None) -> fx.Node:
        """Set the stack, source line and outcome of a node.

        Args:
            leaf: path of the module at which the stack ends.
        """
        stack = origin.meta[ENTRIES]
        ends = [place for place, entry in enumerate(stack, 1) if entry.path == leaf] or [len(stack)]
        node.meta[STACK] = metadata.as_module_stack(stack[: ends[0]])
        node.meta[SOURCE] = origin.meta[SOURCE]
        self.outcomes[node] = outcome
        return node

    def drop_unused_numbers(self) -> None:
        """Remove the sizes that only checks and the inside of leaf modules read."""
        for node in reversed(list(self.graph.nodes)):
            value = self.outcomes[node].value
            is_number = isinstance(value, (bool, int, float)) or (value is UNKNOWN and not _yields_tensors(node.target))
            if node.op == "call_function" and is_number and not node.users:
                self.graph.erase_node(node)
                del self.outcomes[node]


def _yields_tensors(target: object) -> bool:
    schema = getattr(target, "_schema", None)
    return schema is not None and any("Tensor" in str(result.type) for result in schema.returns)


def _is_own(node: fx.Node, own: frozenset[str]) -> bool:
    """Whether to hide an input, because it is the module's own tensor or a size."""
    return (
        str(node.target) in own if node.op == "get_attr" else isinstance(node.meta[OUTCOME].value, (bool, int, float))
    )


def _reads(node: fx.Node, prefix: str, inside: set[fx.Node]) -> bool:
    """Whether a result of a group depends on a tensor whose name starts with ``prefix``."""
    seen, waiting = set[fx.Node](), [node]
    while waiting:
        for source in waiting.pop().all_input_nodes:
            if source.op == "get_attr" and str(source.target).startswith(prefix):
                return True
            if source in inside and source not in seen:
                seen.add(source)
                waiting.append(source)
    return False


def _several(outputs: list[fx.Node], inside: set[fx.Node], module: nn.Module) -> fx.Node | None:
    """Return the operation in a group whose tuple of results is the module's result; None if there is none."""
    if not outputs or not (len(outputs) > 1 or isinstance(module, nn.RNNBase)):
        return None
    sources = {node.args[0] if node.target is operator.getitem else None for node in outputs}
    source = sources.pop()
    return source if not sources and isinstance(source, fx.Node) and source in inside else None


def group(
    flat: fx.Graph, skeleton: Skeleton, calls: dict[Call, list[fx.Node]]
) -> tuple[fx.Graph, dict[fx.Node, Outcome]]:
    """Return a graph with one node per call of a leaf module, and the outcome of each node.

    Args:
        calls: the nodes of each call of a leaf module.
    """
    writer = _Writer(skeleton)
    for unit in in_order(flat.nodes, calls):
        if unit.call is None:
            writer.copy(unit.members[0])
        else:
            writer.call(unit.members, unit.call[0])
    writer.drop_unused_numbers()
    return writer.graph, writer.outcomes
