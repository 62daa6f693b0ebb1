"""Simplify and fold a graph with a long series of equal blocks by means of a few of them, which takes less time.

The first `FIRST` and the last `LAST` blocks stay. What simplifying and folding make of them holds for the whole series,
because all blocks are the same, read the same values or those of the block before, and are read by the next one only.
Wherever this is not sure, `by_few` returns None, and the whole graph is to be simplified and folded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, cast

from fxsummary.graph.attributes import BLANK, EdgeData, NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, ParameterInfo
from fxsummary.views.fold.symbols import DIGITS
from fxsummary.views.simplify import simplify

FIRST, LAST = 3, 2
"""Number of blocks that stay at both ends of a series."""
LEAST_OPERATIONS = 1000
"""Number of operations that a series must leave out."""
MOST_LEVELS = 4
"""Number of levels of modules that are searched for a series."""

_PLACED = ("target", "module", "module_stack", "reads", "parameter_names")
"""Attributes that name the block."""
_others = itemgetter(*[name for name in BLANK if name not in _PLACED])
_named = itemgetter(*[name for name in _PLACED if name != "module_stack"])

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

    def place(self, number: int) -> int:
        """Return the place of the first operation of a block."""
        return self.start + number * self.size


def by_few(graph: ModelGraph, fold: Callable[[ModelGraph], ModelGraph]) -> ModelGraph | None:
    """Return the graph simplified and folded by ``fold``; None unless a few blocks of a series show what becomes of it.

    The graph itself is not changed.
    """
    series = _longest(graph) if graph.comparison is None and "repeats" not in graph.graph else None
    if series is None or not _Comparison(graph, series).holds():
        return None
    simple = simplify(_shortened(graph, series), own=True)
    for _, data in simple.nodes(data=True):
        data["multiplicity"] = 1
    return _lengthened(fold(simple), series)


def _longest(graph: ModelGraph) -> Series | None:
    """Return the series with the most operations to leave out."""
    same = [list(group) for _, group in groupby([data["module_stack"] for _, data in graph.nodes(data=True)], key=id)]
    stacks = [(group[0], len(group)) for group in same]
    found = [each for level in range(MOST_LEVELS) for each in _series(stacks, level)]
    longest = max(found, key=lambda each: each.left_out * each.size, default=None)
    return longest if longest and longest.left_out * longest.size >= LEAST_OPERATIONS else None


def _series(stacks: Sequence[tuple[Stack, int]], level: int) -> Iterator[Series]:
    """Yield the series of siblings with this many calls around them; they are alike in size, class and path."""
    place, blocks = 0, []
    for stack, group in groupby(stacks, key=lambda each: each[0][: level + 1]):
        size = sum(number for _, number in group)
        blocks.append((stack, place, size))
        place += size
    times = Counter(stack for stack, _, _ in blocks)

    def look(block: tuple[Stack, int, int]) -> object:
        stack, place, size = block
        is_block = len(stack) > level and times[stack] == 1
        return (stack[:level], stack[level].type, DIGITS.sub("", stack[level].path), size) if is_block else place

    for _, group_of in groupby(blocks, key=look):
        members = list(group_of)
        if len(members) > FIRST + LAST:
            yield Series(members[0][1], members[0][2], level, [stack[level] for stack, _, _ in members])


class _Comparison:
    """Compares the blocks of a series, from the third one on with the second one."""

    def __init__(self, graph: ModelGraph, series: Series) -> None:
        self._graph = graph
        self._series = series
        self._keys = list(graph)
        self._nodes = [data for _, data in graph.nodes(data=True)]
        self._place = {key: place for place, key in enumerate(self._keys)}
        self._tensors = {each.name: each for module in graph.modules.values() for each in module.parameters}

    def holds(self) -> bool:
        """Return whether all blocks are equal, and only the next block or readers of the last one read them."""
        series = self._series
        first = series.place(1)
        usual = [len(self._nodes[place]) == len(BLANK) for place in range(first, first + series.size)]
        if not all(usual) or not self._are_private():
            return False
        reads = [self._reads(place, first) for place in range(first, first + series.size)]
        contents = [_others(self._nodes[place]) for place in range(first, first + series.size)]
        return all(self._is_equal(number, contents, reads) for number in range(2, len(series.calls)))

    def _are_private(self) -> bool:
        """Return whether operations outside of the series read nothing of it but of its last block."""
        inside = range(self._series.start, self._series.place(len(self._series.calls)))
        own = range(self._series.start, self._series.place(len(self._series.calls) - 1))
        outside = (*self._keys[: inside.start], *self._keys[inside.stop :])
        return not any(self._place[source] in own for key in outside for source in self._graph.sources(key))

    def _reads(self, place: int, start: int) -> list[tuple[int | str, EdgeData]]:
        """Return what an operation reads: distances from the start of its block, and keys outside of the series."""
        found: list[tuple[int | str, EdgeData]] = []
        for source, edge in self._graph.sources(self._keys[place]).items():
            distance = self._place[source] - start
            found.append((distance if -self._series.size <= distance < self._series.size else source, edge))
        return found

    def _is_equal(self, number: int, contents: Sequence[object], reads: Sequence[object]) -> bool:
        """Return whether a block has the same contents as the second one, and reads the same."""
        start, first = self._series.place(number), self._series.place(1)
        names = _Names(self._series.calls[1].path, self._series.calls[number].path)
        stacks: set[tuple[int, int]] = set()
        for at in range(self._series.size):
            one, other = self._nodes[first + at], self._nodes[start + at]
            if len(other) != len(one) or _others(other) != contents[at] or self._reads(start + at, start) != reads[at]:
                return False
            if not self._are_named_alike(one, other, names):
                return False
            stack, other_stack = one["module_stack"], other["module_stack"]
            if (id(stack), id(other_stack)) not in stacks:
                stacks.add((id(stack), id(other_stack)))
                if not self._are_called_alike(stack, other_stack, names):
                    return False
        return True

    def _are_named_alike(self, one: NodeData, other: NodeData, names: _Names) -> bool:
        """Return whether two operations have the same names in their blocks, and read tensors of the same look."""
        target, module, reads, counted = _named(one)
        if (names[target], names[module]) != (other["target"], other["module"]):
            return False
        if not reads and not other["reads"]:
            return counted == other["parameter_names"]
        return (
            tuple([names[name] for name in reads]) == other["reads"]
            and tuple([names[name] for name in counted]) == other["parameter_names"]
            and list(map(self._look, reads)) == list(map(self._look, other["reads"]))
        )

    def _look(self, name: str) -> object:
        tensor: ParameterInfo | None = self._tensors.get(name)
        return tensor and (tensor.spec, tensor.trainable)

    def _are_called_alike(self, stack: Stack, other: Stack, names: _Names) -> bool:
        """Return whether two stacks are the same in their blocks, and the calls of their modules return the same."""
        level, returned = self._series.level, self._graph.returned
        if len(stack) != len(other):
            return False
        return all(
            (names[one.path], one.type, one.call) == each and returned.get(one) == returned.get(each)
            for one, each in zip(stack[level:], other[level:], strict=True)
        )


class _Names(dict[str, str]):
    """The names in one block by those in another one."""

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def __missing__(self, name: str) -> str:
        self[name] = result = _renamed(name, self._old, self._new)
        return result


def _renamed(name: str, old: str, new: str) -> str:
    """Return a dotted name in a module of another name; names outside of the module stay.

    >>> _renamed("layers.1.fc", "layers.1", "layers.2"), _renamed("layers.10", "layers.1", "layers.2")
    ('layers.2.fc', 'layers.10')
    """
    return new + name[len(old) :] if name == old or name.startswith(f"{old}.") else name


def _shortened(graph: ModelGraph, series: Series) -> ModelGraph:
    """Return the graph without the inner blocks; the multiplicity of the last one before them counts them, too."""
    keys = list(graph)
    last = series.place(FIRST - 1)
    cut, end = series.place(FIRST), series.place(len(series.calls) - LAST)
    kept = dict.fromkeys((*keys[:cut], *keys[end:]))
    next_ones = dict(zip(keys[cut : cut + series.size], keys[end : end + series.size], strict=True))
    nodes = {key: graph.data(key).copy() for key in kept}
    for key in keys[last:cut]:
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

    The folded graph is changed.
    """
    runs, copies = folded.graph.get("repeats", {}), folded.graph.get("module_copies", {})
    name = next((call for call in (*series.calls[:FIRST], *series.calls[-LAST:]) if call in runs), None)
    paths = [call.path for call in series.calls]
    shown = copies.get(name.path, ()) if name else ()
    if name is None or len(shown) != runs[name].count or not {paths[FIRST - 1], paths[-LAST]} <= {*shown}:
        return None
    at = shown.index(paths[FIRST - 1]) + 1
    every = (*shown[:at], *paths[FIRST:-LAST], *shown[at:])
    inside = [data for _, data in folded.nodes(data=True) if name in data["module_stack"]]
    if not _are_separate(folded, name) or not all(_multiplied(data, len(shown), len(every)) for data in inside):
        return None
    folded.graph["repeats"] = {**runs, name: replace(runs[name], count=len(every))}
    folded.graph["module_copies"] = {path: _copied(each, name.path, shown, every) for path, each in copies.items()}
    return folded


