"""Cut a tall column into parts that stand next to each other, at gaps that one value crosses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Edge, Point, Spacing, Wire
from fxsummary.layout.extents import width_of
from fxsummary.layout.units import Flow, Unit

GUTTER = 44.0
TURN = 14.0
"""Space between a column and the wire that leads around its end."""
DOMINANT = 0.7
"""Share of the leaves from which a frame is cut inside."""

MOST_CROSSING = 3
"""Number of values that may cross a gap at which a column is cut; only one of them has a wire."""
LOWEST = 0.3
"""Minimum height of a part, as a share of the highest."""

Lay = Callable[[list[Unit], Sequence[Edge], Sequence[Edge]], Body]
"""Lays out units as one column, given the edges that enter and leave it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The maximum size of a page, and of columns on it."""

    width: float = float("inf")
    height: float = float("inf")
    columns: int = 1


def cut(
    units: list[Unit], whole: Body, flow: Flow, lay: Lay, spacing: Spacing, limits: Limits
) -> tuple[list[Unit], list[Edge]]:
    """Return the units, or those of their largest frame, as parts that fit the width; as they were if there are none.

    Return also the edges between parts for which there is no wire.

    Args:
        whole: layout of the units as one column.
    """
    for most in (1, MOST_CROSSING):
        if found := _best(_pieces(units, whole, flow, most), flow, lay, spacing, limits):
            return [found], _unconnected(found, flow)
    largest = max(units, key=lambda unit: sum(1 for _ in unit.leaves()))
    dominates = sum(1 for _ in largest.leaves()) >= DOMINANT * _size(units)
    named: list[Edge] = []
    if largest.kind == "frame" and dominates and _is_entered_at_ends(largest.units, flow):
        inside, named = cut(largest.units, lay(largest.units, (), ()), flow, lay, spacing, limits)
        units = [replace(unit, units=inside) if unit is largest else unit for unit in units]
    return units, named


def _best(
    pieces: list[tuple[float, list[Unit]]], flow: Flow, lay: Lay, spacing: Spacing, limits: Limits
) -> Unit | None:
    """Return the fewest parts that are low enough, or else the lowest parts, that fit the width."""
    heights, best, least = [height for height, _ in pieces], None, float("inf")
    for number in range(2, min(limits.columns, len(pieces)) + 1):
        ends = _balanced(heights, number)
        starts = [0, *ends[:-1]]
        parts = [[unit for _, chain in pieces[a:b] for unit in chain] for a, b in zip(starts, ends, strict=True)]
        least_width = sum(max(width_of(unit, spacing) for unit in part) for part in parts) + GUTTER * (number - 1)
        if _is_uneven(heights, ends) or least_width > limits.width:
            continue
        made = Unit("parts", units=[Unit("column", units=part) for part in _with_ports(parts, flow)])
        body = lay([made], (), ())
        if body.width <= limits.width and body.height < 0.85 * least:
            best, least = made, body.height
        if least <= limits.height:
            break
    return best


def _unconnected(parts: Unit, flow: Flow) -> list[Edge]:
    """Return the edges from one part to another, without those of the values at ports."""
    part_of = {leaf.key: at for at, part in enumerate(parts.units) for leaf in part.leaves()}
    ports = {part.units[0].value: at for at, part in enumerate(parts.units) if part.units[0].kind == "port"}
    return [
        Edge(key, target)
        for key, at in part_of.items()
        for target in flow.out_of(key)
        if part_of.get(target, at) != at and ports.get(key) != part_of[target]
    ]


def _is_entered_at_ends(units: list[Unit], flow: Flow) -> bool:
    """Return whether values enter units only at the first one, and leave only from the last one."""
    inside = {leaf.key for unit in units for leaf in unit.leaves()}
    first, last = ({leaf.key for leaf in ends} for ends in (units[0].inputs(), units[-1].outputs()))
    return all(
        (key in first or inside.issuperset(flow.into(key))) and (key in last or inside.issuperset(flow.out_of(key)))
        for key in inside
    )


def _size(units: list[Unit]) -> int:
    return sum(1 for unit in units for _ in unit.leaves())


def _pieces(units: list[Unit], whole: Body, flow: Flow, most: int) -> list[tuple[float, list[Unit]]]:
    """Return runs of units, with their heights, between which few values flow, one of them to the next unit."""
    number = {leaf.key: at for at, unit in enumerate(units) for leaf in unit.leaves()}
    last = {key: max((number.get(target, len(units)) for target in flow.out_of(key)), default=0) for key in number}
    crossing = [0] * (len(units) + 1)
    for key, end in last.items():
        for at in range(number[key] + 1, end + 1):
            crossing[at] += 1
    tops = [min(whole.boxes[box.key].y for box in unit.leaves()) for unit in units]
    pieces: list[tuple[float, list[Unit]]] = []
    start = 0
    for at in range(1, len(units) + 1):
        if at < len(units) and not (0 < crossing[at] <= most and _flows(units[at - 1], units[at], flow)):
            continue
        bottom = tops[at] if at < len(units) else whole.height
        pieces.append((bottom - tops[start], units[start:at]))
        start = at
    return pieces


def _flows(above: Unit, below: Unit, flow: Flow) -> bool:
    """Return whether one value flows from a unit into the next."""
    inputs = {leaf.key for leaf in below.inputs()}
    return sum(not inputs.isdisjoint(flow.out_of(leaf.key)) for leaf in above.outputs()) == 1


def _balanced(heights: list[float], number: int) -> list[int]:
    """Return the ends of runs of heights, so that the highest run is about as low as possible.

    >>> _balanced([1, 1, 1, 3], 2), _balanced([5, 1, 1], 2)
    ([3, 4], [1, 3])
    """
    low, high = max(heights), sum(heights)
    while high - low > 0.1:
        middle = (low + high) / 2
        low, high = (low, middle) if len(_filled(heights, middle)) <= number else (middle, high)
    ends = _filled(heights, high)
    while len(ends) < number:  # split the highest run that can be split
        starts = [0, *ends[:-1]]
        runs = [(sum(heights[a:b]), a, b) for a, b in zip(starts, ends, strict=True) if b - a > 1]
        _, start, end = max(runs)
        ends = sorted([*ends, (start + end) // 2])
    return ends


def _filled(heights: list[float], limit: float) -> list[int]:
    """Return the ends of runs that are filled one after the other up to a limit."""
    ends, height = [], 0.0
    for at, each in enumerate(heights):
        if height and height + each > limit:
            ends.append(at)
            height = 0.0
        height += each
    return [*ends, len(heights)]


def _is_uneven(heights: list[float], ends: list[int]) -> bool:
    """Return whether one of the parts is much lower than another."""
    sums = [sum(heights[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    return min(sums) < LOWEST * max(sums)


def _with_ports(parts: list[list[Unit]], flow: Flow) -> list[list[Unit]]:
    """Start each part but the first with a port of the value that it reads from the part before."""
    made = [parts[0]]
    for before, part in pairwise(parts):
        first = {leaf.key for leaf in part[0].inputs()}
        later = [leaf.key for leaf in before[-1].outputs() if first.intersection(flow.out_of(leaf.key))]
        made.append([*(Unit("port", value=key) for key in later[:1]), *part])
    return made


def side_by_side(bodies: list[Body], parts: list[Unit], flow: Flow, outgoing: Sequence[Edge]) -> Body:
    """Return parts next to each other, with wires from the end of each over the top of the next."""
    body, x = Body(left=bodies[0].left), -bodies[0].left
    spines: list[float] = []
    for inner in bodies:
        spines.append(x + inner.left)
        body.add(inner, spines[-1], 0.0 if len(spines) == 1 else TURN)
        x += inner.width + GUTTER
    body.right = x - GUTTER
    lowest = max(inner.height + TURN for inner in bodies)
    for at, part in enumerate(parts[1:], 1):
        port = part.units[0]
        if port.kind != "port":
            continue
        foot = bodies[at - 1].height + (TURN if at > 1 else 0.0)
        gutter = spines[at] - bodies[at].left - GUTTER / 2
        corners = [
            (spines[at - 1], foot), (spines[at - 1], foot + TURN), (gutter, foot + TURN), (gutter, 0.0),
            (spines[at], 0.0), (spines[at], TURN),
        ]  # fmt: skip
        inside = {leaf.key for leaf in part.leaves()}
        targets = tuple(target for target in flow.out_of(port.value) if target in inside)
        body.wires.append(Wire(port.value, targets, tuple(Point(*corner) for corner in corners), arrow=False))
        lowest = max(lowest, foot + TURN + 4.0)
    body.height = lowest
    if outgoing:
        body.height = lowest + TURN
        foot = bodies[-1].height + TURN
        corners = [(spines[-1], foot), (spines[-1], lowest), (0.0, lowest), (0.0, body.height)]
        for edge in outgoing:
            points = tuple(Point(*corner) for corner in corners)
            body.wires.append(Wire(edge.source, (edge.target,), points, arrow=False))
    return body
