"""Simplify a graph for pictures: remove identities, dead ends and shape arithmetic.

Operations with costs stay or are merged into their reader, so the totals stay exactly equal.
``graph.graph["hidden"]`` of the result counts the hidden operations by kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fxsummary.graph import labels
from fxsummary.graph.attributes import NodeData, edge_from, own_result
from fxsummary.graph.labels import CONCATENATIONS, DROPS, EXPANSIONS, RESHAPES, VIEWS, base
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.costs import carry_costs, is_weightless
from fxsummary.views.merger import Merger, copy_of, counted, is_call, merge_equal_constants
from fxsummary.views.scalars import add_slots, hide_scalars

_OF_THE_SAME = labels.CASTS | RESHAPES
"""Operations that return their input if it already has the shape and dtype of the result."""
_MAY_RETURN_THEIR_INPUT = _OF_THE_SAME | labels.IDENTITIES | DROPS | labels.LIKE_ANOTHER


def simplify(graph: ModelGraph, *, own: bool = False) -> ModelGraph:
    """Return a smaller graph with the same totals; ``graph`` itself is changed only if it is ``own``.

    It hides values that are not tensors, operations that nothing reads, identities (dropout in eval mode,
    casts without effect) and ``getitem`` on tuples. A run of views becomes one operation, a parameter is merged
    into its only reader if that is a functional operation, and ``cat(a, b, c)`` after ``cat(a, b)`` reads the
    latter. A graph without dataflow is returned unchanged.
    """
    if graph.captured_by == "modules":
        return graph
    work = hide_scalars(graph)
    merger = Merger(copy_of(graph) if work is graph and not own else work)
    for key, data in graph.nodes(data=True):
        if key not in merger.graph:
            kind = "getitem" if data["shape"] is not None else "values that are not tensors"
            merger.hidden[kind] += data["multiplicity"]
    for step in _STEPS:
        step(merger)
    for _, data in merger.graph.nodes(data=True):
        if data["label"] == "getitem":
            data["label"] = "index"
    merger.graph.graph["hidden"] = dict(sorted(merger.hidden.items()))
    return merger.graph


def _pass_over(merger: Merger) -> None:
    """Hide operations that return their input."""
    graph = merger.graph
    for key, data in merger.nodes(_MAY_RETURN_THEIR_INPUT):
        if not is_call(data) or not is_weightless(data):
            continue
        source = graph.only_source(key)
        if source is None and base(data["label"]) in labels.LIKE_ANOTHER:  # x.type_as(y) returns x
            source = next((other for other, edge in graph.sources(key).items() if 0 in edge["slots"]), None)
        if source is not None and _is_identity(graph, data, merger.node(source)):
            graph.remove_edges_from([(other, key) for other in list(graph.sources(key)) if other != source])
            merger.hide(key, data["label"])


def _is_identity(graph: ModelGraph, data: NodeData, source: NodeData) -> bool:
    label = base(data["label"])
    known = data["shape"] is not None and source["shape"] is not None
    same = known and (data["shape"], data["dtype"]) == (source["shape"], source["dtype"])
    if known and not same:
        return False
    if label in DROPS:
        return _drops_nothing(graph, data)
    return label in labels.IDENTITIES or (same and label in _OF_THE_SAME)


def _drops_nothing(graph: ModelGraph, data: NodeData) -> bool:
    """Return whether a dropout is in eval mode or has rate 0."""
    if data["op"] == "call_module":
        module = graph.modules.get(data["target"])
        return (module is not None and not module.training) or data["config"] in ("p=0", "p=0.0")
    arguments = data["arguments"]
    never = "False" in arguments or re.search(r", (p=)?0(\.0)?(,|$)", arguments) is not None
    return never and "True" not in arguments


def _drop_dead(merger: Merger) -> None:
    """Hide operations without costs that nothing reads, except ghosts, provided that the graph has an output."""
    if not any(op == "output" for _, op in merger.graph.nodes(data="op")):
        return
    for key in reversed(list(merger.graph)):
        data = merger.node(key)
        ends = not merger.graph.readers(key) and data["op"] not in ("output", "placeholder")
        if ends and is_weightless(data) and not data.get("ghost"):
            merger.drop(key, "operations that nothing reads")


def _view_parameters(merger: Merger) -> None:
    """Merge a view of a parameter, such as its transpose, into the parameter."""
    for key, data in merger.nodes(EXPANSIONS):
        source = merger.graph.only_source(key)
        if source is None or not is_weightless(data):
            continue
        if merger.node(source)["op"] == "get_attr" and len(merger.graph.readers(source)) == 1:
            merger.node(source).update(own_result(data))
            merger.hide(key, "views of parameters")


def _absorb_parameters(merger: Merger) -> None:
    """Merge a parameter into its only reader, unless it is an operand of arithmetic, or into all calls of one line.

    The calls of one line in a loop then look alike: each reads the parameter, which counts in the first. A buffer of
    one number is merged into arithmetic too.
    """
    for key, data in merger.nodes():
        readers = [merger.node(reader) for reader in merger.graph.readers(key)] if data["op"] == "get_attr" else []
        if not all(map(is_call, readers)):
            continue
        alone = len(readers) == 1 and (readers[0]["kind"] != "arithmetic" or _is_scalar_buffer(data))
        if alone or (len(readers) > 1 and _are_calls_of_one_line(merger.graph, key)):
            carry_costs(data, readers[0])
            for target in readers:
                target["absorbed"] = (*target.get("absorbed", ()), *data.get("absorbed", ()), key)
            for target in readers[1:]:
                target["reads"] = (*target["reads"], *data["reads"])
            merger.drop(key, "parameters shown in their operation")


def _is_scalar_buffer(data: NodeData) -> bool:
    return data["shape"] == () and not data["parameters"]


def _are_calls_of_one_line(graph: ModelGraph, key: str) -> bool:
    """Return whether all readers of a value are the same operation of one line of source in one module."""
    calls = {
        (data["source"], data["module"], data["label"], data["kind"], *edge["slots"])
        for reader, edge in graph.readers(key).items()
        for data in [graph.nodes[reader]]
    }
    return len(calls) == 1 and next(iter(calls))[0] != ""


def _chain_concatenations(merger: Merger) -> None:
    """Let a concatenation read an earlier one if it starts with the same inputs (DenseNet)."""
    graph = merger.graph
    known: dict[tuple[str, ...], str] = {}
    for key, data in merger.nodes(CONCATENATIONS):
        slots = {source: edge["slots"] for source, edge in graph.sources(key).items() if edge["slots"]}
        parts = sorted(slots, key=slots.__getitem__)
        for length in range(len(parts) - 1, 1, -1):
            first = known.get((data["config"], *parts[:length]))
            if first is not None:
                _read_earlier(graph, first, key, parts[:length])
                merger.hidden["edges into repeated concatenations"] += (length - 1) * data["multiplicity"]
                break
        known.setdefault((data["config"], *parts), key)


def _read_earlier(graph: ModelGraph, first: str, key: str, parts: Sequence[str]) -> None:
    """Let a concatenation read an earlier one in place of the ``parts`` that both start with."""
    source, data = graph.nodes[first], graph.nodes[key]
    taken = sorted(slot for part in parts for slot in graph.sources(key)[part]["slots"])
    graph.remove_edges_from([(part, key) for part in parts])
    start = ", ".join(["%"] * len(taken))
    if taken == list(range(len(taken))) and start in data["arguments"]:  # so that the next one looks like this one
        data["arguments"] = data["arguments"].replace(start, "%", 1)
        for edge in graph.sources(key).values():
            edge["slots"] = tuple([slot - len(taken) + 1 for slot in edge["slots"]])
        taken = [0]
    graph.link(first, key, edge_from(source, tuple(taken), source["output_bytes"]))


def _merge_views(merger: Merger) -> None:
    """Merge a view with the view that it reads, if it is the only reader and in the same block."""
    graph = merger.graph
    runs: dict[str, list[str]] = {}  # by their last operation
    for key, data in merger.nodes(VIEWS):
        source = graph.only_source(key)
        if source is None or not is_call(data):
            continue
        first = merger.node(source)
        is_view = is_call(first) and (first.get("run") or base(first["label"]) in VIEWS)
        if not is_view or len(graph.readers(source)) != 1 or graph.only_source(source) is None:
            continue
        if first["module_stack"] == data["module_stack"]:
            run = runs[key] = runs.pop(source, [source])
            run.append(key)
            merger.hidden["views shown in one row"] += data["multiplicity"]
    for keys in runs.values():
        _join_run(graph, keys)


def _merge_returned(merger: Merger) -> None:
    """Merge equal constants in one module that the model only returns, such as the lengths of its caches."""
    graph = merger.graph
    returned = dict.fromkeys(key for end, op in graph.nodes(data="op") if op == "output" for key in graph.sources(end))
    merge_equal_constants(merger, [key for key in returned if len(graph.readers(key)) == 1])


def _join_run(graph: ModelGraph, keys: list[str]) -> None:
    """Merge a run into its last operation."""
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
    if len(run) > 3:  # the label does not show them all
        data["config"] = counted(data)
    for member in reversed(members[:-1]):
        carry_costs(member, data)
    for source, edge in graph.sources(others[0]).items():
        add_slots(graph, source, last, edge)
    graph.remove_nodes_from(others)


_STEPS = (
    _pass_over, _drop_dead, _view_parameters, _absorb_parameters, _chain_concatenations, _merge_views,
    _merge_returned,
)  # fmt: skip
