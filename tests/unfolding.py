"""Unfold a folded graph, from what it shows alone: the operations and edges that it says there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fxsummary import ModelGraph
from fxsummary.views.blocks import Block, Repeat, block_tree
from fxsummary.views.scalars import Part, reads_of

Instance = tuple[str, tuple[int, ...]]
"""An operation that is shown, and in which copy of each run around it."""
Read = tuple[int, Instance, Part]
"""A slot, and the operation and the part of its value that goes there."""


@dataclass(frozen=True)
class Unfolded:
    """What a folded graph says.

    Attributes:
        operations: in execution order; reads: what each reads, by slot.
    """

    operations: list[Instance]
    reads: dict[Instance, list[Read]]


def unfold(graph: ModelGraph) -> Unfolded:
    """All operations that a folded graph represents, and what each of them reads."""
    root = block_tree(graph)
    runs = _runs_around(graph, root)
    operations = list(_instances(graph, root, ()))
    return Unfolded(operations, {each: _reads(graph, runs, each) for each in operations})


def _runs_around(graph: ModelGraph, root: Block) -> dict[str, list[tuple[int, Repeat]]]:
    """For each operation the runs around it, outermost first, each with a number of its own."""
    repeats = graph.graph.get("repeats", {})
    runs: dict[str, list[tuple[int, Repeat]]] = {}
    pending: list[tuple[Block, list[tuple[int, Repeat]]]] = [(root, [])]
    while pending:
        block, around = pending.pop()
        if block.repeat > 1:
            head = block.call if block.call is not None else next(block.blocks()).call
            around = [*around, (id(block), repeats[head])]
        for item in block.items:
            if isinstance(item, Block):
                pending.append((item, around))
            else:
                runs[item] = around
    return runs


def _instances(graph: ModelGraph, block: Block, copy: tuple[int, ...]) -> Iterator[Instance]:
    for number in range(block.repeat):
        inside = (*copy, number) if block.repeat > 1 else copy
        for item in block.items:
            if isinstance(item, Block):
                yield from _instances(graph, item, inside)
            else:
                yield item, inside


def _reads(graph: ModelGraph, runs: dict[str, list[tuple[int, Repeat]]], reader: Instance) -> list[Read]:
    key, copy = reader
    reads: list[Read] = []
    carried = {slot for _, repeat in runs[key] for to, slot in repeat.carried if to == key}
    for source, edge in graph.sources(key).items():
        shared = _shared(runs[source], runs[key])
        if edge.get("each"):
            reads += _of_every_copy(runs, source, edge)
            continue
        for slot, part in reads_of(edge) or [(-1, ())]:
            if slot in carried and (before := _carried(runs, reader, slot)) is not None:
                reads.append((slot, *before))
            else:
                last = tuple(repeat.count - 1 for _, repeat in runs[source][shared:])
                reads.append((slot, (source, (*copy[:shared], *last)), part))
    return sorted(reads, key=str)


def _shared(one: list[tuple[int, Repeat]], other: list[tuple[int, Repeat]]) -> int:
    return sum(a[0] == b[0] for a, b in zip(one, other, strict=False))


def _carried(runs: dict[str, list[tuple[int, Repeat]]], reader: Instance, slot: int) -> tuple[Instance, Part] | None:
    """The value of the copy before, if the slot of this one is fed by it: in the innermost run that says so."""
    key, copy = reader
    for level in reversed(range(len(copy))):
        _, repeat = runs[key][level]
        if copy[level] and (key, slot) in repeat.carried:
            source, part = repeat.carried[key, slot]
            last = tuple(inner.count - 1 for _, inner in runs[source][level + 1 :])
            return (source, (*copy[:level], copy[level] - 1, *last)), part
    return None


def _of_every_copy(runs: dict[str, list[tuple[int, Repeat]]], source: str, edge: dict[str, Any]) -> list[Read]:
    """What the model returns of every copy: the slots are in the order of the copies."""
    copies: list[tuple[int, ...]] = [()]
    for _, repeat in runs[source]:
        numbers = range(repeat.count) if source in repeat.returned else (repeat.count - 1,)
        copies = [(*copy, number) for copy in copies for number in numbers]
    by_part: dict[Part, list[int]] = {}
    for slot, part in reads_of(edge):
        by_part.setdefault(part, []).append(slot)
    reads: list[Read] = []
    for part, slots in by_part.items():
        assert len(slots) % len(copies) == 0, (source, edge)
        each = len(slots) // len(copies)
        reads += [(slot, (source, copies[at // each]), part) for at, slot in enumerate(slots)]
    return reads


def as_listed(graph: ModelGraph) -> tuple[list[dict[str, Any]], list[list[tuple[int, int, Part]]]]:
    """The attributes of the operations in order, and what each reads, by its place; of a graph without runs."""
    places = {key: place for place, key in enumerate(graph)}
    reads = [
        sorted(
            (
                (slot, places[source], part)
                for source, edge in graph.sources(key).items()
                for slot, part in reads_of(edge) or [(-1, ())]
            ),
            key=str,
        )
        for key in graph
    ]
    return [data for _, data in graph.nodes(data=True)], reads


def unfolded_as_listed(graph: ModelGraph) -> tuple[list[dict[str, Any]], list[list[tuple[int, int, Part]]]]:
    """The same of a folded graph, unfolded."""
    unfolded = unfold(graph)
    places = {each: place for place, each in enumerate(unfolded.operations)}
    reads = [
        sorted(((slot, places[source], part) for slot, source, part in unfolded.reads[each]), key=str)
        for each in unfolded.operations
    ]
    return [graph.nodes[key] for key, _ in unfolded.operations], reads
