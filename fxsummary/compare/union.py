"""Join two graphs into one `ModelGraph`: all operations of both, matching ones once, with their changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import cast

from fxsummary.compare.align import Alignment
from fxsummary.compare.modules import module_changes, runs
from fxsummary.graph.attributes import NO_COSTS, NODE, EdgeData, NodeData, own_path
from fxsummary.graph.changes import SIGNS, Comparison, Difference
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.records import Totals
from fxsummary.support.gc_pause import paused


@paused()
def compare(before: ModelGraph, after: ModelGraph) -> ModelGraph:
    """Return the operations of both graphs as one graph; neither is changed.

    Matching operations are one node, with the attributes and key from ``after``. Removed operations keep those from
    ``before`` (with ``_before`` appended if ``after`` has the same key), except for their costs, which are 0. So the
    totals are those of ``after``. Nodes get `change`, `differences` and `was`, edges get `change`, and
    ``result.comparison`` has the rest.
    """
    alignment = Alignment(before, after)
    names = _Names(before, after, alignment)
    result = after.derived(_nodes(before, after, alignment, names))
    _add_edges(result, before, after, names)
    calls = {new: old for old, new in alignment.calls.items() if new != old}
    result.graph["comparison"] = _comparison(result, before, after, calls)
    return result


class _Names:
    """Return the keys in the result by old key; `kept` are the keys of operations that stayed."""

    def __init__(self, before: ModelGraph, after: ModelGraph, alignment: Alignment) -> None:
        self.of = {old: new for new, old in alignment.partner.items()}
        self.kept = alignment.partner.keys() - alignment.moved
        taken = set(after)
        for key in before:
            if key not in self.of:
                name = key if key not in taken else f"{key}_before"
                while name in taken:
                    name += "_"
                taken.add(name)
                self.of[key] = name


def _nodes(
    before: ModelGraph, after: ModelGraph, alignment: Alignment, names: _Names
) -> Iterator[tuple[str, NodeData]]:
    behind: dict[str, list[str]] = {"": []}  # removed operations, by the operation before them
    last = ""
    for old, new in alignment.order:
        if new:
            last = new
            behind[last] = []
        else:
            behind[last].append(old)
    for key in ("", *after):
        if key:
            yield key, _kept(before, after, alignment, names, key)
        for old in behind.get(key, ()):
            yield names.of[old], _removed(before, alignment, old)


def _kept(before: ModelGraph, after: ModelGraph, alignment: Alignment, names: _Names, key: str) -> NodeData:
    data: NodeData = {**after.nodes[key], "change": "added", "differences": (), "was": ""}
    old = alignment.partner.get(key)
    if old is None:
        return data
    was = before.nodes[old]
    differences = [
        Difference(name, was.get(name), data.get(name)) for name in NODE.compared if NODE.differ(was, data, name)
    ]
    rewired = None if key in alignment.moved else _rewired(before, after, names, old, key)
    if rewired is not None:
        differences.append(rewired)
    place, former = _place(data), _place(was)
    data["was"] = former if former != place else ""
    data["differences"] = tuple(differences)
    moved = key in alignment.moved or data["was"]
    data["change"] = "changed" if differences else "moved" if moved else "same"
    return data


def _place(data: NodeData) -> str:
    """Return the path of an operation, or of the module that it runs in."""
    return own_path(data) if data["op"] in ("call_module", "get_attr") else data["module"]


def _removed(before: ModelGraph, alignment: Alignment, key: str) -> NodeData:
    """Return the attributes of a removed operation, placed in the new counterparts of its modules."""
    data = before.nodes[key]
    differences = [Difference(name, number, 0) for name in NODE.sums if (number := data.get(name, 0)) != 0]
    stack = tuple(alignment.calls.get(call, call) for call in data["module_stack"])
    return {
        **data,
        **NO_COSTS,
        **cast(NodeData, dict.fromkeys(set(NODE.sums) & data.keys(), 0)),
        "module_stack": stack,
        "module": stack[-1].path if stack else "",
        "change": "removed",
        "differences": tuple(differences),
        "was": _place(data),
    }


def _rewired(before: ModelGraph, after: ModelGraph, names: _Names, old: str, new: str) -> Difference | None:
    """Return the old and new inputs of an operation if it reads another operation that both graphs have.

    An operation that reads a newly inserted operation, or the one before a removed operation, has not itself changed.
    """
    slots = _by_slot(after, new)
    was = {slot: names.of[source] for slot, source in _by_slot(before, old).items()}
    for slot in slots.keys() & was.keys():
        if slots[slot] != was[slot] and {was[slot], slots[slot]} <= names.kept:
            return Difference("inputs", tuple(was.values()), tuple(slots.values()))
    return None


def _by_slot(graph: ModelGraph, key: str) -> dict[int, str]:
    pairs = [(slot, source) for source, edge in graph.sources(key).items() for slot in edge["slots"]]
    return dict(sorted(pairs))


def _add_edges(result: ModelGraph, before: ModelGraph, after: ModelGraph, names: _Names) -> None:
    """Return the removed edges first, then the new ones; an edge of both graphs appears once."""
    order = {key: place for place, key in enumerate(result)}
    known = set()
    gone: list[tuple[str, str, EdgeData]] = []
    for source, target, data in before.edges(data=True):
        start, end = names.of[source], names.of[target]
        known.add((start, end))
        if (start not in after or end not in after) and order[start] < order[end]:
            gone.append((start, end, {**data, "change": "removed"}))
    result.fill((), gone)
    edges = after.edges(data=True)
    result.fill((), ((a, b, {**data, "change": "same" if (a, b) in known else "added"}) for a, b, data in edges))


def _comparison(
    result: ModelGraph, before: ModelGraph, after: ModelGraph, calls: Mapping[ModuleCall, ModuleCall]
) -> Comparison:
    counted = Counter(change for _, change in result.nodes(data="change"))
    totals: tuple[Totals, Totals] = before.totals, after.totals
    return Comparison(
        *totals,
        names=(before.name, after.name),
        counts={change: counted[change] for change in SIGNS},
        operations=(len(before), len(after)),
        modules=module_changes(result, calls),
        runs=runs(result),
        inputs=(before.inputs_text, after.inputs_text),
        calls=calls,
    )
