"""Fold runs of copies: show the first copy of each run, with the number of copies.

A copy consists of neighbouring blocks and operations of any number. `fxsummary.views.fold.runs` says when copies
correspond. Two laws hold: costs times multiplicity equal the totals exactly, and unfolding the graph restores the
original operations and edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import prod
from typing import Literal

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.records import Repeat, Returned
from fxsummary.views.blocks import block_tree
from fxsummary.views.fold.candidates import Run
from fxsummary.views.fold.copies import largest, of_copies, result_of_copies
from fxsummary.views.fold.items import WRITTEN, Item, Items
from fxsummary.views.fold.similar import find_runs
from fxsummary.views.fold.symbols import DIGITS
from fxsummary.views.fold.symbols import identity_of as identity_of
from fxsummary.views.scalars import Part, add_slots, reads_of

Stack = tuple[ModuleCall, ...]
Slot = tuple[str, int]
"""An operation and one of its slots."""
MOST_TYPES = 3
"""Number of classes and labels that a pattern is named after; with more, modules with contents count alone."""


def fold_repeats(graph: ModelGraph, *, similar: bool = False) -> ModelGraph:
    """Return the graph without copies 2..n of every run of equal copies, or also of ``similar`` ones.

    The remaining nodes carry `multiplicity`, and `each_copy` where copies differ. ``graph.graph["repeats"]`` of the
    result says how many copies each block represents (see `fxsummary.views.blocks.block_tree`). If a copy is not a
    single block, the module stacks of its operations get an invented call, whose number is negative. Edges from a
    removed copy start at the same place in the remaining copy. They come from the last copy, unless
    ``graph.graph["copies_read"]`` has the number of another one, by reader and slot; `each` marks edges from several
    copies. ``graph.graph["own_values"]`` lists what the copies of an operation read at a slot, if each reads a value
    of its own: the operation, the number of its copy, and the part. ``graph.graph["module_copies"]`` lists the paths
    of all modules that a module represents.
    """
    if "repeats" in graph.graph:  # it is folded
        return graph
    return fold_with_members(graph, similar=similar)[0]


def fold_with_members(graph: ModelGraph, *, similar: bool) -> tuple[ModelGraph, Mapping[str, Sequence[str]]]:
    """Return a graph that is not folded yet as `fold_repeats` does, and the operations that each one represents."""
    folding = _Folding(graph, similar)
    folding.fold()
    return folding.graph() if folding.repeats else graph, folding.members


@dataclass(frozen=True)
class _Sequences:
    """Aligned copies of a sequence in which to look for runs.

    Attributes:
        columns: for each item of the sequence all its copies.
        around: the calls around it in the folded graph.
        depth: how many of these are calls of modules.
        runs: the runs around it, outermost first.
    """

    columns: list[list[Item]]
    around: Stack = ()
    depth: int = 0
    runs: tuple[ModuleCall | str, ...] = ()


class _Folding:
    """Finds the runs of a graph, outer ones first."""

    def __init__(self, graph: ModelGraph, similar: bool) -> None:
        self.repeats: dict[ModuleCall | str, Repeat] = {}
        self._graph = graph
        self._similar = similar
        self._items = Items(graph, block_tree(graph))
        self.members: dict[str, list[str]] = {}
        self._copies: dict[str, tuple[str, ...]] = {}
        self._returned = dict[ModuleCall, Returned]()
        self._stacks: dict[str, Stack] = {}
        self._runs: dict[str, tuple[ModuleCall | str, ...]] = {}
        self._invented = count(-1, -1)
        self._work: list[_Sequences] = []

    def fold(self) -> None:
        """Find the runs of all sequences; iterative because trees can be deep."""
        self._work = [_Sequences([[item] for item in self._items.root.items])]
        while self._work:
            current = self._work.pop()
            sequences = list(map(list, zip(*current.columns, strict=True)))
            found = find_runs(self._items, sequences, similar=self._similar) if sequences else []
            runs = {run.start: run for run in found}
            index = 0
            while index < len(current.columns):
                run = runs.get(index)
                if run is None:
                    self._open(current.columns[index], current)
                    index += 1
                else:
                    self._fold_run(run, sequences, current)
                    index = run.end

    def _open(self, copies: Sequence[Item], within: _Sequences) -> None:
        """Keep the first of these items, which are copies of each other, and look for runs inside of it."""
        first = copies[0]
        if first.call is not None:
            if len(copies) > 1:
                self._copies[first.path] = tuple(dict.fromkeys(each.path for each in copies))
            if any(each.symbol != first.symbol for each in copies):
                calls = [each.call for each in copies if each.call is not None]
                self._returned |= result_of_copies(self._graph.returned, calls)
            columns = [[each.items[place] for each in copies] for place in range(len(first.items))]
            self._work.append(_Sequences(columns, (*within.around, first.call), within.depth + 1, within.runs))
            return
        self.members[first.key] = [each.key for each in copies]
        self._runs[first.key] = within.runs
        if len(within.around) != within.depth:
            self._stacks[first.key] = within.around + self._graph.data(first.key)["module_stack"][within.depth :]

    def _fold_run(self, run: Run, sequences: Sequence[Sequence[Item]], within: _Sequences) -> None:
        copies = [
            sequence[start : start + run.period]
            for sequence in sequences
            for start in range(run.start, run.end, run.period)
        ]
        columns = [[copy[place] for copy in copies] for place in range(run.period)]
        first, last = copies[0], copies[run.copies - 1]
        path, last_path = _ends([each.path for each in first], [each.path for each in last])
        name: ModuleCall | str = first[0].call or first[0].key
        if run.period > 1:
            types = {each.block.type if each.block else self._graph.nodes[each.key]["label"]: each for each in first}
            modules = [kind for kind, each in types.items() if each.call] if len(types) > MOST_TYPES else []
            name = ModuleCall(path, _listed(modules or [*types]), next(self._invented))
        carried, own = self._links(first, copies[1])
        unit: Literal["steps", "calls", ""] = ""
        codes = [[each.code for each in copy] for copy in copies[:2]]
        if codes[0] == codes[1] and any(codes[0]):
            unit = "steps" if carried else "calls" if any(each.path for each in first) else ""
        self.repeats[name] = Repeat(run.copies, last_path, carried, own, unit)
        inside = replace(within, columns=columns, runs=(*within.runs, name))
        if run.period == 1:
            self._open(columns[0], inside)
        else:
            assert isinstance(name, ModuleCall)
            self._work.append(replace(inside, around=(*within.around, name)))

    def _links(
        self, first: Sequence[Item], second: Sequence[Item]
    ) -> tuple[dict[Slot, tuple[str, Part]], tuple[Slot, ...]]:
        """Return the values that copies carry on, and the operations and slots that read values of their own."""
        items = self._items
        carried: dict[Slot, tuple[str, Part]] = {}
        own: list[Slot] = []
        reads = [value for each in first for value in each.reads]
        following = [value for each in second for value in each.reads]
        for where, old, new in zip(items.outside_reads(first), reads, following, strict=True):
            if first[0].start <= old[0] < first[-1].end:
                continue
            if first[0].start <= new[0] < first[-1].end:
                carried[where] = items.keys[new[0]], items.part(new[1])
            elif old != new:
                own.append(where)
        return carried, tuple(own)

    # --- the folded graph --------------------------------------------------------------------------

    def graph(self) -> ModelGraph:
        """Return the folded graph."""
        stand_in = {key: (shown, number) for shown, keys in self.members.items() for number, key in enumerate(keys)}
        self._copies_read: dict[Slot, int] = {}
        self._own_values: dict[Slot, tuple[tuple[str, int, Part], ...]] = {}
        self.repeats = {name: _renamed(repeat, stand_in) for name, repeat in self.repeats.items()}
        nodes = [(key, self._attributes(key)) for key in self._graph if key in self.members]
        folded = self._graph.derived(
            nodes,
            repeats=self.repeats,
            copies_read=self._copies_read,
            own_values=self._own_values,
            module_copies=self._copies,
        )
        if self._returned:
            folded.returned = {**folded.returned, **self._returned}
        for target in folded:
            self._add_edges(folded, target, stand_in)
        for where in dict.fromkeys(where for repeat in self.repeats.values() for where in repeat.own):
            self._own_values[where] = tuple([
                self._own_value(folded, where, copy, stand_in) for copy in self.members[where[0]]
            ])  # fmt: skip
        return folded

    def _add_edges(self, folded: ModelGraph, target: str, stand_in: dict[str, tuple[str, int]]) -> None:
        """Add the edges to an operation that is shown."""
        for source, data in self._graph.sources(target).items():
            start, number = stand_in[source]
            last = prod(self.repeats[run].count for run in self._runs[start] if run not in self._runs[target]) - 1
            if number != last:
                self._copies_read |= {(target, slot): number for slot, _ in reads_of(data) or [(WRITTEN, ())]}
                data = {**data, "each": True}
            add_slots(folded, start, target, data)

    def _own_value(
        self, folded: ModelGraph, where: Slot, copy: str, stand_in: Mapping[str, tuple[str, int]]
    ) -> tuple[str, int, Part]:
        """Return the value that a copy of an operation reads at a slot, and add the edge from it if there is none."""
        target, slot = where
        for source, data in self._graph.sources(copy).items():
            for at, part in reads_of(data) or [(WRITTEN, ())]:
                if at == slot:
                    start, number = stand_in[source]
                    known = folded.sources(target).get(start)
                    if known is None or (slot != WRITTEN and slot not in known["slots"]):
                        add_slots(folded, start, target, {**data, "slots": (slot,), "parts": (part,), "each": True})
                    return start, number, part
        raise AssertionError(f"{copy} does not read slot {slot}")

    def _attributes(self, key: str) -> NodeData:
        """Return the attributes of an operation that is shown, for all its copies."""
        members = [self._graph.data(each) for each in self.members[key]]
        shown: NodeData = {**members[0], "multiplicity": len(members) * members[0]["multiplicity"]}
        if key in self._stacks:
            shown["module_stack"] = self._stacks[key]
        shown |= largest(members)
        operations, place = self._items.operations, self._items.place
        if len({id(operations[place[each]]) for each in self.members[key]}) > 1:
            shown |= of_copies(members)
        return shown


def _renamed(repeat: Repeat, stand_in: Mapping[str, tuple[str, int]]) -> Repeat:
    """Return a run in terms of the operations that are shown."""
    carried = {
        (stand_in[reader][0], slot): (stand_in[source][0], part)
        for (reader, slot), (source, part) in repeat.carried.items()
    }
    own = tuple([(stand_in[reader][0], slot) for reader, slot in repeat.own])
    return replace(repeat, carried=carried, own=own)


def _ends(first: Sequence[str], last: Sequence[str]) -> tuple[str, str]:
    """Return the first path in the first copy, and the last one like it, apart from numbers, in the last copy.

    >>> _ends(["", "layers.0", "norm", "layers.1"], ["", "layers.4", "norm", "layers.5"]), _ends([""], [""])
    (('layers.0', 'layers.5'), ('', ''))
    """
    path = next(filter(None, first), "")
    alike = [each for each in last if DIGITS.sub("", each) == DIGITS.sub("", path)]
    return path, alike[-1] if alike else last[first.index(path)]


def _listed(types: Sequence[str]) -> str:
    """Return the classes and labels of a pattern in short.

    >>> _listed(["Conv2d", "ReLU"]), _listed(["mul", "add", "cat", "to"])
    ('Conv2d · ReLU', 'mul · … · to')
    """
    return " · ".join(types if len(types) <= MOST_TYPES else [types[0], "…", types[-1]])
