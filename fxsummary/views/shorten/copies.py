"""Whether the copies of a series are equal, apart from their own names and places and from integers that count up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter

from fxsummary.graph.attributes import BLANK, NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import ParameterInfo
from fxsummary.views.fold.symbols import RATES
from fxsummary.views.shorten.counted import Counted, counted
from fxsummary.views.shorten.exits import Exits, exits_of
from fxsummary.views.shorten.series import FIRST, Series, segments

_PLACED = ("target", "module", "module_stack", "reads", "parameter_names", "storages", "in_use")
"""Attributes that depend on the place of a copy."""
_contents = itemgetter(*[name for name in BLANK if name not in (*_PLACED, *RATES)])
_settings = itemgetter(*RATES)
_REMARKS = ("writes", "no_grad")
"""Attributes that few operations have, and that do not depend on the place of a copy."""
_USUAL = {*BLANK, *_REMARKS}


class Copies:
    """The copies of a series in a graph.

    Attributes:
        series: where they are; exits: what operations outside of the series read of every copy, by reader.
    """

    def __init__(
        self,
        graph: ModelGraph,
        series: Series,
        keys: Sequence[str],
        nodes: Sequence[NodeData],
        place: Mapping[str, int],
    ) -> None:
        self.series = series
        self._graph = graph
        self._keys = keys
        self._place = place
        self._nodes = nodes
        exits = exits_of(graph, series, keys, place)
        self.exits: Mapping[str, Exits] = exits or {}
        self._are_read_alike = exits is not None

    def keys(self, number: int) -> Sequence[str]:
        """Return the operations of a copy."""
        places = self.series.places(number)
        return self._keys[places.start : places.stop]

    @property
    def kept(self) -> Sequence[Sequence[str]]:
        """The operations of each copy that stays."""
        last = range(self.series.inner.stop, self.series.copies)
        return [self.keys(number) for number in (*range(FIRST), *last)]

    def nodes(self, number: int) -> Sequence[NodeData]:
        """Return the attributes of the operations of a copy."""
        places = self.series.places(number)
        return self._nodes[places.start : places.stop]

    def are_equal(self) -> bool:
        """Return whether all copies but the first are equal, and whether outside readers treat them alike."""
        if not self._are_read_alike or not all(BLANK.keys() <= data.keys() <= _USUAL for data in self.nodes(1)):
            return False
        looks = (self._values, self._operations, *([self._calls] if self.series.calls else []))
        second = [look(1) for look in looks]
        return (
            all(
                look(each) == expected
                for each in range(2, self.series.copies)
                for look, expected in zip(looks, second, strict=True)
            )
            and self._do_settings_count()
        )

    @cached_property
    def counted(self) -> Mapping[int, Sequence[Counted | None]]:
        """By the number of an operation in its copy, the settings that differ from the second to the third copy."""
        pairs = zip(map(_settings, self.nodes(1)), map(_settings, self.nodes(2)), strict=True)
        return {
            number: [counted(one, other) for one, other in zip(before, after, strict=True)]
            for number, (before, after) in enumerate(pairs)
            if before != after
        }

    def settings(self, number: int, copy: int) -> NodeData:
        """Return the settings that count up of an operation in a copy: 1 for the second one."""
        config, arguments = (each.at(copy - 1) if each else "" for each in self.counted[number])
        return {"config": config, "arguments": arguments}

    def _do_settings_count(self) -> bool:
        """Return whether settings are the same or count up from the second copy on; those of FLOPs are the same."""
        second = self.nodes(1)
        if any(None in each or second[number]["flops"] != 0 for number, each in self.counted.items()):
            return False
        for copy in range(2, self.series.copies):
            expected = list(map(_settings, second))
            for number in self.counted:
                expected[number] = _settings(self.settings(number, copy))
            if expected != list(map(_settings, self.nodes(copy))):
                return False
        return True

    def _values(self, number: int) -> object:
        """Return the edges to the operations of a copy, with distances from its start to sources in the series."""
        series, here = self.series, self.series.places(number).start
        sources = list(map(self._graph.sources, self.keys(number)))
        found = [self._place[source] for each in sources for source in each]
        distances = [at - here if series.start <= at < series.end else at + len(self._keys) for at in found]
        return [*map(len, sources)], distances, [edge for each in sources for edge in each.values()]

    def _operations(self, number: int) -> object:
        """Return the attributes of the operations of a copy but their settings, with names from inside of it."""
        nodes = self.nodes(number)
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
            _inside(names, self.series.path(number)),
            [each and (each.spec, each.trainable) for each in tensors],
            [each and each.training for each in modules],
        )

    @cached_property
    def _tensors(self) -> Mapping[str, ParameterInfo]:
        return {each.name: each for module in self._graph.modules.values() for each in module.parameters}

    def _calls(self, number: int) -> object:
        """Return the module calls in a block, with names from inside of it, and where they are."""
        level, returned = len(self.series.around), self._graph.returned
        found = segments([data["module_stack"] for data in self.nodes(number)])
        around = [call for stack, _ in found for call in stack[level:]]
        numbers = {call: place for place, call in enumerate(dict.fromkeys(around))}
        calls = [(call.type, call.call, returned.get(call)) for call in numbers]
        return (
            _inside([call.path for call in numbers], self.series.path(number)),
            calls,
            list(map(numbers.__getitem__, around)),
            [(len(stack), size) for stack, size in found],
        )


def _inside(names: Iterable[str], path: str) -> list[str | bool]:
    """Return what follows the path of a module in each dotted name; True for the module itself, else the whole name.

    >>> _inside(["layers.1.fc", "layers.1", "layers.10"], "layers.1")
    ['.fc', True, 'layers.10']
    """
    inside, length = f"{path}.", len(path)
    return [name[length:] if name.startswith(inside) else name == path or name for name in names]
