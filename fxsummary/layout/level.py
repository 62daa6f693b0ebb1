"""One level of a layout in progress: nodes in layers, joined by segments between neighbouring layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Node(NamedTuple):
    """A box, a port of the enclosing group, or a lane: the place of a wire in a layer that it passes.

    Attributes:
        width, height: size including the overhang.
        body_height: height without the overhang; wires leave below it.
        anchor: x of the middle wire from the left border.
        end: -1 for a port in the top border of the enclosing group, 1 for the bottom border, 0 for other nodes.
        value: for a port, its value; 0 for other nodes.
    """

    width: float = 0.0
    height: float = 0.0
    body_height: float = 0.0
    anchor: float = 0.0
    weight: float = 0.1
    side_entry: bool = False
    pin_gap: float = 26.0
    end: int = 0
    value: int = 0
    lane: bool = False

    @property
    def solid(self) -> bool:
        """Whether it is a visible box."""
        return not self.lane and self.end == 0


class Link(NamedTuple):
    """A value from one node of the level to another; values are numbers, from 1 in reading order of their sources."""

    tail: int
    head: int
    value: int


@dataclass(slots=True)
class Segment:
    """A step of a wire from one layer to the next.

    Attributes:
        upper, lower: the nodes that it joins.
        trunk: number of its trunk; segments of one trunk and gap share a track.
        gap: number of the gap that it lies in.
        priority: 3 on the spine, 2 between lanes, 1 otherwise; higher priorities become straight first.
        aligned: whether it is straight; broken: whether it is not, because the chain would drift sideways.
    """

    upper: int
    lower: int
    value: int
    trunk: int
    gap: int
    priority: int = 1
    aligned: bool = False
    broken: bool = False


@dataclass(slots=True)
class Level:
    """A layered level.

    Attributes:
        nodes: the given nodes, then the lanes.
        enter, leave: for a node that is a group, x of the port of each value from its left border, by (node, value).
        layers: nodes of each layer, from left to right.
        gaps: segments between layer i - 1 and layer i at index i; the first is empty.
        chains: for each link its segments from tail to head; see `layering` for links that go up.
        upwards: indices of the links that go up, because the level has a cycle.
        sides: lane beside a node -> the node it enters from the side.
        spine: indices of the links on the heaviest chain.
        x: left border of each node.
    """

    nodes: list[Node]
    links: list[Link]
    enter: dict[tuple[int, int], float] = field(default_factory=dict)
    leave: dict[tuple[int, int], float] = field(default_factory=dict)
    layer: list[int] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)
    gaps: list[list[Segment]] = field(default_factory=list)
    chains: list[list[Segment]] = field(default_factory=list)
    upwards: set[int] = field(default_factory=set)
    sides: dict[int, int] = field(default_factory=dict)
    spine: set[int] = field(default_factory=set)
    x: list[float] = field(default_factory=list)

    def places(self) -> list[int]:
        """Return the place of each node in its layer, from the left."""
        places = [0] * len(self.nodes)
        for layer in self.layers:
            for place, node in enumerate(layer):
                places[node] = place
        return places

    def leave_at(self, segment: Segment) -> float:
        """Return the x at which a segment leaves its upper node, from the node's left border."""
        return self.leave.get((segment.upper, segment.value), self.nodes[segment.upper].anchor)

    def enter_at(self, segment: Segment) -> float:
        """Return the x at which a single segment enters its lower node, from the node's left border."""
        return self.enter.get((segment.lower, segment.value), self.nodes[segment.lower].anchor)

    def add_lane(self, layer: int, at: int | None = None) -> int:
        """Add a lane to a layer, at the right end or at a position, and return its number."""
        number = len(self.nodes)
        self.nodes.append(Node(lane=True))
        self.layer.append(layer)
        order = self.layers[layer]
        order.insert(len(order) if at is None else at, number)
        return number
