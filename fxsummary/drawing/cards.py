"""Cards, and tiles: cards with the result's shape in them, as wide as their texts, for pictures from left to right."""

from __future__ import annotations

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.markup import text
from fxsummary.drawing.measure import SHEETS, Measured, badge_width, card_parameters, chip_width
from fxsummary.drawing.scene import Row, Scene
from fxsummary.layout import walk

LEAST_WIDTH = 96.0
LEFT, RIGHT = 16.0, 12.0
HEIGHTS = (30.0, 44.0, 60.0)
"""Of a tile of one, two and three lines."""


def make_tiles(scene: Scene, measured: Measured) -> None:
    """Give the boxes of all cards the size of tiles."""
    rows = {item.key: item.rows[0] for item in scene.items() if item.form == "card"}
    for _, box in walk(measured.root):
        if row := rows.get(box.key):
            box.width, box.height = tile_size(row)
            box.overhang = SHEETS if row.repeat > 1 else 0.0


def tile_size(row: Row) -> tuple[float, float]:
    """Width and height of the tile of a row."""
    path = text_width(row.path, 10, mono=True)
    head = _name_width(row) + (10 + path if path else 0.0)
    if row.repeat > 1:
        head += 8 + badge_width(row.repeat)
    parameters = text_width(card_parameters(row), 10.5)
    foot = text_width(row.shape, 10, mono=True) + (14 + parameters if parameters else 0.0)
    width = max(head, text_width(row.config, 11), foot) + LEFT + RIGHT
    return max(LEAST_WIDTH, width), HEIGHTS[len(_lines(row))]


def muted_style(row: Row) -> str:
    """The class of muted text on the ground of a row."""
    return "hm" if row.heat else "mu"


def pill_texts(row: Row, right: float, base: float) -> str:
    """The shape and the parameters on a pill."""
    muted = muted_style(row)
    parameters = text(right, base, row.parameters, 10.5, muted, anchor="end")
    width = text_width(row.parameters, 10.5) + 8 if row.parameters else 0.0
    return text(right - width, base, row.shape, 10, f"{muted} m", anchor="end") + parameters


def card_texts(row: Row, left: float, top: float, right: float) -> str:
    """The texts on a card of a picture from top to bottom."""
    muted = muted_style(row)
    return (
        text(left + LEFT, top + 19.5, row.label, 13, bold=True)
        + text(right - RIGHT, top + 19, row.path, 10, f"{muted} m", anchor="end")
        + text(left + LEFT, top + 35.5, row.config, 11, muted)
        + text(right - RIGHT, top + 35.5, card_parameters(row), 10.5, muted, anchor="end")
    )


def tile_texts(row: Row, left: float, top: float, right: float) -> str:
    """The texts on a tile, from top to bottom; chips are painted by the caller."""
    muted = muted_style(row)
    ends = right - RIGHT - (8 + badge_width(row.repeat) if row.repeat > 1 else 0.0)
    parts = [
        text(left + LEFT, top + 19.5, row.label, 13, bold=True),
        text(ends, top + 19, row.path, 10, f"{muted} m", anchor="end"),
    ]
    for base, line in zip((35.5, 51.5), _lines(row), strict=False):
        if line == "config":
            parts.append(text(left + LEFT, top + base, row.config, 11, muted))
            continue
        parts.append(text(left + LEFT, top + base - 0.5, row.shape, 10, "t m"))
        parts.append(text(right - RIGHT, top + base, card_parameters(row), 10.5, muted, anchor="end"))
    return "".join(parts)


def chips_at(row: Row) -> float:
    """x of the first chip from the left border of the tile."""
    return LEFT + text_width(row.label, 13, bold=True) + 7


def config_ends(row: Row) -> float:
    """x behind the configuration on a card, from its left border."""
    return LEFT + (text_width(row.config, 11) + 6 if row.config else 0.0)


def _name_width(row: Row) -> float:
    chips = sum(4 + chip_width(chip) for chip, _ in row.chips)
    return text_width(row.label, 13, bold=True) + (3 + chips if chips else 0.0)


def _lines(row: Row) -> list[str]:
    """The lines below the name."""
    return ["config"] * bool(row.config) + ["foot"] * bool(row.shape or row.parameters)
