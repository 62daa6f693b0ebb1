"""Bookkeeping: values without floating-point data above them, such as masks, positions and tables.

They are computed from sizes, buffers and integer inputs only. Connected operations with one purpose become one row.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

from networkx.utils import UnionFind

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.labels import CASTS, VIEWS, base, is_random, operator_of
from fxsummary.views.merger import Merger, is_call

_OF_A_SHAPE = frozenset({
    "zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_empty", "new_full",
})  # fmt: skip
"""Operations that read only the shape, dtype and device of the tensors given to them."""
_ORDERS = frozenset({"le", "lt", "ge", "gt"})
_TRIANGLES = frozenset({"tril", "triu"})
_WAVES = frozenset({"sin", "cos", "polar"})
_COUNTED = frozenset({*_ORDERS, "ne", "eq", "ones", "ones_like"})
_HIDING = frozenset({*_ORDERS, *_TRIANGLES, "eq", "ne", "where", "masked_fill", "input"})
"""What a mask has above it, but not a bias that is added to all scores."""
_DIFFERENCE, _SIGHT, _INPUT, _BUFFER = "difference of positions", "order of positions ", "input", "buffer"
_TABLE, _POSITIONS, _ROTARY = "sin, cos table", "positions", "rotary table"


def bookkeeping(merger: Merger) -> set[str]:
    """Return the operations, buffers and integer inputs with no floating-point data, parameters or FLOPs above."""
    found: set[str] = set()
    for key in sorted(merger.graph, key=merger.order.__getitem__):
        data = merger.node(key)
        integers = not (data["dtype"] or "float").startswith(("float", "bfloat", "complex"))
        if data["op"] == "placeholder":
            keeps_book = integers and data["shape"] is not None
        elif data["op"] == "get_attr":
            keeps_book = not data["parameter_names"] and data["shape"] is not None
        else:
            keeps_book = is_free_call(data) and (
                base(data["label"]) in _OF_A_SHAPE or all(s in found for s in merger.graph.sources(key))
            )
        if keeps_book:
            found.add(key)
    return found


def is_free_call(data: NodeData) -> bool:
    """Return whether an operation is a call that returns tensors, without weights, FLOPs and randomness."""
    free = data["flops"] == 0 and data["parameters"] == 0 and not data["parameter_names"]
    return is_call(data) and free and data["shape"] is not None and not any(map(is_random, _labels(data)))


def _labels(data: NodeData) -> tuple[str, ...]:
    return data.get("run", (data["label"],))


def merge_bookkeeping(merger: Merger) -> None:
    """Merge connected bookkeeping operations with one purpose into one operation."""
    found = bookkeeping(merger)
    keys = [key for key in sorted(found, key=merger.order.__getitem__) if merger.node(key)["op"] != "placeholder"]
    above = _marks(merger, found, keys)
    places = {key: merger.copies(key) for key in keys}
    wanted = _wanted(merger, keys, above, places)
    for piece in _pieces(merger, keys, wanted, places):
        _merge_piece(merger, piece, wanted)


def _marks(merger: Merger, found: Collection[str], keys: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return for each operation what is above it: base names, and how positions are compared."""
    above: dict[str, frozenset[str]] = {}
    for key in found:
        if merger.node(key)["op"] == "placeholder":
            above[key] = frozenset({_INPUT})
    for key in keys:
        data, sources = merger.node(key), [above[s] for s in merger.graph.sources(key) if s in above]
        labels = _labels(data) if is_call(data) else ()
        names = {operator_of(label) or base(label) for label in labels}
        names |= {_BUFFER} if data["op"] == "get_attr" or data["reads"] else set()
        above[key] = frozenset(names).union(_compared(data, sources), *sources)
        if "cumsum" in names and _counts(merger, key):
            above[key] |= {"arange"}
    return above


def _counts(merger: Merger, key: str) -> bool:
    """Return whether a cumulative sum counts elements: those that fulfil a condition, or those of a mask."""
    while (source := merger.graph.only_source(key)) is not None:
        data = merger.node(source)
        if data["op"] == "placeholder" or data["dtype"] == "bool" or base(data["label"]) in _COUNTED:
            return True
        if base(data["label"]) not in CASTS | VIEWS | {"int", "long"}:
            return False
        key = source
    return False


def _compared(data: NodeData, sources: Sequence[frozenset[str]]) -> set[str]:
    """Return the marks of an operation that subtracts or orders positions."""
    name = base(data["label"])
    positions = len(sources) == 2 and all("arange" in each for each in sources)
    # one value that is broadcast against itself is one source
    positions = positions or (data["arguments"].count("%") == 2 and len(sources) == 1 and "arange" in sources[0])
    if operator_of(data["label"]) == "sub" and positions:
        return {_DIFFERENCE}
    differs = len(sources) == 1 and _DIFFERENCE in sources[0] and (data["config"] == "0" or "abs" in sources[0])
    return {_SIGHT + name} if name in _ORDERS and (positions or differs) else set()


