"""Input and output of a layout: boxes, edges, wires. Lengths are in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple


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

    def moved(self, dx: float, dy: float) -> Rect:
        """Return the box at another place."""
        return Rect(self.x + dx, self.y + dy, self.width, self.height)

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


class Header(NamedTuple):
    """Width of the texts in the header of a group: from the left border on, and up to the right one."""

    left: float = 0.0
    right: float = 0.0


@dataclass(slots=True, eq=False)
class Box:
    """A box to place: a leaf of fixed size, or a group of boxes that is as large as its contents.

    Attributes:
        width, height: size of a leaf; minimum size of a group.
        children: the boxes inside, in reading order; None for a leaf.
        header: width of the texts that a wire from above must not touch.
        anchor: x of the wire from above and below, from the left border of a leaf; None for half the width.
        entry: y of wires from the sides, from the top border of a leaf; None for half the height.
        overhang: space kept free beyond the right and the bottom border.
        role: "join" for a sum or a concatenation, which may have boxes at its sides; "source" for a box that may
            be placed at the side of its only reader; "aside" for a box without readers, placed beside its source.
        label: width of the text that describes its value; extent: the size of that value without channels.
        least: width that its texts need, to which a leaf shrinks in branches; 0 for the same width everywhere.
        rows: number of rows of a table, 0 for other leaves; parallel tables can be placed between two rails.
    """

    key: str
    width: float = 0.0
    height: float = 0.0
    children: list[Box] | None = None
    padding: Padding = field(default_factory=Padding)
    header: Header = field(default_factory=Header)
    anchor: float | None = None
    entry: float | None = None
    overhang: float = 0.0
    role: Literal["", "join", "source", "aside"] = ""
    least: float = 0.0
    rows: int = 0
    label: float = 0.0
    extent: str = ""


class Edge(NamedTuple):
    """A value that flows between two leaves; edges of one source carry the same value."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances: between boxes beside each other, between boxes below each other, between parallel wires."""

    horizontal: float = 22.0
    vertical: float = 24.0
    track: float = 9.0


class Wire(NamedTuple):
    """A line that carries a value; several wires may make up an edge, and several edges may share a wire.

    Attributes:
        value: key of the leaf whose value it carries; targets: keys of the leaves to which it leads.
        points: corners in the direction of flow; every segment is horizontal or vertical.
        arrow: whether it ends at a leaf; skips: whether it runs beside the boxes that it passes.
    """

    value: str
    targets: tuple[str, ...]
    points: tuple[Point, ...]
    arrow: bool = True
    skips: bool = False

    def moved(self, dx: float, dy: float) -> Wire:
        """Return the wire at another place."""
        points = tuple([Point(x + dx, y + dy) for x, y in self.points])
        return Wire(self.value, self.targets, points, self.arrow, self.skips)


class Label(NamedTuple):
    """Where the value of a leaf is described: the middle of the baseline of a text; ``target``: where it loops to."""

    value: str
    x: float
    y: float
    target: str = ""


@dataclass(slots=True)
class Layout:
    """The result of a layout.

    Attributes:
        uncut: width and height that it would have in one part.
        boxes: every box inside the root, leaves and groups.
        wires: all wires.
        labels: places for descriptions of values on wires.
        upwards: leaves through which values flow from the bottom to the top.
        named: edges that the parts have no room for; the layout is without them.
        parts: number of parts that the column is cut into.
        uneven: whether one of two sides is much lower than the other.
    """

    width: float
    height: float
    uncut: tuple[float, float]
    boxes: dict[str, Rect] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    upwards: set[str] = field(default_factory=set)
    named: list[Edge] = field(default_factory=list)
    parts: int = 1
    uneven: bool = False


def walk(root: Box) -> Iterator[tuple[Box, Box]]:
    """Yield the pairs of parent and child below ``root``, parents first, in reading order; not recursive."""
    pending = [root]
    while pending:
        parent = pending.pop()
        children = parent.children or []
        for child in children:
            yield parent, child
        pending.extend(child for child in reversed(children) if child.children is not None)


def leaves(box: Box) -> Iterator[Box]:
    """Yield the leaves of a box in reading order, or the box itself if it is one."""
    pending = [box]
    while pending:
        box = pending.pop()
        if box.children is None:
            yield box
        else:
            pending.extend(reversed(box.children))


def turned(root: Box) -> Box:
    """Return a tree of boxes mirrored at the diagonal, so that its layout from top to bottom is one from left to right.

    Headers of groups are then beside the contents, and no wire runs through them; they set the least height.
    """
    padding = Padding(root.padding.left, root.padding.bottom, root.padding.right, root.padding.top)
    copy = replace(
        root, width=root.height, height=root.width, padding=padding, header=Header(), anchor=None, entry=None
    )
    copy.rows = 0
    if root.children is not None:
        copy.height = max(copy.height, sum(root.header))
        copy.children = [turned(child) for child in root.children]
    return copy


def turned_back(layout: Layout) -> Layout:
    """Return the layout of mirrored boxes mirrored again."""
    boxes = {key: Rect(box.y, box.x, box.height, box.width) for key, box in layout.boxes.items()}
    wires = [wire._replace(points=tuple([Point(y, x) for x, y in wire.points])) for wire in layout.wires]
    return replace(layout, width=layout.height, height=layout.width, boxes=boxes, wires=wires)
