"""The style sheet, text measuring and the painter: from a graph with its blocks to SVG text."""

from fxsummary.drawing.arrangement import Page, arrange
from fxsummary.drawing.cut_outputs import cut_outputs
from fxsummary.drawing.finishing import add_tips, finish
from fxsummary.drawing.fragment import Fragment, draw_fragment
from fxsummary.drawing.labels import Subject
from fxsummary.drawing.options import Look, look
from fxsummary.drawing.rows import MOST_CARDS, Composer
from fxsummary.drawing.scene import Group, Item, Row, Scene
from fxsummary.drawing.style import Theme
from fxsummary.drawing.svg_page import draw

__all__ = [
    "MOST_CARDS",
    "Composer",
    "Fragment",
    "Group",
    "Item",
    "Look",
    "Page",
    "Row",
    "Scene",
    "Subject",
    "Theme",
    "add_tips",
    "arrange",
    "cut_outputs",
    "draw",
    "draw_fragment",
    "finish",
    "look",
]