def purpose(above: Collection[str], result: NodeData) -> str:
    """Return what a bookkeeping value is for, as far as the operations above it show; "" if they do not.

    >>> purpose({"arange", "le", "order of positions le"}, {"shape": (1, 1, 8, 8), "dtype": "bool"})
    'causal mask'
    >>> purpose({"sub", "order of positions le", "order of positions gt"}, {"shape": (8, 8), "dtype": "bool"})
    'sliding mask'
    >>> purpose({"arange", "le", "input"}, {"shape": (2, 8), "dtype": "bool"}), purpose({"zeros"}, {"shape": (8,)})
    ('mask', 'constant')
    """
    shape, dtype = result.get("shape") or (), result.get("dtype") or ""
    integers = dtype.startswith(("int", "uint"))
    if _WAVES.intersection(above):
        return _TABLE if "arange" in above or _INPUT not in above else "sinusoidal embedding"
    if len(shape) >= 2 and shape[-1] > 1 and shape[-2] > 1 and not integers:
        seen = [each for each in above if each.startswith(_SIGHT)]
        if seen and ((len(seen) > 1 and "sub" in above) or "abs" in above):
            return "sliding mask"
        if len(seen) == 1:
            return "causal mask"
        if _TRIANGLES.intersection(above):
            return "triangular mask"
    if integers and _DIFFERENCE in above:
        return "relative positions"
    if integers and "arange" in above:
        return _POSITIONS
    if shape and (dtype == "bool" or (len(shape) > 1 and "masked_fill" in above and not integers)):
        return "mask"
    return "constant" if not {_INPUT, _BUFFER}.intersection(above) else ""


def _own_purpose(merger: Merger, key: str, above: Collection[str]) -> str:
    """Return what a value is for, as far as the operations above and below it show."""
    found, data = purpose(above, merger.node(key)), merger.node(key)
    if found not in ("", "constant", "mask"):
        return found
    readers = [merger.node(reader) for reader in merger.graph.readers(key)]
    if readers and all(_attends(merger, reader) for reader in merger.graph.readers(key)) and data["shape"]:
        return "attention mask" if found == "mask" or _HIDING.intersection(above) else "attention bias"
    if readers and all(each["label"] == "rotary" for each in readers):
        return _ROTARY
    looks_up = readers and all(each["kind"] == "embedding" and each["parameter_names"] for each in readers)
    return "indices" if looks_up else found


def _attends(merger: Merger, reader: str) -> bool:
    """Return whether an operation reads a value as the mask of an attention."""
    data = merger.node(reader)
    if data["kind"] == "attention":
        return True
    is_sum = operator_of(data["label"]) == "add" or base(data["label"]) in ("masked_fill", "where")
    below = [base(merger.node(each)["label"]) for each in merger.graph.readers(reader)]
    return is_sum and bool(below) and all(label == "softmax" for label in below)


def _wanted(
    merger: Merger, keys: Sequence[str], above: Mapping[str, frozenset[str]], places: Mapping[str, Hashable]
) -> dict[str, str]:
    """Return the purpose of each operation: that of its readers if they have the same one, else its own."""
    wanted: dict[str, str] = {}
    for key in reversed(keys):
        readers = merger.graph.readers(key)
        inner = {wanted[r] for r in readers if r in wanted and places[r] == places[key]}
        outside = any(r not in wanted or places[r] != places[key] for r in readers)
        shared = outside or len(inner) != 1
        wanted[key] = _own_purpose(merger, key, above[key]) if shared else next(iter(inner))
        if wanted[key] in ("", "constant") and readers and all(wanted.get(r) == _ROTARY for r in readers):
            wanted[key] = _ROTARY  # in another module than its readers
    return wanted


def _pieces(
    merger: Merger, keys: Sequence[str], wanted: Mapping[str, str], places: Mapping[str, Hashable]
) -> list[list[str]]:
    """Return connected operations with one purpose in one place; sines and cosines of one value belong together."""
    pieces = UnionFind(keys)
    twins: dict[Hashable, str] = {}
    for key in keys:
        sources = list(merger.graph.sources(key))
        near = [s for s in sources if s in wanted]
        if wanted[key] in (_TABLE, _ROTARY):
            above = tuple([pieces[s] if s in wanted else s for s in sources])
            near.append(twins.setdefault((places[key], above), key))
        pieces.union(key, *[s for s in near if (wanted[s], places[s]) == (wanted[key], places[key])])
    return [sorted(piece, key=merger.order.__getitem__) for piece in pieces.to_sets()]


def _merge_piece(merger: Merger, keys: list[str], wanted: Mapping[str, str]) -> None:
    """Merge a piece of at least two calls with a purpose, or of three without."""
    calls = [key for key in keys if merger.node(key)["op"] != "get_attr"]
    if len(calls) < 2:
        return
    name = wanted[calls[-1]]
    if name in ("", "constant") and len(calls) < 3:
        return
    first, last = (merger.node(key)["label"] for key in (calls[0], calls[-1]))
    name = name or f"{first} · … · {last}"
    merger.merge(keys, "operations of masks and positions", calls[-1], label=name, kind="arithmetic")
