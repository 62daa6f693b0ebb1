"""Recurring idioms as one operation each: rotary embeddings, tables of positions, heads, caches, loops.

They are recognised by what is computed, not by names of modules or variables. Costs are carried over
exactly, and what was merged is counted in ``graph.graph["hidden"]`` and kept in ``absorbed``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import CASTS, CONCATENATIONS, JOINS, PLUMBING, VIEWS, base, is_random, operator_of
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.costs import is_free, is_weightless
from fxsummary.views.idioms.heads import merge_repeated_heads, name_heads
from fxsummary.views.idioms.loops import merge_loops
from fxsummary.views.idioms.merger import Merger, is_plain
from fxsummary.views.simplify import copy_of, is_call

_TURNING = PLUMBING | {"neg"}
_FOLLOWING = PLUMBING | CASTS
_WHOLE_SLICES = re.compile(r"\[(…|-?\d*:-?\d*)(, (…|-?\d*:-?\d*))*\]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


def merge_idioms(graph: ModelGraph, *, own: bool = False) -> ModelGraph:
    """A graph with one operation for each idiom and the same totals; ``graph`` stays as it is unless it is ``own``.

    It expects a graph from `simplify`; folded repeats may be in it.
    """
    if graph.captured_by == "modules":
        return graph
    merger = Merger(graph if own else copy_of(graph))
    for idiom in IDIOMS:
        idiom(merger)
    return merger.finish()


def _calls(merger: Merger, labels: frozenset[str]) -> Iterator[tuple[str, NodeData]]:
    """Operations with one of the labels that are still there, in execution order."""
    for key, data in list(merger.graph.nodes(data=True)):
        if base(data["label"]) in labels and key in merger.graph and is_call(data):
            yield key, data


def _hide_empty_operands(merger: Merger) -> None:
    """A concatenation of a tensor with empty ones, such as a cache's first, is the tensor."""
    for key, data in _calls(merger, CONCATENATIONS):
        sources = list(merger.graph.sources(key))
        empty = [s for s in sources if _is_empty(merger.node(s))]
        if len(sources) != len(empty) + 1 or not empty or not is_weightless(data):
            continue
        (whole,) = set(sources) - set(empty)
        if merger.graph.sources(key)[whole]["shape"] != data["shape"]:
            continue
        merger.graph.remove_edges_from([(source, key) for source in empty])
        merger.hide(key, "concatenations with an empty tensor")
        for source in empty:
            if not merger.graph.readers(source) and not merger.graph.sources(source):
                merger.drop(source, "empty tensors")


def _is_empty(data: NodeData) -> bool:
    return 0 in (data["shape"] or ()) and is_plain(data) and is_weightless(data)


def _hide_neutral_numbers(merger: Merger) -> None:
    """A product with one, a sum with zero."""
    neutral = {"mul": "1", "div": "1", "truediv": "1", "add": "0", "sub": "0"}
    for key, data in list(merger.graph.nodes(data=True)):
        sources = list(merger.graph.sources(key))
        if len(sources) == 1 and is_plain(data) and data["config"] == neutral.get(operator_of(data["label"])):
            edge = merger.graph.sources(key)[sources[0]]
            if data["shape"] is not None and (edge["shape"], edge["dtype"]) == (data["shape"], data["dtype"]):
                merger.hide(key, "operations with a neutral number")


def _hide_whole_slices(merger: Merger) -> None:
    """An index that takes all of its input."""
    for key, data in _calls(merger, frozenset({"index"})):
        sources = list(merger.graph.sources(key))
        if len(sources) == 1 and is_free(data) and _WHOLE_SLICES.fullmatch(data["config"]):
            edge = merger.graph.sources(key)[sources[0]]
            if data["shape"] is not None and (edge["shape"], edge["dtype"]) == (data["shape"], data["dtype"]):
                merger.hide(key, "slices of everything")


