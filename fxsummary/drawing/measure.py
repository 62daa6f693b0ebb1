"""Measure a scene: boxes for the layout, and the columns of each table. Lengths are in px."""

from __future__ import annotations

from dataclasses import dataclass, field

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.scene import Group, Item, Row, Scene
from fxsummary.layout import Box, Edge, Header, Padding, Spacing

ROW_HEIGHT = 22.0
STRIPE = 4.0
CARD_WIDTH, CARD_HEIGHT, LOW_CARD_HEIGHT = 210.0, 44.0, 30.0
SIGN = 24.0
PILLS = {"terminal": (12, True, 24, 26.0), "concat": (11.5, True, 22, 24.0), "parameter": (11, False, 20, 22.0)}
"""One-line forms: font size of the label, whether it is bold, horizontal padding, height."""
LEFT, RIGHT = 16.0, 12.0
"""Horizontal padding of a card."""
LEAST_TILE, TILE_HEIGHTS = 96.0, (30.0, 44.0, 60.0)
"""Minimum width of a tile; its heights with one, two and three lines."""
HEADER, SIDE, BOTTOM = 26.0, 14.0, 8.0
NARROW, NARROW_SIDE = ("column", "a4"), 10.0
"""Pages with less padding at the sides of frames."""
SHEETS = 8.0
BAR = 30.0
LEAST_SHARE = 0.005

