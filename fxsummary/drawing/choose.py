"""How much of a graph a picture shows: the depth, and what is opened beyond it, that fit a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from math import log
from typing import Protocol

from fxsummary.drawing import Composer, Page, Scene, Subject, add_tips, arrange
from fxsummary.drawing.arrangement import LONGEST_SIDE
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.layout import Memo
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.depth import close_blocks, shown_at

MOST_ROWS = 150
DEEPEST = 13
MOST_PER_ROW = 10
"""More operations for each row than this are not drawn."""
HUGE = 20_000
"""From so many operations on, modules that do not fit a page are closed before the search."""
MOST_IN_A_ROW = 3
"""A convolution, its norm and its activation."""
DETAIL = 1.2
"""What twice as many rows are worth, in the cost of a page."""
LEAST_COST = 0.3
"""Below that of any page."""
ROUNDS = 2
TIGHT_COST = 0.2


@dataclass(slots=True)
class Picture:
    """A scene, the graph that it was made of, what of it was drawn, and whether it has fewer frames.

    Attributes:
        excess: why it is larger than a page, and which depth fits; "" if it is not.
    """

    scene: Scene
    graph: ModelGraph
    subject: Subject
    tight: bool = False
    excess: str = ""

    @property
    def rows(self) -> int:
        """Number of rows, signs and pills."""
        return sum(len(item.rows) for item in self.scene.items())


class Compose(Protocol):
    """Makes the picture of a graph."""

    def __call__(self, graph: ModelGraph, /, *, tips: bool = True, tight: bool = False) -> Picture: ...


@dataclass(slots=True)
class Fitting:
    """The search for the picture of one graph.

    Attributes:
        whole: as captured; folded: what is drawn if everything is open.
        compose: makes a picture of a graph.
        memo: of the layouts; one_row: whether operations fit in one row.
    """

    whole: ModelGraph
    folded: ModelGraph
    compose: Compose
    memo: Memo = field(default_factory=Memo)
    one_row: dict[tuple[str, ...], bool] = field(default_factory=dict)
    composer: Composer | None = None

    def best(self) -> Picture:
        """The depth that shows most within the limits, with more opened where there is room."""
        if len(self.folded) > HUGE:
            self.folded = close_blocks(self.folded, _is_too_large)
        picture, depth = self._best_depth()
        opened: frozenset[str] = frozenset()
        for level in range(depth, depth + ROUNDS):
            picture, opened = self._opened(picture, depth, level, opened)
        add_tips(picture.scene, picture.subject)
        return picture

    def note_excess(self, picture: Picture, depth: int | None) -> None:
        """Say so on a picture that is larger than a page.

        Args:
            depth: levels of modules that are open in it; None for `best`, which has tried every level from 1 on.
        """
        page = self._page(picture)
        if page.longest <= LONGEST_SIDE:
            return
        smaller = range(0 if depth is None else depth - 1, -1, -1)
        fitting = next((d for d in smaller if self._page(self.compose(self.closed(d))).longest <= LONGEST_SIDE), 0)
        side = f"{page.longest:,.0f} px {'wide' if page.width > page.height else 'high'}"
        picture.excess = f"{side}, for {picture.rows} rows and what connects them; depth={fitting} fits a page"

    def nesting(self) -> int:
        """Levels of modules that can be opened, the model itself included."""
        return 1 + max((len(stack) for _, stack in self.folded.nodes(data="module_stack")), default=0)

    def closed(self, depth: int, opened: frozenset[str] = frozenset()) -> ModelGraph:
        """``depth`` levels of modules open, and those in ``opened`` and those that take one row anyway."""

        def closes(block: Block, level: int) -> bool:
            return level >= depth and (level == 0 or (block.path not in opened and not self._is_one_row(block)))

        return close_blocks(self.folded, closes)

    def _is_one_row(self, block: Block) -> bool:
        keys = list(islice(block.operations(), MOST_IN_A_ROW + 1))
        if len(keys) > MOST_IN_A_ROW:
            return False
        if tuple(keys) not in self.one_row:
            self.composer = self.composer or Composer(Subject(self.folded, self.whole, self.whole.totals))
            flat = Block(block.call, [*keys], copies=block.copies)
            self.one_row[tuple(keys)] = self.composer.table_rows(flat) == 1
        return self.one_row[tuple(keys)]

    def _best_depth(self) -> tuple[Picture, int]:
        best: tuple[Picture, int] | None = None
        deepest, rows = self.nesting(), -1
        sizes = shown_at(self.folded)
        for depth in range(min(deepest, DEEPEST), 0, -1):
            if depth > 1 and sizes[min(depth, len(sizes) - 1)] > MOST_ROWS * MOST_PER_ROW:
                continue
            picture = self.compose(self.closed(depth) if depth < deepest else self.folded, tips=False)
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
        """The picture, with fewer frames where that makes it fit."""
        if picture.rows > MOST_ROWS or self._page(picture).fits:
            return picture
        tight = self.compose(picture.graph, tips=False, tight=True)
        fewer = len(list(tight.scene.root.walk())) < len(list(picture.scene.root.walk()))
        if fewer and (self._page(tight).fits or self._value(tight) > self._value(picture) + TIGHT_COST):
            return tight
        return picture

    def _opened(
        self, picture: Picture, depth: int, level: int, opened: frozenset[str]
    ) -> tuple[Picture, frozenset[str]]:
        """As many blocks of a level opened as fit, the first of a kind and the heavy ones before others."""
        blocks = self._worth_opening(picture, level)
        low, high = 0, len(blocks)
        count = high
        best = picture, opened
        while low < high:
            more = opened.union(blocks[:count])
            candidate = self.compose(self.closed(depth, more), tips=False)
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


def _is_too_large(block: Block, level: int) -> bool:
    """Whether a block has more operations of its own than fit a page."""
    return level > 0 and sum(isinstance(item, str) for item in block.items) > MOST_ROWS * MOST_IN_A_ROW


def _detail(picture: Picture) -> float:
    """What the rows of a picture are worth."""
    return DETAIL * log(picture.rows + 1) / log(2)
