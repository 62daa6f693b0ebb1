"""Groups the ATen nodes of each call of a leaf module into one call_module node.

Groups and single nodes are ordered so that every value exists before it is read, as close to the program's order as
possible. A group is split up again if no such order exists, because an outside node both reads from it and is read by
it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import networkx as nx
from torch import fx, nn

from fxsummary.capture.exported.costs import add_up
from fxsummary.capture.exported.metadata import OUTCOME
from fxsummary.capture.exported.skeleton import Skeleton
from fxsummary.capture.nodes import INSIDE, SOURCE, STACK
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.structures import UNKNOWN
from fxsummary.graph.spec import map_structure

Call = tuple[str, str]
"""A call of a module: its path, and its key in the module stack."""


class Unit(NamedTuple):
    """One node of the new graph: a call of a leaf module, or an unchanged node."""

    members: list[fx.Node]
    call: Call | None = None


def leaf_calls(graph: fx.Graph, is_leaf: Callable[[str], bool]) -> dict[Call, list[fx.Node]]:
    """Return the nodes of each call of a leaf module; nodes in nested leaves belong to the outermost one."""
    found: dict[Call, list[fx.Node]] = {}
    for node in graph.nodes:
        leaf = next(((path, key) for key, (path, _) in node.meta[STACK].items() if is_leaf(path)), None)
        if leaf is not None and node.op == "call_function":
            found.setdefault(leaf, []).append(node)
    return found


def in_order(nodes: Iterable[fx.Node], calls: Mapping[Call, list[fx.Node]]) -> list[Unit]:
    """Group all nodes except get_attr into units, and return these in an executable order."""
    kept = [node for node in nodes if node.op != "get_attr"]
    call_of = {node: call for call, members in calls.items() for node in members}
    while True:
        grouped: dict[Call | fx.Node, Unit] = {}
        for node in kept:
            call = call_of.get(node)
            grouped.setdefault(call or node, Unit([], call)).members.append(node)
        units = list(grouped.values())
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
        call_of = {node: call for node, call in call_of.items() if call not in tied}


class _Writer:
    def __init__(self, skeleton: Skeleton) -> None:
        self.graph = fx.Graph()
        self.outcomes: dict[fx.Node, Outcome] = {}
        self._skeleton = skeleton
        self.written: dict[fx.Node, fx.Node] = {}

    def copy(self, node: fx.Node) -> fx.Node:
        args, kwargs = map_structure(self._load, (node.args, node.kwargs))
        copy = self.graph.create_node(node.op, node.target, args, kwargs, node.name)
        self.written[node] = self._note(copy, node, node.meta[OUTCOME])
        return copy

    def _load(self, value: object) -> Any:
        if not isinstance(value, fx.Node):
            return value
        return self.written.get(value) or self.copy(value)  # a get_attr node is written before its first reader

    def call(self, members: list[fx.Node], path: str, key: str) -> None:
        """Write one node for a call of a leaf module; if other nodes read several results, also one for each."""
        inside, module = set(members), self._skeleton.modules[path]
        own = self._skeleton.tensor_names(path)
        reads = dict.fromkeys(node for each in members for node in each.all_input_nodes if node not in inside)
        given = [node for node in reads if not _is_own(node, own)]
        args = tuple([self._load(node) for node in given])
        outputs = [node for node in members if any(user not in inside for user in node.users)]
        if isinstance(module, nn.MultiheadAttention):  # the attention weights come second
            outputs.sort(key=lambda node: not _reads(node, f"{path}.out_proj.".lstrip("."), inside))
        source = _several(outputs, inside, module)
        results = [source] if source is not None else outputs or members[-1:]
        values = [node.meta[OUTCOME].value for node in results]
        outcome = add_up([node.meta[OUTCOME] for node in members])
        outcome = replace(outcome, value=values[0] if len(values) == 1 else tuple(values))
        depth = [*members[0].meta[STACK]].index(key)
        name = path.replace(".", "_") or type(module).__name__.lower()
        written = self.graph.create_node("call_module", path, args, {}, name)
        known = {each: each.meta[OUTCOME].value for each in reads}
        written.meta[INSIDE] = members, given, results, known
        self._note(written, members[0], outcome, depth + 1)
        if outputs == results and len(outputs) == 1:
            self.written[outputs[0]] = written
            return
        for index, node in enumerate(outputs):
            item_key = index if source is None else node.args[1]
            name = node.name if node.target is operator.getitem else "getitem"
            item = self.graph.create_node("call_function", operator.getitem, (written, item_key), {}, name)
            # the caller takes the item, so it is outside the module
            self.written[node] = self._note(item, node, Outcome(node.meta[OUTCOME].value), depth)

    def _note(self, node: fx.Node, origin: fx.Node, outcome: Outcome, depth: int | None = None) -> fx.Node:
        """Set the source line and outcome of a node, and its stack, up to a depth."""
        node.meta[STACK] = dict(islice(origin.meta[STACK].items(), depth))
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
    is_number = isinstance(node.meta[OUTCOME].value, (bool, int, float))
    return str(node.target) in own if node.op == "get_attr" else is_number


def _reads(node: fx.Node, prefix: str, inside: set[fx.Node]) -> bool:
    """Whether a result of a group depends on a tensor whose name starts with ``prefix``."""
    return any(
        (source.op == "get_attr" and str(source.target).startswith(prefix))
        or (source in inside and _reads(source, prefix, inside))
        for source in node.all_input_nodes
    )


def _several(outputs: list[fx.Node], inside: set[fx.Node], module: nn.Module) -> fx.Node | None:
    """Return the operation in a group whose tuple of results is the module's result; None if there is none."""
    if not outputs or not (len(outputs) > 1 or isinstance(module, nn.RNNBase)):
        return None
    sources = {node.args[0] if node.target is operator.getitem else None for node in outputs}
    source = sources.pop()
    return source if not sources and isinstance(source, fx.Node) and source in inside else None


def group(
    flat: fx.Graph, skeleton: Skeleton, calls: Mapping[Call, list[fx.Node]]
) -> tuple[fx.Graph, dict[fx.Node, Outcome], dict[fx.Node, fx.Node]]:
    """Return a graph with one node per call of a leaf module, the outcome of each node, and the node of each result.

    Args:
        calls: see `leaf_calls`.
    """
    writer = _Writer(skeleton)
    for unit in in_order(flat.nodes, calls):
        if unit.call is None:
            writer.copy(unit.members[0])
        else:
            writer.call(unit.members, *unit.call)
    writer.drop_unused_numbers()
    return writer.graph, writer.outcomes, writer.written
