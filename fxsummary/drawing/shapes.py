"""Shapes that a picture is made of: borders, grounds, chips, badges."""

from __future__ import annotations

from fxsummary.drawing.markup import element, rect, text
from fxsummary.drawing.measure import badge_width, chip_width
from fxsummary.drawing.scene import Row
from fxsummary.layout import Rect


def outline(box: Rect, style: str, radius: float, shift: float = 0.0) -> str:
    """The border of a box, moved right and down by ``shift``."""
    x, y = box.x + shift + 0.5, box.y + shift + 0.5
    return rect(x, y, box.width - 1, box.height - 1, style, radius=radius - 0.5)


def pill(box: Rect, style: str, radius: float, stroke: float) -> str:
    """A filled box with a border inside its bounds."""
    half = stroke / 2
    width, height = box.width - stroke, box.height - stroke
    return rect(box.x + half, box.y + half, width, height, style, radius=radius - half, stroke_width=stroke)


def ground(row: Row, box: Rect, radius: float, stripe: float, first: bool, last: bool) -> str:
    """The coloured ground of a row or card with its stripe, round where it is at an end of its box."""
    x, y, width, height = box
    top, bottom = radius if first else 0.0, radius if last else 0.0
    body = element("path", d=_rounded_box(x, y, x + width, y + height, top, bottom), class_=f"f-{row.ground}")
    right, foot = x + stripe, y + height
    band = f"M{right:.1f} {y:.1f}V{foot:.1f}H{x + bottom:.1f}"
    band += f"Q{x:.1f} {foot:.1f} {x:.1f} {foot - bottom:.1f}" if last else ""
    band += f"V{y + top:.1f}" + (f"Q{x:.1f} {y:.1f} {x + top:.1f} {y:.1f}" if first else "") + "Z"
    return body + element("path", d=band, class_=f"s-{row.kind}")


def _rounded_box(x: float, y: float, right: float, foot: float, top: float, bottom: float) -> str:
    path = f"M{x + top:.1f} {y:.1f}H{right - top:.1f}Q{right:.1f} {y:.1f} {right:.1f} {y + top:.1f}"
    path += f"V{foot - bottom:.1f}Q{right:.1f} {foot:.1f} {right - bottom:.1f} {foot:.1f}"
    path += f"H{x + bottom:.1f}Q{x:.1f} {foot:.1f} {x:.1f} {foot - bottom:.1f}"
    return path + f"V{y + top:.1f}Q{x:.1f} {y:.1f} {x + top:.1f} {y:.1f}Z"


def line(left: float, y: float, right: float) -> str:
    """Path data of a horizontal line."""
    return f"M{left:.1f} {y:.1f}H{right:.1f}"


def chip(x: float, y: float, content: str, kind: str) -> str:
    """A chip with its text."""
    width = chip_width(content)
    frame = rect(x, y, width, 15, f"f-{kind} o-{kind}", radius=4, stroke_width=0.8)
    return frame + text(x + width / 2, y + 10.9, content, 9.5, f"s-{kind}", bold=True, anchor="middle")


def badge(x: float, y: float, repeat: int) -> str:
    """An ×N badge."""
    width = badge_width(repeat)
    label = text(x + width / 2, y + 13, f"×{repeat}", 11, "bgt", bold=True, anchor="middle")
    return rect(x, y, width, 18, "badge", radius=9) + label
