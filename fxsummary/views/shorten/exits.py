"""What other operations read of every copy of a long series: at slots in equal steps, as a stack or the output does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from fxsummary.graph.attributes import EdgeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.scalars import Part, reads_of
from fxsummary.views.shorten.series import FIRST, Series


class Exit(NamedTuple):
    """What is read at a slot: a value of a copy; that of the next copy is read ``step`` slots later."""

    copy: int
    step: int


@dataclass(frozen=True)
class Exits:
    """The slots of an operation that reads all copies of a series, without those of the inner copies.

    Attributes:
        reader: its key; slots: those that stay.
        exits: those at which it reads a copy, if it reads the others alike.
    """

    reader: str
    slots: Sequence[int]
    exits: Mapping[int, Exit]

    def shortened(self, edge: EdgeData) -> EdgeData:
        """Return an edge to the reader with the slots that remain, numbered from 0 on."""
        return {**edge, "slots": tuple([self.slots.index(slot) for slot in edge["slots"]])}

    def lengthen(self, graph: ModelGraph, run: Mapping[str, int], left_out: int) -> bool:
        """Restore the slots and the numbers of the copies that are read at them; return whether that was possible.

        Args:
            graph: the folded graph, which is changed.
            run: the operations of the run of the series, each with the number of its copies in one reader's series.
            left_out: the number of copies to add.
        """
        if self.reader not in graph:
            return True
        if not self._is_known(graph, run):
            return False
        for edge in graph.sources(self.reader).values():
            reads = sorted((each, part) for slot, part in reads_of(edge) for each in self._every(slot, left_out))
            edge["slots"] = tuple([slot for slot, _ in reads])
            edge["parts"] = tuple([part for _, part in reads]) if any(edge["parts"]) else ()
        graph.graph["copies_read"] = dict(self._numbered(graph.graph["copies_read"], left_out))
        return True

    def _is_known(self, graph: ModelGraph, run: Mapping[str, int]) -> bool:
        """Return whether each value of the run that is read is one that all copies have, or of the last one."""
        copies_read, times = graph.graph["copies_read"], graph.data(self.reader)["multiplicity"]
        for source, edge in graph.sources(self.reader).items():
            for slot in edge["slots"]:
                found = self.exits.get(self.slots[slot])
                if source not in run:
                    is_known = found is None or found.copy == 0
                elif found is None:
                    is_known = (self.reader, slot) not in copies_read
                else:
                    is_known = graph.data(source)["multiplicity"] == run[source] * times
                if not is_known:
                    return False
        return True

    def _every(self, slot: int, left_out: int) -> Iterator[int]:
        """Yield the slot that has this number, and those of the copies left out after its copy."""
        start = self.slots[slot]
        found = self.exits.get(start)
        for number in range(left_out + 1 if found and found.copy == FIRST - 1 else 1):
            yield start + number * (found.step if found else 0)

    def _numbered(
        self, copies_read: Mapping[tuple[str, int], int], left_out: int
    ) -> Iterator[tuple[tuple[str, int], int]]:
        """Yield the numbers of the copies that are read, for all copies in order."""

        def copy(item: tuple[tuple[str, int], int]) -> int:
            (reader, slot), _ = item
            found = self.exits.get(self.slots[slot]) if reader == self.reader else None
            return found.copy if found else -1

        for at, group in groupby(copies_read.items(), key=copy):
            entries = list(group)
            for more in range(left_out + 1 if at == FIRST - 1 else 1):
                for (reader, slot), number in entries:
                    every = [*self._every(slot, left_out)] if reader == self.reader else [slot]
                    yield (reader, every[more]), number + (more if at < FIRST else left_out)


def exits_of(
    graph: ModelGraph, series: Series, keys: Sequence[str], place: Mapping[str, int]
) -> Mapping[str, Exits] | None:
    """Return the exits of a series by reader; None if one does not read all copies but the first and the last alike."""
    found: dict[str, dict[tuple[int, Part], list[tuple[int, int]]]] = {}
    start, end = series.start, series.end
    for here in range(start, end):
        for reader, edge in graph.readers(keys[here]).items():
            if place[reader] >= end:
                copy, number = divmod(here - start, series.size)
                if not edge["slots"] and copy < series.copies - 1:
                    return None
                for slot, part in reads_of(edge):
                    found.setdefault(reader, {}).setdefault((number, part), []).append((copy, slot))
    exits = {reader: _exits(values.values(), series.copies) for reader, values in found.items()}
    known = {reader: each for reader, each in exits.items() if each is not None}
    if len(known) < len(exits):
        return None
    return {reader: Exits(reader, _kept(graph, reader, each, series), each) for reader, each in known.items() if each}


def _exits(values: Iterable[Sequence[tuple[int, int]]], copies: int) -> dict[int, Exit] | None:
    """Return the exits to one reader, from the copies and the slots at which it reads each value of the copies."""
    exits: dict[int, Exit] = {}
    for reads in values:
        inner = sorted(each for each in reads if each[0] > 0)
        if [copy for copy, _ in reads] == [copies - 1]:
            continue
        steps = {after - before for (_, before), (_, after) in pairwise(inner)}
        if [copy for copy, _ in inner] != [*range(1, copies)] or len(steps) != 1:
            return None
        exits |= {slot: Exit(copy, *steps) for copy, slot in reads}
    return exits


def _kept(graph: ModelGraph, reader: str, exits: Mapping[int, Exit], series: Series) -> list[int]:
    """Return the slots without those at which copies are read that are left out."""
    slots = {slot for edge in graph.sources(reader).values() for slot in edge["slots"]}
    kept = (slot for slot in slots if slot not in exits or exits[slot].copy not in series.inner)
    return sorted(kept)