def _are_separate(folded: ModelGraph, name: ModuleCall) -> bool:
    """Return whether nothing refers to single copies of a run, or of runs inside."""
    inside = {key for key, stack in folded.nodes(data="module_stack") if name in stack}
    calls = {call for key in inside for call in folded.data(key)["module_stack"]}
    readers = {target for target, _ in folded.graph["copies_read"]} - inside
    return (
        not any(target in inside or any(start in inside for start, _, _ in values)
                for (target, _), values in folded.graph["own_values"].items())
        and not any(source in inside for target in readers for source in folded.sources(target))
        and not any(call in folded.returned and folded.returned[call].each for call in calls)
    )  # fmt: skip


def _multiplied(data: NodeData, old: int, new: int) -> bool:
    """Give an operation as many copies as a run of ``new`` instead of ``old`` copies has; False if these differ."""
    each_copy = cast("dict[str, tuple[Any, ...]]", data.get("each_copy", {}))
    one = {name: values[: len(values) // old] for name, values in each_copy.items()}
    if any(one[name] * old != values for name, values in each_copy.items()):
        return False
    data["multiplicity"] = data["multiplicity"] // old * new
    if each_copy:
        data["each_copy"] = {name: values * new for name, values in one.items()}
    return True


def _copied(paths: tuple[str, ...], first: str, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the copies of a module in the ``new`` copies of a block, from those in the ``old`` ones.

    >>> _copied(("a.0.fc", "a.3.fc"), "a.0", ("a.0", "a.3"), ("a.0", "a.1", "a.3"))
    ('a.0.fc', 'a.1.fc', 'a.3.fc')
    """
    inner = [path for path in paths if _renamed(path, first, "") != path]
    if [_renamed(path, first, copy) for copy in old for path in inner] != [*paths]:
        return paths
    return tuple([_renamed(path, first, copy) for copy in new for path in inner])
