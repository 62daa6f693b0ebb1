"""Runs of copies in a sequence of items: candidates of any period, and whether one copy can represent all.

Neighbouring copies must be the same inside, and each value that they read from outside must be the same for all, come
from the same place in the previous copy, or be a value of its own for each copy: equal by construction, or made by
alike operations at equal distances. Integers may count up in equal steps. The rest of the model may read the last copy,
or the same value of every copy, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from fxsummary.views.fold.candidates import Run, candidates, free_parts, with_longer_periods
from fxsummary.views.fold.items import WRITTEN, Item, Items
from fxsummary.views.scalars import reads_of

LEAST_SAVED = 2
"""Number of rows that a run of operations, without blocks, must save."""

Link = tuple[str, object]
"""How a value that a copy reads from elsewhere corresponds to that of the copy before."""


UNEXPECTED = ("own", "part", "inside the previous")
"""Links that two copies do not make a run with: a third one must confirm them."""


class Links(NamedTuple):
    """How a copy corresponds to the one before it; equal for all copies of a run.

    Attributes:
        steps: by how much each integer is greater; () if none is.
        values: the links of the values that it reads from elsewhere.
    """

    steps: tuple[int, ...]
    values: tuple[Link, ...]


Exit = tuple[int, int, int, int]
"""A value of a copy that is read elsewhere: its place in the copy, the part, the reader's place, and its slot."""


def find_runs(items: Items, sequences: Sequence[Sequence[Item]]) -> list[Run]:
    """Return the runs to fold, in order; those that save most rows come first where they overlap.

    Args:
        sequences: aligned copies of one sequence of items; a run must hold in all of them.
    """
    search = _Search(items, sequences)
    waiting = [(-search.saved(run), run) for run in candidates(items, sequences[0])]
    heapify(waiting)
    seen = {run for _, run in waiting}
    taken: list[Run] = []
    is_free = [True] * len(sequences[0])
    while waiting:
        saved, run = heappop(waiting)
        if saved >= 0:
            break
        parts = list(free_parts(run, is_free))
        if parts == [run]:
            parts = search.parts(run)
        if parts == [run]:
            taken.append(run)
            is_free[run.start : run.end] = [False] * (run.end - run.start)
            continue
        for part in {*parts, *with_longer_periods(run)} - seen:
            heappush(waiting, (-search.saved(part), part))
            seen.add(part)
    return sorted(taken)


