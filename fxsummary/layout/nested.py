"""Lay out nested boxes: each group alone, then as one box in its parent."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from fxsummary.layout.boxes import Box, Edge, Layout, Padding, Point, Rect, Spacing, Wire, walk
from fxsummary.layout.columns import Shape, fold_columns, lower_columns
from fxsummary.layout.coordinates import assign_x
from fxsummary.layout.layering import assign_layers
from fxsummary.layout.level import Level, Link, Node
from fxsummary.layout.ordering import add_side_lanes, order_layers
from fxsummary.layout.routing import Routed, Router

SHAPE_RIGHTWARDS = Shape(1 / 1.5, tallest=1800.0)
"""A top level wider than 1,800 px is cut into lines."""
PIN_GAP = 12.0
"""Maximum distance between the wires that enter a leaf from the left."""


Memo = dict[Hashable, tuple[Level, Routed]]
"""Finished levels by everything they depend on; equal groups share them."""

_End = tuple[int, str]
"""A child of a group as (0, key); the port of a value in the top border as (-1, value), in the bottom as (1, value)."""


@dataclass(slots=True)
class _Group:
    """A group in progress: its level, and the positions of its contents.

    Attributes:
        numbers: number of each node of the level; links: number of each link, by tail, head and value.
        indent: x of the contents after the padding.
    """

    box: Box
    numbers: dict[_End, int] = field(default_factory=dict)
    links: dict[tuple[int, int, str], int] = field(default_factory=dict)
    level: Level = field(default_factory=lambda: Level([], []))
    routed: Routed = field(default_factory=Routed)
    width: float = 0.0
    height: float = 0.0
    indent: float = 0.0

    def number(self, end: _End) -> int:
        """Return the number of a node."""
        return self.numbers.setdefault(end, len(self.numbers))

    def link(self, tail: _End, head: _End, value: str) -> int:
        """Return the number of a link."""
        return self.links.setdefault((self.number(tail), self.number(head), value), len(self.links))

    def ports(self) -> Iterator[tuple[int, str, float]]:
        """Yield end, value and x of each port, once the group is laid out."""
        left = self.box.padding.left + self.indent
        return ((end, value, left + self.routed.x[number]) for (end, value), number in self.numbers.items() if end)


class Planner:
    """Computes positions of all boxes in ``root`` and routes of all edges between its leaves, in several shapes.

    Every segment of a route is horizontal or vertical, and crosses no boxes except the groups around its ends.
    Cycles between groups are allowed; some wires then go up. Parallel edges count once.

    Args:
        root: a group; its padding is kept, its key names the outermost level.
        edges: edges between different leaves.
        spacing: distances in pixels; `vertical` ones separate layers.
        memo: memo to share with similar layouts.
        rightwards: whether layers run from left to right: wires leave on the right and enter on the left, or leaves
            with `side_entry` also from above and below. Everything is mirrored at the diagonal, laid out, and mirrored
            back.

    Raises:
        ValueError: duplicate key, or an edge that does not join two different leaves.
    """

    def __init__(
        self,
        root: Box,
        edges: list[Edge],
        spacing: Spacing | None = None,
        memo: Memo | None = None,
        *,
        rightwards: bool = False,
    ) -> None:
        self._rightwards = rightwards
        self._root = root = _turned(root) if rightwards else root
        self._spacing = spacing or Spacing()
        self._memo = Memo() if memo is None else memo
        self._groups, parents = _groups(root)
        self._paths = {edge: _thread(edge, self._groups, parents) for edge in edges}
        targets = {edge.target for edge in edges}
        keys = sorted((child.key for _, child in walk(root)), key=targets.__contains__)
        self._ranks = {key: rank for rank, key in enumerate(keys)}  # in reading order; without incoming edges first

    def size(self, shape: Shape | None = None, inner: float | None = None) -> tuple[float, float]:
        """Return the width and height that the layout would have.

        Args:
            shape: desired shape of the top level, which is cut into columns to match it.
            inner: maximum height (rightwards: width) of inner groups; larger ones are cut; None for no limit.
        """
        shape = shape or (SHAPE_RIGHTWARDS if self._rightwards else Shape())
        for key in reversed(self._groups):
            group = self._groups[key]
            signature = _lay_out(group, self._groups, self._spacing, self._ranks, self._memo)
            wanted: Shape | float | None = shape if group.box is self._root else inner
            if (signature, wanted) not in self._memo:
                cut: Callable[..., Routed] = fold_columns if isinstance(wanted, Shape) else lower_columns
                self._memo[signature, wanted] = group.level, cut(group.level, group.routed, self._spacing, wanted)
            _, group.routed = self._memo[signature, wanted]
            padding = group.box.padding
            width = group.routed.width + padding.left + padding.right
            group.width = max(width, group.box.width)
            group.indent = (group.width - width) / 2
            group.height = max(group.routed.height + padding.top + padding.bottom, group.box.height)
        top = self._groups[self._root.key]
        return (top.height, top.width) if self._rightwards else (top.width, top.height)

    def largest(self) -> float:
        """Height (rightwards: width) of the largest inner group in the last `size`."""
        return max((group.height for group in self._groups.values() if group.box is not self._root), default=0.0)

    def layout(self, shape: Shape | None = None, inner: float | None = None) -> Layout:
        """Return the layout; the arguments are those of `size`."""
        self.size(shape, inner)
        placed = _assemble(self._root, self._groups, self._paths)
        if not self._rightwards:
            return placed
        boxes = {key: Rect(box.y, box.x, box.height, box.width) for key, box in placed.boxes.items()}
        wires = [replace(wire, points=tuple(Point(p.y, p.x) for p in wire.points)) for wire in placed.wires]
        return Layout(placed.height, placed.width, boxes, wires, placed.paths)


def _groups(root: Box) -> tuple[dict[str, _Group], dict[str, str | None]]:
    groups = {root.key: _Group(root)}
    parents: dict[str, str | None] = {root.key: None}
    for parent, child in walk(root):
        if child.key in parents:
            raise ValueError(f"duplicate box key {child.key!r}")
        parents[child.key] = parent.key
        groups[parent.key].number((0, child.key))
        if child.children is not None:
            groups[child.key] = _Group(child)
    return groups, parents


def _thread(edge: Edge, groups: dict[str, _Group], parents: dict[str, str | None]) -> list[tuple[str, int]]:
    """Route an edge through the groups around its ends, and return its links as (group, number)."""
    for key in edge:
        if key not in parents or key in groups:
            raise ValueError(f"{edge} joins {key!r}, which is not a leaf")
    if edge.source == edge.target:
        raise ValueError(f"{edge} joins a box to itself")
    value = edge.source
    rising, falling = _ancestors(edge.source, parents), _ancestors(edge.target, parents)
    while rising[-2:-1] == falling[-2:-1] and len(rising) > 1:
        rising.pop()
        falling.pop()
    steps: list[tuple[str, _End, _End]] = [(parent, (0, child), (1, value)) for child, parent in pairwise(rising[:-1])]
    steps.append((rising[-1], (0, rising[-2]), (0, falling[-2])))
    steps += [(parent, (-1, value), (0, child)) for child, parent in reversed([*pairwise(falling[:-1])])]
    return [(parent, groups[parent].link(tail, head, value)) for parent, tail, head in steps]


def _ancestors(key: str, parents: dict[str, str | None]) -> list[str]:
    chain = [key]
    while (parent := parents[chain[-1]]) is not None:
        chain.append(parent)
    return chain


def _lay_out(group: _Group, groups: dict[str, _Group], spacing: Spacing, ranks: dict[str, int], memo: Memo) -> Hashable:
    """Lay out a group, or take the layout of an equal one; return its key in ``memo``: all that it depends on."""
    boxes = {child.key: child for child in group.box.children or []}
    keys = sorted({key for *_, key in group.links}, key=ranks.__getitem__)
    values = {key: number for number, key in enumerate(keys, 1)}
    level = Level([], [Link(tail, head, values[key]) for tail, head, key in group.links])
    for (end, key), number in group.numbers.items():
        inner = groups.get(key) if end == 0 else None
        level.nodes.append(Node(end=end, value=values[key]) if end else _node(boxes[key], inner))
        for side, value, x in inner.ports() if inner else ():
            (level.enter if side < 0 else level.leave)[number, values[value]] = x
    ports = (*level.enter.items(), None, *level.leave.items())
    signature = spacing, tuple(level.nodes), tuple(level.links), ports
    if signature not in memo:
        assign_layers(level)
        order_layers(level)
        add_side_lanes(level)
        assign_x(level, spacing)
        memo[signature] = level, Router(level, spacing).run()
    group.level, group.routed = memo[signature]
    return signature


def _node(box: Box, group: _Group | None) -> Node:
    width, height = (box.width, box.height) if group is None else (group.width, group.height)
    anchor = width / 2 if box.anchor is None else box.anchor
    size = width + box.overhang, height + box.overhang
    return Node(*size, height, anchor, box.weight, box.side_entry, box.pin_gap)


def _assemble(root: Box, groups: dict[str, _Group], paths: dict[Edge, list[tuple[str, int]]]) -> Layout:
    """Compute absolute positions, parents first, because contents are relative to their group's corner."""
    top = groups[root.key]
    result = Layout(top.width, top.height)
    corners = {root.key: Point(0.0, 0.0)}
    numbers: dict[tuple[str, int], int] = {}
    for key, group in groups.items():
        corner = corners[key]
        origin = Point(corner.x + group.box.padding.left + group.indent, corner.y + group.box.padding.top)
        for child in group.box.children or []:
            number = group.numbers[0, child.key]
            place = Point(origin.x + group.routed.x[number], origin.y + group.routed.y[number])
            size = (child.width, child.height)
            if child.children is not None:
                corners[child.key] = place
                size = groups[child.key].width, groups[child.key].height
            result.boxes[child.key] = Rect(*place, *size)
        for number, wire in enumerate(_wires(group, origin, corner)):
            numbers[key, number] = len(result.wires)
            result.wires.append(wire)
    result.paths = {edge: tuple(numbers[link] for link in links) for edge, links in paths.items()}
    return result


