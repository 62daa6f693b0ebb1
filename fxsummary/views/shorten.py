"""Simplify and fold a graph with a long series of equal blocks by a few of them, which takes less time.

The first `FIRST` and the last `LAST` blocks stay. What becomes of them becomes of the whole series, because all blocks
are the same, read the same values or those of the block before, and are read by the next one and the model's output
only. If that is not sure, `by_few` returns None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter

from fxsummary.graph.attributes import BLANK, NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.exits import Exits, exits_of
from fxsummary.views.series import FIRST, LAST, Series, longest, segments
from fxsummary.views.simplify import simplify

_PLACED = ("target", "module", "module_stack", "reads", "parameter_names", "storages", "in_use")
"""Attributes that depend on the place of a block."""
_contents = itemgetter(*[name for name in BLANK if name not in _PLACED])
_REMARKS = ("writes", "no_grad")
"""Attributes that few operations have, and that do not depend on the place of a block."""


def by_few(graph: ModelGraph, fold: Callable[[ModelGraph], ModelGraph]) -> ModelGraph | None:
    """Return the graph simplified and folded, if a few blocks of a series show what becomes of it; else None.

    The graph itself is not changed.
    """
    if graph.comparison is not None or "repeats" in graph.graph:
        return None
    series = longest(graph)
    blocks = _Blocks(graph, series) if series is not None else None
    if series is None or blocks is None or blocks.exits is None or not blocks.are_equal():
        return None
    simple = simplify(_shortened(graph, series, blocks.exits), own=True)
    for _, data in simple.nodes(data=True):
        data["multiplicity"] = 1
    return _lengthened(fold(simple), series, blocks.exits)


class _Blocks:
    """The blocks of a series, and how they look apart from their own names and places.

    Attributes:
        exits: what the model returns of them; None if that is not the same of all.
    """

    def __init__(self, graph: ModelGraph, series: Series) -> None:
        self._graph = graph
        self._series = series
        self._keys = list(graph)
        self._place = {key: place for place, key in enumerate(self._keys)}
        self._tensors = {each.name: each for module in graph.modules.values() for each in module.parameters}
        self.exits = exits_of(graph, series, self._place)

    def are_equal(self) -> bool:
        """Return whether all blocks but the first are equal, and all but the last are read by the next one only."""
        looks = (self._values, self._operations, self._calls)
        second = [look(1) for look in looks]
        others = range(2, len(self._series.calls))
        is_usual = all(data.keys() <= {*BLANK, *_REMARKS} for data in self._nodes(1))
        return (
            is_usual
            and self._are_private()
            and all(look(each) == expected for each in others for look, expected in zip(looks, second, strict=True))
        )

    def _are_private(self) -> bool:
        """Return whether operations outside of the series, except the output, read the last block at most."""
        begin, last = self._series.start, self._series.places(len(self._series.calls) - 1)
        outside = {*self._keys[:begin], *self._keys[last.stop :]} - {self.exits.output if self.exits else ""}
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
            [
                (number, [data.get(name) for name in _REMARKS])
                for number, data in enumerate(nodes)
                if len(data) > len(BLANK)
            ],
            [*map(len, named)],
            _inside(names, path),
            [each and (each.spec, each.trainable) for each in tensors],
            [each and each.training for each in modules],
        )

    def _calls(self, number: int) -> object:
        """Return the module calls in a block, with names from inside of it, and where they are."""
        level, returned = self._series.level, self._graph.returned
        path = self._series.calls[number].path
        found = segments([data["module_stack"] for data in self._nodes(number)])
        around = [call for stack, _ in found for call in stack[level:]]
        numbers = {call: place for place, call in enumerate(dict.fromkeys(around))}
        calls = [(call.type, call.call, returned.get(call)) for call in numbers]
        return (
            _inside([call.path for call in numbers], path),
            calls,
            list(map(numbers.__getitem__, around)),
            [(len(stack), size) for stack, size in found],
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


def _shortened(graph: ModelGraph, series: Series, exits: Exits) -> ModelGraph:
    """Return the graph without the inner blocks; the multiplicity of the last one before them counts them, too."""
    keys = list(graph)
    last, first, end = (series.places(number) for number in (FIRST - 1, FIRST, len(series.calls) - LAST))
    kept = dict.fromkeys((*keys[: first.start], *keys[end.start :]))
    next_ones = dict(zip(keys[first], keys[end], strict=True))
    nodes = {key: graph.data(key).copy() for key in kept}
    for key in keys[last]:
        nodes[key]["multiplicity"] += series.left_out
    edges = (
        (source, target, exits.shortened(edge) if target == exits.output else edge.copy())
        for source in kept
        for reader, edge in graph.readers(source).items()
        if (target := next_ones.get(reader, reader)) in kept
    )
    return graph.derived(nodes.items(), edges)


def _lengthened(folded: ModelGraph, series: Series, exits: Exits) -> ModelGraph | None:
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
    differ = any(each.each for each in folded.returned.values())
    differ |= any(not _is_repeated(each, len(shown)) for data in inside for each in data.get("each_copy", {}).values())
    if differ or folded.graph["own_values"] or not exits.lengthen(folded, name, series.left_out):
        return None
    at = shown.index(paths[FIRST - 1]) + 1
    every = (*shown[:at], *paths[FIRST:-LAST], *shown[at:])
    for data in inside:
        data["multiplicity"] = data["multiplicity"] // len(shown) * len(every)
        if "each_copy" in data:
            each_copy = data["each_copy"].items()
            data["each_copy"] = {key: each[: len(each) // len(shown)] * len(every) for key, each in each_copy}
    folded.graph["repeats"] = {**runs, name: replace(runs[name], count=len(every))}
    folded.graph["module_copies"] = {path: _copied(each, name.path, shown, every) for path, each in copies.items()}
    return folded


def _is_repeated(values: tuple[object, ...], times: int) -> bool:
    """Return whether values are the same ones several times.

    >>> _is_repeated((0, 1, 0, 1), 2), _is_repeated((0, 1, 1, 0), 2)
    (True, False)
    """
    return values == values[: len(values) // times] * times


def _copied(paths: tuple[str, ...], first: str, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the copies of a module in the ``new`` copies of a block, from those in the ``old`` ones.

    >>> _copied(("a.0.fc", "a.3.fc"), "a.0", ("a.0", "a.3"), ("a.0", "a.1", "a.3"))
    ('a.0.fc', 'a.1.fc', 'a.3.fc')
    """
    inner = [path[len(first) :] for path in paths if f"{path}.".startswith(f"{first}.")]
    if tuple([copy + path for copy in old for path in inner]) != paths:
        return paths
    return tuple([copy + path for copy in new for path in inner])
