"""Arrange a scene on a page: leave out what the page has no room for, name what cannot be drawn, and lay it out."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import NamedTuple

from fxsummary.drawing.measure import CARD_SPACING, STACK_SPACING, Measured, measure
from fxsummary.drawing.names import name_edges
from fxsummary.drawing.narrow import STEPS, Texts, narrow
from fxsummary.drawing.scene import Scene
from fxsummary.layout import Layout, Limits, Plan, Spacing, place, plan, turned, turned_back

GUTTER = 44.0
AROUND, HEAD = 56.0, 130.0
"""Width and height that the page adds around the scene."""
TILE_SPACING = Spacing(horizontal=18.0, vertical=26.0)
MOST_LINES = 6
"""Maximum number of lines of a picture from left to right."""
TALLEST_CARDS, CARD_COLUMNS = 620.0, 3
"""Height of a page with cards from which a column is cut into parts, and how many it may have on any page."""
NARROWEST = 0.6
"""Width of a column that leaves out all that it can, as a share of its width."""
NARROW_COST, EMPTY_COST, PART_COST = 0.05, 0.4, 0.3
LEAST_WIDTH = 460.0
"""Width of the contents of a page that its heading needs."""
TOO_WIDE = 3.0
"""Cost of a page that is too wide, by however little."""
SHAPED, SHAPED_HEIGHT = 1.0, 1.35
"""How much a shape that people draw is worth, and how much higher it may be."""


@dataclass(frozen=True, slots=True)
class Format:
    """A page format.

    Attributes:
        width, height: maximum size in px.
        tall: height in px from which a column is cut into parts; columns: the maximum number of parts.
        steps: numbers of steps of leaving texts out that are tried.
    """

    width: float
    height: float
    tall: float = float("inf")
    columns: int = 1
    steps: tuple[int, ...] = (0, 2, 4, STEPS)


SCREEN_STEPS = 0, 2, 4, 5
FORMATS = {
    "screen": Format(1400.0, 1500.0, 1150.0, 4, SCREEN_STEPS),
    "column": Format(760.0, 2200.0),
    "a4": Format(860.0, 1500.0),
    "window": Format(2400.0, 4000.0, 1500.0, 3, (0,)),
    "slide": Format(1400.0, 788.0, 788.0, 4, SCREEN_STEPS),
}


@dataclass(frozen=True, slots=True)
class Page:
    """The size of a picture including title and legend.

    Attributes:
        filled: total area of its items; left_out: number of steps taken to make it narrower.
        parts: number of parts of the column; shaped: whether it is a U or has two sides.
    """

    width: float
    height: float
    format: Format
    filled: float = 1.0
    left_out: int = 0
    parts: int = 1
    shaped: bool = False

    @property
    def cost(self) -> float:
        """Cost of the page: too large, empty area, texts left out."""
        over = log(max(self.width / self.format.width, self.height / self._tallest))
        empty = log(self.width * self.height / self.filled)
        return (
            (1 + 30 * over if over > 0 else 0.0)
            + EMPTY_COST * empty
            + NARROW_COST * self.left_out
            + PART_COST * self.parts
            - SHAPED * self.shaped
        )

    @property
    def fits(self) -> bool:
        """Whether it is within its format."""
        return self.width <= self.format.width and self.height <= self._tallest

    @property
    def _tallest(self) -> float:
        return self.format.height * (SHAPED_HEIGHT if self.shaped else 1.0)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A layout of a scene, with the sizes and columns of its items, and the size of the page."""

    measured: Measured
    layout: Layout
    page: Page


def arrange(scene: Scene) -> Arrangement:
    """Return the arrangement of a scene, computed once; rows lose the texts that its page has no room for."""
    if not isinstance(scene.arranged, Arrangement):
        scene.arranged = _Search(scene).run()
    return scene.arranged


class _Attempt(NamedTuple):
    """Steps of leaving texts out, the number of parts whose width it has, and whether to look for a U or sides."""

    steps: int
    parts: int = 1
    shaped: bool = False


