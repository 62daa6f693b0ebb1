"""In-place writes in a traced graph: an operation that reads a tensor after a write gets an edge from the write.

A proxy still refers to the value before the write. A recording sees the tensors themselves; with these changes a trace
has the same edges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

from torch import fx

from fxsummary.capture.nodes import AFTER
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.graph.spec import TensorSpec, leaves


class _Held(NamedTuple):
    """A tensor in the result of a node, with a number for its storage and how often that had been written by then."""

    node: fx.Node
    storage: int
    version: int


def follow_writes(graph: fx.Graph, outcomes: Mapping[fx.Node, Outcome]) -> None:
    """Redirect edges so that readers of a tensor written in place depend on the write.

    A reader of the written tensor reads the result of the write instead. A reader of another tensor with the same
    memory, such as a view, has the write in its meta under `AFTER`.
    """
    if not all(_is_only_reader(node, outcomes) for node, outcome in outcomes.items() if outcome.writes):
        run = _Writes()
        for node in graph.nodes:
            run.step(node, outcomes[node])


def _is_only_reader(node: fx.Node, outcomes: Mapping[fx.Node, Outcome]) -> bool:
    """Whether a node writes only its first argument, new memory that no other node reads, as most activations do."""
    written = node.args[0] if node.args else None
    if not isinstance(written, fx.Node) or outcomes[node].writes != (0,):
        return False
    return len(written.users) == 1 and not outcomes[written].aliases and written.op not in ("get_attr", "placeholder")


class _Writes:
    def __init__(self) -> None:
        self._numbers = count()
        self._results: dict[fx.Node, list[_Held]] = {}
        self._writers: dict[int, list[fx.Node]] = defaultdict(list)
        self._now: dict[fx.Node, fx.Node] = {}

    def step(self, node: fx.Node, outcome: Outcome) -> None:
        for source in node.all_input_nodes:
            if source in self._now:
                node.replace_input_with(source, self._now[source])
        given = dict(enumerate(self._given(node)))
        stale = [each.storage for each in given.values() if each.version < len(self._writers[each.storage])]
        if stale:
            last = dict.fromkeys(self._writers[storage][-1] for storage in stale)
            node.meta[AFTER] = tuple(each for each in last if each not in node.all_input_nodes)
        for index in outcome.writes:
            if index in given:
                self._writers[given[index].storage].append(node)
        results = self._results[node] = []
        for alias in outcome.aliases or [None for _ in leaves(outcome.value)]:
            shared = given.get(alias.index) if alias else None
            storage = shared.storage if shared else next(self._numbers)
            results.append(_Held(node, storage, len(self._writers[storage])))
            if shared and alias and alias.offset is None and alias.index in outcome.writes:
                self._replace(shared.node, node)

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
