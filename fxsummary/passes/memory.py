"""Memory: output bytes of each operation, and the peak of the forward pass with what is in use at it and why.

The life of a storage goes from the operation that makes it to the one after which Python lets go of it, which capture
has noted. The bytes in use while an operation runs are those of all living storages, its results included, and what it
holds only while it runs. Parameters, buffers and inputs are not activations.
"""

from __future__ import annotations

import linecache
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from fxsummary.errors import InputError
from fxsummary.graph.attributes import own_path
from fxsummary.graph.memory import Alive, Memory
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import summed
from fxsummary.graph.spec import nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_bytes` (0 for the output node, which creates no tensor) and `in_use`, and the graph's `memory`."""
    known: dict[int, int | None] = {}  # by identity, because copies share their outputs
    for _, data in graph.nodes(data=True):
        outputs = data["outputs"]
        if id(outputs) not in known:
            known[id(outputs)] = nbytes(outputs)
        data["output_bytes"] = 0 if data["op"] == "output" else known[id(outputs)]
        data["in_use"] = None
    if graph.storages:
        graph.memory = _Life(graph).memory()
        for (_, data), number in zip(graph.nodes(data=True), graph.memory.timeline, strict=True):
            data["in_use"] = number


def known_memory(graph: ModelGraph) -> Memory:
    """Return the memory of a graph, or raise an InputError if it is unknown."""
    if graph.memory is None:
        raise InputError(f"the memory of {graph.name} is unknown, because its shapes are: pass example inputs.")
    return graph.memory


def fused_layers(graph: ModelGraph) -> list[str]:
    """Return the modules that torch may run by one fused operator in eval mode, whose memory is another."""
    return [path for path, each in graph.modules.items() if each.type in _FUSED and each.called and not each.training]


_FUSED = ("TransformerEncoderLayer",)


def lives(graph: ModelGraph) -> list[tuple[int, int]]:
    """Return the positions of the first and the last operation during which each storage is in use.

    The last one of a storage that outlives forward is the number of operations.
    """
    order = {key: place for place, key in enumerate(graph)}
    end = len(order)
    births = [order[each.born] for each in graph.storages]
    if graph.deaths_recorded:
        return list(zip(births, [order.get(each.dies, end) for each in graph.storages], strict=True))
    last_reads = [order[each.last_read] for each in graph.storages]
    return list(zip(births, [end if place == end - 1 else place for place in last_reads], strict=True))


class _Life:
    """The life of each storage, in positions of operations."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._storages = graph.storages
        self._keys = tuple(graph)
        self._data = [graph.data(key) for key in self._keys]
        self._order = order = {key: place for place, key in enumerate(self._keys)}
        self._end = len(order)
        found = lives(graph)
        self._births, self._deaths = [birth for birth, _ in found], [death for _, death in found]
        self._last_reads = [order[each.last_read] for each in graph.storages]
        self._own = [number for number, each in enumerate(graph.storages) if each.kind == "activation"]
        self._last_uses = self._used()

    def memory(self) -> Memory:
        timeline, ideal = self._timeline(self._deaths), self._timeline(self._last_reads)
        at, ideal_at = timeline.index(max(timeline)), ideal.index(max(ideal))
        sizes = [each.nbytes for each in self._storages]
        tensors = [each for module in self._graph.modules.values() for each in module.parameters if not each.tied_to]
        return Memory(
            weights=summed([each.nbytes for each in tensors if not each.buffer]),
            buffers=sum([each.nbytes or 0 for each in tensors if each.buffer]),
            inputs=sum(each.nbytes for each in self._storages if each.kind == "input"),
            outputs=sum(sizes[number] for number in self._own if self._deaths[number] == self._end),
            peak=timeline[at],
            at=self._keys[at],
            name=self._name(at),
            inside=self._data[at]["workspace"] or 0,
            alive=tuple(sorted(self._alive(at), key=lambda each: -each.nbytes)),
            peak_at_last_use=ideal[ideal_at],
            at_last_use=self._keys[ideal_at],
            timeline=tuple(timeline),
            held=self._unread(False),
            outliving=self._unread(True),
            workspaces=tuple([data["workspace"] or 0 for data in self._data]),
            operations=self._keys,
            modules=tuple([data["module"] for data in self._data]),
            unknown=tuple(self._unknown(timeline)),
            is_recorded=self._graph.deaths_recorded,
            is_assumed=any(data["assumed"] for data in self._data) or bool(fused_layers(self._graph)),
        )

    def _timeline(self, deaths: Sequence[int]) -> list[int]:
        """Return the bytes in use while each operation runs."""
        living = self._between(self._own, self._births, deaths)
        return [live + (data["workspace"] or 0) for live, data in zip(living, self._data, strict=True)]

    def _unknown(self, timeline: Sequence[int]) -> Iterator[str]:
        """Yield the operations at which the bytes in use may be more than the peak."""
        peak = max(timeline)
        for key, data, number in zip(self._keys, self._data, timeline, strict=True):
            most = data.get("most_workspace")
            if data["workspace"] is None and number + (peak if most is None else most) > peak:
                yield key

    def _unread(self, outlives: bool) -> tuple[int, ...]:
        """Return the bytes that no operation reads any more, of what outlives forward or of what does not."""
        chosen = [number for number in self._own if (self._deaths[number] == self._end) == outlives]
        return tuple(self._between(chosen, [each + 1 for each in self._last_uses], self._deaths))

    def _used(self) -> list[int]:
        """Return the last operation that uses each storage; to return it is no use."""
        uses = list(self._last_reads)
        wanted = {number for number in self._own if self._data[uses[number]]["op"] == "output"}
        found = {number: self._births[number] for number in wanted}
        for place, key in enumerate(self._keys) if wanted else ():
            for number in wanted.intersection(self._data[place]["storages"]):
                readers = [self._order[each] for each in self._graph.readers(key)]
                used = [each for each in (place, *readers) if self._data[each]["op"] != "output"]
                found[number] = max([found[number], *used])
        for number, place in found.items():
            uses[number] = place
        return uses

    def _between(self, numbers: Iterable[int], starts: Sequence[int], ends: Sequence[int]) -> Iterator[int]:
        """Yield, for each operation, the bytes of those storages whose start and end it is at or between."""
        change = [0] * (self._end + 2)
        for number in numbers:
            if starts[number] <= ends[number]:
                change[starts[number]] += self._storages[number].nbytes
                change[ends[number] + 1] -= self._storages[number].nbytes
        return accumulate(change[: self._end])

    # --- what is in use, and why ---------------------------------------------------------------

    def _alive(self, place: int) -> Iterator[Alive]:
        """Yield the memory in use at an operation."""
        living = {each for each in self._own if self._births[each] <= place <= self._deaths[each]}
        readers = self._readers(living)
        for number in living:
            storage, born = self._storages[number], self._data[self._births[number]]
            if storage.nbytes:
                needed = self._need(number, place, readers[number])
                reason = needed or f"last read by {self._name(self._last_reads[number])}, {self._hold(number, place)}"
                name = self._name(self._births[number])
                is_returned = self._last_uses[number] < place and self._deaths[number] == self._end
                yield Alive(storage.nbytes, storage.born, name, born["shape"], reason, not needed, is_returned)

    def _readers(self, numbers: Iterable[int]) -> dict[int, list[int]]:
        """Return the operations that read each of these storages."""
        wanted = set(numbers)
        found: dict[int, list[int]] = defaultdict(list)
        for key, data in zip(self._keys, self._data, strict=True):
            for number in wanted.intersection(data["storages"]):
                found[number] += [self._order[reader] for reader in self._graph.readers(key)]
        return found

    def _need(self, number: int, place: int, readers: list[int]) -> str:
        """Say what memory is needed for while an operation runs, or later; "" if for nothing."""
        later = min((reader for reader in readers if reader > place), default=None)
        if self._births[number] == place:
            return "output of it"
        if later is not None:
            is_input = "input of it, and " if place in readers else ""
            what = "returned by forward" if self._data[later]["op"] == "output" else f"read next by {self._name(later)}"
            return f"{is_input}{what}"
        if place in readers:
            return "input of it"
        if self._deaths[number] == self._end:
            return "outlives forward"
        return ""

    def _hold(self, number: int, place: int) -> str:
        """Say until when Python holds a value that no operation reads any more."""
        death = self._deaths[number]
        after = self._data[death + 1]["module_stack"] if death + 1 < self._end else ()
        returning = [call for call in self._data[death]["module_stack"] if call not in after]
        around = self._data[place]["module_stack"]
        holder = next((call.path for call in returning if call in around), None)
        if holder is None and self._data[min(death + 1, self._end - 1)]["op"] == "output":
            holder = "forward"
        until = f"until {holder} returns" if holder else f"until after {self._name(death)}"
        return f"held by Python {until}{self._variable(self._births[number])}"

    def _variable(self, place: int) -> str:
        """Return ", `x` at mlp.py:44" if the line that made a value assigns it to a variable."""
        source = self._data[place]["source"]
        name, _, line = source.rpartition(":")
        found = _ASSIGNED.match(linecache.getline(name, int(line))) if line.isdigit() else None
        return f", `{found[1]}` at {name.rpartition('/')[2]}:{line}" if found else ""

    def _name(self, place: int) -> str:
        return own_path(self._data[place]) or self._keys[place]


_ASSIGNED = re.compile(r"\s*([A-Za-z_]\w*)\s*=[^=]")
"""A line that assigns to one variable."""
