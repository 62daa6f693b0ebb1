"""Values that the model returns of every block of a long series, such as caches: at slots in equal steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from fxsummary.graph.attributes import EdgeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.scalars import Part, reads_of
from fxsummary.views.series import FIRST, LAST, Series


class Exit(NamedTuple):
    """What the output reads at a slot: a value of a block; the next block has it ``step`` slots later."""

    block: int
    step: int


@dataclass(frozen=True)
class Exits:
    """The slots of an output, without those of the inner blocks of a series.

    Attributes:
        output: its key, "" if there is none; slots: those that stay.
        exits: those at which it reads a block, if it reads the others alike.
    """

    output: str
    slots: Sequence[int]
    exits: Mapping[int, Exit]

    def shortened(self, edge: EdgeData) -> EdgeData:
        """Return an edge to the output with the slots that remain, numbered from 0 on."""
        return {**edge, "slots": tuple([self.slots.index(slot) for slot in edge["slots"]])}

    def lengthen(self, graph: ModelGraph, name: ModuleCall, left_out: int) -> bool:
        """Restore the slots and the numbers of the copies that are read at them; return whether that was possible.

        Args:
            graph: the folded graph, which is changed.
            name: the run of the series; left_out: the number of blocks to add.
        """
        if not self._is_known(graph, name):
            return False
        for edge in self._edges(graph).values():
            reads = sorted((each, part) for slot, part in reads_of(edge) for each in self._every(slot, left_out))
            edge["slots"] = tuple([slot for slot, _ in reads])
            edge["parts"] = tuple([part for _, part in reads]) if any(edge["parts"]) else ()
        graph.graph["copies_read"] = dict(self._numbered(graph.graph["copies_read"], left_out))
        return True

    def _edges(self, graph: ModelGraph) -> Mapping[str, EdgeData]:
        return graph.sources(self.output) if self.output else {}

    def _is_known(self, graph: ModelGraph, name: ModuleCall) -> bool:
        """Return whether each value of the run that is read outside is one that all blocks have, or of the last one."""
        count, copies_read = graph.graph["repeats"][name].count, graph.graph["copies_read"]
        for source, edge in self._edges(graph).items():
            data = graph.data(source)
            is_single = data["multiplicity"] == count
            for slot in edge["slots"]:
                found = self.exits.get(self.slots[slot])
                if name not in data["module_stack"]:
                    is_known = found is None or found.block == 0
                else:
                    is_known = is_single if found else (self.output, slot) not in copies_read
                if not is_known:
                    return False
        readers = {reader for reader, _ in copies_read} - {self.output}
        return all(name in graph.data(reader)["module_stack"] for reader in readers)

    def _every(self, slot: int, left_out: int) -> Iterator[int]:
        """Yield the slot that has this number, and those of the blocks left out after its block."""
        start = self.slots[slot]
        found = self.exits.get(start)
        for number in range(left_out + 1 if found and found.block == FIRST - 1 else 1):
            yield start + number * (found.step if found else 0)

    def _numbered(
        self, copies_read: Mapping[tuple[str, int], int], left_out: int
    ) -> Iterator[tuple[tuple[str, int], int]]:
        """Yield the numbers of the copies that are read, for all blocks in order."""

        def block(item: tuple[tuple[str, int], int]) -> int:
            (reader, slot), _ = item
            found = self.exits.get(self.slots[slot]) if reader == self.output else None
            return found.block if found else -1

        for at, group in groupby(copies_read.items(), key=block):
            entries = list(group)
            for more in range(left_out + 1 if at == FIRST - 1 else 1):
                for (reader, slot), number in entries:
                    every = [*self._every(slot, left_out)] if reader == self.output else [slot]
                    yield (reader, every[more]), number + (more if at < FIRST else left_out)


def exits_of(graph: ModelGraph, series: Series, places: Mapping[str, int]) -> Exits | None:
    """Return the exits of a series; None if the output does not read all blocks but the first and the last alike."""
    blocks = len(series.calls)
    output = next((key for key, op in graph.nodes(data="op") if op == "output"), "")
    found: dict[tuple[int, Part], list[tuple[int, int]]] = {}
    slots: set[int] = set()
    for source, edge in graph.sources(output).items() if output else ():
        block, at = divmod(places[source] - series.start, series.size)
        slots |= {*edge["slots"]}
        for slot, part in reads_of(edge) if 0 <= block < blocks else ():
            found.setdefault((at, part), []).append((block, slot))
    exits: dict[int, Exit] = {}
    for reads in found.values():
        inner = sorted(each for each in reads if each[0] > 0)
        steps = {after - before for (_, before), (_, after) in pairwise(inner)}
        if [block for block, _ in inner] == [blocks - 1] == [block for block, _ in reads]:
            continue
        if [block for block, _ in inner] != [*range(1, blocks)] or len(steps) != 1:
            return None
        exits |= {slot: Exit(block, *steps) for block, slot in reads}
    kept = _kept(slots, exits, blocks)
    return Exits(output, kept, exits)


def _kept(slots: Collection[int], exits: Mapping[int, Exit], blocks: int) -> list[int]:
    """Return the slots without those at which blocks are read that are left out."""
    return sorted(slot for slot in slots if slot not in exits or not FIRST <= exits[slot].block < blocks - LAST)
