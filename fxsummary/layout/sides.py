"""Two sides of a model: the left column makes a value that the right one reads at several places."""

from __future__ import annotations

from fxsummary.layout.body import Body
from fxsummary.layout.boxes import Box, Point, Wire, leaves
from fxsummary.layout.units import Flow

GUTTER = 40.0
MOST_GROWTH = 1.12
"""Growth of the page up to which a column is moved down so that the first wire across is straight."""
LEAST_FILLED = 0.7
"""Share of their ground that two columns fill if they stand next to each other; columns are about 70 % full, so that
no more than half of it is empty."""
LAST_ROW = 11.0
"""Distance of the wire that leaves a table from its lower border."""


def split(root: Box, flow: Flow, value: str) -> tuple[list[Box], list[Box]] | None:
    """Return the children on the side that makes a value and those on the other; None if some are on both."""
    made, pending = {value}, [value]
    while pending:
        for source in flow.into(pending.pop()):
            if source not in made:
                made.add(source)
                pending.append(source)
    sides: tuple[list[Box], list[Box]] = [], []
    for child in root.children or []:
        on = {leaf.key in made for leaf in leaves(child)}
        if len(on) > 1:
            return None
        sides[0 if True in on else 1].append(child)
    return sides if all(sides) else None


def are_uneven(left: Body, right: Body) -> bool:
    """Return whether too much is empty below one of two columns."""
    filled = left.width * left.height + right.width * right.height
    return filled < LEAST_FILLED * (left.width + right.width) * max(left.height, right.height)


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
