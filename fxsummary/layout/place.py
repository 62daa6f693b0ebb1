"""Place the boxes of a plan, and the wires between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import and_

from fxsummary.layout.bend import bent
from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Edge, Layout, Point, Spacing
from fxsummary.layout.column import Column
from fxsummary.layout.line import NO_VALUES
from fxsummary.layout.parallel import between_rails, next_to_each_other
from fxsummary.layout.parts import Limits, cut, side_by_side
from fxsummary.layout.planning import Lines, Plan, across, walk_units
from fxsummary.layout.sides import are_uneven, next_to_the_other
from fxsummary.layout.units import Flow, Unit

NO_LIMITS = Limits()
ALIGNED = 0.01
"""Maximum distance of a point from a line that it is on."""
MOST_OVER = 1.5
"""How many times too high a column may be for all parts of a page and still be cut."""


def place(plan: Plan, limits: Limits = NO_LIMITS) -> Layout:
    """Return the layout of a plan; a column that is too high is cut into parts if the limits allow that."""
    placer, units = _Placer(plan.lines, plan.spacing), plan.units
    body = placer.lay(units)
    uncut, named = (body.width, body.height), list[Edge]()
    if limits.height < body.height <= MOST_OVER * limits.columns * limits.height and limits.columns > 1:
        units, named = cut(units, body, plan.lines.flow, placer.lay, plan.spacing, limits)
        body = placer.lay(units)
    padding = plan.root.padding
    layout = Layout(body.width + padding.left + padding.right, body.height + padding.top + padding.bottom, uncut)
    x, y = padding.left + body.left, padding.top
    layout.named, layout.uneven = named, placer.uneven
    layout.labels = [label._replace(x=label.x + x, y=label.y + y) for label in body.labels]
    layout.upwards = body.upwards
    layout.parts = max((len(unit.units) for unit in walk_units(units) if unit.kind == "parts"), default=1)
    layout.boxes = {key: box.moved(x, y) for key, box in body.boxes.items()}
    wires = [wire._replace(points=_simplified(wire.moved(x, y).points)) for wire in body.wires]
    layout.wires = [wire for wire in wires if len(wire.points) > 1]
    return layout


def _simplified(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Return the corners without duplicates and without points on a straight line."""

    kept: list[Point] = []
    before = False, False
    for point in points:
        now = _aligned(kept[-1], point) if kept else before
        if all(now):
            continue
        if any(map(and_, before, now)):
            kept.pop()
            now = _aligned(kept[-1], point)
        before = now
        kept.append(point)
    return tuple(kept)


def _aligned(one: Point, other: Point) -> tuple[bool, bool]:
    """Return whether two points are above each other, and whether they are beside each other."""
    return abs(one.x - other.x) < ALIGNED, abs(one.y - other.y) < ALIGNED


class _Placer:
    """Lays out units, with all units inside them, each of those once."""

    def __init__(self, lines: Lines, spacing: Spacing) -> None:
        self.lines, self.flow, self.spacing, self.uneven = lines, lines.flow, spacing, False
        self.bodies: dict[Unit, Body] = {}

    def column(
        self,
        units: list[Unit],
        incoming: Sequence[Edge] = (),
        outgoing: Sequence[Edge] = (),
        values: Mapping[str, int] = NO_VALUES,
        *,
        rises: bool = False,
    ) -> Column:
        """Return units as one column, with the edges that enter and leave it at its ends."""
        line = self.lines.of(units, values)
        inner = {at: self._inside(stop.unit) for at, stop in enumerate(line.stops) if stop.unit.units}
        leans = bool(values) or any(arc.box is not None for arc in line.arcs)
        return Column(line, inner, self.spacing, incoming, outgoing, rises=rises, leans=leans)

    def _inside(self, unit: Unit) -> Body:
        if unit not in self.bodies:
            self.bodies[unit] = _BODIES[unit.kind](self, unit)
        return self.bodies[unit]

    def lay(self, units: list[Unit], incoming: Sequence[Edge] = (), outgoing: Sequence[Edge] = ()) -> Body:
        """Return the layout of a column."""
        return self.column(units, incoming, outgoing).lay_out()

    def _sides(self, unit: Unit) -> Body:
        left, right = (self.column(side.units, values=across(unit)).lay_out() for side in unit.units)
        self.uneven = are_uneven(left, right)
        return next_to_the_other(left, right, unit.value)

    def _bend(self, unit: Unit) -> Body:
        values = across(unit)
        inside = {leaf.key for leaf in unit.leaves()}
        *encoders, middle, decoder = unit.units
        columns = []
        for part in (*encoders, middle, decoder):
            own = {leaf.key for leaf in part.leaves()}
            into = _incoming(part, self.flow, inside if part in encoders else own) if part.units else []
            out = [edge for edge in (_outgoing(part, self.flow, own) if part.units else ()) if edge not in unit.skips]
            into = [edge for edge in into if edge not in unit.skips]
            is_joined = part is decoder and len(encoders) > 1
            columns.append(self.column(part.units, () if is_joined else into, out, values, rises=part is decoder))
        middle_column = columns[-2] if middle.units else None
        return bent(columns[:-2], middle_column, columns[-1], unit.skips)

    def _parts(self, unit: Unit) -> Body:
        inside = {leaf.key for leaf in unit.leaves()}
        incoming, outgoing = _incoming(unit.units[0], self.flow, inside), _outgoing(unit.units[-1], self.flow, inside)
        bodies = []
        for at, part in enumerate(unit.units):
            below = {leaf.key for each in unit.units[at + 1 :] for leaf in each.leaves()}
            onwards = [
                Edge(leaf.key, to) for leaf in part.outputs() for to in self.flow.out_of(leaf.key) if to in below
            ]
            into = incoming if at == 0 else ()
            bodies.append(self.lay(part.units, into, outgoing if at == len(unit.units) - 1 else onwards))
        return side_by_side(bodies, unit.units, self.flow, outgoing)

    def _branches(self, unit: Unit) -> Body:
        inside = {leaf.key for leaf in unit.leaves()}
        incoming = [_incoming(branch, self.flow, inside) for branch in unit.units]
        outgoing = [_outgoing(branch, self.flow, inside) for branch in unit.units]
        if unit.rails:
            return between_rails(unit, [*chain.from_iterable(incoming)], [*chain.from_iterable(outgoing)])
        bodies = [
            self.lay(branch.units, into, out) for branch, into, out in zip(unit.units, incoming, outgoing, strict=True)
        ]
        return next_to_each_other(bodies, incoming, outgoing, self.spacing)


_BODIES = {"parts": _Placer._parts, "branches": _Placer._branches, "sides": _Placer._sides, "bend": _Placer._bend}
"""How units with other units inside are laid out, by kind; not in `_Placer`, so that this is no reference cycle."""


def _incoming(part: Unit, flow: Flow, inside: set[str]) -> list[Edge]:
    return [Edge(source, leaf.key) for leaf in part.inputs() for source in flow.into(leaf.key) if source not in inside]


def _outgoing(part: Unit, flow: Flow, inside: set[str]) -> list[Edge]:
    return [Edge(leaf.key, to) for leaf in part.outputs() for to in flow.out_of(leaf.key) if to not in inside]
