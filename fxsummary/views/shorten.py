"""Simplify and fold a graph with a long series of equal blocks by a few of them, which takes less time.

The first `FIRST` and the last `LAST` blocks stay. What becomes of them becomes of the whole series, because all blocks
are the same, read the same values or those of the block before, and are read by the next one only. If that is not sure,
`by_few` returns None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from fxsummary.graph.attributes import BLANK, NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.fold.symbols import DIGITS
from fxsummary.views.simplify import simplify

FIRST, LAST = 2, 2
"""Number of blocks that stay at the ends of a series, at least two each."""
LEAST_OPERATIONS = 1000
"""Number of operations that must be left out to be worth the search."""
MOST_LEVELS = 4
"""Number of levels of modules in which a series is sought, outer ones first."""

_PLACED = ("target", "module", "module_stack", "reads", "parameter_names", "storages", "in_use")
"""Attributes that depend on the place of a block."""
_contents = itemgetter(*[name for name in BLANK if name not in _PLACED])

Stack = tuple[ModuleCall, ...]


class Series(NamedTuple):
    """Blocks in a row: the place of the first operation, operations per block, the level and calls of the blocks."""

    start: int
    size: int
    level: int
    calls: Sequence[ModuleCall]

    @property
    def left_out(self) -> int:
        """Number of blocks that are left out."""
        return len(self.calls) - FIRST - LAST

    def places(self, number: int) -> slice:
        """Return the places of the operations of a block."""
        start = self.start + number * self.size
        return slice(start, start + self.size)


def by_few(graph: ModelGraph, fold: Callable[[ModelGraph], ModelGraph]) -> ModelGraph | None:
    """Return the graph simplified and folded, if a few blocks of a series show what becomes of it; else None.

    The graph itself is not changed.
    """
    if graph.comparison is not None or "repeats" in graph.graph:
        return None
    series = _longest(graph)
    if series is None or not _Blocks(graph, series).are_equal():
        return None
    simple = simplify(_shortened(graph, series), own=True)
    for _, data in simple.nodes(data=True):
        data["multiplicity"] = 1
    return _lengthened(fold(simple), series)


# --- the series ----------------------------------------------------------------------------------


def _longest(graph: ModelGraph) -> Series | None:
    """Return the longest series of the outermost level that has one."""
    stacks = _segments([data["module_stack"] for _, data in graph.nodes(data=True)])
    for level in range(MOST_LEVELS):
        longest = max(_series(stacks, level), key=lambda each: each.left_out * each.size, default=None)
        if longest is not None and longest.left_out * longest.size >= LEAST_OPERATIONS:
            return longest
    return None


def _segments(stacks: Sequence[Stack]) -> list[tuple[Stack, int]]:
    """Return the stacks without repetitions, each with its number of operations."""
    groups = [list(group) for _, group in groupby(stacks, key=id)]
    return [(group[0], len(group)) for group in groups]


def _series(stacks: Sequence[tuple[Stack, int]], level: int) -> Iterator[Series]:
    """Yield the series of siblings with this many calls around them; they are alike in size, class and path.

    No other block is of their class: it could make a longer pattern with them.
    """
    place = 0
    blocks: list[tuple[Stack, int, int]] = []
    for call, group in groupby(stacks, key=lambda each: each[0][level] if len(each[0]) > level else None):
        segments = list(group)
        size = sum([number for _, number in segments])
        blocks.append((segments[0][0][: level + 1] if call else (), place, size))
        place += size
    times = Counter(stack for stack, _, _ in blocks)
    types = Counter(stack[-1].type for stack, _, _ in blocks if stack)

    def look(block: tuple[Stack, int, int]) -> object:
        stack, place, size = block
        if times[stack] > 1 or not stack:
            return place
        return stack[:-1], stack[-1].type, DIGITS.sub("", stack[-1].path), size

    for _, alike in groupby(blocks, key=look):
        members = list(alike)
        if len(members) > FIRST + LAST and types[members[0][0][-1].type] == len(members):
            yield Series(members[0][1], members[0][2], level, [stack[-1] for stack, _, _ in members])


class _Blocks:
    """The blocks of a series, and how they look apart from their own names and places."""

    def __init__(self, graph: ModelGraph, series: Series) -> None:
        self._graph = graph
        self._series = series
        self._keys = list(graph)
        self._place = {key: place for place, key in enumerate(self._keys)}
        self._tensors = {each.name: each for module in graph.modules.values() for each in module.parameters}

    def are_equal(self) -> bool:
        """Return whether all blocks but the first are equal, and all but the last are read by the next one only."""
        looks = (self._values, self._operations, self._calls)
        second = [look(1) for look in looks]
        others = range(2, len(self._series.calls))
        is_usual = all(len(data) == len(BLANK) for data in self._nodes(1))
        return (
            is_usual
            and self._are_private()
            and all(look(each) == expected for each in others for look, expected in zip(looks, second, strict=True))
        )

    def _are_private(self) -> bool:
        """Return whether operations outside of the series read the last block at most."""
        begin, last = self._series.start, self._series.places(len(self._series.calls) - 1)
        outside = (*self._keys[:begin], *self._keys[last.stop :])
        return not any(begin <= self._place[each] < last.start for key in outside for each in self._graph.sources(key))

    def _values(self, number: int) -> object:
        """Return the edges to the operations of a block, with distances from its start to sources in the series."""
        begin, places = self._series.start, self._series.places(number)
        end = self._series.places(len(self._series.calls)).start
        sources = list(map(self._graph.sources, self._keys[places]))
        found = [self._place[source] for each in sources for source in each]
        distances = [at - places.start if begin <= at < end else at + len(self._keys) for at in found]
        return [*map(len, sources)], distances, [edge for each in sources for edge in each.values()]

    def _operations(self, number: int) -> object:
        """Return the attributes of the operations of a block, with names from inside of it."""
        nodes = self._nodes(number)
        path = self._series.calls[number].path
        reads = [name for data in nodes for name in data["reads"]]
        tensors = [self._tensors.get(name) for name in reads]
        named = [(data["target"], data["module"], *data["parameter_names"]) for data in nodes]
        names = [name for each in (*named, reads) for name in each]
        modules = [self._graph.modules.get(data["target"]) for data in nodes if data["op"] == "call_module"]
        return (
            [(len(data), len(data["reads"]), _contents(data)) for data in nodes],
            [*map(len, named)],
            _inside(names, path),
            [each and (each.spec, each.trainable) for each in tensors],
            [each and each.training for each in modules],
        )

    def _calls(self, number: int) -> object:
        """Return the module calls in a block, with names from inside of it, and where they are."""
        level, returned = self._series.level, self._graph.returned
        path = self._series.calls[number].path
        segments = _segments([data["module_stack"] for data in self._nodes(number)])
        around = [call for stack, _ in segments for call in stack[level:]]
        numbers = {call: place for place, call in enumerate(dict.fromkeys(around))}
        calls = [(call.type, call.call, returned.get(call)) for call in numbers]
        return (
            _inside([call.path for call in numbers], path),
            calls,
            list(map(numbers.__getitem__, around)),
            [(len(stack), size) for stack, size in segments],
        )

    def _nodes(self, number: int) -> list[NodeData]:
        return list(map(self._graph.data, self._keys[self._series.places(number)]))


def _inside(names: Iterable[str], path: str) -> list[str | bool]:
    """Return what follows the path of a module in each dotted name; True for the module itself, else the whole name.

    >>> _inside(["layers.1.fc", "layers.1", "layers.10"], "layers.1")
    ['.fc', True, 'layers.10']
    """
    inside, length = f"{path}.", len(path)
    return [name[length:] if name.startswith(inside) else name == path or name for name in names]


# --- shorter and longer --------------------------------------------------------------------------


def _shortened(graph: ModelGraph, series: Series) -> ModelGraph:
    """Return the graph without the inner blocks; the multiplicity of the last one before them counts them, too."""
    keys = list(graph)
    last, first, end = (series.places(number) for number in (FIRST - 1, FIRST, len(series.calls) - LAST))
    kept = dict.fromkeys((*keys[: first.start], *keys[end.start :]))
    next_ones = dict(zip(keys[first], keys[end], strict=True))
    nodes = {key: graph.data(key).copy() for key in kept}
    for key in keys[last]:
        nodes[key]["multiplicity"] += series.left_out
    edges = (
        (source, target, edge.copy())
        for source in kept
        for reader, edge in graph.readers(source).items()
        if (target := next_ones.get(reader, reader)) in kept
    )
    return graph.derived(nodes.items(), edges)


def _lengthened(folded: ModelGraph, series: Series) -> ModelGraph | None:
    """Return the folded graph with the number of copies in the whole series; None if they did not become one run.

    None also if anything refers to single copies. The folded graph is changed.
    """
    runs, copies = folded.graph.get("repeats", {}), folded.graph.get("module_copies", {})
    name = next((call for call in (*series.calls[:FIRST], *series.calls[-LAST:]) if call in runs), None)
    paths = [call.path for call in series.calls]
    shown = copies.get(name.path, ()) if name else ()
    if name is None or len(shown) != runs[name].count or not {paths[FIRST - 1], paths[-LAST]} <= {*shown}:
        return None
    inside = [data for _, data in folded.nodes(data=True) if name in data["module_stack"]]
    numbered = folded.graph["copies_read"] or folded.graph["own_values"]
    if numbered or any("each_copy" in each for each in inside) or any(each.each for each in folded.returned.values()):
        return None
    at = shown.index(paths[FIRST - 1]) + 1
    every = (*shown[:at], *paths[FIRST:-LAST], *shown[at:])
    for data in inside:
        data["multiplicity"] = data["multiplicity"] // len(shown) * len(every)
    folded.graph["repeats"] = {**runs, name: replace(runs[name], count=len(every))}
    folded.graph["module_copies"] = {path: _copied(each, name.path, shown, every) for path, each in copies.items()}
    return folded


def _copied(paths: tuple[str, ...], first: str, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the copies of a module in the ``new`` copies of a block, from those in the ``old`` ones.

    >>> _copied(("a.0.fc", "a.3.fc"), "a.0", ("a.0", "a.3"), ("a.0", "a.1", "a.3"))
    ('a.0.fc', 'a.1.fc', 'a.3.fc')
    """
    inner = [path[len(first) :] for path in paths if f"{path}.".startswith(f"{first}.")]
    if tuple([copy + path for copy in old for path in inner]) != paths:
        return paths
    return tuple([copy + path for copy in new for path in inner])
