"""Fold runs of structurally identical sibling blocks into their first copy.

Two blocks are identical if they hold the same operations in the same order: labels, settings, literals,
output specs, costs, and the same edges among themselves. A run needs more: each copy reads the one before
it in the same places, and everything else that it reads is the same for all. One copy may be up to
`MAX_PERIOD` sibling blocks (A B A B). The law: costs times multiplicity are the totals, exactly.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from fxsummary.modelgraph import ModelGraph
from fxsummary.views.blocks import Block, Repeat, block_tree
from fxsummary.views.scalars import add_slots

MAX_PERIOD = 4

_COMPARED = (
    "op", "label", "config", "arguments", "outputs", "parameters", "trainable_parameters", "parameter_dtypes",
    "buffers", "buffer_bytes", "flops", "packed", "multiplicity",
)  # fmt: skip

_RATES = ("config", "arguments")
_DROPS = frozenset({"stochastic_depth", "StochasticDepth"})
"""Blocks that differ in nothing but drop rates are the same architecture."""


def fold_repeats(graph: ModelGraph) -> ModelGraph:
    """The graph without copies 2..n of every repeated run of blocks.

    The nodes that stay carry `multiplicity`; ``graph.graph["repeats"]`` of the result says which blocks
    stand for how many (see `fxsummary.views.blocks.block_tree`). Edges from a copy that is gone start at
    the same place in the copy that stays.
    """
    folding = _Folding(graph)
    folding.fold(block_tree(graph), 1)
    if not folding.stand_in:
        return graph
    folded = graph.__class__()
    folded.graph.update(graph.graph)
    folded.graph["repeats"] = folding.repeats
    for key, data in graph.nodes(data=True):
        if key not in folding.stand_in:
            times = folding.times.get(key, 1) * data["multiplicity"]
            folded.add_node(key, **{**data, "multiplicity": times})
    order = {key: index for index, key in enumerate(graph)}
    for source, target, data in graph.edges(data=True):
        start = source
        while start in folding.stand_in:  # what stands in may be folded itself, in a run further in
            start = folding.stand_in[start]
        if target not in folding.stand_in and order[start] < order[target]:
            add_slots(folded, start, target, data)
    return folded


class _Folding:
    """Which nodes are gone, what stands in for them, and how often each that stays counts."""

    def __init__(self, graph: ModelGraph) -> None:
        self.stand_in: dict[str, str] = {}
        self.times: dict[str, int] = {}
        self.repeats: dict[Hashable, Repeat] = {}
        self._graph = graph
        self._dataflow = graph.captured_by != "modules"
        self._operations: dict[int, tuple[str, ...]] = {}
        self._signatures: dict[int, int] = {}
        self._interned: dict[Hashable, int] = {}
        self._outside: dict[tuple[str, ...], tuple[str, ...]] = {}

    def fold(self, root: Block, times: int) -> None:
        """Fold inside ``root``, whose operations count ``times`` each; iterative, for deep trees."""
        work = [(root, times)]
        while work:
            parent, count = work.pop()
            for key in parent.items:
                if isinstance(key, str):
                    self.times[key] = count
            work.extend(self._fold_children(parent, count))

    def _fold_children(self, parent: Block, times: int) -> list[tuple[Block, int]]:
        stay: list[tuple[Block, int]] = []
        items = parent.items
        index = 0
        while index < len(items):
            item = items[index]
            if isinstance(item, str):
                index += 1
                continue
            period, count = self._longest_run(items, index)
            if count > 1:
                self._fold_run(items, index, period, count)
            for block in items[index : index + period]:
                assert isinstance(block, Block)
                stay.append((block, times * count))
            index += period * count
        return stay

    def _longest_run(self, items: Sequence[str | Block], start: int) -> tuple[int, int]:
        """Period and number of copies of the run that covers most items from ``start``."""
        best = (1, 1)
        for period in range(1, MAX_PERIOD + 1):
            copies = self._copies(items, start, period)
            if copies > 1 and period * copies > best[0] * best[1]:
                best = (period, copies)
        return best

    def _copies(self, items: Sequence[str | Block], start: int, period: int) -> int:
        first = items[start : start + period]
        if len(first) < period or not all(isinstance(item, Block) for item in first):
            return 1
        signature = [self._signature(item) for item in first if isinstance(item, Block)]
        if period > 1 and len(set(signature)) == 1:
            return 1
        copies = 1
        previous = self._copy(first)
        pattern: tuple[Hashable, ...] | None = None
        while True:
            following = items[start + copies * period : start + (copies + 1) * period]
            if (
                len(following) < period
                or [self._signature(i) if isinstance(i, Block) else -1 for i in following] != signature
            ):
                return copies
            current = self._copy(following)
            links = self._links(previous, current)
            if links is None or (pattern is not None and links != pattern):
                return copies
            pattern, previous, copies = links, current, copies + 1

    def _copy(self, items: Sequence[str | Block]) -> tuple[str, ...]:
        return tuple(key for item in items if isinstance(item, Block) for key in self._keys(item))

    def _links(self, previous: tuple[str, ...], current: tuple[str, ...]) -> tuple[Hashable, ...] | None:
        """Where each outside value of a copy comes from: a place in the copy before it, or one node for all.

        None if the copy reads nothing of the one before, or reads outside values in another way than it.
        Without dataflow there is nothing to compare: there, identical siblings are a run.
        """
        if not self._dataflow:
            return ()
        places = {key: place for place, key in enumerate(previous)}
        links: list[Hashable] = []
        for value, before in zip(self._read_outside(current), self._read_outside(previous), strict=False):
            if value in places:
                links.append(places[value])
            elif value == before:
                links.append(value)
            else:
                return None
        return tuple(links) if any(isinstance(link, int) for link in links) else None

    def _read_outside(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The values that a copy reads from outside, in the order in which it reads them first."""
        known = self._outside.get(keys)
        if known is None:
            inside = set(keys)
            found: dict[str, None] = {}
            for key in keys:
                found.update(dict.fromkeys(p for p in self._graph.pred[key] if p not in inside))
            known = self._outside[keys] = tuple(found)
        return known

    def _fold_run(self, items: Sequence[str | Block], start: int, period: int, count: int) -> None:
        first = self._copy(items[start : start + period])
        for copy in range(1, count):
            keys = self._copy(items[start + copy * period : start + (copy + 1) * period])
            self.stand_in.update(zip(keys, first, strict=True))
        head, last = items[start], items[start + count * period - 1]
        assert isinstance(head, Block) and isinstance(last, Block)
        self.repeats[head.call] = Repeat(count, period, last.path)

    def _keys(self, block: Block) -> tuple[str, ...]:
        known = self._operations.get(id(block))
        if known is None:
            known = self._operations[id(block)] = tuple(block.operations())
        return known

    def _signature(self, block: Block) -> int:
        """A number that two blocks share if and only if they are identical."""
        known = self._signatures.get(id(block))
        if known is not None:
            return known
        keys = self._keys(block)
        places = {key: place for place, key in enumerate(keys)}
        outside: dict[str, int] = {}
        parts: list[Hashable] = [self._shape_of(block)]
        for key in keys:
            data = self._graph.nodes[key]
            edges = []
            for source, edge in self._graph.pred[key].items():
                place = places.get(source)
                if place is None:
                    place = -1 - outside.setdefault(source, len(outside))
                edges.append((edge["slots"], place))
            ignored = _RATES if "drop" in data["label"].lower() or data["label"] in _DROPS else ()
            settings = tuple(_hashable(data[name]) for name in _COMPARED if name not in ignored)
            parts.append((settings, tuple(sorted(edges))))
        number = self._signatures[id(block)] = self._interned.setdefault(tuple(parts), len(self._interned))
        return number

    def _shape_of(self, block: Block) -> Hashable:
        """Classes of a block and its sub-blocks, and how many operations lie between them."""
        return block.type, tuple(1 if isinstance(item, str) else self._shape_of(item) for item in block.items)


def _hashable(value: object) -> Hashable:
    if isinstance(value, list):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, tuple):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return value