def _merge_rotations(merger: Merger) -> None:
    """``x * cos + turned(x) * sin``, where turned is built of pieces of x and a negation."""
    turned: list[str] = []
    for key, data in list(merger.graph.nodes(data=True)):
        factors = list(merger.graph.sources(key))
        if not (operator_of(data["label"]) == "add" and len(factors) == 2 and is_call(data)):
            continue
        if not all(
            operator_of(merger.node(f)["label"]) == "mul" and len(merger.graph.readers(f)) == 1 for f in factors
        ):
            continue
        for straight, crossed in (factors, factors[::-1]):
            region = _turned_region(merger, straight, crossed)
            if region:
                main = merger.merge(
                    {key, *factors, *region}, "operations of rotary embeddings", label="rotary", config=""
                )
                turned += [main] if main else []
                break
    for key in turned:
        for source in list(merger.graph.sources(key)):
            view = merger.node(source)
            shared = all(reader in turned for reader in merger.graph.readers(source))
            if shared and base(view["label"]) in VIEWS and is_free(view) and len(merger.graph.sources(source)) == 1:
                merger.hide(source, "views of rotary tables")


def _turned_region(merger: Merger, straight: str, crossed: str) -> set[str]:
    """The operations that turn x for the product ``crossed``; empty if they are not such."""
    for start in merger.graph.sources(crossed):
        region, sources = _region_above(merger, start, crossed)
        labels = [merger.node(key)["label"] for key in region]
        turned = "neg" in labels and any(base(label) in JOINS for label in labels)
        if turned and len(sources) == 1 and sources < set(merger.graph.sources(straight)):
            return region
    return set()


def _region_above(merger: Merger, start: str, reader: str) -> tuple[set[str], set[str]]:
    """Plumbing above an operation that nothing else reads, and what it reads."""
    region: set[str] = set()
    pending, sources = [start], set[str]()
    while pending:
        key = pending.pop()
        data = merger.node(key)
        own = all(k in region or k == reader for k in merger.graph.readers(key))
        if own and is_plain(data) and (base(data["label"]) in _TURNING or data.get("run")):
            region.add(key)
            pending += merger.graph.sources(key)
        else:
            sources.add(key)
    return region, sources - region


def _merge_constants(merger: Merger) -> None:
    """Values computed from nothing but factories and buffers: one operation per connected piece."""
    piece_of: dict[str, int] = {}
    pieces: dict[int, list[str]] = {}
    for number, (key, data) in enumerate(merger.graph.nodes(data=True)):
        sources = list(merger.graph.sources(key))
        buffers = [s for s in sources if s not in piece_of and _only_read_buffer(merger, s)]
        if not is_plain(data) or is_random(data["label"]) or data["shape"] is None:
            continue
        if any(source not in piece_of and source not in buffers for source in sources):
            continue
        if sources and len(sources) == len(buffers):
            continue
        pieces[number] = [*buffers, key]
        for old in {piece_of[source] for source in sources if source in piece_of}:
            pieces[number] = pieces.pop(old) + pieces[number]
        piece_of.update(dict.fromkeys(pieces[number], number))
    for keys in pieces.values():
        _merge_constant(merger, sorted(keys, key=merger.order.__getitem__))


def _only_read_buffer(merger: Merger, key: str) -> bool:
    data = merger.node(key)
    return data["op"] == "get_attr" and data["parameters"] == 0 and len(merger.graph.readers(key)) == 1


def _merge_constant(merger: Merger, keys: list[str]) -> None:
    if len(keys) < 2:
        return
    members = [merger.node(key) for key in keys]
    labels = [data["label"] for data in members if data["op"] != "get_attr"]
    if {"sin", "cos"} & set(labels):
        name, config = "sin, cos table", ""
    elif len(labels) < 3:
        name, config = labels[0], members[0]["config"]
    else:
        name, config = f"{labels[0]} · … · {labels[-1]}", ""
    merger.merge(keys, "operations of constants", label=name, config=config, op="call_function")


def _merge_equal_constants(merger: Merger) -> None:
    """The same constant made again and again for the same readers, as the counters of a cache for each layer."""
    alike: dict[Any, list[str]] = {}
    for key, data in merger.graph.nodes(data=True):
        readers = tuple(merger.graph.readers(key))
        if is_plain(data) and readers and not merger.graph.sources(key) and not is_random(data["label"]):
            place = data["module_stack"], data["multiplicity"], readers
            alike.setdefault((data["label"], data["config"], data["shape"], data["dtype"], place), []).append(key)
    for keys in alike.values():
        config = ", ".join(filter(None, (merger.node(keys[0])["config"], f"{len(keys)} alike")))
        merger.merge(keys, "equal constants", config=config)


