"""Hide operations, or merge several operations with one purpose into one with all their costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from fxsummary.graph.attributes import RESULT, NodeData, own_result, placed
from fxsummary.graph.labels import base, is_random
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import of_each_copy, summed
from fxsummary.text.numbers import common
from fxsummary.views.blocks import calls_around
from fxsummary.views.costs import carry_costs, is_free, is_weightless
from fxsummary.views.scalars import add_slots, of_part, reads_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Merger:
    """A copy of a graph in which operations can be hidden or merged.

    Attributes:
        graph: the copy; `finish` restores execution order.
        order: place of each operation in execution order.
        hidden: number of hidden operations by kind, over all copies.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.order = {key: float(place) for place, key in enumerate(graph)}
        self.hidden: Counter[str] = Counter(graph.graph.get("hidden", {}))

    def nodes(self, names: Container[str] | None = None) -> Iterator[tuple[str, NodeData]]:
        """Yield the operations with their attributes, except those removed during the iteration.

        Args:
            names: base names of the labels to yield; None for all.
        """
        nodes = [each for each in self.graph.nodes(data=True) if names is None or base(each[1]["label"]) in names]
        return ((key, data) for key, data in nodes if key in self.graph)

    def node(self, key: str) -> NodeData:
        """Return the attributes of an operation."""
        return self.graph.data(key)

    def hide(self, key: str, kind: str) -> None:
        """Remove an operation that returns its only input, unless it has a cost."""
        if not is_weightless(self.node(key)):
            return
        ((source, edge),) = self.graph.sources(key).items()
        part = next((part for _, part in reads_of(edge)), ())
        for target, data in list(self.graph.readers(key).items()):
            add_slots(self.graph, source, target, of_part(data.copy(), part))
        self.drop(key, kind)

    def drop(self, key: str, kind: str) -> None:
        """Remove an operation that nothing reads."""
        self._count(key, kind)
        self.graph.remove_node(key)

    def _count(self, key: str, kind: str) -> None:
        self.hidden[kind] += self.node(key)["multiplicity"] * self.node(key).get("closed", 1)

    def merge(
        self, members: Iterable[str], hidden: str, main: str | None = None, **attributes: Unpack[NodeData]
    ) -> str | None:
        """Merge several operations into one; return its key, or None if the execution order does not allow it.

        Args:
            members: the operations; their results that are read elsewhere become the results of the new one.
            hidden: their name in the list of hidden operations.
            main: the member whose key and other attributes the new operation takes; the last if None.
            attributes: label, config, kind of the new operation; the config also says how many operations it
                represents. With a new label it is a function.
        """
        inside = set(members)
        keys = sorted(inside, key=self.order.__getitem__)
        exits = [key for key in keys if any(r not in inside and e["slots"] for r, e in self.graph.readers(key).items())]
        place = self._place(keys)
        if len(keys) < 2 or not exits or place is None or len(set(map(self.copies, keys))) > 1:
            return None
        main = exits[-1] if main is None else main
        data = self.node(main)
        _set_results(data, [self.node(key) for key in exits], attributes)
        stacks = [self.node(key)["module_stack"] for key in keys]
        if data["op"] != "call_module" and any(stack != data["module_stack"] for stack in stacks):
            data.update(placed(min((each[: common(stacks[0], each)] for each in stacks), key=len)))
        own: NodeData = {"op": "call_function", "config": ""} if "label" in attributes else {"config": uncounted(data)}
        data.update({**own, **attributes})
        if not all(self.node(key).get("ghost") for key in keys):
            data.pop("ghost", None)
        data["absorbed"] = tuple(k for key in keys for k in (*self.node(key).get("absorbed", ()), key) if k != main)
        data["config"] = counted(data)
        for key in keys:
            if key != main:
                self._count(key, hidden)
                carry_costs(self.node(key), data)
        self._reconnect(keys, main, exits)
        self.order[main] = place
        return main

    def finish(self) -> ModelGraph:
        """Return the graph in execution order, with the counts of hidden operations."""
        nodes = ((key, self.node(key)) for key in sorted(self.graph, key=self.order.__getitem__))
        return self.graph.derived(nodes, self.graph.links(), hidden=dict(sorted(self.hidden.items())))

    def copies(self, key: str) -> Hashable:
        """Return which copies an operation represents: their number, and the runs around it."""
        data, repeats = self.node(key), self.graph.graph.get("repeats", {})
        runs = [call for call in calls_around(data) if call in repeats] if repeats else []
        return data["multiplicity"], (*runs, *([key] if key in repeats else []))

    def _place(self, keys: list[str]) -> float | None:
        """Return the place of the new operation: after all its inputs, before all its readers."""
        graph, order, inside = self.graph, self.order, set(keys)
        low = max((order[k] for key in keys for k in graph.sources(key) if k not in inside), default=-1.0)
        high = min((order[k] for key in keys for k in graph.readers(key) if k not in inside), default=float("inf"))
        between = [order[key] for key in keys if low < order[key] < high]
        return None if low >= high else between[-1] if between else (low + high) / 2

    def _reconnect(self, keys: list[str], main: str, exits: list[str]) -> None:
        graph, inside = self.graph, set(keys)
        sources = [(k, edge) for key in keys for k, edge in graph.sources(key).items() if k not in inside]
        readers = [(key, k, edge) for key in keys for k, edge in graph.readers(key).items() if k not in inside]
        graph.remove_nodes_from([key for key in keys if key != main])
        graph.remove_edges_from([*graph.in_edges(main), *graph.out_edges(main)])
        for place, (source, edge) in enumerate(sources):
            add_slots(graph, source, main, {**edge, "slots": (place,), "parts": edge["parts"][:1]})
        for key, reader, edge in readers:
            part = (exits.index(key),) if len(exits) > 1 and key in exits else ()
            add_slots(graph, main, reader, of_part(edge.copy(), part))


