"""Align two sequences in order, so that the pairs are as similar as possible."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher

from fxsummary.text.numbers import common

MOST_PAIRS = 40_000
"""With more pairs than this, identical items are aligned first, and then the gaps between them."""

IDENTICAL = 0.9
"""How much more an identical pair counts; a little less than a common name does."""

Signs = Sequence[Hashable]
Likeness = Callable[[int, int], float]
Pair = tuple[int | None, int | None]


def aligned(one: Signs, other: Signs, likeness: Likeness, names: tuple[Signs, Signs] | None = None) -> list[Pair]:
    """Return pairs of indices, each index once; None for an item without a counterpart.

    Signatures are equal for identical items. ``likeness`` is greater than 0 for two indices that may be a pair. Among
    many identical items, such as layers, those with the same ``names`` are pairs.

    >>> aligned("abbd", "abbbd", lambda i, j: 0.0)
    [(0, 0), (1, 1), (2, 2), (None, 3), (3, 4)]
    >>> aligned("abd", "aXd", lambda i, j: 1.0)
    [(0, 0), (1, 1), (2, 2)]
    """
    start = common(one, other)
    ends = (
        (one, other)
        if names is None
        else (list(zip(one, names[0], strict=True)), list(zip(other, names[1], strict=True)))
    )
    tail = common(*[end[start:][::-1] for end in ends])
    pairs: list[Pair] = [(place, place) for place in range(start)]
    pairs += _middle(one, other, range(start, len(one) - tail), range(start, len(other) - tail), likeness)
    pairs += [(len(one) - back, len(other) - back) for back in range(tail, 0, -1)]
    return pairs


def _middle(one: Signs, other: Signs, rows: range, columns: range, likeness: Likeness) -> Iterator[Pair]:
    if len(rows) * len(columns) <= MOST_PAIRS:
        yield from _best(one, other, rows, columns, likeness)
        return
    matcher = SequenceMatcher(None, one[rows.start : rows.stop], other[columns.start : columns.stop], autojunk=False)
    at, to = rows.start, columns.start
    for i, j, length in matcher.get_matching_blocks():
        i, j = i + rows.start, j + columns.start
        if (i - at) * (j - to) <= MOST_PAIRS:
            yield from _best(one, other, range(at, i), range(to, j), likeness)
        else:
            yield from ((place, None) for place in range(at, i))
            yield from ((None, place) for place in range(to, j))
        yield from ((i + step, j + step) for step in range(length))
        at, to = i + length, j + length


def _best(one: Signs, other: Signs, rows: range, columns: range, likeness: Likeness) -> list[Pair]:
    """Return the alignment with the greatest total similarity, by dynamic programming."""
    if not rows or not columns:
        return [*((i, None) for i in rows), *((None, j) for j in columns)]
    value = [[0.0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    alike = [[0.0] * len(columns) for _ in rows]
    for a in reversed(range(len(rows))):
        for b in reversed(range(len(columns))):
            number = likeness(rows[a], columns[b]) + IDENTICAL * (one[rows[a]] == other[columns[b]])
            alike[a][b] = number
            best = max(value[a + 1][b], value[a][b + 1])
            value[a][b] = max(best, value[a + 1][b + 1] + number) if number else best
    pairs: list[Pair] = []
    a = b = 0
    while a < len(rows) and b < len(columns):
        if alike[a][b] and value[a][b] == value[a + 1][b + 1] + alike[a][b]:
            pairs.append((rows[a], columns[b]))
            a, b = a + 1, b + 1
        elif value[a][b] == value[a + 1][b]:
            pairs.append((rows[a], None))
            a += 1
        else:
            pairs.append((None, columns[b]))
            b += 1
    return pairs + [(i, None) for i in rows[a:]] + [(None, j) for j in columns[b:]]
