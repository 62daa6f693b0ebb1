"""How a picture of a comparison shows what changed, beside the colour: a sign in a disc, and a frame."""

from __future__ import annotations

from fxsummary.drawing.markup import element, text
from fxsummary.graph.changes import SIGNS


def changed_style(style: str, change: str) -> str:
    """The classes of a frame around what changed."""
    return f"{style} o-{change}" if SIGNS.get(change) else style


def change_mark(change: str, x: float, y: float) -> list[str]:
    """The sign of a change in a disc on the left border of what changed; nothing for what is the same."""
    sign = SIGNS.get(change)
    if not sign:
        return []
    disc = element("circle", cx=x, cy=y, r=7, class_=f"s-{change}")
    return [disc + text(x, y + 4.2, sign, 12, "bgt", bold=True, anchor="middle")]
