"""Lay out parallel branches: tables between two rails, or columns next to each other."""

from __future__ import annotations

from fxsummary.layout.body import Body, Opening
from fxsummary.layout.boxes import Edge, Point, Rect, Spacing, Wire
from fxsummary.layout.extents import RAIL
from fxsummary.layout.units import Unit

ENDS = 14.0
"""Space between the first branch and the top, and between the last branch and the bottom."""
BETWEEN = 5.0
"""Space between two branches between rails."""
OUT, IN = 12.0, 6.0
"""Distance of a rail from the tables, and of its end from the top or bottom."""
FORK = 12.0
"""Height of the wires that lead to columns next to each other."""


def between_rails(unit: Unit, incoming: list[Edge], outgoing: list[Edge]) -> Body:
    """Return tables below each other; a rail on the left leads into the first row of each, another one out of the last.

    The value of the unit comes from the left, to tables that are below the others.
    """
    tables = [branch.units[0].box for branch in unit.units]
    width = max(table.width for table in tables)
    left, right = -width / 2, width / 2
    body = Body(left=width / 2 + RAIL, right=width / 2 + RAIL)
    y = ENDS
    for table in tables:
        body.boxes[table.key] = Rect(left, y, width, table.height)
        y += table.height + BETWEEN
    body.height = y - BETWEEN + ENDS
    half = {table.key: table.height / table.rows / 2 for table in tables}
    rail = left - OUT
    rows = [(edge, body.boxes[edge.target].y + half[edge.target]) for edge in incoming]
    beside = [y for edge, y in rows if edge.source == unit.value]
    if beside:
        middle = sum(beside) / len(beside)
        targets = tuple(edge.target for edge, _ in rows if edge.source == unit.value)
        body.openings.append(Opening(rail, middle, targets, ends=False))
    for edge, y in rows:
        start = [(rail, middle)] if edge.source == unit.value else [(0.0, 0.0), (0.0, IN), (rail, IN)]
        _add(body, edge, [*start, (rail, y), (left, y)], arrow=True)
    foot, rail = body.height - IN, right + OUT
    for edge in outgoing:
        y = body.boxes[edge.source].bottom - half[edge.source]
        _add(body, edge, [(right, y), (rail, y), (rail, foot), (0.0, foot), (0.0, body.height)], arrow=False)
    return body


def _add(body: Body, edge: Edge, points: list[tuple[float, float]], *, arrow: bool) -> None:
    corners = tuple(Point(*point) for point in points)
    body.wires.append(Wire(edge.source, (edge.target,), corners, arrow=arrow))


def next_to_each_other(
    bodies: list[Body], incoming: list[list[Edge]], outgoing: list[list[Edge]], spacing: Spacing
) -> Body:
    """Return columns next to each other, centred on the spine, with a fork above and a merge below."""
    body, x, spines = Body(), 0.0, []
    for inner in bodies:
        spines.append(x + inner.left)
        x += inner.width + spacing.horizontal
    width = x - spacing.horizontal
    above = FORK if any(incoming) else 0.0
    below = FORK if any(outgoing) else 0.0
    tallest = max(inner.height for inner in bodies)
    middle = (spines[0] + spines[-1]) / 2
    body.left, body.right, body.height = middle, width - middle, above + tallest + below
    for inner, spine, into, out in zip(bodies, spines, incoming, outgoing, strict=True):
        at = spine - middle
        top = above if into or not out else above + tallest - inner.height  # inputs hang on what they lead to
        body.add(inner, at, top)
        for value, targets in _by_value(into):
            points = (Point(0.0, 0.0), Point(0.0, 2.0), Point(at, 2.0), Point(at, top))
            body.wires.append(Wire(value, targets, points, arrow=False))
        foot = body.height - 2.0
        for value, targets in _by_value(out):
            points = (Point(at, top + inner.height), Point(at, foot), Point(0.0, foot), Point(0.0, body.height))
            body.wires.append(Wire(value, targets, points, arrow=False))
    return body


def _by_value(edges: list[Edge]) -> list[tuple[str, tuple[str, ...]]]:
    targets: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
    return [(value, tuple(found)) for value, found in targets.items()]
