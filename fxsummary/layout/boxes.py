"""Input and output of a layout: boxes, edges, wires. Lengths are in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Point(NamedTuple):
    """A position; y grows downwards."""

    x: float
    y: float


class Rect(NamedTuple):
    """A placed box."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """x of the right border."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """y of the bottom border."""
        return self.y + self.height


class Padding(NamedTuple):
    """Space between the border of a group and its contents."""

    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    left: float = 0.0


@dataclass(slots=True)
class Box:
    """A box to place: a leaf of fixed size, or a group of boxes that is as large as its contents.

    Attributes:
        width, height: size of a leaf; minimum size of a group.
        children: the boxes inside, in reading order; None for a leaf.
        weight: weight of the box in the spine, the heaviest chain, which is drawn straight.
        anchor: x of the middle wire, from the left border of a leaf; None for half the width.
        overhang: space kept free beyond the right and the bottom border.
        side_entry: whether wires may enter a leaf from its left and right.
        pin_gap: distance between the wires that enter a leaf from above; 0 lets them meet.
    """

    key: str
    width: float = 0.0
    height: float = 0.0
    children: list[Box] | None = None
    padding: Padding = field(default_factory=Padding)
    weight: float = 1.0
    anchor: float | None = None
    overhang: float = 0.0
    side_entry: bool = False
    pin_gap: float = 26.0


class Edge(NamedTuple):
    """A value that flows between two leaves; edges of one source carry the same value."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances: between boxes, between layers, between parallel wires, between columns."""

    horizontal: float = 24.0
    vertical: float = 22.0
    track: float = 9.0
    column: float = 46.0


@dataclass(frozen=True, slots=True)
class Wire:
    """The part of an edge that lies in one group; edges of one source share their wires.

    Attributes:
        value: key of the leaf whose value it carries.
        tail, head: keys of the boxes that it joins in that group; the group's own key for its border.
        points: corners, from tail to head; every segment is horizontal or vertical.
        layers: number of layers that it goes down; 1 between neighbours, negative upwards.
    """

    value: str
    tail: str
    head: str
    points: tuple[Point, ...]
    layers: int


@dataclass(slots=True)
class Layout:
    """The result of a layout.

    Attributes:
        boxes: every box inside the root, leaves and groups.
        wires: all wires in drawing order.
        paths: for each edge the indices of its wires, from source to target.
    """

    width: float
    height: float
    boxes: dict[str, Rect] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    paths: dict[Edge, tuple[int, ...]] = field(default_factory=dict)


def walk(root: Box) -> Iterator[tuple[Box, Box]]:
    """Yield the pairs of parent and child below ``root``, parents first, in reading order; not recursive."""
    pending = [root]
    while pending:
        parent = pending.pop()
        children = parent.children or []
        for child in children:
            yield parent, child
        pending.extend(child for child in reversed(children) if child.children is not None)
