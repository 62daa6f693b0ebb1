"""Lay out nested boxes with edges: positions and orthogonal routes. Independent of models and drawing."""

from fxsummary.layout.boxes import (
    Box,
    Edge,
    Header,
    Layout,
    Padding,
    Point,
    Rect,
    Spacing,
    Wire,
    turned,
    turned_back,
    walk,
)
from fxsummary.layout.parts import Limits
from fxsummary.layout.place import place
from fxsummary.layout.planning import Plan, plan

__all__ = [
    "Box", "Edge", "Header", "Layout", "Limits", "Padding", "Plan", "Point", "Rect", "Spacing", "Wire", "place", "plan",
    "turned", "turned_back", "walk",
]  # fmt: skip
