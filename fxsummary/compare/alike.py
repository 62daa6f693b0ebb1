"""Decide whether operations or blocks of two graphs are identical, and measure how similar others are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from fxsummary.graph.attributes import NodeData, own_path
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, Item, block_tree
from fxsummary.views.fold import identity_of

_EXCHANGED = frozenset({"activation", "norm", "pool"})
"""Kinds in which one operation can replace another, such as GELU for ReLU."""
_LEAST_OVERLAP = 0.5
"""Share of common operations from which two blocks of one class are one changed block."""
_LEAST_OVERLAP_OF_OTHERS = 0.8
"""The same for blocks with different classes and paths."""


class Side:
    """One of two compared graphs, with the signature of each operation and block.

    Items of both sides have the same signature if and only if they are identical. Names do not count, nor do drop
    rates, which often depend on the depth of a model.

    Attributes:
        graph: the graph; root: its blocks.
    """

    def __init__(self, graph: ModelGraph, numbers: dict[Hashable, int]) -> None:
        self.graph, self.root = graph, block_tree(graph)
        self._signatures: dict[int | str, int] = {}
        self._contents: dict[int, Counter[str]] = {}
        self._inside: dict[int, frozenset[int]] = {}
        for key, data in graph.nodes(data=True):
            self._signatures[key] = numbers.setdefault(identity_of(data), len(numbers))
        for block in reversed([*self.root.walk()]):  # inner ones first
            parts = (block.type, *map(self.signature, block.items))
            self._signatures[id(block)] = numbers.setdefault(parts, len(numbers))

    def signature(self, item: Item) -> int:
        """Return the signature of an operation or a block."""
        return self._signatures[identity(item)]

    def contents(self, block: Block) -> Counter[str]:
        """Return the number of operations in a block by label."""
        if id(block) not in self._contents:
            self._contents[id(block)] = Counter(self.graph.nodes[key]["label"] for key in block.operations())
        return self._contents[id(block)]

    def inside(self, block: Block) -> frozenset[int]:
        """Return the signatures of the inner blocks of several operations."""
        if id(block) not in self._inside:
            inner = [each for each in block.walk() if each is not block and self.contents(each).total() > 1]
            self._inside[id(block)] = frozenset(map(self.signature, inner))
        return self._inside[id(block)]

    def name(self, item: Item, base: str = "") -> str:
        """Return the path of an item relative to its block, with the number of the call; "" if it has no path."""
        if isinstance(item, Block):
            call = item.call
            return relative_path(item.path, base) + (f" {call.call}" if call and call.call else "")
        return relative_path(own_path(self.graph.nodes[item]), base)

    def has_identity(self, item: Item) -> bool:
        """Return whether a match elsewhere is more than chance: a block of several operations, or parameters."""
        if isinstance(item, Block):
            return self.contents(item).total() > 1
        return bool(self.graph.nodes[item]["parameters"]) and self.graph.nodes[item]["op"] == "call_module"


def identity(item: Item) -> int | str:
    """Return a key for an operation or a block of a graph."""
    return item if isinstance(item, str) else id(item)


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

    The path is the same if both have their own module or parameter, with the same name in their blocks.
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
