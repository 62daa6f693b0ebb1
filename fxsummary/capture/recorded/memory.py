"""The nodes of a recording in their order, and which of them yield and write which memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from torch import fx


class Memory:
    """Grows with the recording.

    Attributes:
        order: all nodes with their places.
        writers: the nodes that write a memory in place, by its number.
        holders: the nodes that yield or write it.
    """

    def __init__(self) -> None:
        self.order: dict[fx.Node, int] = {}
        self.writers: dict[int, list[fx.Node]] = {}
        self.holders: defaultdict[int, list[fx.Node]] = defaultdict(list)
        self._storages: dict[fx.Node, tuple[int, ...]] = {}

    def add(self, node: fx.Node) -> None:
        """A node follows those before it."""
        self.order[node] = len(self.order)

    def note(self, node: fx.Node, *storages: int) -> None:
        """A node yields or writes these memories."""
        known = self._storages.get(node, ())
        for storage in storages:
            if storage not in known:
                known = (*known, storage)
                self.holders[storage].append(node)
        self._storages[node] = known

    def storages_of(self, node: fx.Node) -> Sequence[int]:
        """The numbers of the memory that a node yields or writes."""
        return self._storages.get(node, ())

    def version(self, storage: int) -> int:
        """How often a memory was written in place."""
        return len(self.writers.get(storage, ()))