def _wires(group: _Group, origin: Point, corner: Point) -> Iterator[Wire]:
    """Yield the links as wires; at ports they are extended to the border of the group."""
    ends, layer = list(group.numbers), group.level.layer
    for (tail, head, value), corners in zip(group.links, group.routed.corners, strict=True):
        points = [Point(origin.x + p.x, origin.y + p.y) for _, p in corners]
        if ends[tail][0] < 0:
            points.insert(0, Point(points[0].x, corner.y))
        if ends[head][0] > 0:
            points.append(Point(points[-1].x, corner.y + group.height))
        first, last = (key if end == 0 else group.box.key for end, key in (ends[tail], ends[head]))
        yield Wire(value, first, last, _simplified(points), layer[head] - layer[tail])


def _simplified(points: list[Point]) -> tuple[Point, ...]:
    """Return the corners without duplicates and without points on a straight line."""

    def straight(axis: int, *line: Point) -> bool:
        return all(abs(a[axis] - b[axis]) < 0.01 for a, b in pairwise(line))

    kept: list[Point] = []
    for point in points:
        if kept and straight(0, kept[-1], point) and straight(1, kept[-1], point):
            continue
        if len(kept) > 1 and any(straight(axis, kept[-2], kept[-1], point) for axis in (0, 1)):
            kept.pop()
        kept.append(point)
    return tuple(kept)


def _turned(root: Box) -> Box:
    copies: dict[int, Box] = {}
    for parent, box in [(root, root), *walk(root)]:
        padding = Padding(box.padding.left, box.padding.bottom, box.padding.right, box.padding.top)
        gap, size = min(box.pin_gap, PIN_GAP), (box.height, box.width)
        copy = Box(box.key, *size, box.children and [], padding, box.weight, None, box.overhang, box.side_entry, gap)
        copies[id(box)] = copy
        if box is not root and (siblings := copies[id(parent)].children) is not None:
            siblings.append(copy)
    return copies[id(root)]
