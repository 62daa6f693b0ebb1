"""Match the operations of two graphs: by structure first, then by path, then by similarity.

The search goes from the outside in. The items of two blocks (operations and inner blocks) are aligned in order:
first identical items, whatever their names, then items with the same path, then the most similar ones. Each pair of
inner blocks is aligned in the same way. An item without a counterpart in its block may have moved, so it is searched
for everywhere, whole blocks first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from typing import TypeVar

from fxsummary.compare.runs import aligned_by_runs, runs_in
from fxsummary.compare.sequences import MOST_PAIRS, Pair, aligned
from fxsummary.graph.attributes import NodeData, own_path
from fxsummary.graph.labels import is_drop, is_random, writes
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, Item, block_tree, everything, operations
from fxsummary.views.fold import identity_of
from fxsummary.views.fold.candidates import Run
from fxsummary.views.fold.items import Items
from fxsummary.views.scalars import reads_of

T = TypeVar("T")

_EXCHANGED = frozenset({"activation", "norm", "pool"})
"""Kinds in which one operation can replace another, such as GELU for ReLU."""
_LEAST_OVERLAP = 0.5
"""Share of common operations from which two blocks of one class are one changed block."""
_LEAST_OVERLAP_OF_OTHERS = 0.8
"""The same for blocks with different classes and paths."""


class Alignment:
    """The pairs of two graphs.

    Attributes:
        partner: the old operation for each new operation that has one.
        calls: the new module call for each old one that has a counterpart.
        moved: new operations that are in another place or another order than before.
        order: all operations as (old, new), with "" for none, in an order that suits both graphs.
    """

    def __init__(self, before: ModelGraph, after: ModelGraph) -> None:
        self.partner: dict[str, str] = {}
        self.calls: dict[ModuleCall, ModuleCall] = {}
        self.moved: set[str] = set()
        numbers: dict[Hashable, int] = {}
        self._before, self._after = Side(before, numbers), Side(after, numbers)
        self._merged: dict[int, list[tuple[Item | None, Item | None]]] = {}  # by identity of the new block
        self._lost: list[Item] = []
        self._new: list[Item] = []
        self._align(self._before.root, self._after.root)
        self._find_moved()
        self.order = list(self._ordered())

    def are_equal(self, one: str, other: str) -> bool:
        """Return whether two new operations yield the same value, such as a mask that is made twice."""
        values = self._after.values
        return one == other or (one in values and values[one] == values.get(other))

    def _align(self, before: Item, after: Item) -> None:
        """Align two operations, or two blocks and everything inside."""
        todo = [(before, after)]
        while todo:
            one, other = todo.pop()
            if isinstance(one, Block) and isinstance(other, Block):
                if one.call is not None and other.call is not None:
                    self.calls[one.call] = other.call
                pairs = self._merged[id(other)] = [
                    (None if i is None else one.items[i], None if j is None else other.items[j])
                    for i, j in self._pairs(one, other)
                ]
                todo += [(a, b) for a, b in pairs if a is not None and b is not None]
                self._lost += [a for a, b in pairs if a is not None and b is None]
                self._new += [b for a, b in pairs if b is not None and a is None]
            elif isinstance(one, str) and isinstance(other, str):
                self.partner[other] = one

    def _pairs(self, one: Block, other: Block) -> list[Pair]:
        old, new = self._before, self._after

        def likeness(i: int, j: int) -> float:
            a, b = one.items[i], other.items[j]
            path = old.name(a, one.path)
            same = bool(path) and path == new.name(b, other.path)
            if isinstance(a, Block) and isinstance(b, Block):
                if old.signature(a) in new.inside(b) or new.signature(b) in old.inside(a):
                    return 0.0  # as a whole in the block that it moved to
                identical = overlap(old.operations(a), new.operations(b))
                return blocks_alike(a.type == b.type, same, overlap(old.contents(a), new.contents(b)), identical)
            if isinstance(a, str) and isinstance(b, str):
                return operations_alike(old.graph.nodes[a], new.graph.nodes[b], same)
            return 0.0

        signs = [*map(old.signature, one.items)], [*map(new.signature, other.items)]
        names = [old.name(item, one.path) for item in one.items], [new.name(item, other.path) for item in other.items]
        if len(one.items) * len(other.items) > MOST_PAIRS and signs[0] != signs[1]:
            return aligned_by_runs(signs, likeness, names, (old.runs(one), new.runs(other)))
        return aligned(*signs, likeness, names)

    def _find_moved(self) -> None:
        """Pair items that are identical or have the same path and class, wherever they are; whole blocks first."""
        places: dict[int, list[Item]] = defaultdict(list)
        for item in everything(self._new):
            if self._after.has_identity(item):
                places[self._after.signature(item)].append(item)
        taken: set[int | str] = set()
        todo = list(reversed(self._lost))
        while todo:
            lost = todo.pop()
            alike = places[self._before.signature(lost)] if self._before.has_identity(lost) else []
            free = [place for place in alike if identity(place) not in taken]
            same = [place for place in free if self._after.name(place) == self._before.name(lost)]
            if found := next(iter(same or free), None):
                self._align(lost, found)
                self.moved.update(operations([found]))
                taken.update(map(identity, everything([found])))
            elif isinstance(lost, Block):
                todo.extend(reversed(lost.items))
        self._pair_by_path(taken)

    def _pair_by_path(self, taken: set[int | str]) -> None:
        """Pair the remaining operations that have their own module and the same path and label in both graphs."""
        left = set(self.partner.values())
        lost = {
            (data["target"], data["label"]): key
            for key in operations(self._lost)
            if key not in left and (data := self._before.graph.nodes[key])["op"] == "call_module"
        }
        for key in operations(self._new):
            data = self._after.graph.nodes[key]
            if key not in taken and key not in self.partner and (data["target"], data["label"]) in lost:
                self.partner[key] = lost.pop((data["target"], data["label"]))
                self.moved.add(key)

    def _ordered(self) -> Iterator[tuple[str, str]]:
        """Return both graphs in one order: removed operations in their old place, moved ones in their new place."""
        kept = set(self.partner.values())
        todo: list[tuple[Item | None, Item | None]] = [(None, self._after.root)]
        while todo:
            before, after = todo.pop()
            if isinstance(after, Block):
                merged = self._merged.get(id(after)) or [(None, item) for item in after.items]
                todo.extend(reversed(merged))
            elif after is not None:
                yield self.partner.get(after, ""), after
            elif before is not None:
                yield from ((key, "") for key in operations([before]) if key not in kept)


class Side:
    """One of two compared graphs, with the signature of each operation and block.

    Items of both sides have the same signature if and only if they are identical. Names do not count, nor do drop
    rates, which often depend on the depth of a model.
    """

    def __init__(self, graph: ModelGraph, numbers: dict[Hashable, int]) -> None:
        self.graph, self.root = graph, block_tree(graph)
        self._signatures: dict[int | str, int] = {}
        self._contents: dict[int, Counter[str]] = {}
        self._identities: dict[int, Counter[int]] = {}
        self._inside: dict[int, frozenset[int]] = {}
        self._items: Items | None = None
        for key, data in graph.nodes(data=True):
            self._signatures[key] = numbers.setdefault(identity_of(data), len(numbers))
        self.values = self._number_values(numbers)
        for block in reversed([*self.root.walk()]):  # inner ones first
            parts = (block.type, *map(self.signature, block.items))
            self._signatures[id(block)] = numbers.setdefault(parts, len(numbers))

    def _number_values(self, numbers: dict[Hashable, int]) -> dict[str, int]:
        """Return numbers that only equal values share, for the values that follow from no input, weight or chance."""
        values: dict[str, int] = {}
        for key, data in self.graph.nodes(data=True):
            sources = self.graph.sources(key)
            if self._varies(key, data) or not values.keys() >= sources.keys():
                continue
            reads = [
                (values[source], *read) for source, edge in sources.items() for read in reads_of(edge) or [(-1, ())]
            ]
            parts = ("value", self._signatures[key], *sorted(reads, key=repr))
            values[key] = numbers.setdefault(parts, len(numbers))
        return values

    def _varies(self, key: str, data: NodeData) -> bool:
        """Return whether a value differs from others that are made alike: an input, a weight, chance, written to."""
        label = data["label"]
        if data["op"] in ("placeholder", "output") or data["reads"] or is_random(label) or is_drop(label):
            return True
        return any(writes(self.graph.nodes[reader]["label"]) for reader in self.graph.readers(key))

    def signature(self, item: Item) -> int:
        """Return the signature of an operation or a block."""
        return self._signatures[identity(item)]

    def contents(self, block: Block) -> Counter[str]:
        """Return the number of operations in a block by label."""
        if id(block) not in self._contents:
            self._contents[id(block)] = Counter(self.graph.nodes[key]["label"] for key in block.operations())
        return self._contents[id(block)]

    def operations(self, block: Block) -> Counter[int]:
        """Return the number of operations in a block by signature."""
        if id(block) not in self._identities:
            self._identities[id(block)] = Counter(map(self.signature, block.operations()))
        return self._identities[id(block)]

    def runs(self, block: Block) -> list[Run]:
        """Return the items of a block as runs of copies."""
        if self._items is None:
            self._items = Items(self.graph, self.root)
        return runs_in(self._items, block)

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


def overlap(one: Counter[T], other: Counter[T]) -> float:
    """Return the share that two blocks have in common, from 0 to 1.

    >>> overlap(Counter("aab"), Counter("abb"))
    0.6666666666666666
    """
    whole = max(one.total(), other.total())
    return (one & other).total() / whole if whole else 1.0


def blocks_alike(type_is_same: bool, path_is_same: bool, common: float, identical: float) -> float:
    """Return the similarity of two blocks that are not identical; 0 if they are not one changed block.

    Args:
        common, identical: the shares of operations with the same label, and of identical ones.
    """
    is_same = (
        (path_is_same and (type_is_same or common >= _LEAST_OVERLAP / 2))
        or (type_is_same and common >= _LEAST_OVERLAP)
        or common >= _LEAST_OVERLAP_OF_OTHERS
    )
    return (common + identical) / 2 + 0.5 * type_is_same + path_is_same if is_same else 0.0


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
