"""Merge recurring idioms into one operation each: rotary embeddings, position tables, heads, caches, loops.

They are recognised by their computation, not by module or variable names. Costs are carried over exactly;
``graph.graph["hidden"]`` counts the merged operations and ``absorbed`` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import CASTS, CONCATENATIONS, JOINS, PLUMBING, VIEWS, base, is_random, operator_of
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.costs import is_free, is_weightless
from fxsummary.views.idioms.heads import merge_repeated_heads, name_heads
from fxsummary.views.idioms.loops import merge_loops
from fxsummary.views.merger import Merger, copy_of, is_call, is_plain

_TURNING = PLUMBING | {"neg"}
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


def _merge_rotations(merger: Merger) -> None:
    """Merge ``x * cos + turned(x) * sin``, where ``turned`` consists of pieces of x and a negation."""
    graph, turned = merger.graph, list[str]()
    for key, data in merger.nodes():
        factors = list(graph.sources(key))
        if operator_of(data["label"]) != "add" or len(factors) != 2 or not is_call(data):
            continue
        products = [f for f in factors if operator_of(merger.node(f)["label"]) == "mul" and len(graph.readers(f)) == 1]
        for straight, crossed in (factors, factors[::-1]) if products == factors else ():
            if region := _turned_region(merger, straight, crossed):
                region |= {key, *factors}
                main = merger.merge(region, "operations of rotary embeddings", label="rotary", config="")
                turned += [main] if main else []
                break
    for key in turned:
        for source in list(graph.sources(key)):
            view = merger.node(source)
            is_view = base(view["label"]) in VIEWS and is_free(view) and graph.only_source(source) is not None
            if is_view and all(reader in turned for reader in graph.readers(source)):
                merger.hide(source, "views of rotary tables")


def _turned_region(merger: Merger, straight: str, crossed: str) -> set[str]:
    """Return the operations that turn x for the product ``crossed``; empty if there is no such pattern."""
    for start in merger.graph.sources(crossed):
        region, sources = _region_above(merger, start, crossed)
        labels = [merger.node(key)["label"] for key in region]
        turned = "neg" in labels and any(base(label) in JOINS for label in labels)
        if turned and len(sources) == 1 and sources < set(merger.graph.sources(straight)):
            return region
    return set()


def _region_above(merger: Merger, start: str, reader: str) -> tuple[set[str], set[str]]:
    """Return the plain operations above ``start`` that nothing else reads, and the operations that they read."""
    region, sources, pending = set[str](), set[str](), [start]
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
    """Merge values computed only from factories and buffers into one operation per connected piece."""
    piece_of: dict[str, int] = {}
    pieces: dict[int, list[str]] = {}

    def is_buffer(key: str) -> bool:
        data = merger.node(key)
        return data["op"] == "get_attr" and data["parameters"] == 0 and len(merger.graph.readers(key)) == 1

    for number, (key, data) in enumerate(merger.graph.nodes(data=True)):
        sources = list(merger.graph.sources(key))
        buffers = [s for s in sources if s not in piece_of and is_buffer(s)]
        others = [s for s in sources if s not in buffers]
        if not is_plain(data) or is_random(data["label"]) or data["shape"] is None or (buffers and not others):
            continue
        if all(source in piece_of for source in others):
            pieces[number] = [*buffers, key]
            for old in {piece_of[source] for source in others}:
                pieces[number] = pieces.pop(old) + pieces[number]
            piece_of.update(dict.fromkeys(pieces[number], number))
    for keys in pieces.values():
        keys.sort(key=merger.order.__getitem__)
        labels = [merger.node(key)["label"] for key in keys if merger.node(key)["op"] != "get_attr"]
        name, config = purpose(labels, merger.node(keys[-1])), f"{len(keys)} operations"
        if len(labels) < 3:
            name, config = labels[0], merger.node(keys[0])["config"]
        merger.merge(keys, "operations of constants", label=name, config=config, op="call_function")


_ORDERS = frozenset({"le", "lt", "ge", "gt"})
_TRIANGLES = frozenset({"tril", "triu"})


def purpose(labels: Sequence[str], result: NodeData) -> str:
    """Return what a value that is computed from nothing but sizes is for, as far as its operations tell.

    >>> purpose(["arange", "arange", "le", "expand"], {"shape": (1, 1, 8, 8), "dtype": "bool"})
    'causal mask'
    >>> purpose(["arange", "arange", "le", "sub", "gt", "and_"], {"shape": (8, 8), "dtype": "bool"})
    'sliding mask'
    >>> purpose(["zeros", "add", "mul"], {"shape": (8,), "dtype": "float32"})
    'zeros · … · mul'
    """
    names = {base(label) for label in labels}
    shape, dtype = result["shape"] or (), result["dtype"] or ""
    if {"sin", "cos"} & names:
        return "sin, cos table"
    if len(shape) >= 2 and shape[-1] > 1 and shape[-2] > 1 and not dtype.startswith(("int", "uint")):
        compared = _ORDERS & names
        if len(compared) > 1 and "sub" in names and "arange" in names:
            return "sliding mask"
        if "arange" in names and len(compared) == 1:
            return "causal mask"
        if _TRIANGLES & names:
            return "triangular mask"
    if "arange" in names and dtype.startswith(("int", "uint")):
        return "positions"
    return f"{labels[0]} · … · {labels[-1]}"


def _merge_equal_constants(merger: Merger) -> None:
    """Merge equal constants with the same readers, such as a cache's counter per layer."""
    alike: dict[Hashable, list[str]] = {}
    for key, data in merger.graph.nodes(data=True):
        readers = tuple(merger.graph.readers(key))
        if is_plain(data) and readers and not merger.graph.sources(key) and not is_random(data["label"]):
            look = data["label"], data["config"], data["shape"], data["dtype"]
            alike.setdefault((look, data["module_stack"], data["multiplicity"], readers), []).append(key)
    for keys in alike.values():
        config = ", ".join(filter(None, (merger.node(keys[0])["config"], f"{len(keys)} alike")))
        merger.merge(keys, "equal constants", config=config)


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
            merger.merge(region, "operations of sine and cosine", label=name, config="", kind="arithmetic")


