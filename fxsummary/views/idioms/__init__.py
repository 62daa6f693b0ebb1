"""Merge recurring idioms into one operation each: rotary embeddings, position tables, heads, caches.

They are recognised by their computation, not by module or variable names. Costs are carried over exactly;
``graph.graph["hidden"]`` counts the merged operations and ``absorbed`` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import CASTS, CONCATENATIONS, PLUMBING, VIEWS, base, operator_of
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.costs import is_free, is_weightless
from fxsummary.views.idioms.activations import merge_activations
from fxsummary.views.idioms.bookkeeping import merge_bookkeeping
from fxsummary.views.idioms.heads import merge_repeated_heads, name_heads
from fxsummary.views.idioms.norms import merge_norms
from fxsummary.views.idioms.rotary import merge_rotations
from fxsummary.views.idioms.routing import merge_routing
from fxsummary.views.idioms.writes import merge_cache_updates, merge_copied_joins
from fxsummary.views.merger import Merger, copy_of, is_call, is_plain, merge_equal_constants, uncounted

_FOLLOWING = PLUMBING | CASTS
_NEUTRAL = {"mul": "1", "div": "1", "truediv": "1", "add": "0", "sub": "0"}
_WHOLE_SLICES = re.compile(r"\[(…|-?\d*:-?\d*)(, (…|-?\d*:-?\d*))*\]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


def merge_idioms(graph: ModelGraph, *, own: bool = False) -> ModelGraph:
    """Return a graph with one operation per idiom and the same totals; ``graph`` is changed only if it is ``own``.

    Expects a graph from `simplify`, with or without folded repeats.
    """
    if graph.captured_by == "modules":
        return graph
    merger = Merger(graph if own else copy_of(graph))
    for idiom in IDIOMS:
        idiom(merger)
    return merger.finish()


def _hide_empty_operands(merger: Merger) -> None:
    """Hide the concatenation of a tensor with empty ones, such as an empty cache."""
    for key, data in merger.nodes():
        if base(data["label"]) not in CONCATENATIONS or not is_call(data) or not is_weightless(data):
            continue
        sources = merger.graph.sources(key)
        nodes = {source: merger.node(source) for source in sources}
        empty = [
            s for s, each in nodes.items() if 0 in (each["shape"] or ()) and is_plain(each) and is_weightless(each)
        ]
        whole = [s for s in sources if s not in empty]
        if not empty or len(whole) != 1 or sources[whole[0]]["shape"] != data["shape"]:
            continue
        merger.graph.remove_edges_from([(source, key) for source in empty])
        merger.hide(key, "concatenations with an empty tensor")
        for source in empty:
            if not merger.graph.readers(source) and not merger.graph.sources(source):
                merger.drop(source, "empty tensors")


def _hide_identities(merger: Merger) -> None:
    """Hide a product with one, a sum with zero, and an index that selects all of its input."""
    for key, data in merger.nodes():
        is_neutral = data["config"] == _NEUTRAL.get(operator_of(data["label"])) and is_plain(data)
        is_whole = base(data["label"]) == "index" and is_call(data) and is_free(data)
        if not is_neutral and not (is_whole and _WHOLE_SLICES.fullmatch(data["config"])):
            continue
        for edge in merger.graph.sources(key).values() if merger.graph.only_source(key) is not None else ():
            if data["shape"] is not None and (edge["shape"], edge["dtype"]) == (data["shape"], data["dtype"]):
                merger.hide(key, "operations with a neutral number" if is_neutral else "slices of everything")
                break


def _merge_waves(merger: Merger) -> None:
    """Merge the sine and cosine of one value with the arithmetic before and the concatenation after."""
    for key, data in merger.nodes():
        angle = merger.graph.only_source(key)
        if base(data["label"]) != "sin" or angle is None:
            continue
        twins = [k for k in merger.graph.readers(angle) if base(merger.node(k)["label"]) == "cos"]
        if twins:
            region = _grown(merger, {key, twins[0]})
            exits = [k for k in region if not region.issuperset(merger.graph.readers(k))]
            name = "sinusoidal embedding" if len(exits) == 1 else "sin, cos table"
            merger.merge(region, "operations of sine and cosine", label=name, kind="arithmetic")


def _grown(merger: Merger, region: set[str]) -> set[str]:
    """Extend a region by the plain operations above that only it reads, and those below that read nothing else."""
    graph = merger.graph
    times = {merger.node(key)["multiplicity"] for key in region}
    stack = merger.node(min(region, key=merger.order.__getitem__))["module_stack"]

    def fits(key: str) -> bool:
        data, sources = merger.node(key), graph.sources(key)
        is_above = region.issuperset(graph.readers(key)) and (data["kind"] in ("arithmetic", "reshape") or not sources)
        is_below = region.issuperset(sources) and _follows(data)
        own = is_plain(data) and data["multiplicity"] in times and data["module_stack"] == stack
        return own and (is_above or is_below)

    while found := {k for key in region for k in (*graph.sources(key), *graph.readers(key)) if fits(k)} - region:
        region |= found
    return region


def _follows(data: NodeData) -> bool:
    scaled = operator_of(data["label"]) == "mul" and _NUMBER.fullmatch(data["config"]) is not None
    return base(data["label"]) in _FOLLOWING or bool(data.get("run")) or scaled


def _merge_flat_products(merger: Merger) -> None:
    """Merge a matrix product with the view before it that flattens the tokens and the one after that restores them."""
    graph = merger.graph
    for key, data in merger.nodes():
        first, last = graph.only_source(key), next(iter(graph.readers(key)), None)
        if data["kind"] != "linear" or data["op"] not in ("call_function", "call_method") or not first or not last:
            continue
        around = [merger.node(first), merger.node(last)]
        single = len(graph.readers(key)) == len(graph.readers(first)) == 1 and graph.only_source(last) is not None
        if not single or not all(is_plain(view) and base(view["label"]) in VIEWS for view in around):
            continue
        before = [edge["shape"] for edge in graph.sources(first).values()]
        after = around[1]["shape"]
        if len(before) == 1 and before[0] and after and before[0][:-1] == after[:-1]:
            merger.merge([first, key, last], "views around products", key)


def _merge_scalings(merger: Merger) -> None:
    """Merge a product with a number into the linear operation before it."""
    signs = {"mul": "×", "div": "÷", "truediv": "÷"}
    for key, data in merger.nodes():
        sign, first = signs.get(operator_of(data["label"])), merger.graph.only_source(key)
        if not sign or first is None or not is_plain(data) or not _NUMBER.fullmatch(data["config"]):
            continue
        source = merger.node(first)
        if source["kind"] == "linear" and len(merger.graph.readers(first)) == 1 and source["shape"] == data["shape"]:
            config = ", ".join(filter(None, (uncounted(source), sign + data["config"])))
            merger.merge([first, key], "scalings", first, config=config)


IDIOMS: list[Callable[[Merger], None]] = [
    _hide_empty_operands, _hide_identities,
    merge_rotations, merge_routing, merge_activations, merge_norms,
    merge_cache_updates, merge_copied_joins, merge_bookkeeping, merge_equal_constants, _merge_waves,
    merge_repeated_heads, name_heads, _merge_flat_products, _merge_scalings,
]  # fmt: skip
"""All idioms in the order of merging; later ones see the results of earlier ones."""