def merge_equal_constants(merger: Merger, keys: Iterable[str] | None = None) -> None:
    """Merge equal constants in one module with the same readers.

    Args:
        keys: the operations to look at; None for all.
    """
    graph = merger.graph
    alike: dict[Hashable, list[str]] = {}
    for key in sorted(graph if keys is None else keys, key=merger.order.__getitem__):
        data, readers = merger.node(key), tuple(graph.readers(key))
        if readers and not graph.sources(key) and is_plain(data) and not is_random(data["label"]):
            look = data["label"], data["config"], data["shape"], data["dtype"]
            alike.setdefault((look, data["module_stack"], data["multiplicity"], readers), []).append(key)
    for members in alike.values():
        config = ", ".join(filter(None, (merger.node(members[0])["config"], f"{len(members)} alike")))
        if main := merger.merge(members, "equal constants", config=config):
            merger.node(main)["config"] = config


def _set_results(data: NodeData, exits: list[NodeData], attributes: NodeData) -> None:
    """Give an operation the results of others, and drop what its copies had of its own results and ``attributes``."""
    kept = {name: each for name, each in data.get("each_copy", {}).items() if name not in (*RESULT, *attributes)}
    result = own_result(exits[0])
    if len(exits) > 1:
        result["outputs"] = tuple([each["outputs"] for each in exits])
        result["output_bytes"] = summed(each["output_bytes"] for each in exits)
        if any("outputs" in each.get("each_copy", ()) for each in exits):
            of_copies = tuple(zip(*[of_each_copy(each, "outputs") for each in exits], strict=True))
            result["each_copy"] = {**result.get("each_copy", {}), "outputs": of_copies}
    each_copy = {**kept, **result.pop("each_copy", {})}
    data.update(result)
    if each_copy or "each_copy" in data:
        data["each_copy"] = each_copy


def copy_of(graph: ModelGraph) -> ModelGraph:
    """Return a copy of a graph with copied attributes."""
    links = ((source, target, data.copy()) for source, target, data in graph.links())
    return graph.derived(((key, data.copy()) for key, data in graph.nodes(data=True)), links)


def counted(data: NodeData) -> str:
    """Return the configuration of a merged operation with the number of operations that it represents."""
    absorbed = data.get("absorbed", ())
    return ", ".join(filter(None, (data["config"], f"{len(absorbed) + 1} operations" if absorbed else "")))


def uncounted(data: NodeData) -> str:
    """Return the configuration of an operation without the number of operations that it represents.

    >>> uncounted({"config": "4 × 8, 2 operations", "absorbed": ("view",)}), uncounted({"config": "2 operations"})
    ('4 × 8', '2 operations')
    """
    absorbed = data.get("absorbed", ())
    count = f"{len(absorbed) + 1} operations" if absorbed else ""
    return data["config"].removesuffix(count).removesuffix(", ")


def is_call(data: NodeData) -> bool:
    """Return whether an operation is a call: not an input, output or parameter."""
    return data["op"] in ("call_function", "call_method", "call_module")


def is_plain(data: NodeData) -> bool:
    """Return whether an operation depends only on its inputs, without parameters and FLOPs."""
    return is_call(data) and data["op"] != "call_module" and is_free(data) and not data["reads"]
