"""Runs of copies in a sequence of items: candidates of any period, and whether one copy can represent all.

Neighbouring copies must be the same inside, and each value that they read from outside must be the same for all, come
from the same place in the previous copy, or be a value of its own for each copy: equal by construction, or made by
alike operations at equal distances. Integers may count up in equal steps, floats only rise or only fall. The rest of
the model may read the last copy, or the same value of every copy, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from fxsummary.views.fold.candidates import Run, candidates, free_parts, with_longer_periods
from fxsummary.views.fold.items import WRITTEN, Item, Items, Value
from fxsummary.views.fold.links import UNEXPECTED, Link, Links, Step, step_of
from fxsummary.views.scalars import reads_of

LEAST_SAVED = 2
"""Number of rows that a run of operations, without blocks, must save."""

Exit = tuple[int, int, int, int]
"""A value of a copy that is read elsewhere: its place in the copy, the part, the reader's place, and its slot."""


def equal_runs(items: Items, sequences: Sequence[Sequence[Item]]) -> list[Run]:
    """Return the runs of equal copies; those that save most rows come first where they overlap.

    Args:
        sequences: aligned copies of one sequence of items; a run must hold in all of them.
    """
    return chosen(Search(items, sequences), ())


def chosen(search: Search, others: Sequence[Run]) -> list[Run]:
    """Return the runs that a search finds, and that do not break up the ``others``."""
    waiting = [(-search.saved(run), run) for run in search.candidates()]
    heapify(waiting)
    seen = {run for _, run in waiting}
    taken: list[Run] = []
    is_free = [True] * len(search.sequences[0])
    while waiting:
        saved, run = heappop(waiting)
        if saved >= 0:
            break
        parts = list(free_parts(run, is_free, others))
        if parts == [run]:
            parts = search.parts(run)
        if parts == [run]:
            taken.append(run)
            is_free[run.start : run.end] = [False] * (run.end - run.start)
            continue
        for part in {*parts, *search.longer(run)} - seen:
            heappush(waiting, (-search.saved(part), part))
            seen.add(part)
    return taken


