"""The nodes of a recording in their order, and which of them yield and write which memory."""

from __future__ import annotations

from torch import fx


class Memory:
    """Grows with the recording.

    Attributes:
        order: all nodes with their places.
        storages: the numbers of the memory that each node yields or writes.
        writers: the nodes that write a memory in place, by its number.
    """

    def __init__(self) -> None:
        self.order: dict[fx.Node, int] = {}
        self.storages: dict[fx.Node, tuple[int, ...]] = {}
        self.writers: dict[int, list[fx.Node]] = {}

    def add(self, node: fx.Node) -> None:
        """A node follows those before it."""
        self.order[node] = len(self.order)

    def note(self, node: fx.Node, storage: int) -> None:
        """A node yields or writes a memory."""
        known = self.storages.get(node, ())
        if storage not in known:
            self.storages[node] = (*known, storage)

    def write(self, node: fx.Node, storage: int) -> None:
        """A node writes a memory in place."""
        self.writers.setdefault(storage, []).append(node)
        self.note(node, storage)

    def version(self, storage: int) -> int:
        """How often a memory was written in place."""
        return len(self.writers.get(storage, ()))

    def holders(self) -> dict[int, list[fx.Node]]:
        """The nodes that yield or write each memory."""
        found: dict[int, list[fx.Node]] = {}
        for node, storages in self.storages.items():
            for storage in storages:
                found.setdefault(storage, []).append(node)
        return found
