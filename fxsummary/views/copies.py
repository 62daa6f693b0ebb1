"""The copies in a run of blocks: their inputs, their readers, and whether one copy can represent all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.scalars import Part, reads_of

Exit = tuple[str, int, Part]
"""A value that the model returns: the key of the output, the place of the operation in its copy, and the part."""


class Read(NamedTuple):
    """A value that a block reads from outside: its source, the part that is read, and its reader."""

    source: str
    part: Part
    reader: str
    slot: int


class Copy(NamedTuple):
    """One copy in a run: its operations with their places, and the values that its blocks read from outside."""

    places: dict[str, int]
    reads: list[Read]


def links_of(before: Copy, copy: Copy) -> tuple[Hashable, ...] | None:
    """Return the origin of each value that a block of a copy reads from outside the block.

    An origin is a place in the previous copy or in the same copy, or one node for all copies, together with the part
    of the value. None if the copy reads nothing from the previous copy, or reads it in another way.
    """
    links: list[Hashable] = []
    carried = False
    for read, one in zip(copy.reads, before.reads, strict=True):
        own, previous = copy.places.get(read.source), before.places.get(read.source)
        if own is not None or one.source in before.places:
            if own != before.places.get(one.source) or read.part != one.part:
                return None
        elif previous is not None:
            links.append((previous, read.part))
            carried = True
        elif (read.source, read.part) == (one.source, one.part):
            links.append((read.source, read.part))
        else:
            return None
    return tuple(links) if carried else None


def shown_for(graph: ModelGraph, copies: Sequence[Copy]) -> int:
    """Return how many of these copies the first can represent: the rest of the model may read only the last one.

    Values that the model returns from every copy, in the order of the copies (such as a cache), do not end a run.
    """
    base: list[Exit] = []
    slots: list[int] = []
    for number, (copy, following) in enumerate(pairwise(copies), start=1):
        found = exits(graph, copy, following)
        if found is None or (number > 1 and not _goes_on(found, base, slots)):
            return number
        base, slots = [where for _, where in found], [slot for slot, _ in found]
        last = [exit_ for exit_ in exits(graph, following, None) or () if exit_[1] in base]
        if not _goes_on(last, base, slots):
            return number
    return len(copies) or 1


def exits(graph: ModelGraph, copy: Copy, following: Copy | None) -> list[tuple[int, Exit]] | None:
    """Return the values that the model returns from a copy: output slots, and places of the values in the copy.

    None if anything except the model's output and the ``following`` copy reads from the copy. If ``following`` is
    None, there is no such limit.
    """
    found: list[tuple[int, Exit]] = []
    for key, place in copy.places.items():
        for reader in graph.readers(key):
            if reader in copy.places or (following is not None and reader in following.places):
                continue
            if graph.nodes[reader]["op"] == "output":
                reads = reads_of(graph.sources(reader)[key])
                found += [(slot, (reader, place, part)) for slot, part in reads]
            elif following is not None:
                return None
    return sorted(found, key=itemgetter(0))


def _goes_on(found: Sequence[tuple[int, Exit]], base: Sequence[Exit], slots: Sequence[int]) -> bool:
    """Return whether the model returns the same values from a copy as from the previous one, in later slots."""
    later = all(slot > before for (slot, _), before in zip(found, slots, strict=False))
    return later and [where for _, where in found] == base
