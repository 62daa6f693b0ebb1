"""The contents of a group as units that stand on one spine, and the values that flow between their leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fxsummary.layout.boxes import Box, Edge

RIGHT, LEFT = 1, -1


@dataclass(slots=True, eq=False)
class Unit:
    """A part of a spine.

    Attributes:
        kind: what it is.
            "leaf": one box. "frame": a box around units. "column": units without a frame.
            "branches": columns that read one value and go to one leaf, between two rails or next to each other.
            "parts": columns that continue each other, next to each other.
            "sides": two columns; the right one reads a value of the left one.
            "bend": the encoders of a U, its bottleneck, its decoder.
            "port": where a value comes from the part before.
        box: the box of a leaf or frame.
        units: what it contains, in order.
        left, right: leaves that stand beside a leaf: what it alone reads, a bypass to it, or what alone reads it.
        rails: whether branches stand below each other, between two rails.
        skips: edges from the encoders of a U to its decoder, the outermost first.
        value: the value at a port; the one that a side reads from the other, or that branches read from there.
    """

    kind: Literal["leaf", "frame", "column", "branches", "parts", "sides", "bend", "port"]
    box: Box = field(default_factory=lambda: Box(""))
    units: list[Unit] = field(default_factory=list)
    left: Box | None = None
    right: Box | None = None
    rails: bool = False
    value: str = ""
    skips: list[Edge] = field(default_factory=list)

    @property
    def beside(self) -> list[tuple[int, Box]]:
        """The leaves beside it, with their sides."""
        if self.left is None and self.right is None:
            return []
        return [(side, box) for side, box in ((LEFT, self.left), (RIGHT, self.right)) if box is not None]

    def put_beside(self, box: Box, *, rightwards: bool = False) -> None:
        """Put a leaf on the left side, or on the right one if that is free and preferred, or alone free."""
        if self.right is None and (rightwards or self.left is not None):
            self.right = box
        else:
            self.left = box

    def leaves(self) -> Iterator[Box]:
        """Yield all leaves inside, in order, with those beside others."""
        pending = [self]
        while pending:
            unit = pending.pop()
            if unit.kind == "leaf":
                yield unit.box
                if unit.left is not None:
                    yield unit.left
                if unit.right is not None:
                    yield unit.right
            else:
                pending += reversed(unit.units)

    def inputs(self) -> Iterator[Box]:
        """Yield the leaves that a wire from above enters."""
        yield from self._ends(0)

    def outputs(self) -> Iterator[Box]:
        """Yield the leaves that a wire downwards leaves."""
        yield from self._ends(-1)

    def _ends(self, at: int) -> Iterator[Box]:
        if self.kind == "leaf":
            yield self.box
        elif self.kind == "branches":
            for branch in self.units:
                yield from branch._ends(at)
        elif self.kind == "bend" and at == 0:
            yield from self.units[0]._ends(at)
        elif self.units:
            yield from self.units[at]._ends(at)


class Flow:
    """The edges by source and by target, in reading order.

    Attributes:
        loops: values that go back to a leaf above, or to the same one, with the widths of their descriptions.
    """

    def __init__(self, edges: Iterable[Edge], loops: Mapping[Edge, float] | None = None) -> None:
        self.loops = loops or {}
        self.sources: dict[str, list[str]] = {}
        self.readers: dict[str, list[str]] = {}
        for source, target in edges:
            self.sources.setdefault(target, []).append(source)
            self.readers.setdefault(source, []).append(target)

    def into(self, key: str) -> list[str]:
        """Return the sources of a leaf."""
        return self.sources.get(key, [])

    def out_of(self, key: str) -> list[str]:
        """Return the readers of a leaf."""
        return self.readers.get(key, [])
