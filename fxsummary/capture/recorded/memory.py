"""The nodes of a recording in their order, and which of them yield, read and write which memory.

What is seldom asked for is worked out when it is: places, memory, and the nodes of copied calls, which are in
the graph only after `Writes.expand`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from torch import fx

from fxsummary.capture.operations.outcome import Outcome


class Copied(Protocol):
    """A node that is not in the graph yet."""

    @property
    def outcome(self) -> Outcome: ...
    def write(self, graph: fx.Graph) -> fx.Node: ...
    def replace(self, node: fx.Node) -> None: ...


class Writes:
    """Grows with the recording.

    Args:
        graph: where the nodes are.
        outcomes: what they yield.

    Attributes:
        nodes: all nodes in order; of copied calls those that are not in the graph yet stand for themselves.
        writers: the nodes that write a memory in place, by its number.
    """

    def __init__(self, graph: fx.Graph, outcomes: dict[fx.Node, Outcome]) -> None:
        self.nodes: list[Any] = []
        self.writers: dict[int, list[fx.Node]] = {}
        self._graph = graph
        self._outcomes = outcomes
        self._copies = 0
        self._readers: list[tuple[int, Callable[[], None]]] = []
        self._order: dict[fx.Node, int] = {}
        self._storages: dict[Any, set[int]] = {}
        self._pending: list[tuple[list[Any], Sequence[tuple[int, ...]], Sequence[int]]] = []

    @property
    def order(self) -> Mapping[fx.Node, int]:
        """The place of each node."""
        known = len(self._order)
        self._order.update(zip(self.nodes[known:], range(known, len(self.nodes)), strict=True))
        return self._order

    @property
    def storages(self) -> Mapping[fx.Node, set[int]]:
        """The numbers of the memory that each node yields or writes."""
        while self._pending:
            self._note_pending()
        return self._storages

    def _note_pending(self) -> None:
        """Those of the nodes that were noted together last."""
        nodes, each, numbers = self._pending.pop()
        for node, places in zip(nodes, each, strict=True):
            if places:
                self._storages.setdefault(node, set()).update([numbers[place] for place in places])

    def storages_of(self, node: fx.Node) -> Collection[int]:
        """Those of one node."""
        while self._pending and node not in self._storages:
            self._note_pending()
        return self._storages.get(node, ())

    def note(self, node: fx.Node, storage: int) -> None:
        """A node yields or writes a memory."""
        self._storages.setdefault(node, set()).add(storage)

    def note_all(self, nodes: list[Any], places: Sequence[tuple[int, ...]], numbers: Sequence[int]) -> None:
        """Several nodes do: for each the places, in ``numbers``, of the memory that it yields or writes."""
        self._pending.append((nodes, places, numbers))

    # --- copies --------------------------------------------------------------------------------

    def add_copy(self, node: Copied) -> None:
        """The next node, which is not in the graph yet."""
        self.nodes.append(node)
        self._copies += 1

    def add_reader(self, read: Callable[[], None]) -> None:
        """The last node is in the graph and reads such nodes; ``read`` gives it those that then are there."""
        self._readers.append((len(self.nodes), read))

    def expand(self, start: int = 0) -> None:
        """Put nodes in the graph for all copies from a place in `nodes` on."""
        places: list[tuple[int, fx.Node | None]] = []
        following: fx.Node | None = None
        for index in reversed(range(start, len(self.nodes) if self._copies else start)):
            if type(self.nodes[index]) is fx.Node:
                following = self.nodes[index]
            else:
                places.append((index, following))
        if not places:
            return
        storages: Any = self.storages
        for index, following in reversed(places):
            copied: Copied = self.nodes[index]
            if following is None:
                node = copied.write(self._graph)
            else:
                with self._graph.inserting_before(following):
                    node = copied.write(self._graph)
            copied.replace(node)
            self.nodes[index] = node
            self._outcomes[node] = copied.outcome
            if copied in storages:
                storages[node] = storages.pop(copied)
        for place, read in self._readers:
            if place > start:
                read()
        self._readers = [reader for reader in self._readers if reader[0] <= start]
        self._order.clear()
        self._copies -= len(places)
