"""Items: operations and blocks with symbols that are equal for those that can be copies of each other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from fxsummary.graph.attributes import own_path
from fxsummary.graph.labels import is_drop, is_random
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.records import Repeat
from fxsummary.graph.spec import leaves
from fxsummary.text.numbers import relative_path
from fxsummary.views.blocks import Block
from fxsummary.views.fold.symbols import DIGITS, Known, Symbols
from fxsummary.views.scalars import Part, reads_of

WRITTEN = -1
"""Replaces a slot if a value is read only because of an in-place write through another name."""

WHOLE = 0
"""The number of the part that is the whole value."""

Value = tuple[int, int]
"""A value that an operation reads: the place of the operation that yields it, and the number of the part."""


@dataclass(slots=True, eq=False)
class Item:
    """An operation or a block, as a member of a sequence in which copies are sought.

    Attributes:
        block: the block; None for an operation.
        key: of the operation; of a block's first operation.
        path: of the module or parameter; "" for functions.
        start, end: the places of its operations, which are numbered depth first, as a half-open interval.
        symbol: equal for items with the same contents, apart from numbers in operations without FLOPs.
        parent: path of the block around it.
        reads: the values that it reads from outside, in the order of its operations and their slots.
        numbers: what its symbol leaves out.
        items: what is in the block; source: of an operation; rows: how many rows it takes.
    """

    block: Block | None
    key: str
    path: str
    start: int
    end: int
    symbol: int
    parent: str
    reads: list[Value]
    numbers: tuple[float, ...]
    items: Sequence[Item] = ()
    source: str = ""
    rows: int = 1

    def walk(self) -> Iterator[Item]:
        """Yield this item and all items inside."""
        pending = [self]
        for item in pending:  # grows
            yield item
            pending.extend(item.items)

    @property
    def stem(self) -> str:
        """What else copies side by side have in common: the path without its numbers, or the line of source."""
        return DIGITS.sub("#", relative_path(self.path, self.parent)) if self.path else self.source

    @property
    def code(self) -> str:
        """What runs: the path of the module, or the line of source; "" if unknown."""
        return self.path or self.source

    @property
    def call(self) -> ModuleCall | None:
        """The call of the block."""
        return None if self.block is None else self.block.call


class Items:
    """The items of a graph.

    Attributes:
        keys: all operations by place.
        place: of each operation.
        first_reader, last_reader: for each place, the places that read its value; its own if there is none.
        symbols: of operations and blocks.
        operations: for each place, the symbol of the operation and the numbers that it leaves out.
        root: the item of the whole model.
    """

    def __init__(self, graph: ModelGraph, root: Block) -> None:
        self.graph = graph
        self.dataflow = graph.captured_by != "modules"
        self.keys = list(root.operations())
        self.place = {key: place for place, key in enumerate(self.keys)}
        self._parts: dict[Part, int] = {(): WHOLE}
        self._read: list[list[tuple[int, Value]]] = [self._reads(key) for key in self.keys]
        self.first_reader, self.last_reader = self._ends_of_reading()
        self.symbols = Symbols(graph)
        self._runs: dict[ModuleCall | str, Repeat] = graph.graph.get("repeats", {})
        self.operations: list[Known] = [self.symbols.of_operation(key, graph.data(key)) for key in self.keys]
        self._readers = [place for place, key in enumerate(self.keys) if graph.data(key)["reads"]]
        self._values: dict[int, int] = {}
        self._of_any_buffer: dict[int, int] = {}
        self._is_main: set[int] = set()
        self._number_values()
        self.root = self._build(root)

    def part_number(self, part: Part) -> int:
        """Return the number of a part of a value."""
        return self._parts.setdefault(part, len(self._parts))

    def part(self, number: int) -> Part:
        """Return the part with a number."""
        return list(self._parts)[number]

    def part_step(self, one: int, other: int) -> tuple[int, int] | None:
        """Return the level at which two parts differ, and by how much the second index is greater; else None."""
        before, after = self.part(one), self.part(other)
        pairs = list(zip(before, after, strict=False))
        levels = [level for level, (a, b) in enumerate(pairs) if a != b]
        if len(before) != len(after) or len(levels) != 1:
            return None
        a, b = pairs[levels[0]]
        return (levels[0], b - a) if isinstance(a, int) and isinstance(b, int) and b > a else None

    def label(self, value: Value) -> str:
        """Return the label of the operation that yields a value."""
        return self.graph.data(self.keys[value[0]])["label"]

    def is_free(self, value: Value) -> bool:
        """Return whether a value depends on no weights, FLOPs or data, such as a mask or a table of positions."""
        return value[0] not in self._is_main

    def content(self, value: Value) -> Hashable:
        """Return what free values that are equal by construction have in common."""
        return self._values[value[0]], value[1]

    def are_alike(self, one: Value, other: Value) -> bool:
        """Return whether two values are made by the same kind of operation: free ones alike, from whichever buffers.

        Inputs of the model are alike if only the numbers in their names differ.
        """
        if self.symbols.are_numbered(self.keys[one[0]], self.keys[other[0]]):
            return True
        if self.operations[one[0]] != self.operations[other[0]] or self.is_free(one) != self.is_free(other):
            return False
        return not self.is_free(one) or self._made(one[0]) == self._made(other[0])

    def _made(self, place: int) -> Hashable:
        """Return what free values have in common that are made alike, from whichever buffers."""
        return self._of_any_buffer.get(place, self._values.get(place, ("later", place)))

    def copies(self, item: Item) -> int:
        """Return how many copies an item represents in its run."""
        run = self._runs.get(item.call or item.key)
        return 1 if run is None else run.count

    def tensors(self, items: Sequence[Item]) -> list[tuple[str, ...]]:
        """Return the parameters and buffers that each operation of neighbouring items reads, where it reads any."""
        first, end = (bisect_left(self._readers, place) for place in (items[0].start, items[-1].end))
        return [self.graph.data(self.keys[place])["reads"] for place in self._readers[first:end]]

    def outside_reads(self, items: Sequence[Item]) -> Iterator[tuple[str, int]]:
        """Yield operation and slot of each value in the `Item.reads` of these items."""
        for item in items:
            for place in range(item.start, item.end):
                for slot, (source, _) in self._read[place]:
                    if not item.start <= source < item.end:
                        yield self.keys[place], slot

    # --- operations ------------------------------------------------------------------------------

    def _reads(self, key: str) -> list[tuple[int, Value]]:
        """Return the slots of an operation, in order, each with the value that goes there."""
        found: list[tuple[int, Value]] = []
        for source, edge in self.graph.sources(key).items():
            place, slots = self.place[source], edge["slots"]
            if len(slots) == 1 and not edge.get("parts"):
                found.append((slots[0], (place, WHOLE)))
            elif slots and not edge.get("parts"):
                found += [(slot, (place, WHOLE)) for slot in slots]
            else:
                found += [(slot, (place, self.part_number(part))) for slot, part in reads_of(edge) or [(WRITTEN, ())]]
        if len(found) > 1:
            found.sort()
        return found

    def _ends_of_reading(self) -> tuple[list[int], list[int]]:
        """Return for each place the first and the last one that reads its value."""
        first, last = list(range(len(self.keys))), list(range(len(self.keys)))
        for here, reads in enumerate(self._read):
            for _, (source, _) in reads:
                first[source] = min(first[source], here)
                last[source] = max(last[source], here)
        return first, last

    def _number_values(self) -> None:
        """Find the values that depend on weights, FLOPs or data; number the others, equal ones equally."""
        graph, place, values, main = self.graph, self.place, self._values, self._is_main
        for key, data in graph.nodes(data=True):
            here = place[key]
            reads = self._read[here]
            is_data = data["op"] == "placeholder" and not all(spec.is_index for spec in leaves(data["outputs"]))
            has_weights = data["parameters"] != 0 or data["flops"] != 0
            if is_data or has_weights or any(source in main for _, (source, _) in reads):
                main.add(here)
                continue
            varies = data["op"] != "get_attr" and (is_random(data["label"]) or is_drop(data["label"]))
            if data["op"] == "placeholder" or varies or (data["op"] == "get_attr" and not data["reads"]):
                values[here] = self.symbols.intern((key, "value"))
            else:
                sources = tuple([(slot, values.get(source, ("later", source)), part) for slot, (source, part) in reads])
                values[here] = self.symbols.intern((*self.operations[here], data["reads"], sources, "value"))
                if data["reads"] or any(source in self._of_any_buffer for _, (source, _) in reads):
                    made = tuple([(slot, self._made(source), part) for slot, (source, part) in reads])
                    self._of_any_buffer[here] = self.symbols.intern((*self.operations[here], made, "made"))

    # --- blocks ----------------------------------------------------------------------------------

    def _build(self, root: Block) -> Item:
        """Return the item of a block, with all items inside; iterative because trees can be deep."""
        work: list[tuple[Block, Iterator[str | Block], list[Item], str]] = [(root, iter(root.items), [], "")]
        while True:
            block, rest, done, parent = work[-1]
            for child in rest:
                if isinstance(child, Block):
                    work.append((child, iter(child.items), [], block.path))
                    break
                done.append(self._operation(child, block.path))
            else:
                item = self._block(block, done, parent)
                work.pop()
                if not work:
                    return item
                work[-1][2].append(item)

    def _operation(self, key: str, parent: str) -> Item:
        data, place = self.graph.data(key), self.place[key]
        symbol, numbers = self.operations[place]
        reads = [value for _, value in self._read[place]]
        return Item(None, key, own_path(data), place, place + 1, symbol, parent, reads, numbers, source=data["source"])

    def _block(self, block: Block, items: list[Item], parent: str) -> Item:
        key, start, end = (items[0].key, items[0].start, items[-1].end) if items else ("", 0, 0)
        reads: list[Value] = []
        parts: list[Hashable] = [block.type, self._result(block)]
        for each in items:
            inner: list[Value | None] = []
            for value in each.reads:
                if start <= value[0] < end:
                    inner.append((value[0] - start, value[1]))
                else:
                    inner.append(None)
                    reads.append(value)
            parts += [self.symbols.of_run(each.symbol, self.copies(each)), tuple(inner)]
        symbol, numbers = self.symbols.of_block(tuple(parts)), tuple([n for each in items for n in each.numbers])
        rows = 1 + sum(each.rows for each in items)
        return Item(block, key, block.path, start, end, symbol, parent, reads, numbers, items, rows=rows)

    def _result(self, block: Block) -> Hashable:
        result = self.graph.returned.get(block.call) if block.call is not None else None
        return None if result is None else (result.assumed, *[spec.shape for spec in leaves(result.outputs)])
