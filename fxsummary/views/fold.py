"""Fold runs of structurally identical sibling blocks into their first copy.

Two blocks are identical if they contain the same operations in the same order (labels, settings, literals,
output specs, costs) with the same edges between them. In a run, furthermore, each copy reads the previous one
in the same places, and the same parts of tuples there; all copies share their other inputs; and only the next
copy reads a copy, except for the last copy and for values that the model returns from every copy. One copy
consists of up to `MAX_PERIOD` sibling blocks (A B A B). Two laws hold: costs times multiplicity equal the totals
exactly, and unfolding the graph restores the original operations and edges.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, groupby
from operator import itemgetter

from fxsummary.graph.attributes import BLANK, NODE, NodeData
from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, Returned
from fxsummary.graph.spec import TensorSpec, leaves
from fxsummary.views.blocks import Block, Repeat, block_tree, everything
from fxsummary.views.copies import Copy, Read, exits, links_of, shown_for
from fxsummary.views.scalars import add_slots, reads_of

MAX_PERIOD = 4
WRITTEN = -1
"""Replaces a slot if a value is read only because of an in-place write through another name."""

_COMPARED = tuple(name for name in NODE.folding if name in BLANK and name != "outputs")
_settings = itemgetter(*_COMPARED)

RATES = ("config", "arguments")
"""Drop rates do not count, because blocks that differ only in them have the same architecture."""


def fold_repeats(graph: ModelGraph) -> ModelGraph:
    """Return the graph without copies 2..n of every repeated run of blocks.

    The remaining nodes carry `multiplicity`; ``graph.graph["repeats"]`` of the result says how many copies each
    block represents (see `fxsummary.views.blocks.block_tree`). Edges from a removed copy start at the same place in
    the remaining copy: they come from the last copy or, if they have `each`, lead from every copy to the model's
    output.
    """
    folding = _Folding(graph)
    folding.fold(block_tree(graph))
    if not folding.stand_in:
        return graph
    repeats = folding.runs()
    returned = frozenset().union(*[repeat.returned for repeat in repeats.values()])
    nodes: Iterator[tuple[str, NodeData]] = (
        (key, {**data, "multiplicity": folding.times.get(key, 1) * data["multiplicity"]})
        for key, data in graph.nodes(data=True)
        if key not in folding.stand_in
    )
    folded = graph.derived(nodes, repeats=repeats)
    order = {key: index for index, key in enumerate(graph)}
    for target in folded:
        for start, data in graph.sources(target).items():
            start = folding.standing(start)
            if order[start] < order[target]:
                is_each = start in returned and folded.nodes[target]["op"] == "output"
                add_slots(folded, start, target, {**data, "each": True} if is_each else data)
    return folded


class _Folding:
    """The removed nodes, their replacements, and the multiplicity of the remaining nodes."""

    def __init__(self, graph: ModelGraph) -> None:
        self.stand_in: dict[str, str] = {}
        self.times: dict[str, int] = {}
        self.repeats: dict[Hashable, Repeat] = {}
        self._graph = graph
        self._nodes = dict(graph.nodes(data=True))
        self._dataflow = graph.captured_by != "modules"
        self._operations: dict[int, tuple[str, ...]] = {}
        self._signatures: dict[int, int] = {}
        self._outside: dict[int, list[Read]] = {}
        self._interned: dict[Hashable, int] = {}
        self._alike: dict[Hashable, int] = {}

    def fold(self, root: Block) -> None:
        """Fold inside ``root``; iterative because trees can be deep."""
        work = [(root, 1)]
        while work:
            parent, times = work.pop()
            self.times.update((key, times) for key in parent.items if isinstance(key, str))
            for _, row in groupby(parent.items, lambda item: isinstance(item, Block)):
                work.extend(self._fold_row([item for item in row if isinstance(item, Block)], times))

    def _fold_row(self, blocks: Sequence[Block], times: int) -> Iterator[tuple[Block, int]]:
        """Fold the runs in consecutive blocks, and yield the blocks that stay, with their multiplicity."""
        start = 0
        while start < len(blocks):
            period, copies = self._longest_run(blocks, start)
            end = start + period * copies
            if copies > 1:
                self._fold_run([blocks[at : at + period] for at in range(start, end, period)])
            yield from ((block, times * copies) for block in blocks[start : start + period])
            start = end

    def _longest_run(self, blocks: Sequence[Block], start: int) -> tuple[int, int]:
        """Return the period and number of copies of the run that covers most blocks from ``start``.

        Identical blocks become a run of pairs only if that covers twice as much as a run of single blocks.
        """
        best, covered = (1, 1), 1
        for period in range(1, MAX_PERIOD + 1):
            same = period > 1 and self._are_alike(
                blocks[start + 1 : start + period], blocks[start : start + period - 1]
            )
            least = 2 * covered if same and covered > 1 else covered + 1
            if start + least > len(blocks):
                continue
            copies = self._copies(blocks, start, period)
            if copies > 1 and period * copies >= least:
                best, covered = (period, copies), period * copies
        return best

    def _copies(self, blocks: Sequence[Block], start: int, period: int) -> int:
        """Return how many copies of ``period`` blocks, from ``start`` on, the first copy can represent.

        Without dataflow, identical siblings are always a run.
        """
        first = blocks[start : start + period]
        copies: list[Copy] = []
        pattern: tuple[Hashable, ...] | None = None
        while self._are_alike(first, following := blocks[start + period : start + 2 * period]):
            if not copies:
                copies.append(self._copy(first))
            current = self._copy(following)
            links = links_of(copies[-1], current) if self._dataflow else ()
            if links is None or (pattern is not None and links != pattern):
                break
            pattern = links
            copies.append(current)
            start += period
        return shown_for(self._graph, copies) if self._dataflow else max(len(copies), 1)

    def _are_alike(self, first: Sequence[Block], second: Sequence[Block]) -> bool:
        """Return whether these blocks are pairwise identical; compares their sizes first."""
        if [len(self._keys(block)) for block in first] != [len(self._keys(block)) for block in second]:
            return False
        return all(self._signature(a) == self._signature(b) for a, b in zip(first, second, strict=True))

    def _copy(self, blocks: Sequence[Block]) -> Copy:
        keys = [key for block in blocks for key in self._keys(block)]
        return Copy(dict(zip(keys, count())), [read for block in blocks for read in self._outside[id(block)]])

    def _fold_run(self, run: Sequence[Sequence[Block]]) -> None:
        """Replace the operations of all copies in a run by those of the first."""
        first, *others = map(self._copy, run)
        for copy in others:
            self.stand_in.update(zip(copy.places, first.places, strict=True))
        pairs = zip(first.reads, others[0].reads, strict=True)
        carried = {(one.reader, one.slot): other[:2] for one, other in pairs if other.source in first.places}
        keys = list(first.places)
        leaving = exits(self._graph, first, others[0]) if self._dataflow else None
        returned = frozenset([keys[where[1]] for _, where in leaving or ()])
        last = run[-1][-1].path
        self.repeats[run[0][0].call] = Repeat(len(run), len(run[0]), last, carried=carried, returned=returned)

    def standing(self, key: str) -> str:
        """Return the remaining node for a removed one, which a nested run may have folded as well."""
        while key in self.stand_in:
            key = self.stand_in[key]
        return key

    def runs(self) -> dict[Hashable, Repeat]:
        """Return the folded runs in terms of the remaining nodes."""
        return {
            call: replace(
                repeat,
                carried={
                    (self.standing(reader), slot): (self.standing(source), part)
                    for (reader, slot), (source, part) in repeat.carried.items()
                },
                returned=frozenset(map(self.standing, repeat.returned)),
            )
            for call, repeat in self.repeats.items()
        }

    def _keys(self, block: Block) -> tuple[str, ...]:
        if id(block) not in self._operations:
            self._operations[id(block)] = tuple(block.operations())
        return self._operations[id(block)]

    def _signature(self, block: Block) -> int:
        """Return a number that two blocks share if and only if they are identical."""
        if id(block) in self._signatures:
            return self._signatures[id(block)]
        keys, nodes, alike = self._keys(block), self._nodes, self._alike
        places = dict(zip(keys, count(), strict=False))
        outside: list[Read] = []
        parts: list[Hashable] = [_nesting(block, self._graph.returned)]
        for key in keys:
            data = nodes[key]
            found: Hashable = key
            if "change" not in data and not NODE.added:
                found = id(data["outputs"]), *_settings(data)  # most identical operations share their outputs
            parts.append(alike[found] if found in alike else self._number(found, data))
            edges: list[tuple[int, Hashable]] = []
            slots: list[int] = []
            for source, edge in self._graph.sources(key).items():
                if source in places:
                    edges.append((places[source], (edge["slots"], edge.get("parts", ()))))
                else:
                    reads = reads_of(edge) or [(WRITTEN, ())]
                    slots += [slot for slot, _ in reads]
                    outside += [Read(source, part, key, slot) for slot, part in reads]
            edges.sort(key=itemgetter(0))
            parts += [*edges, tuple(sorted(slots))]
        self._outside[id(block)] = sorted(outside, key=lambda read: (places[read.reader], read.slot))
        number = self._signatures[id(block)] = self._interned.setdefault(tuple(parts), len(self._interned))
        return number

    def _number(self, found: Hashable, data: NodeData) -> int:
        """Return a number that two operations share if and only if they are identical apart from their inputs."""
        alike = identity_of(data)
        if "change" in data:
            ignored = RATES if is_drop(data["label"]) else ()
            kept = [_hashable(each) for each in data["differences"] if each.attribute not in ignored]
            alike = (*alike, data["change"], *kept)
        number = self._alike[found] = self._interned.setdefault(alike, len(self._interned))
        return number


def _nesting(block: Block, returned: Mapping[ModuleCall, Returned]) -> tuple[Hashable, ...]:
    """Return the classes, results and item counts of a block and its sub-blocks, with None for operations."""
    nesting: list[Hashable] = []
    for item in everything([block]):
        if isinstance(item, Block):
            result = returned.get(item.call) if item.call is not None else None
            shapes = None if result is None else (result.assumed, *[spec.shape for spec in leaves(result.outputs)])
            nesting += [item.type, len(item.items), shapes]
        else:
            nesting.append(None)
    return tuple(nesting)


def identity_of(data: NodeData) -> tuple[Hashable, ...]:
    """Return the properties that identical operations share, except inputs, drop rates and devices."""
    ignored = RATES if is_drop(data["label"]) else ()
    return tuple([_hashable(data.get(name)) for name in NODE.folding if name not in ignored])


def _hashable(value: object) -> Hashable:
    """Return a value with lists and dicts as tuples, and specs without devices."""
    if isinstance(value, TensorSpec):
        return replace(value, device="")
    if isinstance(value, (list, tuple)):
        return tuple([_hashable(item) for item in value])
    if isinstance(value, dict):
        return tuple([(key, _hashable(item)) for key, item in value.items()])
    return value if isinstance(value, Hashable) else repr(value)
