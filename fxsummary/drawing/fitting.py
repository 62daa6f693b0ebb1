"""Draws views of a graph, and tells how much they show and whether they fit a page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import log

from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.compose import PLAIN, Picture, compose
from fxsummary.drawing.labels import Subject
from fxsummary.drawing.look import Look
from fxsummary.drawing.pages import Page
from fxsummary.drawing.rows import Composer
from fxsummary.drawing.siblings import Siblings
from fxsummary.drawing.unseen import unseen_flops
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.depth import Closing
from fxsummary.views.dissolve import WRAPPERS
from fxsummary.views.joined import join_cheap
from fxsummary.views.loops import close_loops

MOST_ROWS = 100
MOST_IN_A_ROW = 3
"""Maximum number of operations in a row: a convolution, its norm and its activation."""
DETAIL = 1.2
"""Value of doubling the number of rows, in units of page cost."""
UNSEEN = 0.25
"""Share of the FLOPs in classes without an open module from which cheap operations may share rows."""
LITTLE = 0.01
"""Share of the FLOPs below which a class of blocks with one number of operations is opened last."""
TIGHT_COST = 0.2


@dataclass
class Fitting:
    """The views of one graph, each drawn once.

    Attributes:
        whole: the captured graph; folded: the graph drawn if everything is open; totals: those of the captured graph.
        look: look of the pictures.
        plain: the fitting with a row for each operation, if neighbours without weights or FLOPs share one in this one.
        one_row: whether operations fit in one row; views, pictures: those made so far.
    """

    whole: ModelGraph
    folded: ModelGraph
    totals: Totals
    look: Look = PLAIN
    plain: Fitting | None = None
    one_row: dict[tuple[str, ...], bool] = field(default_factory=dict)
    views: dict[tuple[int, frozenset[str]], ModelGraph] = field(default_factory=dict)
    pictures: dict[tuple[str | bool, ...], Picture] = field(default_factory=dict)

    @cached_property
    def rough(self) -> Composer:
        """Builder used to count the rows that operations take."""
        return Composer(Subject(self.folded, self.whole, self.totals))

    @cached_property
    def closing(self) -> Closing:
        """Closes blocks of the folded graph."""
        return Closing(self.folded)

    @cached_property
    def siblings(self) -> Siblings:
        """The modules of the folded graph, each with its siblings."""
        return Siblings(self.folded)

    def joined(self) -> Fitting:
        """Return the fitting in which neighbouring operations without weights or FLOPs share a row."""
        return replace(self, folded=close_loops(self.folded), plain=self, views={})

    @property
    def joins(self) -> bool:
        """Whether neighbouring operations without weights or FLOPs share a row."""
        return self.plain is not None

    def compose(self, graph: ModelGraph, tight: bool = False) -> Picture:
        """Return the picture of a view of the folded graph, composed once for the same nodes."""
        key = tight, *graph
        if key not in self.pictures:
            found = self.pictures[key] = compose(self.whole, graph, tight, look=self.look, totals=self.totals)
            self.siblings.name_open_ones(found)
        return self.pictures[key]

    def fits(self, picture: Picture) -> bool:
        """Return whether a picture is within the limits of a page and of its rows."""
        return picture.rows <= MOST_ROWS and self.page(picture).fits

    def note_excess(self, picture: Picture, depth: int) -> None:
        """Note on a picture larger than a page that it is, and the largest depth below ``depth`` that fits."""
        page = self.page(picture)
        if page.fits:
            return
        plain = self.plain or self
        smaller = range(min(depth, self.nesting()) - 1, 0, -1)
        fitting = next((each for each in smaller if self.page(plain.compose(plain.closed(each))).fits), 0)
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

        key = depth, opened
        if key not in self.views:
            graph = self.closing.close(closes)
            self.views[key] = join_cheap(graph) if self.joins else graph
        return self.views[key]

    def _is_one_row(self, block: Block) -> bool:
        keys = tuple(islice(block.operations(), MOST_IN_A_ROW + 1))
        if len(keys) <= MOST_IN_A_ROW and keys not in self.one_row:
            self.one_row[keys] = self.rough.table_rows(Block(block.call, [*keys], copies=block.copies)) == 1
        return self.one_row.get(keys, False)

    def tightened(self, picture: Picture) -> Picture:
        """Return the picture, with fewer frames if that makes it fit."""
        if picture.rows > MOST_ROWS or self.page(picture).fits:
            return picture
        if not any(block.type in WRAPPERS for block in block_tree(picture.graph).walk()):
            return picture  # it has no frame that could go
        tight = self.compose(picture.graph, tight=True)
        fewer = len(list(tight.scene.root.walk())) < len(list(picture.scene.root.walk()))
        if fewer and (self.page(tight).fits or self.value(tight) > self.value(picture) + TIGHT_COST):
            return tight
        return picture

    def hides_much(self, picture: Picture) -> bool:
        """Return whether classes without an open module have a large share of the FLOPs."""
        return unseen_flops(picture) > UNSEEN * (self.totals.flops or 0)

    @property
    def least_flops(self) -> float:
        """FLOPs from which a class of blocks counts as costly."""
        return LITTLE * (self.totals.flops or 0)

    def page(self, picture: Picture) -> Page:
        """Return the page of a picture."""
        return arrange(picture.scene).page

    def value(self, picture: Picture) -> float:
        """Return how much a picture says, less the cost of its page."""
        return detail(picture) - self.page(picture).cost

    def attempt(self, graph: ModelGraph, too_many: float = MOST_ROWS + 1) -> Picture | None:
        """Return the picture of a view; None if it needs too many rows."""
        if needs_too_many_rows(graph) or (picture := self.compose(graph)).rows >= min(too_many, MOST_ROWS + 1):
            return None
        return self.tightened(picture)


def needs_too_many_rows(graph: ModelGraph) -> bool:
    """Return whether a view has more operations than the rows of a picture can hold."""
    return len(graph) > MOST_ROWS * MOST_IN_A_ROW


def detail(picture: Picture) -> float:
    """Return how much a picture says."""
    return DETAIL * log(picture.rows + 1) / log(2)
