"""What one operation or block shows for copies that differ: their costs one by one, and sizes as ranges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from fxsummary.graph.attributes import NODE, RESULT, NodeData
from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import ModuleCall
from fxsummary.graph.records import TRUST, Returned
from fxsummary.text.series import in_one
from fxsummary.views.fold.symbols import RATES, hashable


def largest(copies: Sequence[NodeData]) -> NodeData:
    """Return the largest value over these copies of each attribute with the rule "max", such as bytes in use."""
    found: dict[str, Any] = {}
    for name in NODE.largest:
        numbers = [cast("Mapping[str, Any]", each).get(name, 0) for each in copies]
        found[name] = None if None in numbers else max(numbers)
    return cast(NodeData, found)


def of_copies(copies: Sequence[NodeData]) -> NodeData:
    """Return the attributes of the operation that represents these copies, where they differ.

    `each_copy` has the values of all copies. A cost that differs is None; `config` and `arguments` are one text.
    """
    ignored = RATES if is_drop(copies[0]["label"]) else ()
    each_copy = {
        name: values
        for name, values in _columns(copies)
        if name not in ignored and values.count(values[0]) < len(values) and len(set(map(hashable, values))) > 1
    }
    shown: dict[str, Any] = {name: one_for_all(name, values, each_copy) for name, values in each_copy.items()}
    shown["trust"] = max((each["trust"] for each in copies), key=TRUST.index)
    shown["assumed"] = any(each["assumed"] for each in copies)
    return cast(NodeData, {**shown, "each_copy": each_copy} if each_copy else shown)


def _columns(copies: Sequence[NodeData]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the values in all copies of each attribute in which copies may differ."""
    nodes = cast("Sequence[Mapping[str, Any]]", copies)
    names = list(dict.fromkeys((*NODE.folding, *NODE.sums, *RESULT)))
    always = [name for name in names if NODE[name].always]
    yield from zip(always, zip(*map(itemgetter(*always), nodes), strict=True), strict=True)
    for name in names:
        if not NODE[name].always and any(name in each for each in nodes):
            yield name, tuple([each.get(name, NODE[name].default) for each in nodes])


def one_for_all(name: str, values: Sequence[Any], each_copy: Collection[str]) -> Any:
    """Return what an operation shows for these values of an attribute; ``each_copy`` names all that differ."""
    if name in RATES:
        return in_one(values, as_ranges="outputs" in each_copy or "flops" in each_copy)
    if NODE[name].adds == "max":
        return max(values)
    return None if NODE[name].adds == "sum" or callable(NODE[name].adds) else values[0]


def result_of_copies(
    returned: Mapping[ModuleCall, Returned], calls: Sequence[ModuleCall]
) -> dict[ModuleCall, Returned]:
    """Return the result of the first call, with those of all calls; nothing if they did not return."""
    results = [returned[call] for call in calls if call in returned]
    if not results:
        return {}
    outputs, assumed = tuple([each.outputs for each in results]), any(each.assumed for each in results)
    return {calls[0]: Returned(outputs[0], assumed, outputs)}