class _Search:
    """The search for the arrangement that leaves out least and fits; the one with the lowest cost if none does."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.form, self.texts = scene, FORMATS[scene.page], Texts(scene)
        self.found: dict[_Attempt, Arrangement] = {}
        self.last = _Attempt(0)

    def run(self) -> Arrangement:
        """Return the best arrangement, with the scene as it needs it."""
        self._try(_Attempt(0, shaped=True))
        if self._best[1].page.shaped:
            self._try_steps([_Attempt(steps, shaped=True) for steps in self.form.steps[1:]])
        if not self._best[1].page.fits and not _is_hopeless(self._best[1]):
            several = range(1, 4 if self.form.columns > 1 else 2)
            for parts in several:
                self._try(_Attempt(0, parts))
            self._try_steps([_Attempt(steps, parts) for steps in self.form.steps[1:] for parts in several])
        elif self._best[1].page.fits and self._best[1].page.parts > 1:
            self._try_steps([_Attempt(steps) for steps in self.form.steps[1:-1]])
        attempt, best = self._best
        return best if attempt == self.last else _laid_out(self.scene, self.texts, self.form, attempt)

    @property
    def _best(self) -> tuple[_Attempt, Arrangement]:
        return min(self.found.items(), key=lambda each: each[1].page.cost)

    def _try(self, attempt: _Attempt) -> bool:
        """Make an attempt, and return whether it fits."""
        self.last = attempt
        self.found[attempt] = _laid_out(self.scene, self.texts, self.form, attempt)
        return self.found[attempt].page.fits

    def _try_steps(self, attempts: list[_Attempt]) -> None:
        """Make attempts until one fits; none but those that leave out most if they do not fit."""
        page = self._best[1].page
        if not attempts or (page.fits and page.parts == 1):
            return
        most = [attempt for attempt in attempts if attempt.steps == attempts[-1].steps]
        if _is_hopeless(self._best[1]) or sum(self._try(attempt) for attempt in most) == 0:
            return
        for attempt in attempts:
            if attempt not in self.found and self._try(attempt):
                return


def _is_hopeless(found: Arrangement) -> bool:
    """Return whether it would be too high in as many parts as can stand next to each other."""
    form, (width, height) = found.page.format, found.layout.uncut
    parts = min(form.columns, max(1, int((form.width - AROUND) / (NARROWEST * width + GUTTER))))
    return height / parts > form.height


def _laid_out(scene: Scene, texts: Texts, form: Format, attempt: _Attempt) -> Arrangement:
    texts.restore()
    narrow(scene, attempt.steps)
    whole = form.width - AROUND, form.height - HEAD
    tall = min(form.tall, TALLEST_CARDS if _has_cards(scene) else form.tall) - HEAD
    limits = Limits(whole[0], tall, max(form.columns, CARD_COLUMNS * _has_cards(scene)))
    if scene.direction == "LR":
        limits = Limits(whole[1], whole[0], MOST_LINES)
    room = limits.width if attempt.parts == 1 else limits.width / attempt.parts - GUTTER
    measured, planned = _planned(scene, room, attempt)
    layout = place(planned, limits)
    if layout.parts > 1 and _is_better_whole(layout, form, scene):
        measured, planned = _planned(scene, room, attempt)
        layout = place(planned)
    while layout.named:
        name_edges(scene, layout.named)
        measured, planned = _planned(scene, room, attempt)
        layout = place(planned, limits)
    layout = turned_back(layout) if scene.direction == "LR" else layout
    filled = sum(box.width * box.height for item in scene.items() if (box := layout.boxes[item.key]))
    size = layout.width + AROUND, layout.height + HEAD
    page = Page(*size, form, max(filled, 1.0), attempt.steps, layout.parts, planned.shaped)
    return Arrangement(measured, layout, page)


def _is_better_whole(layout: Layout, form: Format, scene: Scene) -> bool:
    """Return whether a layout in parts has more empty ground than it would have in one part, which has room."""
    if scene.direction == "LR" or _has_cards(scene) or layout.uncut[1] > form.height - HEAD:
        return False
    (width, height), least = layout.uncut, LEAST_WIDTH
    return max(width, least) * height < layout.width * layout.height


def _planned(scene: Scene, room: float, attempt: _Attempt) -> tuple[Measured, Plan]:
    """Return a plan of what can be drawn; edges that cannot get names."""
    shaped, is_turned = attempt.shaped and scene.direction == "TB", scene.direction == "LR"
    spacing = TILE_SPACING if is_turned else CARD_SPACING if _has_cards(scene) else STACK_SPACING
    while True:
        measured = measure(scene)
        root = turned(measured.root) if is_turned else measured.root
        planned = plan(root, scene.edges, spacing, room, scene.encoded if shaped else "", shaped=shaped)
        if not planned.named:
            return measured, planned
        name_edges(scene, planned.named)


def _has_cards(scene: Scene) -> bool:
    return any(item.form == "card" for item in scene.items())
