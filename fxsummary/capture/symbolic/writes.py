"""The memory of the values in a traced graph, and the order of in-place writes.

A proxy still refers to the value before a write. A recording sees the tensors themselves; with these changes a trace
has the same edges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

from torch import fx

from fxsummary.capture.nodes import AFTER
from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.results import Storages
from fxsummary.graph.spec import TensorSpec, leaves


class _Held(NamedTuple):
    """A tensor in the result of a node, with a number for its storage and how often that had been written by then."""

    node: fx.Node
    storage: int
    version: int


def follow_writes(graph: fx.Graph, outcomes: Mapping[fx.Node, Outcome], deaths: Mapping[fx.Node, fx.Node]) -> Storages:
    """Redirect edges so that readers of a tensor written in place depend on the write, and return the storages.

    A reader of the written tensor reads the result of the write instead. A reader of another tensor with the same
    memory, such as a view, has the write in its meta under `AFTER`.

    Args:
        deaths: the node after which Python let go of each node's value; one that is missing outlives forward.
    """
    is_simple = all(_is_only_reader(node, outcomes) for node, outcome in outcomes.items() if outcome.writes)
    run = _Writes(is_simple)
    for node in graph.nodes:
        run.step(node, outcomes[node])
    return run.storages(deaths)


def _is_only_reader(node: fx.Node, outcomes: Mapping[fx.Node, Outcome]) -> bool:
    """Whether a node writes only its first argument, which no other node reads, as most activations do.

    The argument is new memory, or the result of such a write.
    """
    written = node.args[0] if node.args else None
    if not isinstance(written, fx.Node) or outcomes[node].writes != (0,) or outcomes[node].aliases != (_WHOLE,):
        return False
    before = outcomes[written]
    is_own = not before.aliases or before.writes == (0,)
    return len(written.users) == 1 and is_own and written.op not in ("get_attr", "placeholder")


_WHOLE = Alias(0)
"""The first argument itself."""


class _Writes:
    """Numbers the storages of a graph, and redirects its edges unless ``is_simple``."""

    def __init__(self, is_simple: bool) -> None:
        self._is_simple = is_simple
        self._numbers = count()
        self._results: dict[fx.Node, list[_Held]] = {}
        self._nbytes: dict[int, int] = {}
        self._writers: dict[int, list[fx.Node]] = defaultdict(list)
        self._now: dict[fx.Node, fx.Node] = {}

    def step(self, node: fx.Node, outcome: Outcome) -> None:
        if node.op == "output":
            return
        spec = outcome.value
        is_new = type(spec) is TensorSpec and not (outcome.aliases or outcome.bases)
        if is_new and (self._is_simple or not self._writers):
            number = next(self._numbers)
            self._nbytes[number] = spec.extent
            self._results[node] = [_Held(node, number, 0)]
        elif self._is_simple and outcome.writes:
            (written,) = self._results[node.args[0]]  # type: ignore[index]
            self._results[node] = [_Held(node, written.storage, 0)]
        else:
            self._step(node, outcome)

    def _step(self, node: fx.Node, outcome: Outcome) -> None:
        given = dict(enumerate(self._given(node)))
        if not self._is_simple:
            given = self._redirected(node, given, outcome)
        results = self._results[node] = []
        bases: dict[int, int] = {}
        specs = list(leaves(outcome.value))
        for index, spec in enumerate(specs):
            alias = outcome.aliases[index] if outcome.aliases else None
            base = outcome.bases[index] if outcome.bases else None
            shared = given.get(alias.index) if alias else None
            if shared:
                storage = shared.storage
            elif base and base.number in bases:
                storage = bases[base.number]
            else:
                storage = next(self._numbers)
                self._nbytes[storage] = base.nbytes if base else spec.extent
                if base:
                    bases[base.number] = storage
            results.append(_Held(node, storage, len(self._writers[storage])))
            if shared and alias and alias.offset is None and alias.index in outcome.writes:
                self._replace(shared.node, node)

    def _redirected(self, node: fx.Node, given: dict[int, _Held], outcome: Outcome) -> dict[int, _Held]:
        """Let a node read the latest writes, note what it writes, and return the tensors in its arguments."""
        changed = [source for source in node.all_input_nodes if source in self._now]
        for source in changed:
            node.replace_input_with(source, self._now[source])
        given = dict(enumerate(self._given(node))) if changed else given
        stale = [each.storage for each in given.values() if each.version < len(self._writers[each.storage])]
        if stale:
            last = dict.fromkeys(self._writers[storage][-1] for storage in stale)
            node.meta[AFTER] = tuple(each for each in last if each not in node.all_input_nodes)
        for index in outcome.writes:
            if index in given:
                self._writers[given[index].storage].append(node)
        return given

    def storages(self, deaths: Mapping[fx.Node, fx.Node]) -> Storages:
        """Return the storages; one dies after the last of the values in it."""
        order = {node: place for place, node in enumerate(self._results)}
        found = Storages(nbytes=self._nbytes)
        outliving: set[int] = set()
        for node, results in self._results.items():
            found.held[node] = tuple([each.storage for each in results])
            death = deaths.get(node)
            for storage in found.held[node]:
                known = found.deaths.get(storage)
                if death is None:
                    outliving.add(storage)
                elif known is None or order.get(death, len(order)) > order.get(known, len(order)):
                    found.deaths[storage] = death
        for storage in outliving:
            found.deaths.pop(storage, None)
        return found

    def _given(self, node: fx.Node) -> list[_Held]:
        """Return the tensors in a node's arguments, in order."""
        found: list[_Held] = []

        def add(argument: Any) -> Any:
            if isinstance(argument, fx.Node):
                found.extend(self._results[argument])
            elif isinstance(argument, TensorSpec):
                found.append(_Held(node, next(self._numbers), 0))
            return argument

        fx.node.map_aggregate((node.args, node.kwargs), add)
        return found

    def _replace(self, written: fx.Node, writer: fx.Node) -> None:
        if len(self._results[written]) == 1:
            for earlier, latest in self._now.items():
                if latest is written:
                    self._now[earlier] = writer
            self._now[written] = writer