def _grown(merger: Merger, region: set[str]) -> set[str]:
    """Extend a region by the plain operations above that only it reads, and those below that read nothing else."""
    graph = merger.graph
    times = {merger.node(key)["multiplicity"] for key in region}
    stack = merger.node(min(region, key=merger.order.__getitem__))["module_stack"]

    def fits(key: str) -> bool:
        data = merger.node(key)
        return is_plain(data) and data["multiplicity"] in times and data["module_stack"] == stack

    pending = list(region)
    while pending:
        key = pending.pop()
        above = [k for k in graph.sources(key) if region.issuperset(graph.readers(k))]
        above = [k for k in above if merger.node(k)["kind"] in ("arithmetic", "reshape") or not graph.sources(k)]
        below = [k for k in graph.readers(key) if region.issuperset(graph.sources(k)) and _follows(merger.node(k))]
        found = [k for k in dict.fromkeys([*above, *below]) if k not in region and fits(k)]
        region.update(found)
        pending += [*found, *(k for f in found for k in graph.sources(f) if k in region)]
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
            config = ", ".join(filter(None, (source["config"], sign + data["config"])))
            merger.merge([first, key], "scalings", first, config=config)


IDIOMS: list[Callable[[Merger], None]] = [
    _hide_empty_operands, _hide_identities, merge_loops,
    _merge_rotations, _merge_constants, _merge_equal_constants, _merge_waves,
    merge_repeated_heads, name_heads, _merge_flat_products, _merge_scalings,
]  # fmt: skip
"""All idioms in the order of merging; later ones see the results of earlier ones."""
