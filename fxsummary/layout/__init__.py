"""Nested boxes with ports and edges -> positions and orthogonal routes. Knows nothing of models or drawing."""

from fxsummary.layout.boxes import Box, Edge, Layout, Padding, Point, Rect, Spacing, Wire, walk
from fxsummary.layout.nested import layout
from fxsummary.layout.turned import layout_rightwards

__all__ = [
    "Box",
    "Edge",
    "Layout",
    "Padding",
    "Point",
    "Rect",
    "Spacing",
    "Wire",
    "layout",
    "layout_rightwards",
    "walk",
]
