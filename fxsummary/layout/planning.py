"""Plan which boxes stand on which spine, and which values are named because no wire can carry them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fxsummary.layout.arcs import Line
from fxsummary.layout.boxes import Box, Edge, Spacing, walk
from fxsummary.layout.branches import Room, Surroundings, reduced
from fxsummary.layout.line import NO_VALUES, line_of
from fxsummary.layout.nested import Bend, bend_of
from fxsummary.layout.sides import split
from fxsummary.layout.units import LEFT, RIGHT, Flow, Unit


@dataclass
class Plan:
    """The arrangement of boxes.

    Attributes:
        units: the units of the root; lines: the lines of them and of the units inside.
        named: edges that cannot be drawn without crossings or too many lanes, and are named at both ends instead.
        shaped: whether it is a U, or has two sides.
        rooms: the plan is the same for each room from the first of these widths to below the second.
    """

    root: Box
    lines: Lines
    spacing: Spacing
    units: list[Unit]
    named: list[Edge]
    shaped: bool
    rooms: tuple[float, float]


@dataclass
class Lines:
    """The lines of units, each made once."""

    flow: Flow
    made: dict[tuple[tuple[Unit, ...], frozenset[tuple[str, int]]], Line] = field(default_factory=dict)

    def of(self, units: Sequence[Unit], values: Mapping[str, int] = NO_VALUES) -> Line:
        """Return the line of units; see `line_of`."""
        key = tuple(units), frozenset(values.items())
        if key not in self.made:
            self.made[key] = line_of(units, self.flow, values)
        return self.made[key]

    def walk(self, units: Sequence[Unit], values: Mapping[str, int] = NO_VALUES) -> Iterator[Line]:
        """Yield the line of units, and those inside."""
        line = self.of(units, values)
        yield line
        for stop in line.stops:
            for branch in stop.unit.units:
                yield from self.walk(branch.units, across(stop.unit))


def plan(
    root: Box,
    edges: list[Edge],
    spacing: Spacing | None = None,
    room: float = float("inf"),
    value: str = "",
    *,
    shaped: bool = True,
    loops: Mapping[Edge, float] | None = None,
) -> Plan:
    """Return the arrangement of boxes.

    Args:
        root: a group; its key names the page.
        edges: edges between different leaves.
        room: maximum width of branches placed next to each other.
        shaped: whether to look for a U, in any group.
        loops: values that go back to a leaf above, or to the same one, with the widths of their descriptions; they
            are drawn where there is room.
        value: a leaf whose value one side of the graph reads from the other; "" for a graph without sides.

    Raises:
        ValueError: duplicate key, or an edge that does not join two different leaves.
    """
    spacing = spacing or Spacing()
    _check(root, edges)
    flow, inside = Flow(edges, loops), Room(room)
    sides = split(root, flow, value) if value and not (shaped and bend_of(root, flow)) else None
    groups = _Groups(flow, spacing, value, shaped=shaped and not sides)
    if sides:
        columns = [Unit("column", units=groups.units(Box("", children=side), Room(room / 2))) for side in sides]
        units = [Unit("sides", units=columns, value=value)]
    else:
        units = groups.units(root, inside)
    bends = [unit for unit in walk_units(units) if unit.kind == "bend"]
    lines = Lines(flow)
    named = dict.fromkeys(edge for line in lines.walk(units) for edge in line.named)
    for bend in bends:
        pyramid = groups.laterals.keys() & {edge.target for edge in bend.skips}
        named |= dict.fromkeys([*lost_edges(bend, flow), *(results(bend, flow) if pyramid else ())])
    shaped = bool(bends or sides)
    rooms = (room, room) if shaped else (inside.least, inside.below)
    return Plan(root, lines, spacing, units, [*named], shaped, rooms)


class _Groups:
    """The units of groups."""

    def __init__(self, flow: Flow, spacing: Spacing, value: str, *, shaped: bool) -> None:
        self.flow, self.spacing, self.value, self.shaped = flow, spacing, value, shaped
        self.laterals: dict[str, str] = {}
        self.skipping: set[str] = set()

    def units(self, group: Box, room: Room) -> list[Unit]:
        """Return the units of a group, in order; those inside of inner groups too."""
        around = {group.key: group.padding.left + group.padding.right}
        inner, bends, rooms = [group], {group.key: self._bend(group)}, {group.key: room}
        for parent, child in walk(group):
            if child.children is not None:
                around[child.key] = around[parent.key] + child.padding.left + child.padding.right
                bends[child.key] = self._bend(child)
                narrow = bends[parent.key] is not None
                rooms[child.key] = Room(rooms[parent.key].width / 2) if narrow else rooms[parent.key]
                inner.append(child)
        made: dict[str, list[Unit]] = {}
        for each in reversed(inner):
            units = [
                Unit("leaf", child) if child.children is None else Unit("frame", child, made.pop(child.key))
                for child in each.children or []
            ]
            bend, inside = bends[each.key], (rooms[each.key], around[each.key])
            made[each.key] = self._bent(bend, units, *inside) if bend else self._reduced(units, *inside)
        return made[group.key]

    def _bend(self, group: Box) -> Bend | None:
        bend = bend_of(group, self.flow) if self.shaped else None
        if bend is not None:
            self.laterals |= bend.laterals
            self.skipping.update(key for edge in bend.skips for key in edge)
        return bend

    def _reduced(self, units: list[Unit], room: Room, around: float) -> list[Unit]:
        found = Surroundings(self.flow, self.spacing, room, around, self.value, self.laterals, self.skipping)
        return reduced(units, found)

    def _bent(self, bend: Bend, units: list[Unit], room: Room, around: float) -> list[Unit]:
        """Return the units of a U, below those of what is not on it."""
        of = {unit.box.key: unit for unit in units}
        parts = [*bend.encoders, bend.middle, bend.decoder]
        if len(bend.encoders) > 1:
            parts[-2:] = [[], [*bend.middle, *bend.decoder]]
        half = Room(room.width / 2)
        columns = [Unit("column", units=self._reduced([of[box.key] for box in part], half, around)) for part in parts]
        others = self._reduced([of[box.key] for box in bend.others], room, around)
        return [*others, Unit("bend", units=columns, skips=bend.skips)]


def lost_edges(bend: Unit, flow: Flow) -> Iterator[Edge]:
    """Yield the edges between the columns of a U, or from and to outside of it, that no wire of it carries."""
    *encoders, middle, decoder = bend.units
    at = {leaf.key: column for column in bend.units for leaf in column.leaves()}
    ends = {leaf.key for column in bend.units for leaf in column.outputs()}
    starts = {leaf.key for column in (encoders[0], middle, decoder) for leaf in column.inputs()}
    next_to = [(encoder, middle if middle.units else decoder) for encoder in encoders] + [(middle, decoder)]
    skips = {*bend.skips}
    for key, column in at.items():
        for source in flow.into(key):
            if source not in at and not (column is encoders[0] and key in starts):
                yield Edge(source, key)
        for target in flow.out_of(key):
            to, edge = at.get(target), Edge(key, target)
            drawn = (column, to) in next_to and target in starts if to else column is decoder
            if to is not column and edge not in skips and not (drawn and key in ends):
                yield edge


def results(pyramid: Unit, flow: Flow) -> Iterator[Edge]:
    """Yield the edges from the results of the levels of a pyramid, which stand beside these levels.

    They are what reads a level that the next one reads too, and leads out of its group or to the end.
    """
    for group in walk_units(pyramid.units[-1:]):
        inside = {leaf.key for leaf in group.leaves()}
        for unit in group.units:
            key, sources = unit.box.key, flow.into(unit.box.key)
            readers = flow.out_of(key)
            of_level = len(sources) == 1 and sources[0] in inside and len(flow.out_of(sources[0])) > 1
            if unit.kind == "leaf" and of_level and not any(to in inside and flow.out_of(to) for to in readers):
                yield from (Edge(key, to) for to in readers)


def walk_units(units: list[Unit]) -> Iterator[Unit]:
    """Yield all units, outer ones first."""
    for unit in units:
        yield unit
        yield from walk_units(unit.units)


def across(unit: Unit) -> Mapping[str, int]:
    """Return the values that flow between columns by other ways than their ends, with the side that they come from."""
    if unit.kind != "bend":
        return {unit.value: LEFT} if unit.value else NO_VALUES
    first = {leaf.key for leaf in unit.units[0].leaves()}
    return {edge.source: LEFT if edge.source in first else RIGHT for edge in unit.skips}


def _check(root: Box, edges: list[Edge]) -> None:
    found: dict[str, bool] = {root.key: False}
    for _, child in walk(root):
        if child.key in found:
            raise ValueError(f"duplicate box key {child.key!r}")
        found[child.key] = child.children is None
    for edge in edges:
        for key in edge:
            if not found.get(key):
                raise ValueError(f"{edge} joins {key!r}, which is not a leaf")
        if edge.source == edge.target:
            raise ValueError(f"{edge} joins a box to itself")
