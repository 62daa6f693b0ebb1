"""The style sheet, text measuring and the painter: from a graph with its blocks to SVG text."""

from fxsummary.drawing.arrangement import Page, arrange
from fxsummary.drawing.labels import Subject
from fxsummary.drawing.page import draw
from fxsummary.drawing.parts import Part, cut_broadcasts, cut_outputs, dissolve
from fxsummary.drawing.rows import MOST_CARDS, Composer
from fxsummary.drawing.scene import Group, Item, Row, Scene
from fxsummary.drawing.style import Theme

__all__ = [
    "MOST_CARDS",
    "Composer",
    "Group",
    "Item",
    "Page",
    "Part",
    "Row",
    "Scene",
    "Subject",
    "Theme",
    "arrange",
    "cut_broadcasts",
    "cut_outputs",
    "dissolve",
    "draw",
]
