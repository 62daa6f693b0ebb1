"""ATen nodes that belong to one call of a leaf module become one call_module node.

The groups and the nodes outside any are put in an order in which every value exists before it is read. That
of the program is kept as far as that allows; a group for which there is no such order, because something
outside it both reads from it and is read by it, is taken apart again.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
from torch import fx, nn

from fxsummary.capture import aten
from fxsummary.capture.exported import stacks
from fxsummary.capture.exported.costs import Cost, add_up
from fxsummary.capture.exported.flatten import Flat
from fxsummary.capture.exported.skeleton import Skeleton
from fxsummary.capture.nodes import SOURCE, STACK
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.graph.spec import map_structure

Call = tuple[str, int]
"""A call of a module: its path, and which call."""


def leaf_calls(flat: Flat, is_leaf: Callable[[str], bool]) -> dict[Call, list[fx.Node]]:
    """The nodes of each call of a leaf module; what is inside a leaf belongs to the outermost one."""
    found: dict[Call, list[fx.Node]] = {}
    for node in flat.graph.nodes:
        if node.op == "call_function":
            leaf = next((entry for entry in flat.entries[node] if is_leaf(entry.path)), None)
            if leaf is not None:
                found.setdefault((leaf.path, leaf.call), []).append(node)
    return found


@dataclass
class Unit:
    """One node of the graph to be: a call of a leaf module, or a node as it is."""

    members: list[fx.Node]
    call: Call | None = None


def in_order(nodes: Iterable[fx.Node], calls: dict[Call, list[fx.Node]]) -> list[Unit]:
    """All nodes but get_attr, in units and in an order that can be executed."""
    kept = [node for node in nodes if node.op != "get_attr"]
    while True:
        units = _units(kept, calls)
        ordered, cycles = _sorted(units)
        if not cycles:
            return ordered
        calls = {call: members for call, members in calls.items() if call not in cycles}


def _units(nodes: list[fx.Node], calls: dict[Call, list[fx.Node]]) -> list[Unit]:
    call_of = {node: call for call, members in calls.items() for node in members}
    units: dict[Any, Unit] = {}
    for node in nodes:
        call = call_of.get(node)
        units.setdefault(call or node, Unit([], call)).members.append(node)
    return list(units.values())


def _sorted(units: list[Unit]) -> tuple[list[Unit], set[Call]]:
    """The units sorted by dependency, then by place; and the calls that are in a cycle."""
    unit_of = {node: index for index, unit in enumerate(units) for node in unit.members}
    needs = [
        {unit_of[source] for node in unit.members for source in node.all_input_nodes if source in unit_of} - {index}
        for index, unit in enumerate(units)
    ]
    readers: list[list[int]] = [[] for _ in units]
    for index, sources in enumerate(needs):
        for source in sources:
            readers[source].append(index)
    waiting = [len(sources) for sources in needs]
    ready = [index for index, number in enumerate(waiting) if not number]
    ordered = []
    while ready:
        index = heapq.heappop(ready)
        ordered.append(units[index])
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(ordered) == len(units):
        return ordered, set()
    graph = nx.DiGraph((source, index) for index, sources in enumerate(needs) for source in sources)
    knots = [knot for knot in nx.strongly_connected_components(graph) if len(knot) > 1]
    tied = [units[index] for knot in knots for index in knot if len(units[index].members) > 1]
    return ordered, {unit.call for unit in tied if unit.call is not None}


@dataclass
class Grouped:
    """The graph with one node per call of a leaf module, and the outcome of each node."""

    graph: fx.Graph = field(default_factory=fx.Graph)
    outcomes: dict[fx.Node, Outcome] = field(default_factory=dict)


class _Writer:
    def __init__(self, flat: Flat, skeleton: Skeleton, costs: dict[fx.Node, Cost]) -> None:
        self.result = Grouped()
        self._flat = flat
        self._skeleton = skeleton
        self._costs = costs
        self._written: dict[fx.Node, fx.Node] = {}

    def write(self, unit: Unit) -> None:
        if unit.call is None:
            (node,) = unit.members
            self._written[node] = self._copy(node)
        else:
            self._write_call(unit.members, unit.call)

    def _copy(self, node: fx.Node) -> fx.Node:
        args, kwargs = map_structure(self._load, node.args), map_structure(self._load, node.kwargs)
        cost = self._costs.get(node, Cost(0))
        return self._create(node.op, node.target, args, kwargs, node.name, node, self._flat.values[node], cost)

    def _load(self, value: Any) -> Any:
        if not isinstance(value, fx.Node):
            return value
        if value not in self._written:  # a get_attr is written where it is first read
            self._written[value] = self._copy(value)
        return self._written[value]

    def _write_call(self, members: list[fx.Node], call: Call) -> None:
        path, inside = call[0], set(members)
        own = self._skeleton.tensor_names(path)
        args = tuple(self._load(node) for node in _inputs(members, inside) if not self._is_own(node, own))
        module = self._skeleton.modules[path]
        outputs = [node for node in members if any(user not in inside for user in node.users)]
        if isinstance(module, nn.MultiheadAttention):  # the weights of attention come second
            outputs.sort(key=lambda node: not _reads(node, f"{path}.out_proj.".lstrip("."), inside))
        source = _several(outputs, inside, module)
        if source is not None:
            value = self._flat.values[source]
        elif len(outputs) > 1:
            value = tuple(self._flat.values[node] for node in outputs)
        else:
            value = self._flat.values[(outputs or members)[-1]]
        cost = add_up(self._costs[node] for node in members)
        name = path.replace(".", "_") or type(module).__name__.lower()
        written = self._create("call_module", path, args, {}, name, members[0], value, cost, path)
        if source is None and len(outputs) <= 1:
            self._written.update(dict.fromkeys(outputs, written))
            return
        for index, node in enumerate(outputs):
            key = node.args[1] if source is not None else index
            self._written[node] = self._item(written, key, node, path)

    def _is_own(self, node: fx.Node, own: frozenset[str]) -> bool:
        """Whether an input need not be shown: a tensor of the module itself, or a size."""
        if node.op == "get_attr":
            return str(node.target) in own
        return isinstance(self._flat.values[node], (bool, int, float))

    def _item(self, source: fx.Node, key: Any, node: fx.Node, path: str) -> fx.Node:
        """One of several results of a module, taken by its caller."""
        name = node.name if aten.is_item(node.target) else "getitem"
        created = self._create(
            "call_function", operator.getitem, (source, key), {}, name, node, self._flat.values[node], Cost(0), path
        )
        outside = list(created.meta[STACK].items())[:-1] if path else []
        created.meta[STACK] = type(created.meta[STACK])(outside)
        return created

    def _create(
        self, op: str, target: Any, args: Any, kwargs: Any, name: str, origin: fx.Node, value: Any, cost: Cost,
        leaf: str | None = None,
    ) -> fx.Node:  # fmt: skip
        node = self.result.graph.create_node(op, target, args, kwargs, name)
        stack = self._flat.entries[origin]
        if leaf is not None:
            end = next(i for i, entry in enumerate(stack) if entry.path == leaf)
            stack = stack[: end + 1]
        node.meta[STACK] = stacks.as_module_stack(stack)
        node.meta[SOURCE] = origin.meta[SOURCE]
        self.result.outcomes[node] = Outcome(value, cost.flops, cost.unknown, assumed=cost.assumed)
        return node

    def drop_unused_numbers(self) -> None:
        """Sizes that only the inside of leaf modules has read."""
        for node in reversed(list(self.result.graph.nodes)):
            value = self.result.outcomes[node].value
            if node.op == "call_function" and not node.users and isinstance(value, (bool, int, float)):
                self.result.graph.erase_node(node)
                del self.result.outcomes[node]


def _inputs(members: list[fx.Node], inside: set[fx.Node]) -> list[fx.Node]:
    """What a group reads, in the order in which it is first read."""
    return list(dict.fromkeys(node for m in members for node in m.all_input_nodes if node not in inside))


def _reads(node: fx.Node, prefix: str, inside: set[fx.Node]) -> bool:
    """Whether a result of a group depends on a tensor whose name begins so."""
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
    """The operation of a group whose several results are those of the module; None where there is none."""
    if not outputs or not (len(outputs) > 1 or isinstance(module, nn.RNNBase)):
        return None
    sources = {node.args[0] if aten.is_item(node.target) else None for node in outputs}
    source = sources.pop()
    return source if not sources and isinstance(source, fx.Node) and source in inside else None


def group(flat: Flat, skeleton: Skeleton, calls: dict[Call, list[fx.Node]], costs: dict[fx.Node, Cost]) -> Grouped:
    """The graph with one node per call of a leaf module.

    Args:
        calls: the nodes of each such call.
        costs: FLOPs of the flat graph's nodes.
    """
    writer = _Writer(flat, skeleton, costs)
    for unit in in_order(flat.graph.nodes, calls):
        writer.write(unit)
    writer.drop_unused_numbers()
    return writer.result
