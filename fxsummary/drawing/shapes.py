"""The graphical elements of a picture: borders, backgrounds, chips, badges, change marks, texts on cards and pills."""

from __future__ import annotations

from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.markup import BOLD, END, MIDDLE, element, rect, text
from fxsummary.drawing.measure import LEFT, RIGHT, badge_width, card_parameters, chip_width
from fxsummary.drawing.names import NAME
from fxsummary.drawing.scene import Group, Row
from fxsummary.graph.changes import REMOVED, SIGNS
from fxsummary.layout import Rect

PEAK = "peak"
"""Text and kind of the chip of the row with the most memory in use."""


GHOST = "ghost"
"""CSS name of ghosts, and their kind in the legend."""


def outline(box: Rect, style: str, radius: float, shift: float = 0.0) -> str:
    """Return the border of a box, moved right and down by ``shift``."""
    x, y = box.x + shift + 0.5, box.y + shift + 0.5
    return rect(x, y, box.width - 1, box.height - 1, style, radius - 0.5)


def sheets(box: Rect, style: str, radius: float, repeat: int) -> list[str]:
    """Return the borders behind a repeated box that show further copies."""
    return [outline(box, style, radius, shift) for shift in (8.0, 4.0) if repeat > 1]


def pill(box: Rect, style: str, radius: float, stroke: float) -> str:
    """Return a filled box with a border inside its bounds."""
    half = stroke / 2
    width, height = box.width - stroke, box.height - stroke
    return rect(box.x + half, box.y + half, width, height, style, radius - half, stroke_width=stroke)


def ground(row: Row, box: Rect, radius: float, stripe: float, first: bool, last: bool) -> str:
    """Return the coloured background of a row or card with its stripe, rounded at the ends of its box."""
    x, y, right, foot = box.x, box.y, box.right, box.bottom
    top, bottom = radius if first else 0.0, radius if last else 0.0
    path = f"M{x + top:.1f} {y:.1f}H{right - top:.1f}Q{right:.1f} {y:.1f} {right:.1f} {y + top:.1f}"
    path += f"V{foot - bottom:.1f}Q{right:.1f} {foot:.1f} {right - bottom:.1f} {foot:.1f}"
    path += f"H{x + bottom:.1f}Q{x:.1f} {foot:.1f} {x:.1f} {foot - bottom:.1f}"
    path += f"V{y + top:.1f}Q{x:.1f} {y:.1f} {x + top:.1f} {y:.1f}Z"
    band = f"M{x + stripe:.1f} {y:.1f}V{foot:.1f}H{x + bottom:.1f}"
    band += f"Q{x:.1f} {foot:.1f} {x:.1f} {foot - bottom:.1f}" if last else ""
    band += f"V{y + top:.1f}" + (f"Q{x:.1f} {y:.1f} {x + top:.1f} {y:.1f}" if first else "") + "Z"
    return element("path", d=path, class_=f"f-{row.ground}") + element("path", d=band, class_=f"s-{row.kind}")


def chip(x: float, y: float, content: str, kind: str) -> str:
    """Return a chip with its text."""
    width, is_peak = chip_width(content), kind == PEAK
    if kind == NAME:
        frame = rect(x, y, width, 15, "f-parameter o-parameter", 4, stroke_width=1, stroke_dasharray="3 2.5")
        return frame + text(x + width / 2, y + 10.9, content, 9.5, "t", **MIDDLE)
    frame = rect(x, y, width, 15, "badge" if is_peak else f"f-{kind} o-{kind}", 4, stroke_width=0.8)
    return frame + text(x + width / 2, y + 10.9, content, 9.5, "bgt" if is_peak else f"s-{kind}", **BOLD, **MIDDLE)


def badge(x: float, y: float, copied: str) -> str:
    """Return a badge with the number of copies."""
    width = badge_width(copied)
    return rect(x, y, width, 18, "badge", 9) + text(x + width / 2, y + 13, copied, 11, "bgt", **BOLD, **MIDDLE)


def change_mark(change: str, x: float, y: float) -> list[str]:
    """Return the change sign, a disc on the left border of a changed element; nothing for an unchanged one."""
    sign = SIGNS.get(change)
    if not sign:
        return []
    disc = element("circle", cx=x, cy=y, r=7, class_=f"s-{change}")
    return [disc + text(x, y + 4.2, sign, 12, "bgt", **BOLD, **MIDDLE)]


def dashes(part: Row | Group) -> str:
    """Return what the dashed border of an element says: that it was removed, or is a ghost; "" without dashes."""
    return REMOVED if part.change == REMOVED else GHOST if part.ghost else ""


def bordered(part: Row | Group, style: str) -> str:
    """Return the CSS classes of a border, with the class of its dashes."""
    return f"{style} o-{dashes(part)}" if dashes(part) else style


def struck(change: str, x: float, base: float, content: str, size: float, style: str = "s-removed") -> str:
    """Return the line through the bold name of a removed element; "" for others."""
    if change != REMOVED:
        return ""
    return rect(x - 1, base - 0.36 * size, text_width(content, size, bold=True) + 2, 1.3, style)


def muted_style(row: Row) -> str:
    """Return the CSS class of muted text on the background of a row."""
    return "hm" if row.heat else "mu"


def name_style(row: Row) -> str:
    """Return the CSS class of the name of a row, which is pale for a ghost."""
    return muted_style(row) if row.ghost else "t"


def card_texts(row: Row, box: Rect, right: float, *, tile: bool) -> str:
    """Return the texts on a card or a tile; the path ends at ``right``."""
    muted, left = muted_style(row), box.x + LEFT
    base = box.y + (51.5 if tile and row.config else 35.5)
    return "".join([
        text(left, box.y + 19.5, row.label, 13, name_style(row), **BOLD),
        struck(row.change, left, box.y + 19.5, row.label, 13),
        text(right, box.y + 19, row.path, 10, f"{muted} m", **END),
        text(left, box.y + 35.5, row.config, 11, muted),
        text(left, base - 0.5, row.shape if tile else "", 10, "t m"),
        text(box.right - RIGHT, base, card_parameters(row), 10.5, muted, **END),
    ])  # fmt: skip
