"""Choose how much of a graph a picture shows: the depth, and the modules opened beyond it, that fit a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import log
from typing import NamedTuple

from fxsummary.drawing.arrangement import Page, arrange
from fxsummary.drawing.compose import PLAIN, Picture, compose, set_texts
from fxsummary.drawing.labels import Subject, tips_of
from fxsummary.drawing.look import Look
from fxsummary.drawing.rows import Composer
from fxsummary.drawing.unseen import closed_in, unseen_flops
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.pictures import Fold
from fxsummary.graph.records import over_copies
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.depth import Closed, check_depth, close_blocks, shown_at
from fxsummary.views.dissolve import WRAPPERS
from fxsummary.views.joined import join_cheap
from fxsummary.views.shown import shown

MOST_ROWS = 100
DEEPEST = 13
MOST_PER_ROW = 5
"""Maximum number of operations per row."""
HUGE = 20_000
"""Number of operations from which modules that do not fit a page are closed before the search."""
MOST_IN_A_ROW = 3
"""Maximum number of operations in a row: a convolution, its norm and its activation."""
DETAIL = 1.2
"""Value of doubling the number of rows, in units of page cost."""
UNSEEN = 0.25
"""Share of the FLOPs in classes without an open module from which cheap operations may share rows."""
LEAST_ROWS = 10
"""Number of rows that a picture in which operations share rows must have to say enough."""
LEAST_COST = 0.3
"""Lower than the cost of any page."""
ROUNDS = 2
MOST_KINDS = 6
"""Maximum number of kinds of blocks that are opened in a level."""
LITTLE = 0.01
"""Share of the FLOPs below which a class of blocks with one number of operations is opened last."""
TIGHT_COST = 0.2


def picture(
    graph: ModelGraph,
    *,
    title: str | None = None,
    depth: int | None = None,
    fold: Fold = "similar",
    ghosts: bool = False,
    look: Look = PLAIN,
) -> Picture:
    """Return the scene of a graph, ready for layout and painting; the graph is not changed.

    Args:
        title: heading; the model's class name if None.
        depth: levels of modules to open, 0 for the model as one row; None for as many as fit a page.
        fold: what to fold; see `fxsummary.graph.pictures.Fold`.
        ghosts: whether to draw what forward does not need.
        look: colours, direction, facts and links.
    """
    depth = check_depth(depth)
    view = shown(graph, fold=fold, ghosts=ghosts)
    fitting = Fitting(graph, view, look)
    if depth is None:
        fitting, found = _fitted(fitting, view)
    else:
        found = fitting.compose(fitting.closed(depth))
    for row in found.scene.rows():
        for key in row.keys:
            row.tips += [*([""] if row.tips else []), *tips_of(found.subject, key)]
    fitting.note_excess(found, depth)
    set_texts(graph, found, title)
    return found


class Opened(NamedTuple):
    """A picture with some blocks opened beyond its depth, by path."""

    picture: Picture
    paths: frozenset[str] = frozenset()


@dataclass
class Fitting:
    """The search for the picture of one graph.

    Attributes:
        whole: the captured graph; folded: the graph drawn if everything is open; look: look of the pictures.
        joins: whether neighbouring operations without weights or FLOPs share a row.
        one_row: whether operations fit in one row; blocks: memo of closed blocks; pictures: memo of pictures.
    """

    whole: ModelGraph
    folded: ModelGraph
    look: Look = PLAIN
    joins: bool = False
    one_row: dict[tuple[str, ...], bool] = field(default_factory=dict)
    blocks: Closed = field(default_factory=dict)
    pictures: dict[tuple[str | bool, ...], Picture] = field(default_factory=dict)

    @cached_property
    def rough(self) -> Composer:
        """Builder used to count the rows that operations take."""
        return Composer(Subject(self.folded, self.whole, self.totals))

    @cached_property
    def totals(self) -> Totals:
        """The totals of the captured graph."""
        return self.whole.totals

    def compose(self, graph: ModelGraph, tight: bool = False) -> Picture:
        """Return the picture of a view of the folded graph, composed once for the same nodes."""
        key = tight, *graph
        if key not in self.pictures:
            self.pictures[key] = compose(self.whole, graph, tight, look=self.look, totals=self.totals)
        return self.pictures[key]

    def best(self) -> Picture:
        """Return the picture at the depth that shows most within the limits, with more blocks opened where they fit."""
        if len(self.folded) > HUGE:
            most = MOST_ROWS * MOST_IN_A_ROW
            self.folded = close_blocks(
                self.folded,
                lambda block, level: level > 0 and sum(isinstance(item, str) for item in block.items) > most,
            )
        picture, depth = self._best_depth()
        best = Opened(picture)
        for costly in (True, False):
            for level in range(depth, depth + ROUNDS):
                best = self._opened(best, depth, self._kinds(best.picture, level, costly=costly))
        return best.picture

    def fits(self, picture: Picture) -> bool:
        """Return whether a picture is within the limits of a page and of its rows."""
        return picture.rows <= MOST_ROWS and self._page(picture).fits

    def note_excess(self, picture: Picture, depth: int | None) -> None:
        """Note on a picture that it is larger than a page, if it is.

        Args:
            depth: levels of modules open in it; None for `best`, of whose attempts the smaller ones may fit.
        """
        page = self._page(picture)
        if page.fits:
            return
        plain = replace(self, joins=False)
        smaller = range(self.nesting() if depth is None else min(depth, self.nesting()) - 1, 0, -1)
        graphs = ((d, plain.closed(d)) for d in smaller)
        tried = ((d, graph) for d, graph in graphs if depth is not None or (False, *graph) in self.pictures)
        fitting = next((d for d, graph in tried if self._page(plain.compose(graph)).fits), 0)
        wide = page.width > page.format.width
        side = f"{page.width:,.0f} px wide" if wide else f"{page.height:,.0f} px high"
        picture.excess = f"{side}, with {picture.rows} rows and their connections; depth={fitting} fits a page"

    def nesting(self) -> int:
        """Return the number of module levels that can be opened, including the model itself."""
        return 1 + max((len(stack) for _, stack in self.folded.nodes(data="module_stack")), default=0)

    def closed(self, depth: int, opened: frozenset[str] = frozenset()) -> ModelGraph:
        """Return the graph with ``depth`` module levels open, plus ``opened`` and modules that take one row anyway."""

        def closes(block: Block, level: int) -> bool:
            return level >= depth and (level == 0 or (block.path not in opened and not self._is_one_row(block)))

        graph = close_blocks(self.folded, closes, self.blocks)
        return join_cheap(graph) if self.joins else graph

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
            graph = self.closed(depth)
            if depth > 1 and _needs_too_many_rows(graph):
                continue
            picture = self.compose(graph)
            if (picture.rows > MOST_ROWS and depth > 1) or picture.rows == rows:
                continue
            rows = picture.rows
            if best is not None and _detail(picture) - LEAST_COST < self.value(best[0]):
                continue
            picture = self._tightened(picture)
            if best is None or self.value(picture) > self.value(best[0]) + 1e-9:
                best = picture, depth
            if self._page(picture).fits:
                break
        assert best is not None
        return best

    def _tightened(self, picture: Picture) -> Picture:
        """Return the picture, with fewer frames if that makes it fit."""
        if picture.rows > MOST_ROWS or self._page(picture).fits:
            return picture
        if not any(block.type in WRAPPERS for block in block_tree(picture.graph).walk()):
            return picture  # it has no frame that could go
        tight = self.compose(picture.graph, tight=True)
        fewer = len(list(tight.scene.root.walk())) < len(list(picture.scene.root.walk()))
        if fewer and (self._page(tight).fits or self.value(tight) > self.value(picture) + TIGHT_COST):
            return tight
        return picture

    def _opened(self, best: Opened, depth: int, kinds: list[list[str]]) -> Opened:
        """Open blocks where they fit, all of a kind; only the first one if much of the cost is hidden."""
        for blocks in kinds:
            opened = self._with(best, depth, blocks)
            if opened is best and len(blocks) > 1 and self.hides_much(best.picture):
                opened = self._with(best, depth, blocks[:1])
            best = opened
        return best

    def hides_much(self, picture: Picture) -> bool:
        """Return whether classes without an open module have a large share of the FLOPs."""
        return unseen_flops(picture) > UNSEEN * (self.totals.flops or 0)

    def _with(self, best: Opened, depth: int, blocks: list[str]) -> Opened:
        """Return the picture with more blocks open, if it fits and says more."""
        paths = best.paths.union(blocks)
        if paths == best.paths:
            return best
        graph = self.closed(depth, paths)
        if _needs_too_many_rows(graph) or (picture := self.compose(graph)).rows > MOST_ROWS:
            return best
        picture = self._tightened(picture)
        is_better = self._page(picture).fits and self.value(picture) > self.value(best.picture)
        return Opened(picture, paths) if is_better else best

    def _kinds(self, picture: Picture, level: int, *, costly: bool) -> list[list[str]]:
        """Return the closed blocks of a level with a large or a `LITTLE` share of the FLOPs by kind, largest first."""
        paths: dict[tuple[str, int], list[str]] = {}
        flops: Counter[tuple[str, int]] = Counter()
        closed = {data["target"]: data for _, data in picture.graph.nodes(data=True) if data.get("closed")}
        pending = [(block_tree(self.folded), 0)]
        while pending:
            block, at = pending.pop()
            data = closed.get(block.path) if block.call is not None else None
            if data is not None and at == level:
                kind = data["label"], data["closed"]
                paths.setdefault(kind, []).append(block.path)
                flops[kind] += over_copies(data, "flops")
            elif at < level:
                below = at + (block.call is not None or at == 0)
                pending += [(inner, below) for inner in reversed(list(block.blocks()))]
        least = LITTLE * (self.totals.flops or 0)
        return [paths[kind] for kind, number in flops.most_common(MOST_KINDS) if (number >= least) == costly]

    def _page(self, picture: Picture) -> Page:
        return arrange(picture.scene).page

    def value(self, picture: Picture) -> float:
        """Return how much a picture says, less the cost of its page."""
        return _detail(picture) - self._page(picture).cost


def _fitted(fitting: Fitting, view: ModelGraph) -> tuple[Fitting, Picture]:
    """Return the best picture of a view; cheap operations share rows if it then fits, or shows more of the cost."""
    found = fitting.best()
    if not fitting.fits(found) or fitting.hides_much(found):
        joined = replace(fitting, joins=True)
        other = joined.best()
        if other.rows >= LEAST_ROWS and _is_better(joined, other, fitting, found):
            fitting, found = joined, other
    found.closed = closed_in(found, view, fitting.joins)
    return fitting, found


def _is_better(joined: Fitting, other: Picture, fitting: Fitting, found: Picture) -> bool:
    """Return whether a picture in which cheap operations share rows is better than the one with a row for each."""
    fits = fitting.fits(found)
    if joined.fits(other) != fits:
        return not fits
    if not fits:
        return joined.value(other) > fitting.value(found)
    return unseen_flops(found) - unseen_flops(other) > UNSEEN * (fitting.totals.flops or 0)


def _needs_too_many_rows(graph: ModelGraph) -> bool:
    return len(graph) > MOST_ROWS * MOST_IN_A_ROW


def _detail(picture: Picture) -> float:
    return DETAIL * log(picture.rows + 1) / log(2)