def _merge_waves(merger: Merger) -> None:
    """Sine and cosine of one value with the arithmetic that leads there and the joining that follows."""
    for key, data in list(merger.graph.nodes(data=True)):
        if key not in merger.graph or base(data["label"]) != "sin" or len(merger.graph.sources(key)) != 1:
            continue
        (angle,) = merger.graph.sources(key)
        twins = [k for k in merger.graph.readers(angle) if base(merger.node(k)["label"]) == "cos"]
        if twins:
            region = _grown(merger, {key, twins[0]})
            name = "sinusoidal embedding" if len(_exits(merger, region)) == 1 else "sin, cos table"
            merger.merge(region, "operations of sine and cosine", label=name, config="", kind="arithmetic")


def _exits(merger: Merger, region: set[str]) -> set[str]:
    return {key for key in region if any(reader not in region for reader in merger.graph.readers(key))}


def _grown(merger: Merger, region: set[str]) -> set[str]:
    """A region with all above that it alone reads, and the plumbing below that reads nothing else."""
    times = {merger.node(key)["multiplicity"] for key in region}
    stack = merger.node(min(region, key=merger.order.__getitem__))["module_stack"]

    def fits(key: str) -> bool:
        data = merger.node(key)
        return is_plain(data) and data["multiplicity"] in times and data["module_stack"] == stack

    pending = list(region)
    while pending:
        key = pending.pop()
        above = [k for k in merger.graph.sources(key) if all(r in region for r in merger.graph.readers(k))]
        above = [k for k in above if merger.node(k)["kind"] in ("arithmetic", "reshape") or not merger.graph.sources(k)]
        below = [k for k in merger.graph.readers(key) if all(s in region for s in merger.graph.sources(k))]
        below = [k for k in below if _continues(merger.node(k))]
        found = [k for k in dict.fromkeys([*above, *below]) if k not in region and fits(k)]
        region.update(found)
        pending += [*found, *(k for f in found for k in merger.graph.sources(f) if k in region)]
    return region


def _continues(data: NodeData) -> bool:
    scaled = operator_of(data["label"]) == "mul" and _NUMBER.fullmatch(data["config"]) is not None
    return base(data["label"]) in _FOLLOWING or bool(data.get("run")) or scaled


def _merge_flat_products(merger: Merger) -> None:
    """A product of matrices between a view that flattens the tokens and one that undoes it."""
    for key, data in list(merger.graph.nodes(data=True)):
        if data["kind"] != "linear" or data["op"] not in ("call_function", "call_method"):
            continue
        sources, readers = list(merger.graph.sources(key)), list(merger.graph.readers(key))
        if len(sources) != 1 or len(readers) != 1 or len(merger.graph.readers(sources[0])) != 1:
            continue
        flat, back = merger.node(sources[0]), merger.node(readers[0])
        if not (is_plain(flat) and is_plain(back) and base(flat["label"]) in VIEWS and base(back["label"]) in VIEWS):
            continue
        (before,) = [edge["shape"] for edge in merger.graph.sources(sources[0]).values()] or [None]
        if (
            before
            and back["shape"]
            and before[:-1] == back["shape"][:-1]
            and len(merger.graph.sources(readers[0])) == 1
        ):
            merger.merge([sources[0], key, readers[0]], "views around products", key)


def _merge_scalings(merger: Merger) -> None:
    """A product with a number belongs to the operation before it, a linear one."""
    signs = {"mul": "×", "div": "÷", "truediv": "÷"}
    for key, data in list(merger.graph.nodes(data=True)):
        sign = signs.get(operator_of(data["label"]))
        sources = list(merger.graph.sources(key))
        if not sign or not is_plain(data) or len(sources) != 1 or not _NUMBER.fullmatch(data["config"]):
            continue
        source = merger.node(sources[0])
        if (
            source["kind"] == "linear"
            and len(merger.graph.readers(sources[0])) == 1
            and source["shape"] == data["shape"]
        ):
            config = ", ".join(filter(None, (source["config"], sign + data["config"])))
            merger.merge([sources[0], key], "scalings", sources[0], config=config)


IDIOMS: list[Callable[[Merger], None]] = [
    _hide_empty_operands, _hide_neutral_numbers, _hide_whole_slices, merge_loops,
    _merge_rotations, _merge_constants, _merge_equal_constants, _merge_waves,
    merge_repeated_heads, name_heads, _merge_flat_products, _merge_scalings,
]  # fmt: skip
"""All idioms, in the order in which they are merged; later ones see what earlier ones made."""
