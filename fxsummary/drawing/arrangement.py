"""Arrange a scene on a page: leave out what the page has no room for, name what cannot be drawn, and lay it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

from fxsummary.drawing.measure import CARD_SPACING, STACK_SPACING, Measured, measure
from fxsummary.drawing.names import name_edges
from fxsummary.drawing.narrow import Texts, narrow
from fxsummary.drawing.pages import FAR, FORMATS, WHOLE_HEIGHT, Format, Page
from fxsummary.drawing.scene import Scene
from fxsummary.layout import Edge, Layout, Limits, Plan, Spacing, place, plan, turned, turned_back, walk

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
LEAST_WIDTH = 320.0
"""Width of the contents of a page that its heading needs."""
MUCH_LESS = 0.8
"""Share of the area of its parts from which a column in one part may be higher than the page."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A layout of a scene, with the sizes and columns of its items, and the size of the page.

    Attributes:
        named: edges that are drawn as names, in the order in which they were named.
        rooms: the widths for branches for which it is the same; see `fxsummary.layout.Plan`.
    """

    measured: Measured
    layout: Layout
    page: Page
    named: Sequence[Sequence[Edge]]
    rooms: tuple[float, float]


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
        self.looks: dict[int, list[object]] = {}
        self.measured: dict[int, Measured] = {}

    def run(self) -> Arrangement:
        """Return the best arrangement, with the scene as it needs it."""
        self._try(_Attempt(0, shaped=True))
        if self._best[1].page.shaped:
            self._try_steps([_Attempt(steps, shaped=True) for steps in self.form.steps[1:]])
        if not self._best[1].page.fits and not _is_hopeless(self._best[1]):
            self._try_parts(3 if self.form.columns > 1 else 1)
        elif self._best[1].page.fits and self._best[1].page.parts > 1:
            self._try_steps([_Attempt(steps) for steps in self.form.steps[1:-1]])
        attempt, best = self._best
        self._narrow(attempt)
        for edges in best.named:
            name_edges(self.scene, edges)
        return best

    def _try_parts(self, most: int) -> None:
        """Try the widths of up to so many parts, first with most texts left out: what does not fit then never does.

        The exception is branches that are next to each other only without texts: below each other, they can be cut.
        """
        last = self.form.steps[-1]
        self._try(_Attempt(last, most))
        narrowest = self.found[_Attempt(last, most)]
        if _is_hopeless(narrowest) or self._is_far_too_high(narrowest):
            return
        fewest = 2 if most > 1 and self._is_too_high else 1
        fitting = [parts for parts in range(fewest, most + 1) if self._try(_Attempt(last, parts))]
        room = _room(_limits(self.scene, self.form), _Attempt(0, most))
        for parts in fitting or [most] * (narrowest.rooms[0] > NARROWEST * room):
            self._try(_Attempt(0, parts))
        page = min((found.page for attempt, found in self.found.items() if attempt.steps == 0), key=attrgetter("cost"))
        if (page.parts > 1 and narrowest.page.parts == 1) or not page.fits:
            self._try_in_turn(_Attempt(steps, parts) for steps in self.form.steps[1:] for parts in fitting)

    @property
    def _is_too_high(self) -> bool:
        """Return whether one part is too high with all texts, though all branches have room beside each other."""
        found = next(iter(self.found.values()))
        page = found.page
        return page.height > page.tallest and page.parts == 1 and not page.shaped and found.rooms[1] == float("inf")

    def _is_far_too_high(self, narrowest: Arrangement) -> bool:
        """Return whether even the most parts with the fewest texts are far too high, though branches have room."""
        whole = next(iter(self.found.values())).layout.uncut
        return narrowest.page.is_far_too_high and narrowest.layout.uncut[1] < FAR * whole[1]

    def _try_in_turn(self, attempts: Iterable[_Attempt]) -> None:
        """Make the attempts not made yet until one fits."""
        any(self._try(attempt) for attempt in attempts if attempt not in self.found)

    @property
    def _best(self) -> tuple[_Attempt, Arrangement]:
        return min(self.found.items(), key=lambda each: each[1].page.cost)

    def _try(self, attempt: _Attempt) -> bool:
        """Make an attempt, and return whether it fits."""
        found = self._same(attempt)
        if found is None:
            self._narrow(attempt)
            found = _laid_out(self.scene, self.form, attempt, self.measured.pop(attempt.steps, None))
        if found.layout.uneven:
            return self._try(attempt._replace(shaped=False))
        self.found[attempt] = found
        return found.page.fits

    def _narrow(self, attempt: _Attempt) -> None:
        self.texts.restore()
        narrow(self.scene, attempt.steps)

    def _same(self, attempt: _Attempt) -> Arrangement | None:
        """Return the arrangement of another attempt that this one would lead to as well, if there is one."""
        if attempt.shaped:
            return None
        room = _room(_limits(self.scene, self.form), attempt)
        for other, found in self.found.items():
            is_same = not found.page.shaped and found.rooms[0] <= room < found.rooms[1]
            if is_same and self._look(other.steps) == self._look(attempt.steps):
                return replace(found, page=replace(found.page, left_out=attempt.steps))
        return None

    def _look(self, steps: int) -> list[object]:
        """Return the sizes of all boxes, and the names of all rows, after steps of leaving texts out."""
        if steps not in self.looks:
            self._narrow(_Attempt(steps))
            names = [(row.label, row.path) for row in self.scene.rows()]
            self.measured[steps] = measure(self.scene)
            sizes = [(box.width, box.height, box.header) for _, box in walk(self.measured[steps].root)]
            self.looks[steps] = [*names, *sizes]
        return self.looks[steps]

    def _try_steps(self, attempts: list[_Attempt]) -> None:
        """Make attempts, each with more texts left out, until one fits; none but the last if that does not."""
        page = self._best[1].page
        is_whole = page.fits and page.parts == 1
        if attempts and not is_whole and not _is_hopeless(self._best[1]) and self._try(attempts[-1]):
            self._try_in_turn(attempts)


def _is_hopeless(found: Arrangement) -> bool:
    """Return whether it is too high, and would be in as many parts as can stand next to each other.

    Branches stand below each other if there is less room: then only the area counts, not the width.
    """
    form, (width, height) = found.page.format, found.layout.uncut
    beside = (form.width - AROUND) / (NARROWEST * width + GUTTER)
    has_branches = found.rooms[0] > 0
    parts = min(form.columns, max(1.0, beside if has_branches else int(beside)))
    return found.page.height > found.page.tallest and height / parts > form.height


def _limits(scene: Scene, form: Format) -> Limits:
    """Return the limits of a column on a page."""
    whole = form.width - AROUND, form.height - HEAD
    if scene.direction == "LR":
        return Limits(whole[1], whole[0], MOST_LINES)
    has_cards = _has_cards(scene)
    tall = min(form.tall, TALLEST_CARDS if has_cards else form.tall) - HEAD
    return Limits(whole[0], tall, max(form.columns, CARD_COLUMNS * has_cards))


def _room(limits: Limits, attempt: _Attempt) -> float:
    """Return the maximum width of branches next to each other."""
    return limits.width if attempt.parts == 1 else limits.width / attempt.parts - GUTTER


def _laid_out(scene: Scene, form: Format, attempt: _Attempt, measured: Measured | None) -> Arrangement:
    """Return the arrangement of an attempt, for which the scene may be ``measured`` already."""
    limits = _limits(scene, form)
    named = list[list[Edge]]()
    rooms = 0.0, float("inf")
    while True:
        measured = measured or measure(scene)
        planned = _planned(scene, measured, _room(limits, attempt), shaped=attempt.shaped)
        rooms = max(rooms[0], planned.rooms[0]), min(rooms[1], planned.rooms[1])
        if not planned.named:
            layout = place(planned, limits)
            whole = layout.parts > 1 and _is_better_whole(layout, form, scene)
            if whole:
                layout = place(planned)
            if not layout.named:
                break
        named.append(planned.named or layout.named)
        name_edges(scene, named[-1])
        measured = None
    layout = turned_back(layout) if scene.direction == "LR" else layout
    filled = sum(box.width * box.height for item in scene.items() if (box := layout.boxes[item.key]))
    size = layout.width + AROUND, layout.height + HEAD
    page = Page(*size, form, max(filled, 1.0), attempt.steps, layout.parts, planned.shaped, whole)
    return Arrangement(measured, layout, page, named, rooms)


def _is_better_whole(layout: Layout, form: Format, scene: Scene) -> bool:
    """Return whether a layout in parts has more empty ground than it would have in one part, which has room."""
    if scene.direction == "LR" or _has_cards(scene) or layout.uncut[1] > WHOLE_HEIGHT * form.height - HEAD:
        return False
    (width, height), least = layout.uncut, LEAST_WIDTH
    share = 1.0 if height <= form.height - HEAD else MUCH_LESS
    return max(width, least) * height < share * layout.width * layout.height


def _planned(scene: Scene, measured: Measured, room: float, *, shaped: bool) -> Plan:
    shaped, is_turned = shaped and scene.direction == "TB", scene.direction == "LR"
    spacing = TILE_SPACING if is_turned else CARD_SPACING if _has_cards(scene) else STACK_SPACING
    root = turned(measured.root) if is_turned else measured.root
    value = scene.encoded if shaped else ""
    return plan(root, scene.edges, spacing, room, value, shaped=shaped, loops=measured.loops)


def _has_cards(scene: Scene) -> bool:
    return any(item.form == "card" for item in scene.items())
