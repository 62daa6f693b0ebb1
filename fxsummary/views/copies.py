"""Copies of a run of blocks: what each reads and what is read of it, and whether one can be shown for all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.scalars import Part, reads_of

Exit = tuple[str, int, Part]
"""A value that the model returns: the output's key, the place of the operation in its copy, and the part."""


class Read(NamedTuple):
    """A value that a block reads from outside: whose it is, which part of it, and where it goes."""

    source: str
    part: Part
    reader: str
    slot: int


class Copy(NamedTuple):
    """One copy of a run: its operations, with their places in it, and what its blocks read from outside."""

    places: dict[str, int]
    reads: list[Read]


def links_of(before: Copy, copy: Copy) -> tuple[Hashable, ...] | None:
    """Where each value comes from that a block of a copy reads from outside.

    A place in the copy before it or in the same copy, or one node for all, and the part of the value. None
    if the copy reads nothing of the one before, or something in another way than that one.
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
    """How many of these copies the first can be shown for: the rest of the model reads the last of them only.

    What the model returns of every copy, such as a cache, in the order of the copies, does not end a run.
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
    """What the model returns of a copy: slots of the output, and the places of the values in the copy.

    None if something else than the model's output and the copy ``following`` it reads a value of it;
    any may where that is None.
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
    """Whether a copy has the same values returned as the copy before it, in later places."""
    later = all(slot > before for (slot, _), before in zip(found, slots, strict=False))
    return later and [where for _, where in found] == base
