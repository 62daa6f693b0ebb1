"""Match the operations of two graphs: by structure first, then by path, then by similarity.

The search goes from the outside in. The items of two blocks (operations and inner blocks) are aligned in order:
first identical items, whatever their names, then items with the same path, then the most similar ones. Each pair of
inner blocks is aligned in the same way. An item without a counterpart in its block may have moved, so it is searched
for everywhere, whole blocks first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator

from fxsummary.compare.alike import Side, blocks_alike, identity, operations_alike, overlap
from fxsummary.compare.sequences import Pair, aligned
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.blocks import Block, Item, everything, operations


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
                return blocks_alike(a.type == b.type, same, overlap(old.contents(a), new.contents(b)))
            if isinstance(a, str) and isinstance(b, str):
                return operations_alike(old.graph.nodes[a], new.graph.nodes[b], same)
            return 0.0

        return aligned([*map(old.signature, one.items)], [*map(new.signature, other.items)], likeness)

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
