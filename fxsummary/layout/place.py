"""Plan which boxes stand on which spine, and place them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Box, Edge, Layout, Point, Spacing, walk
from fxsummary.layout.branches import units_of
from fxsummary.layout.column import Column
from fxsummary.layout.line import Line, line_of
from fxsummary.layout.parallel import between_rails, next_to_each_other
from fxsummary.layout.parts import Limits, cut, side_by_side
from fxsummary.layout.sides import next_to_the_other, split
from fxsummary.layout.units import Flow, Unit


@dataclass
class Plan:
    """The arrangement of boxes.

    Attributes:
        units: the units of the root.
        named: edges that cannot be drawn without crossings or too many lanes, and are named at both ends instead.
    """

    root: Box
    flow: Flow
    spacing: Spacing
    units: list[Unit]
    named: list[Edge]


def plan(
    root: Box, edges: list[Edge], spacing: Spacing | None = None, room: float = float("inf"), value: str = ""
) -> Plan:
    """Return the arrangement of boxes.

    Args:
        root: a group; its key names the page.
        edges: edges between different leaves.
        room: width within which branches may stand next to each other.
        value: a leaf whose value one side of the graph reads from the other; "" for a graph without sides.

    Raises:
        ValueError: duplicate key, or an edge that does not join two different leaves.
    """
    spacing = spacing or Spacing()
    _check(root, edges)
    flow = Flow(edges)
    sides = split(root, flow, value) if value else None
    if sides:
        columns = [Unit("column", units=units_of(Box("", children=side), flow, spacing, room / 2, value)) for side in sides]
        units = [Unit("sides", units=columns, value=value)]
    else:
        units = units_of(root, flow, spacing, room)
    named = dict.fromkeys(edge for line in _lines(units, flow) for edge in line.named)
    return Plan(root, flow, spacing, units, [*named])


def place(plan: Plan, limits: Limits = Limits()) -> Layout:
    """Return the layout of a plan; a column that is too high is cut into parts if the limits allow that."""

    def lay(units: list[Unit], incoming: Sequence[Edge], outgoing: Sequence[Edge]) -> Body:
        return _column(units, plan.flow, plan.spacing, incoming, outgoing)

    body = lay(plan.units, (), ())
    uncut = body.width, body.height
    if limits.columns > 1 and body.height > limits.height:
        plan.units = cut(plan.units, body, plan.flow, lay, limits)
        body = lay(plan.units, (), ())
    padding = plan.root.padding
    layout = Layout(body.width + padding.left + padding.right, body.height + padding.top + padding.bottom, uncut)
    x, y = padding.left + body.left, padding.top
    layout.parts = max((len(unit.units) for unit in walk_units(plan.units) if unit.kind == "parts"), default=1)
    layout.boxes = {key: box._replace(x=box.x + x, y=box.y + y) for key, box in body.boxes.items()}
    wires = [replace(wire, points=_simplified(wire.moved(x, y).points)) for wire in body.wires]
    layout.wires = [wire for wire in wires if len(wire.points) > 1]
    return layout


def walk_units(units: list[Unit]) -> Iterator[Unit]:
    """Yield all units, outer ones first."""
    for unit in units:
        yield unit
        yield from walk_units(unit.units)


def _simplified(points: tuple[Point, ...]) -> tuple[Point, ...]:
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


def _lines(units: list[Unit], flow: Flow, value: str = "") -> Iterator[Line]:
    line = line_of(units, flow, value)
    yield line
    for stop in line.stops:
        for branch in stop.unit.units:
            yield from _lines(branch.units, flow, stop.unit.value)


def _column(
    units: list[Unit],
    flow: Flow,
    spacing: Spacing,
    incoming: Sequence[Edge] = (),
    outgoing: Sequence[Edge] = (),
    value: str = "",
) -> Body:
    line = line_of(units, flow, value)
    kinds = {"parts": _parts, "branches": _branches, "sides": _sides}
    bodies = {
        at: kinds[stop.unit.kind](stop.unit, flow, spacing) for at, stop in enumerate(line.stops) if stop.unit.units
    }
    return Column(line, bodies, spacing, incoming, outgoing).lay_out()


def _sides(unit: Unit, flow: Flow, spacing: Spacing) -> Body:
    left, right = (_column(side.units, flow, spacing, value=unit.value) for side in unit.units)
    return next_to_the_other(left, right, unit.value)


def _parts(unit: Unit, flow: Flow, spacing: Spacing) -> Body:
    inside = {leaf.key for leaf in unit.leaves()}
    incoming, outgoing = _incoming(unit.units[0], flow, inside), _outgoing(unit.units[-1], flow, inside)
    bodies = []
    for at, part in enumerate(unit.units):
        below = {leaf.key for each in unit.units[at + 1 :] for leaf in each.leaves()}
        onwards = [Edge(leaf.key, to) for leaf in part.outputs() for to in flow.out_of(leaf.key) if to in below]
        into = incoming if at == 0 else ()
        bodies.append(_column(part.units, flow, spacing, into, outgoing if at == len(unit.units) - 1 else onwards))
    return side_by_side(bodies, unit.units, flow, incoming, outgoing)


def _incoming(part: Unit, flow: Flow, inside: set[str]) -> list[Edge]:
    return [Edge(source, leaf.key) for leaf in part.inputs() for source in flow.into(leaf.key) if source not in inside]


def _outgoing(part: Unit, flow: Flow, inside: set[str]) -> list[Edge]:
    return [Edge(leaf.key, to) for leaf in part.outputs() for to in flow.out_of(leaf.key) if to not in inside]


def _branches(unit: Unit, flow: Flow, spacing: Spacing) -> Body:
    inside = {leaf.key for leaf in unit.leaves()}
    incoming = [_incoming(branch, flow, inside) for branch in unit.units]
    outgoing = [_outgoing(branch, flow, inside) for branch in unit.units]
    if unit.rails:
        return between_rails(unit, sum(incoming, []), sum(outgoing, []))
    bodies = [
        _column(branch.units, flow, spacing, into, out)
        for branch, into, out in zip(unit.units, incoming, outgoing, strict=True)
    ]
    return next_to_each_other(bodies, incoming, outgoing, spacing)


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
