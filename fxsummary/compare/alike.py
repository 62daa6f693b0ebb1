"""Decide whether operations or blocks of two graphs are identical, and measure how similar others are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.blocks import Block
from fxsummary.views.fold import identity_of

_EXCHANGED = frozenset({"activation", "norm", "pool"})
"""Kinds in which one operation can replace another, such as GELU for ReLU."""
_LEAST_OVERLAP = 0.5
"""Share of common operations from which two blocks of one class are one changed block."""
_LEAST_OVERLAP_OF_OTHERS = 0.8
"""The same for blocks with different classes and paths."""

Item = str | Block


class Signatures:
    """Numbers that operations or blocks of any graph share if and only if they are identical.

    Names do not count, nor do drop rates, which often depend on the depth of a model.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[tuple[int, int | str], int] = {}
        self._contents: dict[int, Counter[str]] = {}
        self._inside: dict[int, frozenset[int]] = {}

    def number(self, graph: ModelGraph, item: Item) -> int:
        """Return the signature of an operation or a block."""
        todo = [item]
        while todo:
            each = todo[-1]
            if self._known_number(graph, each) is None and isinstance(each, Block):
                missing = [inner for inner in each.items if self._known_number(graph, inner) is None]
                if missing:
                    todo.extend(missing)
                    continue
            todo.pop()
            self._compute(graph, each)
        number = self._known_number(graph, item)
        assert number is not None
        return number

    def _known_number(self, graph: ModelGraph, item: Item) -> int | None:
        return self._known.get((id(graph), id(item) if isinstance(item, Block) else item))

    def _compute(self, graph: ModelGraph, item: Item) -> None:
        if isinstance(item, Block):
            inner = [self._known_number(graph, each) for each in item.items]
            parts: Hashable = (item.type, *inner)
            self._known[id(graph), id(item)] = self._numbers.setdefault(parts, len(self._numbers))
        else:
            alike = identity_of(graph.nodes[item])
            self._known[id(graph), item] = self._numbers.setdefault(alike, len(self._numbers))

    def contents(self, graph: ModelGraph, block: Block) -> Counter[str]:
        """Return the number of operations in a block by label."""
        known = self._contents.get(id(block))
        if known is None:
            known = self._contents[id(block)] = Counter(graph.nodes[key]["label"] for key in block.operations())
        return known

    def inside(self, graph: ModelGraph, block: Block) -> frozenset[int]:
        """Return the signatures of the inner blocks of several operations."""
        known = self._inside.get(id(block))
        if known is None:
            found: set[int] = set()
            for inner in block.blocks():
                if self.contents(graph, inner).total() > 1:
                    found |= {self.number(graph, inner), *self.inside(graph, inner)}
            known = self._inside[id(block)] = frozenset(found)
        return known


def overlap(one: Counter[str], other: Counter[str]) -> float:
    """Return the share that two blocks have in common, from 0 to 1.

    >>> overlap(Counter("aab"), Counter("abb"))
    0.6666666666666666
    """
    whole = max(one.total(), other.total())
    return (one & other).total() / whole if whole else 1.0


def blocks_alike(type_is_same: bool, path_is_same: bool, common: float) -> float:
    """Return the similarity of two blocks that are not identical; 0 if they are not one changed block."""
    is_same = (
        (path_is_same and (type_is_same or common >= _LEAST_OVERLAP / 2))
        or (type_is_same and common >= _LEAST_OVERLAP)
        or common >= _LEAST_OVERLAP_OF_OTHERS
    )
    return common + 0.5 * type_is_same + path_is_same if is_same else 0.0


def operations_alike(one: NodeData, other: NodeData, path_is_same: bool) -> float:
    """Return the similarity of two operations that are not identical; 0 if they are not one changed operation.

    Args:
        path_is_same: whether both have their own module or parameter, with the same name in their blocks.
    """
    if one["op"] in ("placeholder", "output") or other["op"] in ("placeholder", "output"):
        if one["op"] != other["op"]:
            return 0.0
        return 2.0 if one["target"] == other["target"] else 0.5
    if one["label"] == other["label"]:
        config, shape = one["config"] == other["config"], one["shape"] == other["shape"]
        if one["op"] == "call_module" and not (path_is_same or config or shape):
            return 0.0
        equal = config + shape + (one["arguments"] == other["arguments"])
        return 1.0 + 0.25 * float(equal) + path_is_same
    if one["kind"] != other["kind"] or "parameter" in (one["kind"], other["kind"]):
        return 0.0
    if path_is_same:
        return 1.5
    return 0.75 if one["kind"] in _EXCHANGED else 0.0
