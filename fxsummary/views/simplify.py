"""The graph as a picture shows it: identities, dead ends and the plumbing of shapes are merged away.

Whatever has a cost stays or joins the operation that it feeds, so that the totals stay exactly equal.
What was hidden is counted by kind in ``graph.graph["hidden"]`` of the result.
"""

from __future__ import annotations

import re
from collections import Counter

from fxsummary.graph.attributes import NodeData, edge_from, own_result
from fxsummary.graph.labels import (
    CASTS,
    CONCATENATIONS,
    DROPS,
    EXPANSIONS,
    IDENTITIES,
    LIKE_ANOTHER,
    RESHAPES,
    VIEWS,
    base,
)
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.costs import carry_costs, is_weightless
from fxsummary.views.scalars import add_slots, hide_scalars, of_part, reads_of

__all__ = ["hide_scalars", "simplify"]


def simplify(graph: ModelGraph, *, own: bool = False) -> ModelGraph:
    """A smaller graph with the same totals for the operations; ``graph`` itself is not changed unless it is ``own``.

    Hidden are values that are not tensors, operations that nothing reads, identities (dropout in
    evaluation mode, casts that change nothing) and ``getitem`` on tuples. A run of views becomes one
    operation, a parameter joins the functional operation that alone reads it, and ``cat(a, b, c)`` after
    ``cat(a, b)`` reads that. A graph without dataflow is returned as it is.
    """
    hidden: Counter[str] = Counter(graph.graph.get("hidden", {}))
    if graph.captured_by == "modules":
        return graph
    work = hide_scalars(graph)
    work = copy_of(graph) if work is graph and not own else work
    for key, data in graph.nodes(data=True):
        if key not in work:
            hidden["getitem" if data["shape"] is not None else "values that are not tensors"] += 1
    for step in (_pass_over, _drop_dead, _expand_parameters, _absorb_parameters, _chain_concatenations, _merge_views):
        step(work, hidden)
    for data in (data for _, data in work.nodes(data=True) if data["label"] == "getitem"):
        data["label"] = "index"
    work.graph["hidden"] = dict(sorted(hidden.items()))
    return work


def copy_of(graph: ModelGraph) -> ModelGraph:
    return graph.derived(
        ((key, data.copy()) for key, data in graph.nodes(data=True)),
        ((source, target, data.copy()) for source, target, data in graph.links()),
    )


def is_call(data: NodeData) -> bool:
    return bool(data["op"] in ("call_function", "call_method", "call_module"))


def bypass(graph: ModelGraph, key: str) -> None:
    """Take out an operation with one input; its readers read that."""
    ((source, edge),) = graph.sources(key).items()
    part = next((part for _, part in reads_of(edge)), ())
    for target, data in list(graph.readers(key).items()):
        add_slots(graph, source, target, of_part(data.copy(), part))
    graph.remove_node(key)


def _pass_over(graph: ModelGraph, hidden: Counter[str]) -> None:
    """Operations that return their input."""
    for key, data in list(graph.nodes(data=True)):
        source = _value_read(graph, key, data) if is_call(data) and is_weightless(data) else None
        if source is not None and _is_identity(graph, data, graph.nodes[source]):
            hidden[data["label"]] += 1
            graph.remove_edges_from([(other, key) for other in list(graph.sources(key)) if other != source])
            bypass(graph, key)


def _value_read(graph: ModelGraph, key: str, data: NodeData) -> str | None:
    """The only input; of ``x.type_as(y)`` and its like it is ``x``."""
    sources = graph.sources(key)
    if len(sources) == 1:
        return next(iter(sources))
    if base(data["label"]) in LIKE_ANOTHER:
        return next((source for source, edge in sources.items() if 0 in edge["slots"]), None)
    return None


def _is_identity(graph: ModelGraph, data: NodeData, source: NodeData) -> bool:
    label = base(data["label"])
    known = data["shape"] is not None and source["shape"] is not None
    same = known and (data["shape"], data["dtype"]) == (source["shape"], source["dtype"])
    if known and not same:
        return False
    if label in DROPS:
        return _drops_nothing(graph, data)
    return label in IDENTITIES or (same and (label in CASTS or label in RESHAPES))


def _drops_nothing(graph: ModelGraph, data: NodeData) -> bool:
    """Whether a dropout is in evaluation mode or has the rate 0."""
    if data["op"] == "call_module":
        module = graph.modules.get(data["target"])
        return (module is not None and not module.training) or data["config"] in ("p=0", "p=0.0")
    arguments = data["arguments"]
    if "True" in arguments:
        return False
    return "False" in arguments or re.search(r", (p=)?0(\.0)?(,|$)", arguments) is not None


