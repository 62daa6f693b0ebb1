"""Writes into given or empty tensors: cache updates, and concatenations by copying."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from math import prod

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import CONCATENATIONS, PARTS, VIEWS, base
from fxsummary.views.idioms.operands import Operand, operands
from fxsummary.views.merger import Merger, is_plain

_WRITES = frozenset({"index_copy", "index_put", "copy", "setitem", "scatter", "slice_scatter"})
EMPTY = frozenset({"zeros", "empty", "new_zeros", "new_empty", "zeros_like", "empty_like"})
"""Operations that make a tensor to write to."""


def merge_cache_updates(merger: Merger) -> None:
    """Merge the writes of new values into the caches of a module, with the empty caches.

    A cache is given to the model or is empty at first, and the model returns it beside its result. What is written,
    or the cache itself, is also read elsewhere.
    """
    rows: dict[Hashable, list[str]] = {}
    for key, data in merger.nodes(_WRITES | CONCATENATIONS):
        if is_plain(data) and _is_update(merger, key, data):
            rows.setdefault((data["module_stack"], merger.copies(key)), []).append(key)
    for keys in rows.values():
        region = {*keys}
        region |= {s for key in keys for s in merger.graph.sources(key) if _is_empty(merger, s)}
        region = {key for key in region if key in keys or region.issuperset(merger.graph.readers(key))}
        merger.merge(region, "operations of cache updates", label="cache update")


def _is_update(merger: Merger, key: str, data: NodeData) -> bool:
    read = operands(merger.graph, key)
    if len(read) < 2 or not _returned_beside(merger, key):
        return False
    (cache, part), new = read[0], read[-1][0]
    given = merger.node(cache)["op"] == "placeholder" or _is_buffer(merger.node(cache))
    used = any(merger.node(reader)["op"] != "output" for reader in merger.graph.readers(key))
    if base(data["label"]) in CONCATENATIONS:
        return len(read) == 2 and given and not part and used and list(merger.graph.readers(cache)) == [key]
    return given or (_is_empty(merger, cache) and (used or _is_shared(merger, new)))


def _is_buffer(data: NodeData) -> bool:
    return data["op"] == "get_attr" and not data["parameter_names"]


def _is_empty(merger: Merger, key: str) -> bool:
    data = merger.node(key)
    return base(data["label"]) in EMPTY and is_plain(data)


def _returned_beside(merger: Merger, key: str) -> bool:
    """Return whether the model returns a value, and not as its first result."""
    slots: set[int] = set()
    for reader, edge in merger.graph.readers(key).items():
        if merger.node(reader)["op"] == "output":
            slots.update(edge["slots"])
    return bool(slots) and 0 not in slots


def _is_shared(merger: Merger, key: str) -> bool:
    """Return whether something else reads a value, or the value that it is a view or a part of."""
    while len(merger.graph.readers(key)) == 1:
        source = merger.graph.only_source(key)
        if source is None or base(merger.node(key)["label"]) not in VIEWS | PARTS | {"pad"}:
            return False
        key = source
    return True


def merge_copied_joins(merger: Merger) -> None:
    """Merge copies of several values into the parts of an empty tensor: a concatenation."""
    for key, data in merger.nodes(EMPTY):
        if is_plain(data) and (region := _copies(merger, key)):
            last = max(region, key=merger.order.__getitem__)
            said: NodeData = {"label": "cat", "config": "by copies", "kind": "arithmetic"}
            merger.merge(region, "operations of copied joins", last, **said)


def _copies(merger: Merger, key: str) -> set[str]:
    """Return the copies into parts of an empty tensor, if these parts together are all of it; else nothing."""
    graph, whole = merger.graph, merger.node(key)["shape"]
    parts = [k for k in graph.readers(key) if base(merger.node(k)["label"]) == "index" and is_plain(merger.node(k))]
    copies = {part: r for part in parts for r in graph.readers(part) if _is_copy(merger, r, (part, ()))}
    full = len(parts) > 1 and all(list(graph.readers(part)) == [copies.get(part)] for part in parts)
    return {key, *parts, *copies.values()} if full and whole and _covers(merger, copies, whole) else set()


def _is_copy(merger: Merger, key: str, target: Operand) -> bool:
    data, read = merger.node(key), operands(merger.graph, key)
    return base(data["label"]) == "copy" and is_plain(data) and len(read) == 2 and read[0] == target


def _covers(merger: Merger, copies: Mapping[str, str], whole: tuple[int, ...]) -> bool:
    """Return whether parts of a tensor that differ in one dimension have all of its elements."""
    shapes = [merger.node(part)["shape"] or () for part in copies]
    others = {dim for shape in shapes for dim, (a, b) in enumerate(zip(shape, whole, strict=False)) if a != b}
    same_rank = all(len(shape) == len(whole) for shape in shapes)
    looks = {merger.node(part)["config"] for part in copies}
    return same_rank and len(others) == 1 and len(looks) == len(copies) and sum(map(prod, shapes)) == prod(whole)