class Search:
    """Finds candidates and checks them.

    Attributes:
        items: the items of the graph; sequences: aligned copies of one sequence of them.
    """

    def __init__(self, items: Items, sequences: Sequence[Sequence[Item]]) -> None:
        self.items = items
        self.sequences = sequences
        self._graph = items.graph

    def symbol(self, item: Item) -> int:
        """Return the symbol that the copies of an item share."""
        return item.symbol

    def candidates(self) -> list[Run]:
        """Return the runs to check."""
        return candidates(self.items, self.sequences[0], self.symbol)

    def longer(self, run: Run) -> Iterable[Run]:
        """Return the runs to check because they may hold where a run does not."""
        return with_longer_periods(run)

    def saved(self, run: Run) -> int:
        """Return how many rows a run saves; 0 if it is not worth it."""
        one = self.sequences[0][run.start : run.start + run.period]
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
            while end > start and not self._is_series(run, links[start], end - start):
                end -= 1
            number = self._with_own_tensors(run, start, self._shown_for(run, start, end), links[start])
            if number > 1:
                parts.append(Run(run.start + start * run.period, run.period, number))
            start += number
        return parts

    def copy(self, sequence: Sequence[Item], run: Run, number: int) -> Sequence[Item]:
        """Return the items of a copy of a run."""
        start = run.start + number * run.period
        return sequence[start : start + run.period]

    def _links(self, run: Run, number: int) -> Links | None:
        """Return the links from one copy to the next, the same in all sequences; None if they do not correspond."""
        found: Links | None = None
        for sequence in self.sequences:
            links = self._links_between(self.copy(sequence, run, number), self.copy(sequence, run, number + 1))
            if links is None or (found is not None and links != found):
                return None
            found = links
        return found

    def _links_between(self, before: Sequence[Item], after: Sequence[Item]) -> Links | None:
        if any(self.symbol(one) != self.symbol(other) for one, other in zip(before, after, strict=True)):
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
        if not is_carried and self.items.dataflow:
            if any(one.stem != other.stem for one, other in zip(before, after, strict=True)):
                return None
            links.append(("side by side", ()))
        return Links(self.steps(before, after), self._shares(before, after), tuple(links))

    def are_alike(self, one: Value, other: Value) -> bool:
        """Return whether two values are made by the same kind of operation: free ones from equal values."""
        return self.items.are_alike(one, other)

    def steps(self, before: Sequence[Item], after: Sequence[Item]) -> tuple[Step, ...]:
        """Return how each number of a copy differs from that of the copy before."""
        if all(one.numbers == other.numbers for one, other in zip(before, after, strict=True)):
            return ()
        pairs = (zip(one.numbers, other.numbers, strict=True) for one, other in zip(before, after, strict=True))
        return tuple([step_of(a, b) for pair in pairs for a, b in pair])

    def _shares(self, before: Sequence[Item], after: Sequence[Item]) -> tuple[bool, ...]:
        return tuple([
            one == other
            for one, other in zip(self.items.tensors(before), self.items.tensors(after), strict=True)
        ])  # fmt: skip

    def _link(self, old: tuple[int, int], new: tuple[int, int]) -> Link | None:
        """Return how the values that two copies read from elsewhere correspond; None if they do not."""
        if old == new:
            return "same", ()
        items = self.items
        if old[0] == new[0]:
            step = items.part_step(old[1], new[1])
            return None if step is None else ("part", step)
        distance = new[0] - old[0]
        if distance < 0 or old[1] != new[1] or not self.are_alike(old, new):
            return None
        is_equal = items.is_free(old) and items.content(old) == items.content(new)
        return "own and equal" if is_equal else "own", distance

    def _is_series(self, run: Run, links: Links | None, pairs: int) -> bool:
        """Return whether what differs in a run is a series that a reader expects; two copies make hardly any.

        Two copies of several blocks each make one if all their integers go on by the same step and no float changes.
        """
        if links is None or pairs > 1:
            return True
        blocks = sum(each.block is not None for each in self.copy(self.sequences[0], run, 0))
        steps = {*links.steps} - {0}
        is_series = steps <= {1} or (blocks > 1 and len(steps) == 1 and steps.isdisjoint(("rises", "falls")))
        return is_series and not any(kind in UNEXPECTED for kind, _ in links.values)

    def _with_own_tensors(self, run: Run, first: int, number: int, links: Links | None) -> int:
        """Return how many copies, from ``first`` on, read parameters of their own where not all read the same ones."""
        if links is None or all(links.shares):
            return number
        for sequence in self.sequences:
            seen: set[str] = set()
            for at in range(number):
                tensors = self._tensors(sequence, run, first + at)
                own = {
                    name for names, shared in zip(tensors, links.shares, strict=True) if not shared for name in names
                }
                if seen & own or self._sharing(run, first + at) != self._sharing(run, first):
                    number = at
                    break
                seen |= own
        return number

    def _tensors(self, sequence: Sequence[Item], run: Run, number: int) -> list[tuple[str, ...]]:
        return self.items.tensors(self.copy(sequence, run, number))

    def _sharing(self, run: Run, number: int) -> list[bool]:
        """Return which parameters of a copy are the same in the aligned sequences."""
        one, *others = (self._tensors(sequence, run, number) for sequence in self.sequences[:2])
        return [names == same for other in others for names, same in zip(one, other, strict=True)]

    # --- the readers of copies ---------------------------------------------------------------------

    def _shown_for(self, run: Run, first: int, last: int) -> int:
        """Return how many copies, from ``first`` to at most ``last``, one can represent."""
        number = last - first + 1
        if self.items.dataflow and number > 1:
            for sequence in self.sequences:
                number = min(number, self._most_copies(sequence, run, first, first + number - 1))
        return number

    def _most_copies(self, sequence: Sequence[Item], run: Run, first: int, last: int) -> int:
        """Return how many copies, from ``first`` on, are read alike by the rest of the model."""
        base: list[Exit] = []
        step: list[tuple[int, int]] | None = None
        for number in range(first, last):
            copy, following = self.copy(sequence, run, number), self.copy(sequence, run, number + 1)
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
        items, graph = self.items, self._graph
        start, end = copy[0].start, copy[-1].end
        until = end if following is None else following[-1].end
        found: list[Exit] = []
        for place in range(start, end):
            if start <= items.first_reader[place] and items.last_reader[place] < until:
                continue
            for reader, edge in graph.readers(items.keys[place]).items():
                there = items.place[reader]
                if start <= there < until:
                    continue
                reads = reads_of(edge) or [(WRITTEN, ())]
                found += [(place - start, items.part_number(part), there, slot) for slot, part in reads]
        return sorted(found)


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
