"""The bytes that operations read from memory and write to it, from the specs of their tensors.

A view moves nothing. A dimension with stride 0 is read once, however often it is repeated. Look-ups in a table read the
rows that they return and the indices. A tensor written in place counts as written, and as read unless it is
overwritten. Everything else reads all its inputs, parameters and buffers, and writes its results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import TensorSpec, itemsize, leaves

_OVERWRITING = frozenset({"copy_", "fill_", "zero_", "setitem", "uniform_", "normal_", "masked_fill_"})
"""Labels of operations that do not read what they write to."""
_LOOK_UPS = frozenset({"getitem", "index", "index_select", "gather", "take", "take_along_dim"})
"""Labels of operations that read only the elements that they return, if they return no view."""
_EMPTY = frozenset({"empty", "empty_like", "new_empty", "empty_strided"})
"""Labels of operations that write nothing."""
_GROUPED = ("grouped_mm",)
"""Parts of the labels of products with one matrix per group of rows, as in a mixture of experts."""


class Traffic(NamedTuple):
    """What one operation moves.

    Attributes:
        read: bytes of activations and inputs that it reads.
        written: bytes that it writes.
        weights: bytes that it reads of each parameter and buffer.
        is_known: whether nothing else is moved, as far as specs show.
    """

    read: int
    written: int
    weights: Mapping[str, int]
    is_known: bool = True

    @property
    def nbytes(self) -> int:
        """All bytes, read and written."""
        return self.read + self.written + sum(self.weights.values())


_NOTHING = Traffic(0, 0, {})


class _Input(NamedTuple):
    """A tensor that an operation gets: its parameter or buffer, "" for other tensors, and what makes it."""

    spec: TensorSpec
    name: str
    source: str
    part: tuple[int | str, ...]

    @property
    def nbytes(self) -> int:
        return accessed(self.spec)


def accessed(spec: TensorSpec) -> int:
    """Return the bytes that reading a tensor touches: dimensions with stride 0 count once.

    >>> accessed(TensorSpec((8, 4), "float32", (0, 1)))
    16
    """
    if spec.stride is None or 0 in spec.shape:
        return spec.nbytes
    return math.prod(n for n, step in zip(spec.shape, spec.stride, strict=True) if step) * itemsize(spec.dtype)


def traffic(graph: ModelGraph) -> dict[str, Traffic]:
    """Return what each operation moves; 0 for views, inputs and parameters."""
    weights = {each.name: each.nbytes for module in graph.modules.values() for each in module.parameters}
    return {key: _moved(graph, key, data, weights) for key, data in graph.nodes(data=True)}


def weights_read(moved: Mapping[str, Traffic]) -> dict[str, int]:
    """Return the bytes that are read of each parameter and buffer at least, however often it is read."""
    found: dict[str, int] = {}
    for each in moved.values():
        for name, nbytes in each.weights.items():
            found[name] = max(found.get(name, 0), nbytes)
    return found


def _moved(graph: ModelGraph, key: str, data: NodeData, weights: Mapping[str, int | None]) -> Traffic:
    if not data["op"].startswith("call_"):
        return _NOTHING
    results = list(leaves(data["outputs"]))
    new = [
        spec
        for spec, number in zip(results, data["storages"], strict=False)
        if graph.storages[number].born == key and graph.storages[number].kind == "activation"
    ]
    given, writes = _given(graph, key), data.get("writes", ())
    if (not new and not writes) or data["label"] in _EMPTY:
        return _NOTHING._replace(is_known=data["outputs"] is not None)
    names = data["reads"] if data["op"] == "call_module" else ()
    own = {name: weights.get(name) for name in names}
    kept = [each for place, each in enumerate(given) if not _is_unread(data, place)]
    read = list(_read(data, kept, new))
    for each, nbytes in read:
        if each.name:
            own[each.name] = max(own.get(each.name) or 0, nbytes)
    if data["kind"] == "embedding" and names:
        own = {name: _rows(given, new) for name in names}
    written = sum(map(accessed, new)) + _overwritten(data, given, writes)
    values = sum(nbytes for each, nbytes in read if not each.name)
    known = {name: nbytes or 0 for name, nbytes in own.items()}
    return Traffic(values, written, known, None not in own.values() and data["outputs"] is not None)


def _given(graph: ModelGraph, key: str) -> list[_Input]:
    """Return the tensors in the arguments of an operation, by slot."""
    found: dict[int, _Input] = {}
    for source, edge in graph.sources(key).items():
        data = graph.data(source)
        name = _weight(graph, data)
        for place, slot in enumerate(edge["slots"]):
            part = edge["parts"][place] if len(edge["parts"]) == len(edge["slots"]) else ()
            for spec in leaves(_part(data["outputs"], part)):
                found.setdefault(slot, _Input(spec, name, source, part))
    return [found[slot] for slot in sorted(found)]


def _weight(graph: ModelGraph, data: NodeData) -> str:
    """Return the name of the parameter or buffer that a value is, or is a view of; "" for other values."""
    if len(data["storages"]) != 1:
        return ""
    storage = graph.storages[data["storages"][0]]
    born = graph.data(storage.born)
    return born["reads"][0] if storage.kind in ("parameter", "buffer") and born["reads"] else ""


def _part(value: object, path: tuple[int | str, ...]) -> object:
    for step in path:
        try:
            value = value[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _read(data: NodeData, given: list[_Input], new: list[TensorSpec]) -> Iterator[tuple[_Input, int]]:
    """Yield the distinct inputs, each with the bytes that are read of it."""
    is_look_up = data["label"] in _LOOK_UPS
    is_grouped = any(part in data["label"] for part in _GROUPED)
    for place, each in enumerate(dict.fromkeys(given)):
        if data["kind"] == "embedding" and not each.spec.is_index:
            yield each, _rows(given, new)
        elif is_look_up and place == 0:
            yield each, min(each.nbytes, sum(spec.nbytes for spec in new))
        elif is_grouped and len(each.spec.shape) == 3 and len(given[0].spec.shape) == 2:
            groups, rows = each.spec.shape[0], given[0].spec.shape[0]
            yield each, each.nbytes * min(groups, rows) // max(groups, 1)
        else:
            yield each, each.nbytes


def _rows(given: list[_Input], new: list[TensorSpec]) -> int:
    """Return the bytes of the rows that an embedding reads."""
    indices = next((each.spec.numel for each in given if each.spec.is_index), 0)
    return indices * new[0].shape[-1] * itemsize(new[0].dtype) if new and new[0].shape else 0


def _is_unread(data: NodeData, place: int) -> bool:
    """Whether an operation does not read an argument: it overwrites it, or takes only its shape."""
    label = data["label"]
    if place == 0 and (label.endswith("_like") or label.startswith("new_")):
        return True
    return place in data.get("writes", ()) and label in _OVERWRITING


def _overwritten(data: NodeData, given: list[_Input], writes: tuple[int, ...]) -> int:
    """Return the bytes that an operation writes in place; of an assignment to a part, those of the value."""
    if data["label"] == "setitem":
        return given[-1].nbytes if len(given) > 1 else 0
    return sum(given[place].nbytes for place in writes if place < len(given))
