"""Rotary embeddings: products of the parts of one value with sines and cosines.

Three ways to write them are known: ``x * cos + turned(x) * sin``, where ``turned`` consists of pieces of x and a
negation; ``x1 * cos - x2 * sin`` with ``x2 * cos + x1 * sin``, joined again; and a product of complex numbers. A
rotation of a part of a value, joined with the rest of that value, is one operation with the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from math import prod

import networkx as nx

from fxsummary.graph.labels import CASTS, CONCATENATIONS, JOINS, PARTS, PLUMBING, RESHAPES, VIEWS, base, operator_of
from fxsummary.graph.records import differing
from fxsummary.views.idioms.bookkeeping import bookkeeping
from fxsummary.views.idioms.operands import Operand, operands
from fxsummary.views.idioms.writes import EMPTY
from fxsummary.views.merger import Merger, is_plain

_TURNING = PLUMBING | {"neg"}
_WAVES = frozenset({"sin", "cos", "polar"})
_MOST_ABOVE = 24
"""Number of operations above a factor to look at, to see whether it is a table."""


def merge_rotations(merger: Merger) -> None:
    """Merge the operations of each rotary embedding into one."""
    book = bookkeeping(merger)
    turned: dict[str, Operand] = {}
    for key, _ in merger.nodes():
        found = _straight(merger, key, book) or _halves(merger, key, book) or _complex(merger, key, book)
        if found is not None:
            region, x = found
            region, x = _with_plumbing(merger, region, x)
            main = merger.merge(region, "operations of rotary embeddings", label="rotary")
            if main is not None:
                turned[main] = x
    _hide_views_of_tables(merger, turned)
    for key, _ in merger.nodes(CONCATENATIONS):
        _join_rest(merger, key, turned)


def _straight(merger: Merger, key: str, book: Collection[str]) -> tuple[set[str], Operand] | None:
    """Return the operations of ``x * cos + turned(x) * sin``, and x."""
    factors, data = list(merger.graph.sources(key)), merger.node(key)
    if operator_of(data["label"]) != "add" or not is_plain(data) or not _are_products(merger, factors):
        return None
    for straight, crossed in (factors, factors[::-1]):
        if region := _turned_region(merger, straight, crossed):
            (x,) = {s for each in region for s in operands(merger.graph, each) if s[0] not in region}
            read = {s for each in factors for s in operands(merger.graph, each)}
            if all(s == x or s[0] in region or _is_table(merger, s, book) for s in read):
                return region | {key, *factors}, x
    return None


def _are_products(merger: Merger, keys: list[str]) -> bool:
    """Return whether these are two products that nothing else reads."""
    products = [k for k in keys if operator_of(merger.node(k)["label"]) == "mul" and len(merger.graph.readers(k)) == 1]
    return len(keys) == 2 == len(products)


def _turned_region(merger: Merger, straight: str, crossed: str) -> set[str]:
    """Return the operations that turn x for the product ``crossed``; empty if there is no such pattern."""
    for start in merger.graph.sources(crossed):
        region = _region_above(merger, start, crossed)
        labels = [merger.node(key)["label"] for key in region]
        turned = "neg" in labels and any(base(label) in JOINS for label in labels)
        read = {operand for key in region for operand in operands(merger.graph, key) if operand[0] not in region}
        if turned and len(read) == 1 and read < set(operands(merger.graph, straight)):
            return region
    return set()


def _region_above(merger: Merger, start: str, reader: str) -> set[str]:
    """Return the operations above ``start`` that move or negate values and that nothing else reads."""
    region, pending = set[str](), [start]
    while pending:
        key = pending.pop()
        data = merger.node(key)
        own = all(k in region or k == reader for k in merger.graph.readers(key))
        if own and is_plain(data) and (base(data["label"]) in _TURNING or data.get("run")):
            region.add(key)
            pending += merger.graph.sources(key)
    return region


def _halves(merger: Merger, key: str, book: Collection[str]) -> tuple[set[str], Operand] | None:
    """Return the operations that turn the halves of x by ``x1 * cos - x2 * sin`` and ``x2 * cos + x1 * sin``, and x."""
    ends, region = _joined(merger, key)
    operators = {operator_of(merger.node(end)["label"]): end for end in ends}
    if len(ends) != 2 or operators.keys() != {"add", "sub"}:
        return None
    products = {end: list(merger.graph.sources(end)) for end in ends}
    if not all(_are_products(merger, each) for each in products.values()) or not is_plain(merger.node(key)):
        return None
    region |= {*ends, *products[ends[0]], *products[ends[1]]}
    if not all(is_plain(merger.node(k)) and region.issuperset(merger.graph.readers(k)) for k in region - {key}):
        return None
    minus, plus = ([operands(merger.graph, p) for p in products[operators[name]]] for name in ("sub", "add"))
    for one, other, cos, sin in _crossed(minus, plus):
        x = _whole(merger, one, other)
        are_tables = all(_is_table(merger, each, book) for each in (cos, sin))
        whole = prod(merger.node(key)["shape"] or (0,)) == 2 * prod(merger.node(ends[0])["shape"] or (0,))
        if x is not None and whole and are_tables and (cos[0] in book or _whole(merger, cos, sin) is None):
            parts = {k for k in (one[0], other[0]) if region.issuperset(merger.graph.readers(k))}
            return region | parts, x
    return None


def _joined(merger: Merger, key: str) -> tuple[list[str], set[str]]:
    """Return the values that an operation joins, and the operations that do it: `cat`, or writes to an empty tensor."""
    data = merger.node(key)
    if base(data["label"]) in JOINS:
        return list(merger.graph.sources(key)), {key}
    if data["label"] != "setitem" or len(read := operands(merger.graph, key)) != 2:
        return [], set()
    (first, _), (second, _) = read
    before = merger.node(first)
    if before["label"] != "setitem" or before["arguments"] == data["arguments"] or before["shape"] != data["shape"]:
        return [], set()
    inner = operands(merger.graph, first)
    is_empty = len(inner) == 2 and base(merger.node(inner[0][0])["label"]) in EMPTY
    return ([inner[1][0], second], {key, first, inner[0][0]}) if is_empty else ([], set())


def _crossed(minus: list[list[Operand]], plus: list[list[Operand]]) -> Iterator[tuple[Operand, ...]]:
    """Yield x1, x2, cos, sin if ``minus`` are the factors of x1 cos and x2 sin, and ``plus`` of x2 cos and x1 sin."""
    if any(len(set(factors)) != 2 for factors in (*minus, *plus)):
        return
    (a, b), (c, d) = minus
    for one, cos in ((a, b), (b, a)):
        for other, sin in ((c, d), (d, c)):
            if {frozenset(each) for each in plus} == {frozenset((other, cos)), frozenset((one, sin))}:
                yield one, other, cos, sin


def _part_of(merger: Merger, operand: Operand) -> tuple[Operand, Hashable] | None:
    """Return the value that an operand is a part of, and which part it is."""
    key, part = operand
    data = merger.node(key)
    read = operands(merger.graph, key)
    if base(data["label"]) not in PARTS or not is_plain(data) or len(read) != 1:
        return None
    return read[0], part or data["config"]


def _whole(merger: Merger, *parts: Operand) -> Operand | None:
    """Return the value that consists of these parts; None if there is none."""
    found = [_part_of(merger, operand) for operand in parts]
    if None in found or len({each[0] for each in found if each}) > 1 or len(set(found)) < len(found):
        return None
    value = next(each[0] for each in found if each)
    (edge,) = merger.graph.sources(parts[0][0]).values()
    sizes = [prod(merger.node(key)["shape"] or (0,)) for key, _ in parts]
    return value if edge["shape"] is not None and sum(sizes) == prod(edge["shape"]) and len(set(sizes)) == 1 else None


def _is_table(merger: Merger, operand: Operand, book: Collection[str]) -> bool:
    """Return whether a factor is a sine or cosine, or depends on sizes, buffers, inputs and embedded positions only."""
    pending, seen = [operand[0]], 0
    while pending:
        key, seen = pending.pop(), seen + 1
        data = merger.node(key)
        if key in book or data["op"] == "placeholder" or base(data["label"]) in _WAVES:
            continue
        sources = list(merger.graph.sources(key))
        if data["kind"] == "embedding" and sources and not any(_depends_on_input(merger, each) for each in sources):
            continue
        if seen > _MOST_ABOVE or not is_plain(data) or base(data["label"]) == "view_as_complex":
            return False
        pending += sources
    return True


def _depends_on_input(merger: Merger, key: str) -> bool:
    """Return whether an input of the model is above an operation."""
    above = {key, *nx.ancestors(merger.graph, key)}
    return any(merger.node(each)["op"] == "placeholder" for each in above)


def _complex(merger: Merger, key: str, book: Collection[str]) -> tuple[set[str], Operand] | None:
    """Return the operations that multiply x, seen as complex numbers, by a table, and x."""
    factors, data = operands(merger.graph, key), merger.node(key)
    ends = [k for k in merger.graph.readers(key) if base(merger.node(k)["label"]) == "view_as_real"]
    if operator_of(data["label"]) != "mul" or len(factors) != 2 or not len(ends) == len(merger.graph.readers(key)) == 1:
        return None
    for (x, _), table in (factors, factors[::-1]):
        region = {x, key, *ends}
        seen_so = base(merger.node(x)["label"]) == "view_as_complex" and list(merger.graph.readers(x)) == [key]
        if seen_so and all(is_plain(merger.node(k)) for k in region) and _is_table(merger, table, book):
            return region, operands(merger.graph, x)[0]
    return None


def _with_plumbing(merger: Merger, region: set[str], x: Operand) -> tuple[set[str], Operand]:
    """Add the casts before and after; also the reshapes, if the parts of x were interleaved or complex numbers."""
    labels = {base(merger.node(key)["label"]) for key in region}
    interleaved = "view_as_real" in labels or ("sub" in labels and labels & {"stack", "setitem"})
    moves = CASTS | RESHAPES if interleaved else CASTS
    times = {merger.node(key)["multiplicity"] for key in region}

    def fits(key: str) -> bool:
        data = merger.node(key)
        is_move = all(base(label) in moves for label in data.get("run", (data["label"],)))
        own = is_plain(data) and data["multiplicity"] in times
        return is_move and own and merger.graph.only_source(key) is not None

    while fits(x[0]) and region.issuperset(merger.graph.readers(x[0])):
        region = region | {x[0]}
        x = operands(merger.graph, x[0])[0]
    while len(below := {r for k in region for r in merger.graph.readers(k)} - region) == 1 and fits(next(iter(below))):
        region = region | below
    return region, x


def _hide_views_of_tables(merger: Merger, turned: Collection[str]) -> None:
    for key in turned:
        for source in list(merger.graph.sources(key)):
            view = merger.node(source)
            is_view = base(view["label"]) in VIEWS and is_plain(view) and merger.graph.only_source(source) is not None
            if is_view and all(reader in turned for reader in merger.graph.readers(source)):
                merger.hide(source, "views of rotary tables")


def _join_rest(merger: Merger, key: str, turned: dict[str, Operand]) -> None:
    """Merge the concatenation of turned parts of a value with the rest of this value."""
    read = operands(merger.graph, key)
    parts = [turned.get(operand[0], operand) for operand in read]
    found = [_part_of(merger, part) for part in parts]
    rotations = {k for k, _ in read if k in turned and list(merger.graph.readers(k)) == [key]}
    if not rotations or len(rotations) != sum(k in turned for k, _ in read) or not is_plain(merger.node(key)):
        return
    values = {each[0] for each in found if each}
    if None in found or len(values) != 1 or len(set(found)) < len(found):
        return
    shape = merger.node(key)["shape"] or (0,)
    (edge,) = merger.graph.sources(parts[0][0]).values()
    if prod(shape) != prod(edge["shape"] or (1,)):
        return
    region = {key, *rotations}
    region |= {k for k, _ in parts if region.issuperset(merger.graph.readers(k))}
    region |= {k for k, _ in parts if region.issuperset(merger.graph.readers(k))}
    width = sum((merger.node(k)["shape"] or (0,))[-1] for k in rotations)
    partial = width < shape[-1] and not differing(merger.node(key), "outputs")
    config = f"{width} of {shape[-1]}" if partial else ""
    main = merger.merge(region, "operations of rotary embeddings", key, label="rotary", config=config)
    if main is not None:
        turned[main] = next(iter(values))
