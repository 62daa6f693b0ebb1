"""Two sides of a model: the left column makes a value that the right one reads at several places."""

from __future__ import annotations

from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Point, Wire
from fxsummary.layout.units import Flow, Unit

GUTTER = 40.0
MOST_GROWTH = 1.12
"""Growth of the page up to which a column is moved down so that the first wire across is straight."""
LAST_ROW = 11.0
"""Distance of the wire that leaves a table from its lower border."""


def split(units: list[Unit], flow: Flow, value: str) -> list[Unit]:
    """Return the units on the side that makes a value and the others as two sides; unchanged if there is no other side."""
    at_work, made = [value], {value}
    while at_work:
        for source in flow.into(at_work.pop()):
            if source not in made:
                made.add(source)
                at_work.append(source)
    left = [unit for unit in units if all(leaf.key in made for leaf in unit.leaves())]
    right = [unit for unit in units if unit not in left]
    if not left or not right or any(leaf.key in made for unit in right for leaf in unit.leaves()):
        return units
    return [Unit("sides", units=[Unit("column", units=left), Unit("column", units=right)], value=value)]


def next_to_the_other(left: Body, right: Body, value: str) -> Body:
    """Return both columns, and one wire in the gutter from the value to all that read it."""
    body = Body()
    source = left.boxes[value]
    level = source.bottom - LAST_ROW
    first = min((opening.y for opening in right.openings), default=level)
    down = level - first
    height = max(left.height, right.height)
    left_y = right_y = 0.0
    if down > 0 and right.height + down <= MOST_GROWTH * height:
        right_y = down
    elif down < 0 and left.height - down <= MOST_GROWTH * height:
        left_y = -down
    spine = left.right + GUTTER + right.left
    body.add(left, 0.0, left_y)
    body.add(right, spine, right_y)
    lane, level = left.right + GUTTER / 2, level + left_y
    for x, y, targets, ends in body.openings:
        corners = [(source.right, level), (lane, level), (lane, y), (x, y)]
        body.wires.append(Wire(value, targets, tuple(Point(*corner) for corner in corners), arrow=ends))
    body.openings = []
    body.left, body.right = left.left, spine + right.right
    body.height = max(left.height + left_y, right.height + right_y)
    return body