def _drop_dead(graph: ModelGraph, hidden: Counter[str]) -> None:
    """Operations without cost that nothing reads; only where the graph says what its output is."""
    if not any(op == "output" for _, op in graph.nodes(data="op")):
        return
    for key in reversed(list(graph)):
        data = graph.nodes[key]
        if not graph.readers(key) and data["op"] not in ("output", "placeholder") and is_weightless(data):
            hidden["operations that nothing reads"] += 1
            graph.remove_node(key)


def _expand_parameters(graph: ModelGraph, hidden: Counter[str]) -> None:
    """The expand of a parameter is part of the parameter."""
    for key, data in list(graph.nodes(data=True)):
        if base(data["label"]) not in EXPANSIONS or len(graph.sources(key)) != 1 or not is_weightless(data):
            continue
        (source,) = graph.sources(key)
        if graph.nodes[source]["op"] == "get_attr" and len(graph.readers(source)) == 1:
            graph.nodes[source].update(own_result(data))
            hidden["views of parameters"] += 1
            bypass(graph, key)


def _absorb_parameters(graph: ModelGraph, hidden: Counter[str]) -> None:
    """A parameter that one operation reads belongs to it, unless it is an operand of arithmetic."""
    for key, data in list(graph.nodes(data=True)):
        if data["op"] != "get_attr" or len(graph.readers(key)) != 1:
            continue
        (reader,) = graph.readers(key)
        target = graph.nodes[reader]
        if not is_call(target) or target["kind"] == "arithmetic" or target["multiplicity"] != data["multiplicity"]:
            continue
        carry_costs(data, target)
        target["absorbed"] = (*target.get("absorbed", ()), *data.get("absorbed", ()), key)
        hidden["parameters shown in their operation"] += 1
        graph.remove_node(key)


def _chain_concatenations(graph: ModelGraph, hidden: Counter[str]) -> None:
    """A concatenation that starts with what an earlier one has joined reads that one (DenseNet)."""
    known: dict[tuple[str, ...], str] = {}
    for key, data in list(graph.nodes(data=True)):
        if base(data["label"]) not in CONCATENATIONS:
            continue
        arguments = [source for source in graph.sources(key) if graph.sources(key)[source]["slots"]]
        parts = sorted(arguments, key=lambda source: graph.sources(key)[source]["slots"])
        for length in range(len(parts) - 1, 1, -1):
            first = known.get((data["config"], *parts[:length]))
            if first is not None:
                _read_instead(graph, key, parts[:length], first)
                hidden["edges into repeated concatenations"] += length - 1
                break
        known.setdefault((data["config"], *parts), key)


def _read_instead(graph: ModelGraph, key: str, parts: list[str], first: str) -> None:
    slots = tuple(sorted(slot for part in parts for slot in graph.sources(key)[part]["slots"]))
    graph.remove_edges_from([(part, key) for part in parts])
    graph.link(first, key, edge_from(graph.nodes[first], slots, graph.nodes[first]["output_bytes"]))


def _merge_views(graph: ModelGraph, hidden: Counter[str]) -> None:
    """A view that reads a view, as its only reader and in the same block, becomes one operation with it."""
    runs: dict[str, list[str]] = {}  # by their last operation
    for key, data in graph.nodes(data=True):
        if base(data["label"]) not in VIEWS or not is_call(data) or len(graph.sources(key)) != 1:
            continue
        (source,) = graph.sources(key)
        first = graph.nodes[source]
        is_view = is_call(first) and (first.get("run") or base(first["label"]) in VIEWS)
        if not is_view or len(graph.readers(source)) != 1 or len(graph.sources(source)) != 1:
            continue
        if first["module_stack"] == data["module_stack"]:
            run = runs[key] = runs.pop(source, [source])
            run.append(key)
            hidden["views shown in one row"] += 1
    for keys in runs.values():
        _join_run(graph, keys)


def _join_run(graph: ModelGraph, keys: list[str]) -> None:
    """Put all of a run into its last operation."""
    *others, last = keys
    members = [graph.nodes[key] for key in keys]
    data = members[-1]
    run = tuple([label for member in members for label in member.get("run", (member["label"],))])
    data["run"] = run
    data["label"] = " · ".join(run if len(run) < 4 else (run[0], "…", run[-1]))
    data["arguments"] = "; ".join([member["arguments"] for member in members])
    data["config"] = ""
    absorbed = [name for key in others for name in (*graph.nodes[key].get("absorbed", ()), key)]
    data["absorbed"] = (*absorbed, *data.get("absorbed", ()))
    for member in reversed(members[:-1]):
        carry_costs(member, data)
    for source, edge in graph.sources(others[0]).items():
        add_slots(graph, source, last, edge)
    graph.remove_nodes_from(others)
