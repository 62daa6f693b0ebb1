"""Write SVG elements. All text and attribute values pass through `fxsummary.text.html.escape`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import hypot

from fxsummary.layout import Point
from fxsummary.text.html import escape

RADIUS = 8.0
ARROW_LENGTH, ARROW_HALF_WIDTH = 6.5, 3.4


def number(value: float) -> str:
    """Format a coordinate with at most one decimal.

    >>> number(3.0), number(2.25), number(-0.01)
    ('3', '2.2', '0')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def element(name: str, content: str = "", /, **attributes: str | float | None) -> str:
    """Return an element around given markup; underscores in attribute names become hyphens, None is left out.

    >>> element("rect", x=1, rx=2.5, class_="a", stroke_width=None)
    '<rect x="1" rx="2.5" class="a"/>'
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            text = escape(value) if isinstance(value, str) else number(value)
            parts.append(f'{_attribute(key)}="{text}"')
    start = " ".join(parts)
    return f"<{start}>{content}</{name}>" if content else f"<{start}/>"


@cache
def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


BOLD, END, MIDDLE = {"font_weight": "bold"}, {"text_anchor": "end"}, {"text_anchor": "middle"}
"""Attributes of a text element."""


def text(x: float, y: float, content: str, size: float, style: str = "t", **more: str) -> str:
    """Return a text with its baseline at ``y``, "" for no text; ``style`` contains its CSS classes."""
    body = escape(content)
    return element("text", body, x=x, y=y, class_=style, font_size=size, **more) if body else ""


def rect(
    x: float, y: float, width: float, height: float, style: str, radius: float | None = None, **more: float | str | None
) -> str:
    """Return a rectangle with its CSS classes, round corners and further attributes."""
    return element("rect", "", x=x, y=y, width=width, height=height, rx=radius, class_=style, **more)


def linked(address: str, content: str) -> str:
    """Link content to a URL, which opens outside of any frame; return it unchanged if there is no URL."""
    return element("a", content, href=address, target="_top") if address else content


def tooltip(lines: Sequence[str]) -> str:
    """Return a ``<title>`` with these lines."""
    return f"<title>{chr(10).join(escape(line) for line in lines)}</title>"


def rounded(points: Sequence[Point]) -> str:
    """Return the path data of a line with rounded corners."""
    parts = [f"M{_pair(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into, out = hypot(corner.x - before.x, corner.y - before.y), hypot(after.x - corner.x, after.y - corner.y)
        radius = min(RADIUS, into / 2, out / 2)
        a, b = (
            Point(corner.x + (end.x - corner.x) * share, corner.y + (end.y - corner.y) * share)
            for end, share in ((before, radius / into), (after, radius / out))
        )
        parts.append(f"L{_pair(a)}Q{_pair(corner)} {_pair(b)}")
    return "".join(parts) + f"L{_pair(points[-1])}"


def arrowhead(before: Point, tip: Point) -> str:
    """Return the path data of an arrowhead at the end of a segment."""
    length = hypot(tip.x - before.x, tip.y - before.y)
    ux, uy = (tip.x - before.x) / length, (tip.y - before.y) / length
    base = Point(tip.x - ux * ARROW_LENGTH, tip.y - uy * ARROW_LENGTH)
    left = Point(base.x - uy * ARROW_HALF_WIDTH, base.y + ux * ARROW_HALF_WIDTH)
    right = Point(base.x + uy * ARROW_HALF_WIDTH, base.y - ux * ARROW_HALF_WIDTH)
    return f"M{_pair(tip)}L{_pair(left)}L{_pair(right)}Z"


def _pair(point: Point) -> str:
    return f"{number(point.x)} {number(point.y)}"
