"""A picture without page around it: no title, no legend, no style sheet; its elements are numbered."""

from __future__ import annotations

from dataclasses import dataclass

from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.element_ids import Marks
from fxsummary.drawing.markup import number
from fxsummary.drawing.painter import Painter
from fxsummary.drawing.scene import Scene
from fxsummary.layout import Memo

MARGIN = 16.0
SHEET_ROOM = 12.0


@dataclass(frozen=True, slots=True)
class Fragment:
    """A picture as an SVG element, and what the numbers in it stand for (see `Marks`)."""

    svg: str
    marks: Marks


def draw_fragment(scene: Scene, memo: Memo | None = None) -> Fragment:
    """The scene as an SVG element to go into a page that has the style sheet; equal scenes give equal bytes.

    ``memo`` may be shared by scenes that have much in common.
    """
    arranged = arrange(scene, memo)
    placed, marks = arranged.layout, Marks()
    body = Painter(scene, placed, arranged.measured, MARGIN, MARGIN, marks=marks).paint()
    width, height = number(placed.width + SHEET_ROOM + 2 * MARGIN), number(placed.height + 2 * MARGIN)
    start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    return Fragment("\n".join([start, *(part for part in body if part), "</svg>"]), marks)
