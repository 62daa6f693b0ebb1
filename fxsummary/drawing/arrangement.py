"""Arrange a scene: try several layouts, and choose the one that fits a page best."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import log

from fxsummary.drawing.measure import CARD_SPACING, STACK_SPACING, Measured, measure
from fxsummary.drawing.scene import Group, Item, Scene
from fxsummary.layout import Layout, Memo, Planner, Shape, Spacing, walk

LONGEST_SIDE = 2600.0
RATIO, NARROWEST, WIDEST = 1.5, 1.0, 2.0
SMALL, MEDIUM, LEAST = 1000.0, 1500.0, 0.6
"""A page within this width and height may have any ratio, or a ratio of at least `LEAST`."""
AROUND, HEAD = 68.0, 150.0
"""Width and height that the page adds around the scene."""
INNER_HEIGHTS = (1500.0, 1050.0, 700.0)
INNER_WIDTHS = (1600.0, 1100.0, 700.0)
PARALLEL = 3
"""Modules with this many parallel boxes get fewer table columns if the page is too wide."""
TILE_SPACING = Spacing(horizontal=18.0, vertical=26.0)
SHAPE = Shape(RATIO, tallest=MEDIUM - HEAD, limit=LONGEST_SIDE - HEAD)
NARROW_COST, EMPTY_COST, ODD_COST = 0.15, 0.4, 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """The size of a picture including title and legend.

    Attributes:
        filled: total area of its items; narrow: whether some tables have fewer columns.
        rightwards: whether it runs from left to right; it may then have any ratio.
    """

    width: float
    height: float
    filled: float = 1.0
    narrow: bool = False
    rightwards: bool = False

    @property
    def longest(self) -> float:
        """The longer side."""
        return max(self.width, self.height)

    @property
    def cost(self) -> float:
        """Cost of the page: too large, bad ratio, empty area."""
        over = log(self.longest / LONGEST_SIDE)
        ratio = abs(log(self.width / self.height / RATIO))
        empty = log(self.width * self.height / self.filled)
        costs = ODD_COST * self.oddness, 0.1 * ratio, EMPTY_COST * empty, NARROW_COST * self.narrow
        return (1 + 30 * over if over > 0 else 0.0) + sum(costs)

    @property
    def oddness(self) -> float:
        """Deviation of the ratio from the allowed range for a page of that size."""
        if self.longest <= SMALL or self.rightwards:
            return 0.0
        ratio = log(self.width / self.height)
        return max(0.0, log(LEAST if self.longest <= MEDIUM else NARROWEST) - ratio, ratio - log(WIDEST))

    @property
    def fits(self) -> bool:
        """Whether it is small enough and has a good ratio."""
        return self.longest <= LONGEST_SIDE and self.oddness == 0.0


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A layout of a scene, with the sizes and columns of its items, and the size of the page."""

    measured: Measured
    layout: Layout
    page: Page


def arrange(scene: Scene, memo: Memo | None = None) -> Arrangement:
    """Return the best arrangement of a scene, computed once; similar scenes may share a ``memo``."""
    if isinstance(scene.arranged, Arrangement):
        return scene.arranged
    memo = Memo() if memo is None else memo
    found = _best(scene, memo)
    is_large = scene.direction != "LR" and found.page.longest > LONGEST_SIDE
    if is_large and (narrow := _parallel(scene, found.measured, memo)):
        found = min(found, _best(scene, memo, narrow), key=lambda each: each.page.cost)
    scene.arranged = found
    return found


def _best(scene: Scene, memo: Memo, narrow: frozenset[str] = frozenset()) -> Arrangement:
    """Return the arrangement with the best number of columns or lines, at the top and in tall or wide modules."""
    measured, rightwards = measure(scene, narrow), scene.direction == "LR"
    items = {item.key: item.form for item in scene.items()}
    filled = max(1.0, sum(box.width * box.height for _, box in walk(measured.root) if box.key in items))
    spacing = TILE_SPACING if rightwards else CARD_SPACING if "card" in items.values() else STACK_SPACING
    planner = Planner(measured.root, scene.edges, spacing, memo, rightwards=rightwards)
    shape = None if rightwards else SHAPE
    best, inner_best, largest = None, None, 0.0
    for inner in (None, *(INNER_WIDTHS if rightwards else INNER_HEIGHTS)):
        if inner is not None and inner >= largest:
            continue
        width, height = planner.size(shape, inner)
        page = Page(width + AROUND, height + HEAD, filled, bool(narrow), rightwards)
        if best is None or page.cost < best.cost - 1e-9:
            best, inner_best = page, inner
        largest = largest or planner.largest()
        if page.longest <= MEDIUM and page.fits:
            break
    assert best is not None
    return Arrangement(measured, planner.layout(shape, inner_best), best)


def _parallel(scene: Scene, measured: Measured, memo: Memo) -> frozenset[str]:
    """Return the keys of the items in one of many parallel branches; columns do not count."""
    placed = Planner(measured.root, scene.edges, memo=memo).layout(Shape(tallest=float("inf")))
    found: set[str] = set()
    for group in (scene.root, *scene.groups()):
        rects = [placed.boxes[child.key] for child in group.children]
        tops, bottoms = sorted(rect.y for rect in rects), sorted(rect.bottom for rect in rects)
        for child in group.children:
            rect = placed.boxes[child.key]
            beside = bisect_left(tops, rect.bottom) - bisect_right(bottoms, rect.y)
            if beside >= PARALLEL:
                inner = child.walk() if isinstance(child, Group) else [child]
                found.update(each.key for each in inner if isinstance(each, Item))
    return frozenset(found)
