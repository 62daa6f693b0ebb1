"""A line: stops along one spine, and arcs, which skip some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fxsummary.layout.boxes import Box, Edge
from fxsummary.layout.units import RIGHT, Unit

Lane = tuple[str, bool, bool, str]
"""A value, whether it enters or loops, and a frame; see `Arc.lane`."""


@dataclass(slots=True)
class Stop:
    """A leaf, a port, branches or parts on a spine, and the frames around it from the outside in."""

    unit: Unit
    frames: tuple[Box, ...]


@dataclass(slots=True)
class Arc:
    """A wire that skips stops.

    Attributes:
        value, target: keys of leaves.
        tail, head: numbers of the stops.
        frame: innermost frame that holds all of it; None for the line itself.
        enters: whether it leaves the spine inside that frame, below its header, and not below its tail.
        trunk: whether its value also goes on along the spine.
        box: the bypass that it leads to, beside its target; drops: whether it comes down onto that from above.
        side: right or left.
        loops: whether it goes back up, and leaves the spine before any frame closes.
    """

    value: str
    target: str
    tail: int
    head: int
    frame: Box | None = None
    enters: bool = False
    trunk: bool = False
    box: Box | None = None
    drops: bool = False
    side: int = RIGHT
    loops: bool = False

    @property
    def span(self) -> tuple[float, float]:
        """Start and end along the spine: stops are at even numbers, the gaps between them at odd ones."""
        start = self.tail * 2 + (1.5 if self.enters else 0.5 if self.loops else 1.0)
        return min(start, self.head * 2.0), max(start, self.head * 2.0)

    @property
    def cells(self) -> range:
        """The parts of the spine that it passes."""
        start, end = self.span
        return range(int(2 * start), int(2 * end))

    @property
    def lane(self) -> Lane:
        """Arcs of one value share a lane if they leave the spine together and lie in the same frame."""
        return self.value, self.enters, self.loops, self.frame.key if self.frame else ""


@dataclass
class Line:
    """Stops along a spine, the edges to the next stop, and the arcs.

    Attributes:
        steps: values that go from a stop to the next, by the number of the former, with their targets.
        named: edges that are not drawn.
        openings: stops and leaves that a wire from another column enters.
        blocked: sides at which such a wire enters a stop, or leaves the spine below it, with its place on the spine.
        loops: widths of the descriptions of values that go back up, by their ends.
        lonely: leaves beside others without a wire between them.
    """

    stops: list[Stop] = field(default_factory=list)
    steps: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    arcs: list[Arc] = field(default_factory=list)
    named: list[Edge] = field(default_factory=list)
    openings: list[tuple[int, str]] = field(default_factory=list)
    blocked: set[tuple[float, int]] = field(default_factory=set)
    lonely: set[str] = field(default_factory=set)
    loops: Mapping[Edge, float] = field(default_factory=dict)
