"""Mixtures of experts: the choice of experts for each token, and the weighted sum of their results.

The choice is what depends on the router's result only: softmax, top-k, sorting, counting. It is recognised by what it
leads to: the largest values select weights or tokens for a product, whose result is multiplied by these values.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from math import prod

import networkx as nx

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import base, operator_of
from fxsummary.graph.records import differing
from fxsummary.graph.spec import leaves
from fxsummary.views.idioms.bookkeeping import bookkeeping, is_free_call
from fxsummary.views.merger import Merger, is_call

_CHOICES = frozenset({"topk", "max", "argmax"})
_REDUCTIONS = frozenset({"sum", "index_add", "scatter_add"})
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
        for product in (products := list(_weighted(merger, chosen))):
            _merge_sum(merger, product, chosen, book)
        if products:
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


def _merge_sum(merger: Merger, product: str, chosen: Sequence[str], book: Collection[str]) -> None:
    """Merge a weighted product with the operations that sum it over the experts."""
    region, key = [product], product
    while base(merger.node(key)["label"]) not in _REDUCTIONS:
        readers = list(merger.graph.readers(key))
        if len(readers) != 1 or not is_free_call(merger.node(readers[0])):
            return
        (key,) = readers
        if any(s not in region and s not in chosen and s not in book for s in merger.graph.sources(key)):
            return
        region.append(key)
    sizes = {(merger.node(each)["shape"] or (0,))[-1] for each in chosen}
    before, after = (prod(merger.node(each)["shape"] or (0,)) for each in (product, key))
    over_experts = base(merger.node(key)["label"]) != "sum" or any(before == size * after for size in sizes)
    if over_experts and len({merger.node(each)["module_stack"] for each in region}) == 1:
        merger.merge(region, "operations that sum experts", label="combine experts")


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
