"""A layout from left to right: everything mirrored at the diagonal, laid out from top to bottom, mirrored back."""

from __future__ import annotations

from dataclasses import replace

from fxsummary.layout.boxes import Box, Edge, Layout, Padding, Point, Rect, Spacing
from fxsummary.layout.columns import Shape
from fxsummary.layout.nested import Memo, Planner

SHAPE = Shape(1 / 1.5, tallest=1800.0)
"""The top level is cut into lines if it is wider than 1,800 px."""
PIN_GAP = 12.0
"""Greatest distance of the wires that enter a leaf from the left."""


def layout_rightwards(
    root: Box, edges: list[Edge], spacing: Spacing | None = None, inner: float | None = None, memo: Memo | None = None
) -> Layout:
    """Positions of all boxes and routes of all edges, with the layers from left to right.

    Wires leave on the right and enter on the left; those of leaves with `side_entry` also from above and
    below. Boxes keep their sizes. The arguments are those of `Planner`; `vertical` distances are those between layers.

    Args:
        inner: groups inside that are wider than this are cut into lines, as the top level is; None for none.
    """
    placed = Planner(_turned(root), edges, spacing, memo).layout(SHAPE, inner)
    boxes = {key: Rect(box.y, box.x, box.height, box.width) for key, box in placed.boxes.items()}
    wires = [replace(wire, points=tuple(Point(p.y, p.x) for p in wire.points)) for wire in placed.wires]
    return Layout(placed.height, placed.width, boxes, wires, placed.paths)


def _turned(root: Box) -> Box:
    """A mirrored copy of a box and all inside."""
    top = _box(root)
    pending = [(root, top)]
    while pending:
        box, turned = pending.pop()
        if box.children is not None:
            turned.children = [_box(child) for child in box.children]
            pending.extend(zip(box.children, turned.children, strict=True))
    return top


def _box(box: Box) -> Box:
    padding = Padding(box.padding.left, box.padding.bottom, box.padding.right, box.padding.top)
    gap = min(box.pin_gap, PIN_GAP)
    return replace(box, width=box.height, height=box.width, padding=padding, anchor=None, pin_gap=gap)
