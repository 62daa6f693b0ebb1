"""Unfold a folded graph, from what it shows alone: the operations and edges that it says there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from fxsummary import ModelGraph
from fxsummary.graph.records import Repeat
from fxsummary.views.blocks import Block, block_tree
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


Runs = list[tuple[object, Repeat]]
"""The runs around an operation, outermost first, each under its name."""


def _runs_around(graph: ModelGraph, root: Block) -> dict[str, Runs]:
    repeats = graph.graph.get("repeats", {})
    runs: dict[str, Runs] = {}
    pending: list[tuple[Block, Runs]] = [(root, [])]
    while pending:
        block, around = pending.pop()
        if block.call in repeats:
            around = [*around, (block.call, repeats[block.call])]
        for item in block.items:
            if isinstance(item, Block):
                pending.append((item, around))
            else:
                runs[item] = [*around, (item, repeats[item])] if item in repeats else around
    return runs


def _instances(graph: ModelGraph, block: Block, copy: tuple[int, ...]) -> Iterator[Instance]:
    repeats = graph.graph.get("repeats", {})
    for number in range(block.repeat):
        inside = (*copy, number) if block.repeat > 1 else copy
        for item in block.items:
            if isinstance(item, Block):
                yield from _instances(graph, item, inside)
            elif item in repeats:
                yield from ((item, (*inside, one)) for one in range(repeats[item].count))
            else:
                yield item, inside


def _reads(graph: ModelGraph, runs: dict[str, Runs], reader: Instance) -> list[Read]:
    key, _ = reader
    by_slot: dict[int, list[tuple[str, Part]]] = {}
    for source, edge in graph.sources(key).items():
        for slot, part in reads_of(edge) or [(-1, ())]:
            by_slot.setdefault(slot, []).append((source, part))
    reads = [(slot, *_value(graph, runs, reader, slot, sources)) for slot, sources in by_slot.items()]
    return sorted(reads, key=str)


def _value(
    graph: ModelGraph, runs: dict[str, Runs], reader: Instance, slot: int, sources: list[tuple[str, Part]]
) -> tuple[Instance, Part]:
    """The value that goes to a slot: of the copy before, of the reader's own, or the one that all copies read."""
    key, copy = reader
    for level in reversed(range(len(copy))):
        _, repeat = runs[key][level]
        if copy[level] and (key, slot) in repeat.carried:
            source, part = repeat.carried[key, slot]
            last = tuple(inner.count - 1 for _, inner in runs[source][level + 1 :])
            return (source, (*copy[:level], copy[level] - 1, *last)), part
    if (key, slot) in graph.graph.get("own_values", {}):
        counts = [repeat.count for _, repeat in runs[key]]
        source, number, part = graph.graph["own_values"][key, slot][_index(copy, counts)]
        return (source, _copy(number, [repeat.count for _, repeat in runs[source]])), part
    ((source, part),) = sources
    shared = _shared(runs[source], runs[key])
    counts = [repeat.count for _, repeat in runs[source][shared:]]
    number = graph.graph.get("copies_read", {}).get((key, slot), prod(counts) - 1)
    return (source, (*copy[:shared], *_copy(number, counts))), part


def _index(copy: tuple[int, ...], counts: list[int]) -> int:
    """The number of a copy among all, the innermost run running fastest."""
    index = 0
    for number, count in zip(copy, counts, strict=True):
        index = index * count + number
    return index


def _copy(index: int, counts: list[int]) -> tuple[int, ...]:
    """The copy in each run of the copy with a number."""
    copy: list[int] = []
    for count in reversed(counts):
        index, number = divmod(index, count)
        copy.insert(0, number)
    return tuple(copy)


def _shared(one: Runs, other: Runs) -> int:
    return sum(a[0] == b[0] for a, b in zip(one, other, strict=False))


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
    runs = _runs_around(graph, block_tree(graph))
    return [_of_copy(graph.nodes[key], runs[key], copy) for key, copy in unfolded.operations], reads


def _of_copy(data: dict[str, Any], runs: Runs, copy: tuple[int, ...]) -> dict[str, Any]:
    """The attributes of one copy of an operation."""
    index = _index(copy, [repeat.count for _, repeat in runs])
    return {**data, **{name: each[index] for name, each in data.get("each_copy", {}).items()}}