class _Search:
    """Checks candidates."""

    def __init__(self, items: Items, sequences: Sequence[Sequence[Item]]) -> None:
        self._items = items
        self._sequences = sequences
        self._graph = items.graph

    def saved(self, run: Run) -> int:
        """Return how many rows a run saves; 0 if it is not worth it."""
        one = self._sequences[0][run.start : run.start + run.period]
        saved = (run.copies - 1) * sum(each.rows for each in one)
        return saved if saved >= LEAST_SAVED or any(each.block is not None for each in one) else 0

    def parts(self, run: Run) -> list[Run]:
        """Return the parts of a candidate that are runs: the candidate itself if it holds."""
        links = [self._links(run, number) for number in range(run.copies - 1)]
        parts: list[Run] = []
        start = 0
        while start < run.copies - 1:
            end = start
            while end < run.copies - 1 and links[end] is not None and links[end] == links[start]:
                end += 1
            while end > start and not self._is_series(links[start], end - start):
                end -= 1
            number = self._shown_for(run, start, end)
            if number > 1:
                parts.append(Run(run.start + start * run.period, run.period, number))
            start += number
        return parts

    def _copy(self, sequence: Sequence[Item], run: Run, number: int) -> Sequence[Item]:
        start = run.start + number * run.period
        return sequence[start : start + run.period]

    def _links(self, run: Run, number: int) -> Links | None:
        """Return the links from one copy to the next, the same in all sequences; None if they do not correspond."""
        found: Links | None = None
        for sequence in self._sequences:
            links = self._links_between(self._copy(sequence, run, number), self._copy(sequence, run, number + 1))
            if links is None or (found is not None and links != found):
                return None
            found = links
        return found

    def _links_between(self, before: Sequence[Item], after: Sequence[Item]) -> Links | None:
        steps = _steps(before, after)
        if steps is None:
            return None
        links: list[Link] = []
        is_carried = False
        begin, end, middle = before[0].start, after[-1].end, after[0].start
        for one, other in zip(before, after, strict=True):
            if len(one.reads) != len(other.reads):  # a view hid what one of them reads
                return None
            for (old, part), (new, same_part) in zip(one.reads, other.reads, strict=True):
                if middle <= new < end or begin <= old < middle:
                    if new - middle != old - begin or part != same_part:
                        return None
                elif begin <= new < middle:
                    kind = "previous" if new >= before[-1].start else "inside the previous"
                    links.append((kind, (new - begin, same_part)))
                    is_carried = True
                else:
                    link = self._link((old, part), (new, same_part))
                    if link is None:
                        return None
                    links.append(link)
        if not is_carried and self._items.dataflow:
            if any(one.stem != other.stem for one, other in zip(before, after, strict=True)):
                return None
            links.append(("side by side", ()))
        return Links(steps, tuple(links))

    def _link(self, old: tuple[int, int], new: tuple[int, int]) -> Link | None:
        """Return how the values that two copies read from elsewhere correspond; None if they do not."""
        if old == new:
            return "same", ()
        items = self._items
        if old[0] == new[0]:
            step = items.part_step(old[1], new[1])
            return None if step is None else ("part", step)
        distance = new[0] - old[0]
        if distance < 0 or old[1] != new[1] or not items.are_alike(old, new):
            return None
        return "own and equal" if items.is_free(old) else "own", distance

    @staticmethod
    def _is_series(links: Links | None, pairs: int) -> bool:
        """Return whether what differs in a run is a series that a reader expects; two copies make hardly any."""
        if links is None or pairs > 1:
            return True
        return {*links.steps} <= {0, 1} and not any(kind in UNEXPECTED for kind, _ in links.values)

    # --- the readers of copies ---------------------------------------------------------------------

    def _shown_for(self, run: Run, first: int, last: int) -> int:
        """Return how many copies, from ``first`` to at most ``last``, one can represent."""
        number = last - first + 1
        if self._items.dataflow and number > 1:
            for sequence in self._sequences:
                number = min(number, self._most_copies(sequence, run, first, first + number - 1))
        return number

    def _most_copies(self, sequence: Sequence[Item], run: Run, first: int, last: int) -> int:
        """Return how many copies, from ``first`` on, are read alike by the rest of the model."""
        base: list[Exit] = []
        step: list[tuple[int, int]] | None = None
        for number in range(first, last):
            copy, following = self._copy(sequence, run, number), self._copy(sequence, run, number + 1)
            found = self._exits(copy, following)
            if number > first:
                current = _steps_of(base, found)
                if current is None or (step is not None and current != step) or len(found) != len(base):
                    return number - first + 1
                step = current
            base = found
            end = _steps_of(base, self._exits(following, None))
            if end is None or (step is not None and end != step):
                return number - first + 1 if number > first else 1
        return last - first + 1

    def _exits(self, copy: Sequence[Item], following: Sequence[Item] | None) -> list[Exit]:
        """Return what is read of a copy, neither in it nor in the copy after it."""
        items, graph = self._items, self._graph
        start, end = copy[0].start, copy[-1].end
        until = end if following is None else following[-1].end
        found: list[Exit] = []
        for place in range(start, end):
            for reader, edge in graph.readers(items.keys[place]).items():
                there = items.place[reader]
                if start <= there < until:
                    continue
                reads = reads_of(edge) or [(WRITTEN, ())]
                found += [(place - start, items.part_number(part), there, slot) for slot, part in reads]
        return sorted(found)


def _steps(before: Sequence[Item], after: Sequence[Item]) -> tuple[int, ...] | None:
    """Return by how much each integer of a copy is greater than that of the copy before; None if sizes differ."""
    steps: list[int] = []
    for one, other in zip(before, after, strict=True):
        if one.numbers != other.numbers:
            steps += [b - a for a, b in zip(one.numbers, other.numbers, strict=True)]
        else:
            steps += [0] * len(one.numbers)
    return tuple(steps) if any(steps) else ()


def _steps_of(before: Sequence[Exit], after: Sequence[Exit]) -> list[tuple[int, int]] | None:
    """Return by how far readers and slots move from one copy to the next; None if they are not read alike."""
    if not before:
        return []
    steps: list[tuple[int, int]] = []
    rest = iter(after)
    for place, part, reader, slot in before:
        for other in rest:
            if other[:2] == (place, part):
                step = other[2] - reader, other[3] - slot
                if step > (0, 0) and (step[0] == 0 or step[1] == 0):
                    steps.append(step)
                    break
        else:
            return None
    return steps
