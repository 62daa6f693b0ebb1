"""Choose how much of a graph a picture shows: the depth, and the modules opened beyond it, that fit a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from math import log

from fxsummary.drawing.arrangement import LONGEST_SIDE, Page, arrange
from fxsummary.drawing.compose import PLAIN, Picture, compose, set_texts
from fxsummary.drawing.labels import Subject, tips_of
from fxsummary.drawing.look import Look
from fxsummary.drawing.rows import Composer
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.layout import Memo
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.depth import Closed, check_depth, close_blocks, shown_at
from fxsummary.views.shown import Fold, shown

MOST_ROWS = 150
DEEPEST = 13
MOST_PER_ROW = 10
"""Maximum number of operations per row."""
HUGE = 20_000
"""Number of operations from which modules that do not fit a page are closed before the search."""
MOST_IN_A_ROW = 3
"""Maximum number of operations in a row: a convolution, its norm and its activation."""
DETAIL = 1.2
"""Value of doubling the number of rows, in units of page cost."""
LEAST_COST = 0.3
"""Lower than the cost of any page."""
ROUNDS = 2
TIGHT_COST = 0.2


def picture(
    graph: ModelGraph, *, title: str | None = None, depth: int | None = None, fold: Fold = "similar", look: Look = PLAIN
) -> Picture:
    """Return the scene of a graph, ready for layout and painting; the graph is not changed.

    Args:
        title: heading; the model's class name if None.
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
        fold: what to fold; see `fxsummary.views.shown.Fold`.
        look: colours, direction, facts and links.
    """
    depth = check_depth(depth)
    fitting = Fitting(graph, shown(graph, fold=fold), look)
    found = fitting.best() if depth is None else fitting.compose(fitting.closed(depth))
    for row in found.scene.rows():
        for key in () if row.is_tag else row.keys:
            row.tips += [*([""] if row.tips else []), *tips_of(found.subject, key)]
    fitting.note_excess(found, depth)
    set_texts(graph, found, title)
    return found


@dataclass
class Fitting:
    """The search for the picture of one graph.

    Attributes:
        whole: the captured graph; folded: the graph drawn if everything is open; look: look of the pictures.
        memo: memo of layouts; one_row: whether operations fit in one row; blocks: memo of closed blocks.
    """

    whole: ModelGraph
    folded: ModelGraph
    look: Look = PLAIN
    memo: Memo = field(default_factory=Memo)
    one_row: dict[tuple[str, ...], bool] = field(default_factory=dict)
    blocks: Closed = field(default_factory=dict)

    @cached_property
    def rough(self) -> Composer:
        """Builder used to count the rows that operations take."""
        return Composer(Subject(self.folded, self.whole, self.whole.totals))

    def compose(self, graph: ModelGraph, tight: bool = False) -> Picture:
        """Return the picture of a view of the folded graph."""
        return compose(self.whole, graph, tight, look=self.look, totals=self.rough.subject.totals)

    def best(self) -> Picture:
        """Return the picture at the depth that shows most within the limits, with more blocks opened where they fit."""
        if len(self.folded) > HUGE:
            most = MOST_ROWS * MOST_IN_A_ROW
            self.folded = close_blocks(
                self.folded,
                lambda block, level: level > 0 and sum(isinstance(item, str) for item in block.items) > most,
            )
        picture, depth = self._best_depth()
        opened: frozenset[str] = frozenset()
        for level in range(depth, depth + ROUNDS):
            picture, opened = self._opened(picture, depth, level, opened)
        return picture

    def note_excess(self, picture: Picture, depth: int | None) -> None:
        """Note on a picture that it is larger than a page, if it is.

        Args:
            depth: levels of modules open in it; None for `best`, which has tried every level from 1 on.
        """
        page = self._page(picture)
        if page.longest <= LONGEST_SIDE:
            return
        smaller = range(0 if depth is None else depth - 1, -1, -1)
        fitting = next((d for d in smaller if self._page(self.compose(self.closed(d))).longest <= LONGEST_SIDE), 0)
        side = f"{page.longest:,.0f} px {'wide' if page.width > page.height else 'high'}"
        picture.excess = f"{side}, with {picture.rows} rows and their connections; depth={fitting} fits a page"

    def nesting(self) -> int:
        """Return the number of module levels that can be opened, including the model itself."""
        return 1 + max((len(stack) for _, stack in self.folded.nodes(data="module_stack")), default=0)

    def closed(self, depth: int, opened: frozenset[str] = frozenset()) -> ModelGraph:
        """Return the graph with ``depth`` module levels open, plus ``opened`` and modules that take one row anyway."""

        def closes(block: Block, level: int) -> bool:
            return level >= depth and (level == 0 or (block.path not in opened and not self._is_one_row(block)))

        return close_blocks(self.folded, closes, self.blocks)

    def _is_one_row(self, block: Block) -> bool:
        keys = tuple(islice(block.operations(), MOST_IN_A_ROW + 1))
        if len(keys) <= MOST_IN_A_ROW and keys not in self.one_row:
            self.one_row[keys] = self.rough.table_rows(Block(block.call, [*keys], copies=block.copies)) == 1
        return self.one_row.get(keys, False)

    def _best_depth(self) -> tuple[Picture, int]:
        best: tuple[Picture, int] | None = None
        deepest, rows = self.nesting(), -1
        sizes = shown_at(self.folded)
        for depth in range(min(deepest, DEEPEST), 0, -1):
            if depth > 1 and sizes[min(depth, len(sizes) - 1)] > MOST_ROWS * MOST_PER_ROW:
                continue
            picture = self.compose(self.closed(depth) if depth < deepest else self.folded)
            if (picture.rows > MOST_ROWS and depth > 1) or picture.rows == rows:
                continue
            rows = picture.rows
            if best is not None and _detail(picture) - LEAST_COST < self._value(best[0]):
                continue
            picture = self._tightened(picture)
            if best is None or self._value(picture) > self._value(best[0]) + 1e-9:
                best = picture, depth
            if self._page(picture).fits:
                break
        assert best is not None
        return best

    def _tightened(self, picture: Picture) -> Picture:
        """Return the picture, with fewer frames if that makes it fit."""
        if picture.rows > MOST_ROWS or self._page(picture).fits:
            return picture
        tight = self.compose(picture.graph, tight=True)
        fewer = len(list(tight.scene.root.walk())) < len(list(picture.scene.root.walk()))
        if fewer and (self._page(tight).fits or self._value(tight) > self._value(picture) + TIGHT_COST):
            return tight
        return picture

    def _opened(
        self, picture: Picture, depth: int, level: int, opened: frozenset[str]
    ) -> tuple[Picture, frozenset[str]]:
        """Open as many blocks of a level as fit, first one of each kind and heavy blocks."""
        blocks = self._worth_opening(picture, level)
        low, high = 0, len(blocks)
        count = high
        best = picture, opened
        while low < high:
            more = opened.union(blocks[:count])
            candidate = self.compose(self.closed(depth, more))
            room = candidate.rows <= MOST_ROWS
            if room:
                candidate = self._tightened(candidate)
                page = self._page(candidate)
                room = page.longest <= LONGEST_SIDE and page.narrow == self._page(picture).narrow
            if room and self._value(candidate) > self._value(best[0]):
                best, low = (candidate, more), count
            else:
                high = count - 1
            count = (low + high + 1) // 2
        return best

    def _worth_opening(self, picture: Picture, level: int) -> list[str]:
        shares: dict[str, tuple[bool, float]] = {}
        kinds: set[tuple[str, int, int]] = set()
        closed = {data["target"]: data for _, data in picture.graph.nodes(data=True) if data.get("closed")}
        pending = [(block_tree(self.folded), 0)]
        while pending:
            block, at = pending.pop()
            data = closed.get(block.path) if block.call is not None else None
            if data is not None and at == level:
                kind = data["label"], data["closed"], data["multiplicity"]
                shares[block.path] = kind in kinds, -float(data["flops"] or 0) * data["multiplicity"]
                kinds.add(kind)
            elif at < level:
                below = at + (block.call is not None or at == 0)
                pending += [(inner, below) for inner in reversed(list(block.blocks()))]
        return sorted(shares, key=shares.__getitem__)

    def _page(self, picture: Picture) -> Page:
        return arrange(picture.scene, self.memo).page

    def _value(self, picture: Picture) -> float:
        return _detail(picture) - self._page(picture).cost


def _detail(picture: Picture) -> float:
    return DETAIL * log(picture.rows + 1) / log(2)
