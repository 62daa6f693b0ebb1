"""Candidates for runs: stretches of a sequence of items in which equal symbols come back at equal distances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from itertools import accumulate, groupby
from operator import eq
from typing import NamedTuple

from fxsummary.views.fold.items import Item, Items

MOST_PERIODS = 48
"""Number of distances between equal symbols that are tried as periods, the most frequent first."""
GRAMS = (1, 2, 4, 8)
"""Numbers of neighbouring symbols whose distance to the next equal ones is a possible period."""
MOST_IN_TURN = 4
"""Number of equal items that may correspond only as a group, because they read several values in turn."""


class Run(NamedTuple):
    """Consecutive copies in a sequence: the index of the first item, items per copy, number of copies."""

    start: int
    period: int
    copies: int

    @property
    def end(self) -> int:
        """Index after the last item."""
        return self.start + self.period * self.copies


def with_longer_periods(run: Run) -> Iterator[Run]:
    """Yield the runs of two, three or four of its copies each: they may correspond where single ones do not."""
    for times in range(2, min(MOST_IN_TURN, run.copies // 2) + 1):
        yield Run(run.start, times * run.period, run.copies // times)


def free_parts(run: Run, is_free: Sequence[bool], others: Sequence[Run]) -> Iterator[Run]:
    """Yield the parts of a run that no run has taken, nor one of the ``others``.

    It may take those of the others that are inside of it and below half of it, or half of it if they are two copies.
    """
    free = list(is_free[run.start : run.end])
    for other in others:
        is_inside = run.start <= other.start and other.end <= run.end
        share = (other.end - other.start) / (run.end - run.start)
        if not is_inside or share > 0.5 or (share == 0.5 and other.copies > 2):
            taken = range(max(other.start, run.start), min(other.end, run.end))
            free[:] = [each and place not in taken for place, each in enumerate(free, start=run.start)]
    start = run.start
    for each, group in groupby(free):
        length = len(list(group))
        if each and length >= 2 * run.period:
            yield Run(start, run.period, length // run.period)
        start += length


def _symbols(items: Items, sequence: Sequence[Item], symbol_of: Callable[[Item], int]) -> list[int]:
    """Return the symbols of a sequence; items that read different masks, tables or other free values differ."""
    intern = items.symbols.intern
    symbols = [
        symbol_of(each) if each.block is not None else intern((symbol_of(each), each.stem, "operation"))
        for each in sequence
    ]
    read = [
        frozenset(
            [
                items.content(value)
                for value in each.reads
                if not each.start <= value[0] < each.end and items.is_free(value)
            ]
        )
        for each in sequence
    ]
    shared = _shared(symbols, read)
    return [
        intern((symbol, values)) if (values := each & shared.get(symbol, frozenset())) else symbol
        for symbol, each in zip(symbols, read, strict=True)
    ]


def _shared(symbols: Sequence[int], read: Sequence[Set[Hashable]]) -> dict[int, Set[Hashable]]:
    """Return the values that tell items of a symbol apart: each has several readers, and most items read one.

    They do not if they are many for so few items: two loops over the same codebooks read each of them twice.

    >>> _shared([1, 1, 1, 1, 1], [{"far"}, {"near"}, {"near"}, {"far"}, set()]) == {1: {"far", "near"}}
    True
    >>> _shared([1, 1, 1, 1, 1, 1], [{0}, {1}, {2}, {0}, {1}, {2}]), _shared([1, 1, 1, 1, 1], [{0}, {0}, {1}, {2}, {3}])
    ({}, {})
    """
    number = Counter(symbols)
    readers = Counter((symbol, value) for symbol, values in zip(symbols, read, strict=True) for value in values)
    found: dict[int, set[Hashable]] = {}
    for (symbol, value), times in readers.items():
        if times > 1:
            found.setdefault(symbol, set()).add(value)
    return {
        symbol: values
        for symbol, values in found.items()
        if len(values) ** 2 <= number[symbol] <= 2 * sum(readers[symbol, value] for value in values)
    }


def candidates(items: Items, sequence: Sequence[Item], symbol_of: Callable[[Item], int]) -> list[Run]:
    """Return all maximal runs of equal symbols, for the periods that are most frequent."""
    symbols = _symbols(items, sequence, symbol_of)

    def reach(place: int) -> int | None:
        item = sequence[place]
        return items.last_reader[item.start] - item.start if item.block is None else None

    lines = Lines([each.source for each in sequence], reach)
    distances: Counter[int] = Counter()
    for length in GRAMS:  # a symbol that occurs several times in a copy hides the period
        last: dict[tuple[int, ...], int] = {}
        for index, gram in enumerate(zip(*[symbols[start:] for start in range(length)], strict=False)):
            if gram in last:
                distances[index - last[gram]] += 1
            last[gram] = index
    found = []
    for period, _ in distances.most_common(MOST_PERIODS):
        start = 0
        for equal, group in groupby(map(eq, symbols, symbols[period:])):
            length = len(list(group))
            if equal and length >= period:
                first = first_of_copy(symbols, lines, start, period, length + period)
                found.append(Run(first, period, (length + period) // period))
            start += length
    return found


class Lines(NamedTuple):
    """Where operations in a row come from.

    Attributes:
        reach: returns how much later the value of an operation is last read, 0 if nothing reads it; None for a block.
    """

    sources: Sequence[str]
    reach: Callable[[int], int | None]


def first_of_copy(symbols: Sequence[object], lines: Lines, start: int, period: int, length: int) -> int:
    """Return where the first copy starts in a stretch of equal copies.

    If there is room, that is where the fewest values are read later and the lines of source jump back, as at the start
    of a loop, and where equal symbols end. Values are not counted if there are blocks.

    >>> lines = Lines(["f:1", "f:1", "f:2", "f:1", "f:2", "f:3"], [1, 1, 1, 1, 1, 0].__getitem__)
    >>> first_of_copy("aababc", lines, 1, 2, 4), first_of_copy("cbabab", lines, 1, 2, 5)
    (1, 1)
    """
    last = start + period + length % period
    reach = list(map(lines.reach, range(start, last if length % period else start)))
    read_later = [0] * (length % period + 2)  # of the values of the copy before each place
    for place, far in enumerate(reach if None not in reach else (), start=start):
        first, end = max(place + 1, start + period), min(place + min(far or 0, period), last)
        if first <= end:
            read_later[first - start - period] += 1
            read_later[end + 1 - start - period] -= 1

    def rank(place: int) -> tuple[int, bool, bool, int]:
        before = place + period - 1
        is_start = _jumps_back(lines.sources[before], lines.sources[place])
        return number[place], not is_start, symbols[place] == symbols[before], place

    number = dict(enumerate(accumulate(read_later[:-1]), start=start))
    return min(number, key=rank)


def _jumps_back(before: str, after: str) -> bool:
    """Return whether a line of source comes earlier in its file than the one before; False if it has no number.

    >>> _jumps_back("net.py:9", "net.py:7"), _jumps_back("net.py:9", "net.py:9"), _jumps_back("net.py:9", "other.py:7")
    (True, False, False)
    >>> _jumps_back("net.py:a", "net.py:7"), _jumps_back("", "")
    (False, False)
    """
    (file, _, line), (same, _, next_line) = before.rpartition(":"), after.rpartition(":")
    are_numbers = line.isdecimal() and next_line.isdecimal()
    return file == same and are_numbers and int(next_line) < int(line)
