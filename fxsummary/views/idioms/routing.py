"""Mixtures of experts: the choice of experts for each token, what gives them the tokens, and what sums their results.

The choice is what depends on the router's result only: softmax, top-k, sorting, counting. It is recognised by what it
leads to: the largest values select weights or tokens for a product, whose result is multiplied by these values.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod

import networkx as nx

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import VIEWS, base, operator_of
from fxsummary.graph.records import differing
from fxsummary.graph.spec import leaves
from fxsummary.views.blocks import calls_around
from fxsummary.views.idioms.bookkeeping import bookkeeping, is_free_call
from fxsummary.views.idioms.operands import operands
from fxsummary.views.merger import Merger, is_call

_CHOICES = frozenset({"topk", "max", "argmax"})
_SUMS = frozenset({"sum", "index_add", "scatter_add"})
_WRITES = frozenset({"setitem", "index_put", "index_add", "scatter_add"})
"""Operations whose first operand is the sum so far."""
_SELECTIONS = frozenset({"index", "index_select", "gather"})
_ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
DISPATCH, COMBINE = "dispatch", "combine experts"
"""Labels of what gives experts their tokens, and of what sums their weighted results."""
_MOST_ABOVE, _MOST_BELOW = 40, 400
"""Numbers of operations to look at above and below the choice."""


def merge_routing(merger: Merger) -> None:
    """Merge the operations that choose experts, and those that sum their weighted results."""
    book = bookkeeping(merger)
    known: set[str] = set()
    for key, data in list(merger.nodes(_CHOICES)):
        if key not in merger.graph or not _chooses(merger, key, data):
            continue
        router = _router(merger, key, book)
        if router is None or router in known:
            continue
        known.add(router)
        chosen = _chosen(merger, router, book)
        products = list(_weighted(merger, chosen))
        sums = [found for product in products if (found := _merge_sum(merger, product, chosen, book))]
        if products:
            dispatches = [*_dispatches(merger, chosen, book)]
            _name_copies(merger, router, dispatches, sums)
            _merge_choice(merger, router, chosen, book)


def _chooses(merger: Merger, key: str, data: NodeData) -> bool:
    """Return whether an operation returns the largest of the last dimension, and where they are."""
    sources = list(merger.graph.sources(key).values())
    before, after = sources[0]["shape"] if len(sources) == 1 else None, data["shape"]
    if not before or after is None or not is_call(data):
        return False
    reduced = base(data["label"]) != "topk" and before[:-1] in (after, after[:-1])
    return reduced or (len(before) == len(after) and before[:-1] == after[:-1] and after[-1] < before[-1])


def _has_integers(data: NodeData) -> bool:
    """Return whether a result contains integers, such as the numbers of experts."""
    return any(not spec.dtype.startswith(("float", "bfloat")) for spec in leaves(data["outputs"]))


def _router(merger: Merger, key: str, book: Collection[str]) -> str | None:
    """Return the only operation with FLOPs that a choice depends on directly; None if there is no single one."""
    seen, pending, found = {key}, [key], set[str]()
    while pending and len(seen) <= _MOST_ABOVE:
        for source in merger.graph.sources(pending.pop()):
            data = merger.node(source)
            if source in book or source in seen or data["op"] == "get_attr":
                continue
            seen.add(source)
            if is_free_call(data):
                pending.append(source)
            else:
                found.add(source)
    router = next(iter(found), None)
    single = not pending and len(found) == 1 and router is not None and merger.node(router)["flops"] != 0
    return router if single else None


def _chosen(merger: Merger, router: str, book: Collection[str]) -> list[str]:
    """Return the free operations that depend on the router's result only, and that lead to a choice or from one."""
    known, pending = {router}, [router]
    for key in pending:  # grows
        for reader in merger.graph.readers(key):
            sources = merger.graph.sources(reader)
            alone = all(s in known or s in book or merger.node(s)["op"] == "get_attr" for s in sources)
            if reader not in known and alone and is_free_call(merger.node(reader)):
                known.add(reader)
                pending.append(reader)
    choices = [key for key in pending[1:] if base(merger.node(key)["label"]) in _CHOICES]
    among = nx.DiGraph((key, reader) for key in known for reader in merger.graph.readers(key) if reader in known)
    around = {*choices}.union(*(reached(among, key) for key in choices for reached in (nx.ancestors, nx.descendants)))
    return [key for key in pending[1:] if key in around]


def _weighted(merger: Merger, chosen: Sequence[str]) -> Iterator[str]:
    """Yield the products of chosen values with the result of an operation with weights that depends on the choice."""
    pending = [(reader, False) for key in chosen for reader in merger.graph.readers(key) if reader not in chosen]
    seen = set(pending)
    for key, weighted in pending:  # grows
        data = merger.node(key)
        if weighted and operator_of(data["label"]) == "mul" and any(s in chosen for s in merger.graph.sources(key)):
            yield key
            continue
        after = weighted or data["flops"] != 0
        for reader in merger.graph.readers(key):
            if reader not in chosen and (reader, after) not in seen and len(pending) < _MOST_BELOW:
                seen.add((reader, after))
                pending.append((reader, after))


def _merge_sum(merger: Merger, product: str, chosen: Sequence[str], book: Collection[str]) -> str | None:
    """Merge a weighted product with the operations that sum it over the experts; return the result's key, if any."""
    region = _summed(merger, product, {*chosen, *book})
    if not region:
        return None
    sizes = {(merger.node(each)["shape"] or (0,))[-1] for each in chosen if each in merger.graph}
    before, after = (prod(merger.node(each)["shape"] or (0,)) for each in (product, region[-1]))
    over_experts = base(merger.node(region[-1])["label"]) != "sum" or any(before == size * after for size in sizes)
    if not over_experts or len({merger.node(each)["module_stack"] for each in region}) > 1:
        return None
    key = merger.merge(region, "operations that sum experts", region[-1], label=COMBINE, kind="arithmetic")
    for source in [*merger.graph.sources(key)] if key else ():
        if base(merger.node(source)["label"]) in _ZEROS and list(merger.graph.readers(source)) == [key]:
            merger.drop(source, "operations that sum experts")
    return key


