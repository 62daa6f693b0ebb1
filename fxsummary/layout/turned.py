"""A layout from left to right: everything mirrored at the diagonal, laid out from top to bottom, mirrored back."""

from __future__ import annotations

from dataclasses import replace

from fxsummary.layout.boxes import Box, Edge, Layout, Padding, Point, Rect, Spacing, Wire
from fxsummary.layout.columns import Shape
from fxsummary.layout.nested import Memo, Planner

PIN_GAP = 12.0
"""Greatest distance of the wires that enter a leaf from the left."""


def layout_rightwards(
    root: Box,
    edges: list[Edge],
    spacing: Spacing | None = None,
    *,
    ratio: float = 1.5,
    widest: float = 1800.0,
    inner: float | None = None,
    memo: Memo | None = None,
) -> Layout:
    """Positions of all boxes and routes of all edges, with the layers from left to right.

    Wires leave on the right and enter on the left; those of leaves with `side_entry` also from above and
    below. Boxes keep their sizes. The arguments are those of `fxsummary.layout.layout`.

    Args:
        root: a group.
        edges: between leaves.
        spacing: distances; `vertical` is that between layers, here from left to right.
        ratio: wanted width to height of the top level; it is cut into lines if wider than ``widest`` px.
        inner: groups inside that are wider than this are cut into lines too; None for none.
        memo: of layouts that have much in common with this one.
    """
    placed = Planner(_turned(root), edges, spacing, memo).layout(Shape(1 / ratio, tallest=widest), inner)
    boxes = {key: Rect(box.y, box.x, box.height, box.width) for key, box in placed.boxes.items()}
    return Layout(placed.height, placed.width, boxes, [_wire(wire) for wire in placed.wires], placed.paths)


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


def _wire(wire: Wire) -> Wire:
    return replace(wire, points=tuple(Point(point.y, point.x) for point in wire.points))
