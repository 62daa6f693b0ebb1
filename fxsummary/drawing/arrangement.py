"""Arrange a scene on a page: leave out what the page has no room for, name what cannot be drawn, and lay it out."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from fxsummary.drawing.measure import CARD_SPACING, STACK_SPACING, Measured, measure
from fxsummary.drawing.names import name_edges
from fxsummary.drawing.narrow import STEPS, narrow, restore, texts_of
from fxsummary.drawing.scene import Scene
from fxsummary.layout import Layout, Limits, place, plan

GUTTER = 44.0
AROUND, HEAD = 56.0, 130.0
"""Width and height that the page adds around the scene."""
NARROWEST = 0.6
"""Width of a column that leaves out all that it can, as a share of its width."""
NARROW_COST, EMPTY_COST = 0.05, 0.4


@dataclass(frozen=True, slots=True)
class Format:
    """A page format.

    Attributes:
        width, height: maximum size in px.
        tall: height in px from which a column is cut into parts; columns: the maximum number of parts.
    """

    width: float
    height: float
    tall: float = float("inf")
    columns: int = 1


FORMATS = {
    "screen": Format(1400.0, 1500.0, 1150.0, 4),
    "column": Format(760.0, 2200.0),
    "a4": Format(860.0, 1500.0),
    "slide": Format(1400.0, 788.0, 788.0, 4),
}


@dataclass(frozen=True, slots=True)
class Page:
    """The size of a picture including title and legend.

    Attributes:
        filled: total area of its items; left_out: number of steps taken to make it narrower.
    """

    width: float
    height: float
    format: Format
    filled: float = 1.0
    left_out: int = 0

    @property
    def cost(self) -> float:
        """Cost of the page: too large, empty area, texts left out."""
        over = log(max(self.width / self.format.width, self.height / self.format.height))
        empty = log(self.width * self.height / self.filled)
        return (1 + 30 * over if over > 0 else 0.0) + EMPTY_COST * empty + NARROW_COST * self.left_out

    @property
    def fits(self) -> bool:
        """Whether it is within its format."""
        return self.width <= self.format.width and self.height <= self.format.height


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A layout of a scene, with the sizes and columns of its items, and the size of the page."""

    measured: Measured
    layout: Layout
    page: Page


def arrange(scene: Scene) -> Arrangement:
    """Return the arrangement of a scene, computed once; rows lose the texts that its page has no room for."""
    if not isinstance(scene.arranged, Arrangement):
        scene.arranged = _arranged(scene)
    return scene.arranged


def _arranged(scene: Scene) -> Arrangement:
    """Return the arrangement that leaves out least and fits; the one with the lowest cost if none does."""
    form, texts = FORMATS[scene.page], texts_of(scene)
    found = best = _laid_out(scene, form, 0)
    for step in (2, 4, STEPS):
        if best.page.fits or (best.page.width <= form.width and _is_hopeless(best)):
            break
        restore(texts)
        narrow(scene, step)
        found = _laid_out(scene, form, step)
        best = min(best, found, key=lambda each: each.page.cost)
    if found is not best:
        restore(texts)
        narrow(scene, best.page.left_out)
    return best


def _is_hopeless(found: Arrangement) -> bool:
    """Return whether it would be too high in as many parts as can stand next to each other."""
    form, (width, height) = found.page.format, found.layout.uncut
    parts = min(form.columns, max(1, int((form.width - AROUND) / (NARROWEST * width + GUTTER))))
    return height / parts > form.height


def _laid_out(scene: Scene, form: Format, left_out: int) -> Arrangement:
    """Return the best arrangement of a scene with the texts that it has, in parts of full, half or third width."""
    room = form.width - AROUND
    best = _in_parts_of(scene, form, room, left_out)
    for parts in (2, 3) if form.columns > 1 else ():
        if best.page.height <= form.tall or _is_hopeless(best):
            break
        best = min(best, _in_parts_of(scene, form, room / parts - GUTTER, left_out), key=lambda each: each.page.cost)
    return best


def _in_parts_of(scene: Scene, form: Format, room: float, left_out: int) -> Arrangement:
    spacing = CARD_SPACING if any(item.form == "card" for item in scene.items()) else STACK_SPACING
    measured = measure(scene)
    planned = plan(measured.root, scene.edges, spacing, room)
    if planned.named:
        name_edges(scene, planned.named)
        measured = measure(scene)
        planned = plan(measured.root, scene.edges, spacing, room)
    layout = place(planned, Limits(form.width - AROUND, form.tall - HEAD, form.columns))
    filled = sum(box.width * box.height for item in scene.items() if (box := layout.boxes[item.key]))
    page = Page(layout.width + AROUND, layout.height + HEAD, form, max(filled, 1.0), left_out)
    return Arrangement(measured, layout, page)
