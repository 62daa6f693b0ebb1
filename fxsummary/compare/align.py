"""Match the operations of two graphs: by structure first, then by path, then by similarity.

The search goes from the outside in. The items of two blocks (operations and inner blocks) are aligned in order:
first identical items, whatever their names, then items with the same path, then the most similar ones. Each pair of
inner blocks is aligned in the same way. An item without a counterpart in its block may have moved, so it is searched
for everywhere, whole blocks first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fxsummary.compare.alike import Item, Signatures, blocks_alike, operations_alike, overlap
from fxsummary.compare.sequences import aligned
from fxsummary.graph.attributes import own_path
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block, block_tree


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
        self._before, self._after = before, after
        self._signatures = Signatures()
        self._merged: dict[int, list[tuple[Item | None, Item | None]]] = {}  # by identity of the new block
        self._lost: list[Item] = []
        self._new: list[Item] = []
        roots = block_tree(before), block_tree(after)
        self._align(*roots)
        self._find_moved()
        self.order = list(self._ordered(roots[1]))

    def _align(self, before: Block, after: Block) -> None:
        """Align two blocks and everything inside."""
        todo = [(before, after)]
        while todo:
            one, other = todo.pop()
            if one.call is not None and other.call is not None:
                self.calls[one.call] = other.call
            pairs: list[tuple[Item | None, Item | None]] = []
            for i, j in self._pairs(one, other):
                a = None if i is None else one.items[i]
                b = None if j is None else other.items[j]
                pairs.append((a, b))
                if isinstance(a, Block) and isinstance(b, Block):
                    todo.append((a, b))
                elif isinstance(a, str) and isinstance(b, str):
                    self.partner[b] = a
                if b is None and a is not None:
                    self._lost.append(a)
                if a is None and b is not None:
                    self._new.append(b)
            self._merged[id(other)] = pairs

    def _pairs(self, one: Block, other: Block) -> list[tuple[int | None, int | None]]:
        number = self._signatures.number
        before = [number(self._before, item) for item in one.items]
        after = [number(self._after, item) for item in other.items]

        def likeness(i: int, j: int) -> float:
            a, b = one.items[i], other.items[j]
            if isinstance(a, Block) != isinstance(b, Block):
                return 0.0
            path = self._name(self._before, a, one.path)
            same = bool(path) and path == self._name(self._after, b, other.path)
            if isinstance(a, Block) and isinstance(b, Block):
                contents, inside = self._signatures.contents, self._signatures.inside
                if before[i] in inside(self._after, b) or after[j] in inside(self._before, a):
                    return 0.0  # as a whole in the block that it moved to
                common = overlap(contents(self._before, a), contents(self._after, b))
                return blocks_alike(a.type == b.type, same, common)
            assert isinstance(a, str) and isinstance(b, str)
            return operations_alike(self._before.nodes[a], self._after.nodes[b], same)

        return aligned(before, after, likeness)

    @staticmethod
    def _name(graph: ModelGraph, item: Item, base: str) -> str:
        """Return the path of an item relative to its block, with the number of the call; "" if it has no path."""
        if isinstance(item, Block):
            call = item.call
            return relative_path(item.path, base) + (f" {call.call}" if call and call.call else "")
        return relative_path(own_path(graph.nodes[item]), base)

    def _find_moved(self) -> None:
        """Pair items that are identical or have the same path and class, wherever they are; whole blocks first."""
        places: dict[int, list[Item]] = defaultdict(list)
        for item in self._inside(self._new):
            if self._has_identity(self._after, item):
                places[self._signatures.number(self._after, item)].append(item)
        taken: set[int | str] = set()
        todo = list(reversed(self._lost))
        while todo:
            lost = todo.pop()
            found = None
            if self._has_identity(self._before, lost):
                path, number = self._name(self._before, lost, ""), self._signatures.number(self._before, lost)
                free = [place for place in places.get(number, ()) if _id(place) not in taken]
                same = [place for place in free if self._name(self._after, place, "") == path]
                found = next(iter(same or free), None)
            if found is not None:
                self._pair_moved(lost, found)
                taken.update(map(_id, [found, *self._inside([found])]))
            elif isinstance(lost, Block):
                todo.extend(reversed(lost.items))
        self._pair_by_path(taken)

    def _pair_moved(self, lost: Item, found: Item) -> None:
        if isinstance(lost, Block) and isinstance(found, Block):
            self._align(lost, found)
            self.moved.update(found.operations())
        elif isinstance(lost, str) and isinstance(found, str):
            self.partner[found] = lost
            self.moved.add(found)

    def _pair_by_path(self, taken: set[int | str]) -> None:
        """Pair the remaining operations that have their own module and the same path and label in both graphs."""
        left = set(self.partner.values())
        lost = {
            (data["target"], data["label"]): key
            for key in self._operations(self._lost)
            if key not in left and (data := self._before.nodes[key])["op"] == "call_module"
        }
        for key in self._operations(self._new):
            data = self._after.nodes[key]
            if key not in taken and key not in self.partner and (data["target"], data["label"]) in lost:
                self.partner[key] = lost.pop((data["target"], data["label"]))
                self.moved.add(key)

    @staticmethod
    def _operations(items: list[Item]) -> Iterator[str]:
        for item in items:
            yield from item.operations() if isinstance(item, Block) else (item,)

    def _has_identity(self, graph: ModelGraph, item: Item) -> bool:
        """Return whether a match elsewhere is more than chance: a block of several operations, or parameters."""
        if isinstance(item, Block):
            return self._signatures.contents(graph, item).total() > 1
        return bool(graph.nodes[item]["parameters"]) and graph.nodes[item]["op"] == "call_module"

    @staticmethod
    def _inside(items: list[Item]) -> Iterator[Item]:
        todo = list(reversed(items))
        while todo:
            item = todo.pop()
            yield item
            if isinstance(item, Block):
                todo.extend(reversed(item.items))

    def _ordered(self, root: Block) -> Iterator[tuple[str, str]]:
        """Return both graphs in one order: removed operations in their old place, moved ones in their new place."""
        gone = {before: after for after, before in self.partner.items()}
        todo: list[tuple[Item | None, Item | None]] = [(None, root)]
        while todo:
            before, after = todo.pop()
            if isinstance(after, Block):
                merged = self._merged.get(id(after)) or [(None, item) for item in after.items]
                todo.extend(reversed(merged))
            elif after is not None:
                yield self.partner.get(after, ""), after
            elif before is not None:
                yield from ((key, "") for key in self._operations([before]) if key not in gone)


def _id(item: Item) -> int | str:
    return item if isinstance(item, str) else id(item)