STACK_SPACING = Spacing()
CARD_SPACING = Spacing(vertical=32.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """Boxes for the layout, and by item key the columns of each table; see `table_columns`.

    Attributes:
        loops: widths of the shapes of values that go back to the next step.
    """

    root: Box
    columns: dict[str, dict[str, float]]
    loops: dict[Edge, float] = field(default_factory=dict)


def chip_width(text: str) -> float:
    """Return the width of a chip."""
    return text_width(text, 9.5, bold=True) + 10


def badge_width(copied: str) -> float:
    """Return the width of a badge with the number of copies."""
    return text_width(copied, 11, bold=True) + 14


def shape_shown(row: Row) -> str:
    """Return the output shape; "" if it equals the input shape."""
    return "" if row.same_shape else row.shape


def bar_shown(row: Row) -> bool:
    """Return whether a row has a FLOPs bar, or a question mark instead."""
    return row.share is None or row.share >= LEAST_SHARE


def table_columns(rows: list[Row]) -> dict[str, float]:
    """Return x of the columns that fit all rows, from the left border of the table, without empty columns.

    The parameters are aligned to the right, the other columns to the left; "end" is the width of the table.
    """
    x = STRIPE + 8
    columns: dict[str, float] = {}
    bars = any(bar_shown(row) for row in rows)
    if path := max(text_width(row.path, 10, mono=True) for row in rows):
        columns["path"] = x
        x += path + 10
    columns["name"] = x
    x += max(_name_width(row) for row in rows)
    if shapes := max(text_width(shape_shown(row), 10, mono=True) for row in rows):
        columns["shape"] = x + 14
        x += 14 + shapes
    if parameters := max(text_width(row.parameters, 10.5) for row in rows):
        columns["parameters"] = x = x + 12 + parameters
    if bars:
        columns["bar"] = x + 8
        x += 8 + BAR
    if rows[0].repeat > 1:
        x += 8 + badge_width(rows[0].copied)
    return {**columns, "end": max(64.0, x + 9)}


def _name_width(row: Row) -> float:
    width = text_width(row.label, 12, bold=True)
    if row.config:
        width += 6 + text_width(row.config, 11)
    if row.chips:
        width += 2 + sum(4 + chip_width(text) for text, _ in row.chips)
    return width


def measure(scene: Scene) -> Measured:
    """Return the boxes of all groups and items."""
    columns: dict[str, dict[str, float]] = {}
    boxes = {scene.root.key: Box(scene.root.key)}
    cards: list[Box] = []
    sources = {edge.source for edge in (*scene.edges, *scene.loops)}
    for group in (scene.root, *scene.groups()):
        boxes[group.key].children = children = []
        for child in group.children:
            if isinstance(child, Group):
                box = _group_box(child, NARROW_SIDE if scene.page in NARROW else SIDE)
            elif child.form == "card":
                box = _tile_box(child) if scene.direction == "LR" else _card_box(child)
                cards.append(box)
            elif child.form == "stack":
                columns[child.key] = table_columns(child.rows)
                box = Box(child.key, columns[child.key]["end"], ROW_HEIGHT * len(child.rows), rows=len(child.rows))
                box.role = "join" if child.joins else ""
                box.entry, box.overhang = ROW_HEIGHT / 2, _sheets(child.rows[0].repeat)
            else:
                box = _pill_box(child)
            if isinstance(child, Item) and child.form != "terminal" and child.key not in sources:
                box.role = "aside"
            if isinstance(child, Item):
                box.label = text_width(child.shape, 10, mono=True)
                box.extent = _extent(child.shape)
            boxes[child.key] = box
            children.append(box)
    if scene.direction == "TB":
        widest = max(CARD_WIDTH, *(card.width for card in cards)) if cards else 0.0
        for card in cards:
            card.width, card.least = widest, card.width
    loops = scene.loops if scene.direction == "TB" else {}
    return Measured(boxes[scene.root.key], columns, {e: text_width(shape, 10, mono=True) for e, shape in loops.items()})


def _group_box(group: Group, side: float) -> Box:
    left = 12 + text_width(group.title, 11, bold=True) + 7 + text_width(group.type, 11) + 10
    right = 12 + text_width(group.facts, 10.5) + 10 + (badge_width(group.copied) + 6 if group.repeat > 1 else 0)
    padding = Padding(HEADER, side, BOTTOM, side)
    return Box(group.key, 0.0, 0.0, [], padding, Header(left, right), overhang=_sheets(group.repeat))


def _sheets(repeat: int) -> float:
    return SHEETS if repeat > 1 else 0.0


def _card_box(item: Item) -> Box:
    row = item.rows[0]
    first = text_width(row.label, 13, bold=True) + text_width(row.path, 10, mono=True)
    second = text_width(row.config, 11) + text_width(card_parameters(row), 10.5)
    second += sum(chip_width(text) + 10 for text, _ in row.chips)
    width = max(LEAST_TILE, first + 46, second + 46)
    return Box(item.key, width, CARD_HEIGHT if row.config or row.parameters else LOW_CARD_HEIGHT)


def _tile_box(item: Item) -> Box:
    """Return the box of a tile: a card that contains the output shape, for pictures from left to right."""
    row = item.rows[0]
    path = text_width(row.path, 10, mono=True)
    chips = sum(4 + chip_width(chip) for chip, _ in row.chips)
    head = text_width(row.label, 13, bold=True) + (3 + chips if chips else 0.0) + (10 + path if path else 0.0)
    if row.repeat > 1:
        head += 8 + badge_width(row.copied)
    parameters = text_width(card_parameters(row), 10.5)
    foot = text_width(row.shape, 10, mono=True) + (14 + parameters if parameters else 0.0)
    width = max(LEAST_TILE, max(head, text_width(row.config, 11), foot) + LEFT + RIGHT)
    height = TILE_HEIGHTS[bool(row.config) + bool(row.shape or row.parameters)]
    return Box(item.key, width, height, overhang=_sheets(row.repeat))


def _extent(shape: str) -> str:
    """Return the size of a tensor without batch and channels; "" if it has no other dimension, or there are several.

    >>> _extent("1×64×32×32"), _extent("2 × (1×8×64)"), _extent("1×64×32, + 3 more")
    ('32×32', '', '')
    """
    sizes = shape.removeprefix("≈").split("×")
    return "×".join(sizes[2:]) if all(size.replace("…", "").isdigit() for size in sizes) else ""


def _pill_box(item: Item) -> Box:
    row = item.rows[0]
    chips = sum(chip_width(text) + 8 for text, _ in row.chips)
    if item.form == "sign":
        return Box(item.key, SIGN + chips, SIGN, anchor=SIGN / 2, role="join")
    size, bold, sides, height = PILLS[item.form]
    width = text_width(row.label, size, bold=bold) + (8 if row.shape else 0) + text_width(row.shape, 10, mono=True)
    width += (text_width(row.parameters, 10.5) + 8 if row.parameters and item.form != "terminal" else 0.0) + sides
    return Box(item.key, width + chips, height, role="join" if item.form == "concat" else "source")


def card_parameters(row: Row) -> str:
    """Format the parameters of a row with their unit."""
    return f"{row.parameters} params" if row.parameters else ""
