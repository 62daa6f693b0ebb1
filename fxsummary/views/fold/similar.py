"""Runs of similar copies: of the same structure with other sizes, such as the layers of a DenseNet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise, takewhile

from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import differing, of_each_copy
from fxsummary.graph.spec import leaves
from fxsummary.views.fold.candidates import Run
from fxsummary.views.fold.items import Item, Items, Value
from fxsummary.views.fold.links import Step
from fxsummary.views.fold.runs import Search, chosen, equal_runs
from fxsummary.views.fold.symbols import RATES, numbers_of

LEAST_COPIES = 3
"""Number of similar copies from which they fold: two rows of each three are saved."""
LEAST_ROWS = 12
"""Number of rows that a run of similar copies must save; fewer are read sooner than ranges."""


def find_runs(items: Items, sequences: Sequence[Sequence[Item]], *, similar: bool) -> list[Run]:
    """Return the runs to fold, in order.

    Args:
        sequences: aligned copies of one sequence of items; a run must hold in all of them.
        similar: also return runs of similar copies. They may replace runs of equal ones that are less than half of
            them.
    """
    equal = equal_runs(items, sequences)
    if not similar or not _may_be_similar(sequences[0], equal):
        return sorted(equal)
    found = chosen(_SimilarSearch(items, sequences), equal)
    return sorted([*found, *(run for run in equal if not any(one.start <= run.start < one.end for one in found))])


def _may_be_similar(sequence: Sequence[Item], equal: Iterable[Run]) -> bool:
    """Return whether a class or a line of source occurs often enough, outside the runs of equal copies."""
    taken = {index for run in equal for index in range(run.start, run.end)}
    free = [each for index, each in enumerate(sequence) if index not in taken]
    names = Counter(each.source if each.block is None else each.block.type for each in free)
    return any(number >= LEAST_COPIES for name, number in names.items() if name)


class _SimilarSearch(Search):
    """Finds runs whose copies differ in sizes: of blocks, or of operations of the same lines of source.

    Integers in the settings may differ if they are sizes of what the operation reads or returns, or count up; floats
    if they only rise or only fall.
    """

    def symbol(self, item: Item) -> int:
        return self.items.symbols.similar(item.symbol)

    def longer(self, run: Run) -> Iterable[Run]:
        return ()

    def saved(self, run: Run) -> int:
        one, other = (self.copy(self.sequences[0], run, number) for number in range(2))
        saved = (run.copies - 1) * sum(each.rows for each in one)
        codes = [each.code for each in one]
        is_loop = any(codes) and codes == [each.code for each in other]
        is_one = is_loop or any(each.block is not None for each in one)
        return saved if is_one and run.copies >= LEAST_COPIES and saved >= LEAST_ROWS else 0

    def steps(self, before: Sequence[Item], after: Sequence[Item]) -> tuple[Step, ...]:
        return ()

    def are_alike(self, one: Value, other: Value) -> bool:
        items, similar = self.items, self.items.symbols.similar
        if super().are_alike(one, other):
            return True
        if items.is_free(one) or items.is_free(other):
            return False
        return similar(items.operations[one[0]][0]) == similar(items.operations[other[0]][0])

    def parts(self, run: Run) -> list[Run]:
        parts = [Run(part.start, part.period, self._agreeing(part)) for part in super().parts(run)]
        return [part for part in parts if part.copies >= LEAST_COPIES]

    def _agreeing(self, run: Run) -> int:
        """Return how many copies, from the first on, have integers that agree."""
        number = run.copies
        for sequence in self.sequences:
            copies = [self.copy(sequence, run, each) for each in range(number)]
            for places in zip(*[range(copy[0].start, copy[-1].end) for copy in copies], strict=True):
                number = min(number, agreeing(self.items, places))
        return number


def agreeing(items: Items, places: Sequence[int], *, may_count: bool = True) -> int:
    """Return how many operations, from the first on, have settings whose numbers agree.

    Args:
        places: of operations of the same structure; may_count: whether numbers may also count up.
    """
    nodes = [items.graph.nodes[items.keys[place]] for place in places]
    settings = [tuple([of_each_copy(data, name)[0] for name in RATES]) for data in nodes]
    if len(set(settings)) == 1 or is_drop(nodes[0]["label"]):
        return len(places)
    counts = may_count and nodes[0]["flops"] == 0 and nodes[0]["op"] in ("call_function", "call_method")
    sizes = [_sizes(items.graph, items.keys[place]) for place in places]
    columns = zip(*[numbers_of(*texts) for texts in settings], strict=True)
    return min((_prefix(column, sizes, counts) for column in columns), default=len(places))


def _sizes(graph: ModelGraph, key: str) -> set[int]:
    """Return the sizes of what an operation reads and returns, in all its copies."""
    nodes = [graph.nodes[each] for each in (*graph.sources(key), key)]
    values = [differing(data, "outputs") or data["outputs"] for data in nodes]
    return {size for value in values for spec in leaves(value) for size in spec.shape}


def _prefix(numbers: Sequence[float], sizes: Sequence[set[int]], counts: bool) -> int:
    """Return how many numbers, from the first on, are equal, sizes, or count up in equal steps (if it ``counts``).

    Floats do not count up: they only rise or only fall.

    >>> _prefix([3, 3, 5], [{3}, {3}, {8}], False), _prefix([64, 96, 8], [{64}, {96}, {8}], False)
    (2, 3)
    >>> _prefix([0, 1, 2], [set(), {1}, set()], True), _prefix([0.9, 0.5, 0.5, 0.7], [set()] * 4, True)
    (3, 3)
    """
    if not all(isinstance(number, int) for number in numbers):
        return _one_way(numbers) if counts else _leading(number == numbers[0] for number in numbers)
    step = numbers[1] - numbers[0] if counts else 0
    in_steps = _leading(number == numbers[0] + place * step for place, number in enumerate(numbers))
    return max(in_steps, _leading(number in known for number, known in zip(numbers, sizes, strict=True)))


def _leading(values: Iterable[bool]) -> int:
    """Return how many values, from the first on, are true."""
    return sum(1 for _ in takewhile(bool, values))


def _one_way(numbers: Sequence[float]) -> int:
    """Return how many numbers, from the first on, do not fall, or do not rise.

    >>> _one_way([1, 1, 0.5, 0.5, 2]), _one_way([0.1, 0.5, 1, 3])
    (4, 4)
    """
    pairs = list(pairwise(numbers))
    return 1 + max(_leading(a <= b for a, b in pairs), _leading(a >= b for a, b in pairs))
