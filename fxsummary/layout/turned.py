"""Lay out from left to right: mirror everything at the diagonal, lay it out from top to bottom, mirror it back."""

from __future__ import annotations

from dataclasses import replace

from fxsummary.layout.boxes import Box, Edge, Layout, Padding, Point, Rect, Spacing, walk
from fxsummary.layout.columns import Shape
from fxsummary.layout.nested import Memo, Planner

SHAPE = Shape(1 / 1.5, tallest=1800.0)
"""A top level wider than 1,800 px is cut into lines."""
PIN_GAP = 12.0
"""Maximum distance between the wires that enter a leaf from the left."""


def layout_rightwards(
    root: Box, edges: list[Edge], spacing: Spacing | None = None, inner: float | None = None, memo: Memo | None = None
) -> Layout:
    """Return the positions of all boxes and the routes of all edges, with layers from left to right.

    Wires leave on the right and enter on the left; leaves with `side_entry` also accept wires from above and below.
    Boxes keep their sizes. The arguments are those of `Planner`; `vertical` distances separate layers.

    Args:
        inner: maximum width of inner groups; wider ones are cut into lines, like the top level; None for no limit.
    """
    placed = Planner(_turned(root), edges, spacing, memo).layout(SHAPE, inner)
    boxes = {key: Rect(box.y, box.x, box.height, box.width) for key, box in placed.boxes.items()}
    wires = [replace(wire, points=tuple(Point(p.y, p.x) for p in wire.points)) for wire in placed.wires]
    return Layout(placed.height, placed.width, boxes, wires, placed.paths)


def _turned(root: Box) -> Box:
    copies = {id(root): _box(root)}
    for parent, child in walk(root):
        copy = copies[id(child)] = _box(child)
        if (siblings := copies[id(parent)].children) is not None:
            siblings.append(copy)
    return copies[id(root)]


def _box(box: Box) -> Box:
    padding = Padding(box.padding.left, box.padding.bottom, box.padding.right, box.padding.top)
    gap, children = min(box.pin_gap, PIN_GAP), box.children and []
    size = box.height, box.width
    return Box(box.key, *size, children, padding, box.weight, None, box.overhang, box.side_entry, gap)
