"""The nodes of a recording in their order, and which of them yield, read and write which memory.

What is seldom asked for is worked out when it is: places and memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import fx


class Writes:
    """Grows with the recording.

    Attributes:
        nodes: all nodes in order.
        writers: the nodes that write a memory in place, by its number.
    """

    def __init__(self) -> None:
        self.nodes: list[fx.Node] = []
        self.writers: dict[int, list[fx.Node]] = {}
        self._order: dict[fx.Node, int] = {}
        self._storages: dict[fx.Node, set[int]] = {}
        self._pending: list[tuple[list[fx.Node], Sequence[tuple[int, ...]], Sequence[int]]] = []

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

    def note_all(self, nodes: list[fx.Node], places: Sequence[tuple[int, ...]], numbers: Sequence[int]) -> None:
        """Several nodes do: for each the places, in ``numbers``, of the memory that it yields or writes."""
        self._pending.append((nodes, places, numbers))
