"""Fold runs of structurally identical sibling blocks into their first copy.

Two blocks are identical if they hold the same operations in the same order: labels, settings, literals,
output specs, costs, and the same edges among themselves. A run needs more: each copy reads the one before
it in the same places, and everything else that it reads is the same for all. One copy may be up to
`MAX_PERIOD` sibling blocks (A B A B). The law: costs times multiplicity are the totals, exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import count
from operator import itemgetter
from typing import Any

from fxsummary.modelgraph import ModelGraph
from fxsummary.views.blocks import Block, Repeat, block_tree
from fxsummary.views.scalars import add_slots

MAX_PERIOD = 4

_COMPARED = (
    "op", "label", "config", "arguments", "parameters", "trainable_parameters", "parameter_dtypes",
    "buffers", "buffer_bytes", "flops", "packed", "multiplicity",
)  # fmt: skip

_settings = itemgetter(*_COMPARED)

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
    folded.fill(
        (
            (key, {**data, "multiplicity": folding.times.get(key, 1) * data["multiplicity"]})
            for key, data in graph.nodes(data=True)
            if key not in folding.stand_in
        ),
        (),
    )
    order = {key: index for index, key in enumerate(graph)}
    for target in folded:
        for start, data in graph.sources(target).items():
            while start in folding.stand_in:  # what stands in may be folded itself, in a run further in
                start = folding.stand_in[start]
            if order[start] < order[target]:
                add_slots(folded, start, target, data)
    return folded


class _Folding:
    """Which nodes are gone, what stands in for them, and how often each that stays counts."""

    def __init__(self, graph: ModelGraph) -> None:
        self.stand_in: dict[str, str] = {}
        self.times: dict[str, int] = {}
        self.repeats: dict[Hashable, Repeat] = {}
        self._graph = graph
        self._nodes = dict(graph.nodes(data=True))
        self._dataflow = graph.captured_by != "modules"
        self._sizes: dict[int, int] = {}
        self._operations: dict[int, tuple[str, ...]] = {}
        self._signatures: dict[int, int] = {}
        self._outside: dict[int, list[str]] = {}
        self._interned: dict[Hashable, int] = {}
        self._alike: dict[Hashable, int] = {}

    def fold(self, root: Block, times: int) -> None:
        """Fold inside ``root``, whose operations count ``times`` each; iterative, for deep trees."""
        self._sizes = _sizes(root)
        work = [(root, times)]
        while work:
            parent, times = work.pop()
            for key in parent.items:
                if isinstance(key, str):
                    self.times[key] = times
            work.extend(self._fold_children(parent, times))

    def _fold_children(self, parent: Block, times: int) -> list[tuple[Block, int]]:
        stay: list[tuple[Block, int]] = []
        items = parent.items
        index = 0
        while index < len(items):
            item = items[index]
            if isinstance(item, str):
                index += 1
                continue
            period, copies = self._longest_run(items, index)
            if copies > 1:
                self._fold_run(items, index, period, copies)
            for block in items[index : index + period]:
                assert isinstance(block, Block)
                stay.append((block, times * copies))
            index += period * copies
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
        """How many identical copies of ``period`` blocks there are from ``start``, each reading the one before."""
        first = items[start : start + period]
        copies = 1
        previous: tuple[str, ...] = ()
        before: tuple[str, ...] = ()
        pattern: tuple[Hashable, ...] | None = None
        while self._are_alike(first, following := items[start + copies * period : start + (copies + 1) * period]):
            if copies == 1:
                if period > 1 and self._are_alike(first[1:], first[:-1]):
                    return 1
                previous = self._copy(first)
                before = self._read_outside(first, previous)
            current = self._copy(following)
            outside = self._read_outside(following, current)
            links = self._links(previous, before, outside)
            if links is None or (pattern is not None and links != pattern):
                break
            pattern, previous, before = links, current, outside
            copies += 1
        return copies

    def _are_alike(self, first: Sequence[str | Block], second: Sequence[str | Block]) -> bool:
        """Whether these are blocks, identical one by one; their sizes are compared first."""
        if len(first) != len(second):
            return False
        pairs = [(a, b) for a, b in zip(first, second, strict=True) if isinstance(a, Block) and isinstance(b, Block)]
        if len(pairs) < len(first) or any(self._sizes[id(a)] != self._sizes[id(b)] for a, b in pairs):
            return False
        return all(self._signature(a) == self._signature(b) for a, b in pairs)

    def _copy(self, items: Sequence[str | Block]) -> tuple[str, ...]:
        return tuple(key for item in items if isinstance(item, Block) for key in self._keys(item))

    def _links(
        self, previous: tuple[str, ...], before: tuple[str, ...], outside: tuple[str, ...]
    ) -> tuple[Hashable, ...] | None:
        """Where each outside value of a copy comes from: a place in the copy before it, or one node for all.

        None if the copy reads nothing of the one before, or reads outside values in another way than it.
        Without dataflow there is nothing to compare: there, identical siblings are a run.

        Args:
            previous: the operations of the copy before it.
            before, outside: what that copy and this one read from outside.
        """
        if not self._dataflow:
            return ()
        places = {key: place for place, key in enumerate(previous)}
        links: list[Hashable] = []
        for value, one in zip(outside, before, strict=False):
            if value in places:
                links.append(places[value])
            elif value == one:
                links.append(value)
            else:
                return None
        return tuple(links) if any(isinstance(link, int) for link in links) else None

    def _read_outside(self, items: Sequence[str | Block], keys: tuple[str, ...]) -> tuple[str, ...]:
        """The values that the blocks of a copy read from outside, in the order in which they read them first."""
        inside = set(keys)
        read = [key for item in items for key in self._outside[id(item)] if key not in inside]
        return tuple(dict.fromkeys(read))

    def _fold_run(self, items: Sequence[str | Block], start: int, period: int, copies: int) -> None:
        first = self._copy(items[start : start + period])
        for copy in range(1, copies):
            keys = self._copy(items[start + copy * period : start + (copy + 1) * period])
            self.stand_in.update(zip(keys, first, strict=True))
        head, last = items[start], items[start + copies * period - 1]
        assert isinstance(head, Block) and isinstance(last, Block)
        self.repeats[head.call] = Repeat(copies, period, last.path)

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
        keys, nodes, alike = self._keys(block), self._nodes, self._alike
        places = defaultdict(count(-1, -1).__next__, zip(keys, count()))  # of what lies outside as it is met
        parts: list[Hashable] = [_nesting(block)]
        for key in keys:
            data = nodes[key]
            found: Hashable = id(data["outputs"]), *_settings(data)  # most of those alike have the very same outputs
            if "change" in data:
                found = key
            number = alike.get(found)
            parts.append(self._number(found, data) if number is None else number)
            edges = [(edge["slots"], places[source]) for source, edge in self._graph.sources(key).items()]
            parts += sorted(edges) if len(edges) > 1 else edges
        self._outside[id(block)] = list(places)[len(keys) :]
        number = self._signatures[id(block)] = self._interned.setdefault(tuple(parts), len(self._interned))
        return number

    def _number(self, found: Hashable, data: dict[str, Any]) -> int:
        """A number that two operations share if and only if they are alike, whatever they read.

        Args:
            found: by what it is found again.
        """
        ignored = _RATES if is_drop(data["label"]) else ()
        alike: tuple[Any, ...] = _hashable(data["outputs"]), *(data[n] for n in _COMPARED if n not in ignored)
        if "change" in data:
            kept = [_hashable(each) for each in data["differences"] if each.attribute not in ignored]
            alike = (*alike, data["change"], *kept)
        number = self._alike[found] = self._interned.setdefault(alike, len(self._interned))
        return number


def is_drop(label: str) -> bool:
    """Whether an operation of this name drops values at a rate, which says nothing of the architecture."""
    return "drop" in label.lower() or label in _DROPS


def _sizes(root: Block) -> dict[int, int]:
    """How many operations are in each block, by its identity."""
    blocks = [root]
    for block in blocks:
        blocks.extend(block.blocks())
    sizes: dict[int, int] = {}
    for block in reversed(blocks):
        sizes[id(block)] = sum([sizes[id(item)] if isinstance(item, Block) else 1 for item in block.items])
    return sizes


def _nesting(block: Block) -> tuple[Hashable, ...]:
    """Classes of a block and its sub-blocks, and how many items each has, operations between them as None."""
    nesting: list[Hashable] = []
    todo: list[str | Block] = [block]
    while todo:
        item = todo.pop()
        if isinstance(item, Block):
            nesting += [item.type, len(item.items)]
            todo.extend(reversed(item.items))
        else:
            nesting.append(None)
    return tuple(nesting)


def _hashable(value: object) -> Hashable:
    if isinstance(value, list):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, tuple):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return value
