"""Merge a region of a graph, operations with one purpose, into one operation with all their costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fxsummary.graph.attributes import NodeData, own_result
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.text.numbers import common
from fxsummary.views.blocks import calls_around
from fxsummary.views.costs import carry_costs, is_free, is_weightless
from fxsummary.views.scalars import add_slots, of_part
from fxsummary.views.simplify import bypass, is_call

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Merger:
    """A copy of a graph in which regions become single operations.

    Attributes:
        graph: the copy; in execution order again after `finish`.
        order: place of each operation in execution order.
        hidden: how many operations were hidden, by kind, all copies counted.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.order = {key: float(place) for place, key in enumerate(graph)}
        self.hidden: Counter[str] = Counter(graph.graph.get("hidden", {}))

    def node(self, key: str) -> NodeData:
        """Attributes of an operation."""
        data: NodeData = self.graph.nodes[key]
        return data

    def hide(self, key: str, kind: str) -> None:
        """Take out an operation with one input, which is also its result, unless it costs something."""
        if not is_weightless(self.node(key)):
            return
        self.hidden[kind] += self._operations(self.node(key))
        bypass(self.graph, key)

    def drop(self, key: str, kind: str) -> None:
        """Take out an operation that nothing reads."""
        self.hidden[kind] += self._operations(self.node(key))
        self.graph.remove_node(key)

    def merge(
        self, members: Iterable[str], hidden: str, main: str | None = None, **attributes: Unpack[NodeData]
    ) -> str | None:
        """Make one operation of several; its key, or None where the order of execution does not allow it.

        Args:
            members: the operations; their results that are read elsewhere become its results.
            hidden: what to call them where hidden operations are listed.
            main: the member that gives the key and all attributes but those given; the last if None.
            attributes: label, config, kind of the new operation.
        """
        inside = set(members)
        keys = sorted(inside, key=self.order.__getitem__)
        exits = [key for key in keys if any(reader not in inside for reader in self.graph.readers(key))]
        place = self._place(keys)
        if len(keys) < 2 or not exits or place is None or not self._same_copies(keys):
            return None
        main = exits[-1] if main is None else main
        data = self.node(main)
        self._set_results(data, [self.node(key) for key in exits])
        stacks = [self.node(key)["module_stack"] for key in keys]
        if data["op"] != "call_module" and any(stack != data["module_stack"] for stack in stacks):
            self._set_stack(data, stacks)
        data.update(attributes)
        data["absorbed"] = tuple(k for key in keys for k in (*self.node(key).get("absorbed", ()), key) if k != main)
        for key in keys:
            if key != main:
                self.hidden[hidden] += self._operations(self.node(key))
                carry_costs(self.node(key), data)
        self._reconnect(keys, main, exits)
        self.order[main] = place
        return main

    def finish(self) -> ModelGraph:
        """The graph in execution order, with what was hidden."""
        keys = sorted(self.graph, key=self.order.__getitem__)
        nodes = ((key, self.node(key)) for key in keys)
        return self.graph.derived(nodes, self.graph.links(), hidden=dict(sorted(self.hidden.items())))

    @staticmethod
    def _operations(data: NodeData) -> int:
        return int(data["multiplicity"] * data.get("closed", 1))

    def _same_copies(self, keys: list[str]) -> bool:
        """Whether all stand for equally many copies, and, in a folded block, are in the same module."""
        times = {self.node(key)["multiplicity"] for key in keys}
        stacks = {calls_around(self.node(key)) for key in keys}
        return len(times) == 1 and (times == {1} or len(stacks) == 1)

    def _place(self, keys: list[str]) -> float | None:
        """Where the new operation can stand: after all that it reads, before all that reads it."""
        inside = set(keys)
        low = max((self.order[k] for key in keys for k in self.graph.sources(key) if k not in inside), default=-1.0)
        high = min(
            (self.order[k] for key in keys for k in self.graph.readers(key) if k not in inside), default=float("inf")
        )
        if low >= high:
            return None
        between = [self.order[key] for key in keys if low < self.order[key] < high]
        return between[-1] if between else (low + high) / 2

    @staticmethod
    def _set_results(data: NodeData, exits: list[NodeData]) -> None:
        if len(exits) == 1:
            data.update(own_result(exits[0]))
            return
        sizes = [each["output_bytes"] for each in exits]
        known = [size for size in sizes if size is not None]
        data["outputs"] = tuple(each["outputs"] for each in exits)
        data["output_bytes"] = sum(known) if len(known) == len(sizes) else None
        data["shape"], data["dtype"] = exits[0]["shape"], exits[0]["dtype"]

    @staticmethod
    def _set_stack(data: NodeData, stacks: list[tuple[ModuleCall, ...]]) -> None:
        stack = min((each[: common(stacks[0], each)] for each in stacks), key=len)
        data["module_stack"] = stack
        data["module"], data["module_type"] = (stack[-1].path, stack[-1].type) if stack else ("", "")

    def _reconnect(self, keys: list[str], main: str, exits: list[str]) -> None:
        graph, inside = self.graph, set(keys)
        sources = [(k, edge) for key in keys for k, edge in graph.sources(key).items() if k not in inside]
        readers = [(key, k, edge) for key in keys for k, edge in graph.readers(key).items() if k not in inside]
        graph.remove_nodes_from([key for key in keys if key != main])
        graph.remove_edges_from([*graph.in_edges(main), *graph.out_edges(main)])
        for place, (source, edge) in enumerate(sources):
            add_slots(graph, source, main, {**edge, "slots": (place,), "parts": edge["parts"][:1]})
        for key, reader, edge in readers:
            add_slots(graph, main, reader, of_part(edge.copy(), (exits.index(key),) if len(exits) > 1 else ()))


def is_plain(data: NodeData) -> bool:
    """Whether an operation is a function of its inputs alone, without parameters and FLOPs."""
    return is_call(data) and data["op"] != "call_module" and is_free(data) and not data["reads"]
