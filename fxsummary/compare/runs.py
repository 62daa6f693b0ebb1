"""Align two long sequences by their runs of copies, such as the steps of a loop: copy k before is copy k after."""

from __future__ import annotations

from collections.abc import Hashable

from fxsummary.compare.sequences import Likeness, Pair, Signs, aligned
from fxsummary.views.blocks import Block
from fxsummary.views.fold.candidates import Run
from fxsummary.views.fold.items import Items
from fxsummary.views.fold.runs import equal_runs

LEAST_COMMON = 0.5
"""Share of the items of a copy that two runs have in common at least."""


def runs_in(items: Items, block: Block) -> list[Run]:
    """Return the items of a block in order, as runs of copies; other items are runs of one."""
    item = next(each for each in items.root.walk() if each.block is block)
    found = equal_runs(items, [item.items])
    runs: list[Run] = []
    at = 0
    for run in [*sorted(found), Run(len(block.items), 1, 0)]:
        runs += [Run(each, 1, 1) for each in range(at, run.start)]
        at = run.end
        runs += [run] * (run.copies > 0)
    return runs


def aligned_by_runs(
    signs: tuple[Signs, Signs], likeness: Likeness, names: tuple[Signs, Signs], runs: tuple[list[Run], list[Run]]
) -> list[Pair]:
    """Return pairs of indices as `aligned` does, given all items of both sequences as runs."""
    before, after = runs
    one, other = signs

    def inside(a: Run, b: Run) -> list[Pair]:
        """Return the pairs of the items in a copy, relative to its start."""
        rows, columns = range(a.start, a.start + a.period), range(b.start, b.start + b.period)
        signs = [one[at] for at in rows], [other[at] for at in columns]
        return aligned(*signs, lambda i, j: likeness(rows[i], columns[j]))

    def alike(i: int, j: int) -> float:
        a, b = before[i], after[j]
        if a.copies == b.copies == 1:
            return likeness(a.start, b.start)
        common = sum(None not in pair for pair in inside(a, b)) / max(a.period, b.period)
        return 1.0 + common if 1 not in (a.copies, b.copies) and common >= LEAST_COMMON else 0.0

    rows, columns = ([_of_run(sign, run) for run in found] for sign, found in zip(signs, runs, strict=True))
    called = [names[0][run.start] for run in before], [names[1][run.start] for run in after]
    pairs: list[Pair] = []
    for i, j in aligned(rows, columns, alike, called):
        a, b = Run(0, 1, 0) if i is None else before[i], Run(0, 1, 0) if j is None else after[j]
        shared = min(a.copies, b.copies)
        in_copy = inside(a, b) if shared else []
        for copy in range(shared):
            start, begin = a.start + copy * a.period, b.start + copy * b.period
            pairs += [(x if x is None else start + x, y if y is None else begin + y) for x, y in in_copy]
        pairs += [(at, None) for at in range(a.start + shared * a.period, a.end)]
        pairs += [(None, at) for at in range(b.start + shared * b.period, b.end)]
    return pairs


def _of_run(signs: Signs, run: Run) -> Hashable:
    return (*signs[run.start : run.start + run.period], run.copies > 1)
