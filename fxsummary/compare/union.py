"""Join two graphs into one `ModelGraph`: all operations of both, matching ones once, with their changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

from fxsummary.compare.align import Alignment
from fxsummary.errors import InputError
from fxsummary.graph.attributes import NO_COSTS, NODE, EdgeData, NodeData, own_path
from fxsummary.graph.changes import SIGNS, Comparison, Difference, ModuleChange, Run, Sides, joined
from fxsummary.graph.changes import before as value_before
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.records import summed
from fxsummary.support.gc_pause import paused
from fxsummary.views.blocks import Block, Item, block_tree


@paused()
def compare(before: ModelGraph, after: ModelGraph, names: tuple[str, str] | None = None) -> ModelGraph:
    """Return the operations of both graphs as one graph; neither is changed.

    ``names`` are for the heading; by default the class names of both models.

    Matching operations are one node, with the attributes and key from ``after``. Removed operations keep those from
    ``before`` (with ``_before`` appended if ``after`` has the same key), except for their costs, which are 0. So the
    totals are those of ``after``. Nodes get `change`, `differences` and `was`, edges get `change`, and
    ``result.comparison`` has the rest.

    Raises:
        InputError: a graph is folded, so most of its operations are missing.
    """
    for graph in (before, after):
        if "repeats" in graph.graph:
            raise InputError(f"the graph of {graph.name} is folded: compare the graph that it was made from.")
    union = _Union(before, after)
    result = after.derived(union.nodes())
    result.fill((), union.edges({key: place for place, key in enumerate(result)}))
    calls = {new: old for old, new in union.alignment.calls.items() if new != old}
    counted = Counter(change for _, change in result.nodes(data="change"))
    result.comparison = Comparison(
        before.totals,
        after.totals,
        names=names or (before.name, after.name),
        counts={change: counted[change] for change in SIGNS},
        operations=(len(before), len(after)),
        modules=tuple(module_change(result, block, calls) for block in block_tree(result).walk()),
        runs=runs(result),
        inputs=(before.inputs_text, after.inputs_text),
        peaks=(_peak(before), _peak(after)),
        calls=calls,
        sides=Sides(_held(before), _held(after), union.name_of),
    )
    return result


def _held(graph: ModelGraph) -> ModelGraph:
    """Return a graph with the same operations, which does not keep the user's model alive."""
    return graph.derived(graph.nodes(data=True), graph.links())


def _peak(graph: ModelGraph) -> tuple[int, str] | None:
    return None if graph.memory is None else (graph.memory.peak, graph.memory.name)


class _Union:
    """The nodes and edges of two graphs, their alignment, and the key in the result of each old operation."""

    def __init__(self, before: ModelGraph, after: ModelGraph) -> None:
        self._before, self._after = before, after
        self.alignment = Alignment(before, after)
        partner = self.alignment.partner
        self._stayed = partner.keys() - self.alignment.moved
        self.name_of = {old: new for new, old in partner.items()}  # keys in the result by old key
        taken = set(after)
        for key in before:
            if key not in self.name_of:
                name = key if key not in taken else f"{key}_before"
                while name in taken:
                    name += "_"
                taken.add(name)
                self.name_of[key] = name

    def nodes(self) -> Iterator[tuple[str, NodeData]]:
        """Yield the nodes in the order of ``after``, each followed by the removed ones behind it."""
        behind: dict[str, list[str]] = {"": []}
        last = ""
        for old, new in self.alignment.order:
            if new:
                last = new
                behind[last] = []
            else:
                behind[last].append(old)
        for key in ("", *self._after):
            if key:
                yield key, self._kept(key)
            for old in behind.get(key, ()):
                yield self.name_of[old], self._removed(old)

    def _kept(self, key: str) -> NodeData:
        data: NodeData = {**self._after.nodes[key], "change": "added", "differences": (), "was": ""}
        old = self.alignment.partner.get(key)
        if old is None:
            return data
        was = self._before.nodes[old]
        changed = [name for name in NODE.compared if NODE.differ(was, data, name)]
        differences = [Difference(name, was.get(name), data.get(name)) for name in changed]
        differences += self._rewired(old, key)
        place, former = (own_path(each) or each["module"] for each in (data, was))
        data["was"] = former if former != place else ""
        data["differences"] = tuple(differences)
        moved = "moved" if key in self.alignment.moved or data["was"] else "same"
        data["change"] = "changed" if differences else moved
        return data

    def _rewired(self, old: str, new: str) -> Iterator[Difference]:
        """Yield the inputs that are now others, if an operation and its old and new inputs stayed.

        One that reads a newly inserted operation, or the one before a removed operation, has not itself changed.
        """
        slots = _by_slot(self._after, new)
        was = {slot: self.name_of[source] for slot, source in _by_slot(self._before, old).items()}
        pairs = [(was[slot], slots[slot]) for slot in sorted(slots.keys() & was.keys())]
        others = [pair for pair in pairs if {*pair} <= self._stayed and not self.alignment.are_equal(*pair)]
        if new in self._stayed and others:
            yield Difference("inputs", *zip(*others, strict=True))

    def _removed(self, key: str) -> NodeData:
        """Return the attributes of a removed operation, placed in the new counterparts of its modules."""
        data = self._before.nodes[key]
        differences = [Difference(name, number, 0) for name in NODE.sums if (number := data.get(name, 0)) != 0]
        stack = tuple(self.alignment.calls.get(call, call) for call in data["module_stack"])
        return {
            **data,
            **NO_COSTS,
            **cast(NodeData, dict.fromkeys(set(NODE.sums) & data.keys(), 0)),
            "module_stack": stack,
            "module": stack[-1].path if stack else "",
            "change": "removed",
            "differences": tuple(differences),
            "was": own_path(data) or data["module"],
        }

    def edges(self, order: dict[str, int]) -> Iterator[tuple[str, str, EdgeData]]:
        """Yield the removed edges that fit into an order of all nodes, then the others; an edge of both graphs once."""
        known = set()
        for source, target, data in self._before.links():
            start, end = self.name_of[source], self.name_of[target]
            known.add((start, end))
            if (start not in self._after or end not in self._after) and order[start] < order[end]:
                yield start, end, {**data, "change": "removed"}
        for source, target, data in self._after.links():
            yield source, target, {**data, "change": "same" if (source, target) in known else "added"}


def _by_slot(graph: ModelGraph, key: str) -> dict[int, str]:
    pairs = [(slot, source) for source, edge in graph.sources(key).items() for slot in edge["slots"]]
    return dict(sorted(pairs))


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


def costs(
    graph: ModelGraph, keys: Iterable[str], attribute: Literal["parameters", "flops"]
) -> tuple[int | None, int | None]:
    """Return a cost of operations before and after, over all copies; None if an operation's cost is unknown."""
    sides: tuple[list[int | None], list[int | None]] = [], []
    for data in (graph.nodes[key] for key in keys):
        for side, number in zip(sides, (value_before(data, attribute), data[attribute]), strict=True):
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


def _sibling(graph: ModelGraph, item: Item) -> tuple[str, str, str]:
    """Return path, class and change of a block or a module operation; "" for other operations."""
    if isinstance(item, Block):
        return item.path, item.type, joined(graph.nodes[key]["change"] for key in item.operations())
    data = graph.nodes[item]
    return (data["target"] if data["op"] == "call_module" else "", data["label"], data["change"])
