"""In-place writes in a traced graph: an operation that reads a tensor after a write gets an edge from the write.

A proxy still refers to the value before the write. A recording sees the tensors themselves; with these changes a trace
has the same edges.
"""

from __future__ import annotations

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
        run = _Writes(outcomes)
        for node in graph.nodes:
            run.step(node)


def _is_only_reader(node: fx.Node, outcomes: Mapping[fx.Node, Outcome]) -> bool:
    """Whether a node writes only its first argument, new memory that no other node reads, as most activations do."""
    written = node.args[0] if node.args else None
    if not isinstance(written, fx.Node) or outcomes[node].writes != (0,):
        return False
    return len(written.users) == 1 and not outcomes[written].aliases and written.op not in ("get_attr", "placeholder")


class _Writes:
    def __init__(self, outcomes: Mapping[fx.Node, Outcome]) -> None:
        self._outcomes = outcomes
        self._numbers = count()
        self._results: dict[fx.Node, list[_Held]] = {}
        self._writers: dict[int, list[fx.Node]] = {}
        self._now: dict[fx.Node, fx.Node] = {}

    def step(self, node: fx.Node) -> None:
        for source in node.all_input_nodes:
            if source in self._now:
                node.replace_input_with(source, self._now[source])
        given = self._given(node)
        stale = [each.storage for each in given if each.version < self._version(each.storage)]
        if stale:
            last = dict.fromkeys(self._writers[storage][-1] for storage in stale)
            node.meta[AFTER] = tuple(each for each in last if each not in node.all_input_nodes)
        outcome = self._outcomes[node]
        aliases = outcome.aliases or (None,) * len(list(leaves(outcome.value)))
        for index in outcome.writes:
            if index < len(given):
                self._write(node, given[index].storage)
        shared = [given[each.index].storage if each and each.index < len(given) else None for each in aliases]
        storages = [next(self._numbers) if storage is None else storage for storage in shared]
        self._results[node] = [_Held(node, storage, self._version(storage)) for storage in storages]
        for alias in aliases:
            if alias and alias.offset is None and alias.index in outcome.writes and alias.index < len(given):
                self._replace(given[alias.index].node, node)

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

    def _version(self, storage: int) -> int:
        return len(self._writers.get(storage, ()))

    def _write(self, node: fx.Node, storage: int) -> None:
        self._writers.setdefault(storage, []).append(node)

    def _replace(self, written: fx.Node, writer: fx.Node) -> None:
        if len(self._results[written]) == 1:
            for earlier, latest in self._now.items():
                if latest is written:
                    self._now[earlier] = writer
            self._now[written] = writer