def _summed(merger: Merger, product: str, known: set[str]) -> list[str]:
    """Return the operations from a product to where it is added to the others; nothing if there is no such place.

    The last one may write to the sum so far, and an addition before it may read a part of that.
    """
    region, key, read = [product], product, dict[str, str]()
    while base(merger.node(key)["label"]) not in _SUMS | _WRITES:
        readers = list(merger.graph.readers(key))
        if len(readers) != 1 or not is_free_call(merger.node(readers[0])):
            return []
        (key,) = readers
        for source in {*merger.graph.sources(key)}.difference(region):
            data = merger.node(source)
            if base(data["label"]) in _SELECTIONS and operator_of(merger.node(key)["label"]) == "add":
                read[source] = operands(merger.graph, source)[0][0]
            elif source not in known and source != _written(merger, key):
                return []
        region.append(key)
    parts = [source for source, value in read.items() if value == _written(merger, key)]
    return [*parts, *region] if known.issuperset({*read}.difference(parts)) else []


def _written(merger: Merger, key: str) -> str | None:
    """Return what a write changes."""
    return operands(merger.graph, key)[0][0] if base(merger.node(key)["label"]) in _WRITES else None


def _dispatches(merger: Merger, chosen: Sequence[str], book: Collection[str]) -> Iterator[str]:
    """Name the operations that select the tokens of the experts, each with the view after it; yield their keys."""
    readers = dict.fromkeys(reader for key in chosen if key in merger.graph for reader in merger.graph.readers(key))
    for key in readers:
        data = merger.node(key)
        tokens = [s for s in merger.graph.sources(key) if s not in chosen and s not in book]
        selects = base(data["label"]) in _SELECTIONS and is_free_call(data) and len(tokens) == 1
        if key in chosen or not selects or not _feeds_weights(merger, key):
            continue
        after = list(merger.graph.readers(key))
        if len(after) == 1 and base(merger.node(after[0])["label"]) in VIEWS:
            key = merger.merge([key, *after], "views of dispatched tokens", label=DISPATCH) or key
        said: NodeData = {"op": "call_function", "label": DISPATCH, "config": "", "kind": "arithmetic"}
        merger.node(key).update(said)
        yield key


def _feeds_weights(merger: Merger, key: str) -> bool:
    """Return whether a value flows into an operation with FLOPs before it is written anywhere."""
    while key and base(merger.node(key)["label"]) not in _WRITES:
        readers = list(merger.graph.readers(key))
        if any(merger.node(reader)["flops"] != 0 for reader in readers):
            return True
        key = readers[0] if len(readers) == 1 else ""
    return False


def _name_copies(merger: Merger, router: str, dispatches: Iterable[str], sums: Iterable[str]) -> None:
    """Call copies experts if each has tokens of its own, from a router outside of them, and a part in the sum."""
    repeats = merger.graph.graph.get("repeats", {})
    around = [{*calls_around(merger.node(key))} for key in (*dispatches, *sums)]
    inside = set.union(set(), *around).difference(calls_around(merger.node(router)))
    named = {call: replace(run, unit="experts") for call, run in repeats.items() if call in inside}
    if named:
        merger.graph.graph["repeats"] = {**repeats, **named}


def _merge_choice(merger: Merger, router: str, chosen: Sequence[str], book: Collection[str]) -> None:
    """Merge the operations that choose, one row for each module."""
    region = {key for key in chosen if key in merger.graph}
    constants = {s for key in region for s in merger.graph.sources(key) if s in book}
    constants = {key for key in constants if merger.node(key)["op"] != "placeholder"}
    region |= {key for key in constants if region.issuperset(merger.graph.readers(key))}
    for keys in _rows(merger, region):
        if any(map(_has_integers, map(merger.node, keys))):  # others are activations in modules of their own
            config = _number(merger, keys, router)
            said: NodeData = {"label": "expert routing", "config": config, "kind": "arithmetic"}
            merger.merge(keys, "operations that choose experts", **said)


def _rows(merger: Merger, region: Collection[str]) -> list[list[str]]:
    """Group operations by module, those in a module of the module that chooses with the choice."""
    nodes = {key: merger.node(key) for key in sorted(region, key=merger.order.__getitem__)}
    tops = {data["module_stack"] for data in nodes.values() if base(data["label"]) in _CHOICES}
    rows: dict[Hashable, list[str]] = {}
    for key, data in nodes.items():
        stack = data["module_stack"]
        place = min((top for top in tops if stack[: len(top)] == top), key=len, default=stack)
        rows.setdefault((place, merger.copies(key)), []).append(key)
    return list(rows.values())


def _number(merger: Merger, keys: Iterable[str], router: str) -> str:
    """Return how many experts are chosen, if the operations show it."""
    choices = [key for key in keys if base(merger.node(key)["label"]) in _CHOICES]
    best = [merger.node(key) for key in choices if base(merger.node(key)["label"]) == "topk"]
    alone = len({tuple(merger.graph.sources(key)) for key in choices}) == 1
    number = (best[-1]["shape"] or (1,))[-1] if best else 1
    if not (best or alone) or any(differing(data, "outputs") for data in (merger.node(router), *best)):
        return ""
    return f"top {number} of {(merger.node(router)['shape'] or (0,))[-1]}"
