"""Lay out nested boxes with ports and edges: positions and orthogonal routes. Independent of models and drawing."""

from fxsummary.layout.boxes import Box, Edge, Layout, Padding, Point, Rect, Spacing, Wire, walk
from fxsummary.layout.columns import Shape
from fxsummary.layout.nested import Memo, Planner

__all__ = [
    "Box", "Edge", "Layout", "Memo", "Padding", "Planner", "Point", "Rect", "Shape", "Spacing", "Wire", "walk",
]  # fmt: skip
