"""Lay out nested boxes: each group alone, then as one box in its parent."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from fxsummary.layout.boxes import Box, Edge, Layout, Point, Rect, Spacing, Wire, walk
from fxsummary.layout.columns import Shape, fold_columns, lower_columns
from fxsummary.layout.coordinates import assign_x
from fxsummary.layout.layering import assign_layers
from fxsummary.layout.level import Level, Link, Node
from fxsummary.layout.ordering import add_side_lanes, order_layers
from fxsummary.layout.routing import Routed, Router


@dataclass(slots=True)
class Memo:
    """Finished levels by everything they depend on; equal groups share them."""

    levels: dict[Hashable, tuple[Level, Routed]] = field(default_factory=dict)
    columns: dict[Hashable, Routed] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """A group in progress: its level, and the positions of its contents."""

    box: Box
    keys: list[str] = field(default_factory=list)
    numbers: dict[tuple[int, str], int] = field(default_factory=dict)
    links: dict[tuple[int, int, str], int] = field(default_factory=dict)
    level: Level = field(default_factory=lambda: Level([], []))
    routed: Routed = field(default_factory=Routed)
    width: float = 0.0
    height: float = 0.0
    indent: float = 0.0

    def number(self, end: int, key: str) -> int:
        """Return the number of a child (end 0), or of a value's port in the top (-1) or bottom (1) border."""
        if (end, key) not in self.numbers:
            self.numbers[end, key] = len(self.keys)
            self.keys.append(key)
        return self.numbers[end, key]

    def link(self, tail: int, head: int, value: str) -> int:
        """Return the number of a link."""
        return self.links.setdefault((tail, head, value), len(self.links))

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
        spacing: distances in pixels.
        memo: memo to share with similar layouts.

    Raises:
        ValueError: duplicate key, or an edge that does not join two different leaves.
    """

    def __init__(self, root: Box, edges: list[Edge], spacing: Spacing | None = None, memo: Memo | None = None) -> None:
        self._root = root
        self._spacing = spacing or Spacing()
        self._memo = memo or Memo()
        self._groups, parents = _groups(root)
        self._paths = {edge: _thread(edge, self._groups, parents) for edge in edges}
        self._ranks = _ranks(root, edges)

    def size(self, shape: Shape | None = None, inner: float | None = None) -> tuple[float, float]:
        """Return the width and height that the layout would have.

        Args:
            shape: desired shape of the top level, which is cut into columns to match it.
            inner: maximum height of inner groups; higher ones are cut into columns; None for no limit.
        """
        for key in reversed(self._groups):
            group = self._groups[key]
            signature = _lay_out(group, self._groups, self._spacing, self._ranks, self._memo)
            wanted: Shape | float | None = (shape or Shape()) if group.box is self._root else inner
            if wanted is not None:
                if (signature, wanted) not in self._memo.columns:
                    cut: Callable[..., Routed] = fold_columns if isinstance(wanted, Shape) else lower_columns
                    self._memo.columns[signature, wanted] = cut(group.level, group.routed, self._spacing, wanted)
                group.routed = self._memo.columns[signature, wanted]
            padding = group.box.padding
            width = group.routed.width + padding.left + padding.right
            group.width = max(width, group.box.width)
            group.indent = (group.width - width) / 2
            group.height = max(group.routed.height + padding.top + padding.bottom, group.box.height)
        top = self._groups[self._root.key]
        return top.width, top.height

    def tallest(self) -> float:
        """Height of the tallest inner group in the last `size`."""
        return max((group.height for group in self._groups.values() if group.box is not self._root), default=0.0)

    def layout(self, shape: Shape | None = None, inner: float | None = None) -> Layout:
        """Return the layout; the arguments are those of `size`."""
        self.size(shape, inner)
        return _assemble(self._root, self._groups, self._paths)


def _ranks(root: Box, edges: list[Edge]) -> dict[str, int]:
    """Return the place of each box in reading order; boxes without incoming edges come first."""
    targets = {edge.target for edge in edges}
    keys = [child.key for _, child in walk(root)]
    return {key: rank for rank, key in enumerate(sorted(keys, key=targets.__contains__))}


def _groups(root: Box) -> tuple[dict[str, _Group], dict[str, str | None]]:
    """Return the groups by key, parents first, and the parent of every box."""
    groups = {root.key: _Group(root)}
    parents: dict[str, str | None] = {root.key: None}
    for parent, child in walk(root):
        if child.key in parents:
            raise ValueError(f"duplicate box key {child.key!r}")
        parents[child.key] = parent.key
        groups[parent.key].number(0, child.key)
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
    links = []
    for child, parent in pairwise(rising[:-1]):
        group = groups[parent]
        links.append((parent, group.link(group.number(0, child), group.number(1, value), value)))
    shared = groups[rising[-1]]
    links.append((rising[-1], shared.link(shared.number(0, rising[-2]), shared.number(0, falling[-2]), value)))
    for child, parent in reversed(list(pairwise(falling[:-1]))):
        group = groups[parent]
        links.append((parent, group.link(group.number(-1, value), group.number(0, child), value)))
    return links


def _ancestors(key: str, parents: dict[str, str | None]) -> list[str]:
    """Return a box and all groups around it, up to the root."""
    chain = [key]
    while (parent := parents[chain[-1]]) is not None:
        chain.append(parent)
    return chain


def _lay_out(group: _Group, groups: dict[str, _Group], spacing: Spacing, ranks: dict[str, int], memo: Memo) -> Hashable:
    """Lay out nodes, layers and wires of a group, or take those of an equal group from ``memo``.

    Return the key in ``memo``: everything that the layout depends on.
    """
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
    if signature not in memo.levels:
        assign_layers(level)
        order_layers(level)
        add_side_lanes(level)
        assign_x(level, spacing)
        memo.levels[signature] = level, Router(level, spacing).run()
    group.level, group.routed = memo.levels[signature]
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
        for (_, _, value), number in group.links.items():
            numbers[key, number] = len(result.wires)
            result.wires.append(_wire(group, number, value, origin, corner))
    result.paths = {edge: tuple(numbers[link] for link in links) for edge, links in paths.items()}
    return result


def _wire(group: _Group, number: int, value: str, origin: Point, corner: Point) -> Wire:
    """Return a link as a wire; at ports it is extended to the border of the group."""
    link, nodes = group.level.links[number], group.level.nodes
    points = [Point(origin.x + p.x, origin.y + p.y) for _, p in group.routed.corners[number]]
    if nodes[link.tail].end < 0:
        points.insert(0, Point(points[0].x, corner.y))
    if nodes[link.head].end > 0:
        points.append(Point(points[-1].x, corner.y + group.height))
    tail = group.keys[link.tail] if nodes[link.tail].end == 0 else group.box.key
    head = group.keys[link.head] if nodes[link.head].end == 0 else group.box.key
    layers = group.level.layer[link.head] - group.level.layer[link.tail]
    return Wire(value, group.box.key, tail, head, _simplified(points), layers)


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
