"""Choose how much of a graph a picture shows: the depth, and the modules opened beyond it, that fit a page."""

from __future__ import annotations

from fxsummary.drawing.compose import PLAIN, Picture, set_texts
from fxsummary.drawing.fitting import MOST_IN_A_ROW, MOST_ROWS, UNSEEN, Fitting, detail, needs_too_many_rows
from fxsummary.drawing.labels import tips_of
from fxsummary.drawing.look import Look
from fxsummary.drawing.opening import Opened, filled, with_structures
from fxsummary.drawing.unseen import closed_in, unseen_flops
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.views.depth import check_depth, close_blocks, shown_at
from fxsummary.views.shown import shown

DEEPEST = 13
MOST_PER_ROW = 5
"""Maximum number of operations per row."""
HUGE = 20_000
"""Number of operations from which modules that do not fit a page are closed before the search."""
LEAST_ROWS = 10
"""Number of rows that a picture in which operations share rows must have to say enough."""
LEAST_COST = 0.3
"""Lower than the cost of any page."""


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
    fitting = Fitting(graph, view, graph.totals, look)
    if depth is None:
        fitting, found = _fitted(fitting, view)
    else:
        found = fitting.compose(fitting.closed(depth))
    for row in found.scene.rows():
        for key in row.keys:
            row.tips += [*([""] if row.tips else []), *tips_of(found.subject, key)]
    fitting.note_excess(found, depth or 1)  # the search found that no smaller depth fits
    set_texts(graph, found, title)
    return found


def _fitted(fitting: Fitting, view: ModelGraph) -> tuple[Fitting, Picture]:
    """Return the best picture of a view; cheap operations share rows if it then fits, or shows more of the cost."""
    found = best(fitting)
    if not fitting.fits(found.picture) or fitting.hides_much(found.picture):
        joined = fitting.joined()
        other = best(joined)
        if other.picture.rows >= LEAST_ROWS and _is_better(joined, other.picture, fitting, found.picture):
            fitting, found = joined, other
    picture = with_structures(fitting, found).picture
    picture.closed = closed_in(picture, view, fitting.joins)
    return fitting, picture


def _is_better(joined: Fitting, other: Picture, fitting: Fitting, found: Picture) -> bool:
    """Return whether a picture in which cheap operations share rows is better than the one with a row for each."""
    fits = fitting.fits(found)
    if joined.fits(other) != fits:
        return not fits
    if not fits:
        return joined.value(other) > fitting.value(found)
    return unseen_flops(found) - unseen_flops(other) > UNSEEN * (fitting.totals.flops or 0)


def best(fitting: Fitting) -> Opened:
    """Return the picture at the depth that shows most within the limits, with costly blocks opened where they fit."""
    if len(fitting.folded) > HUGE:
        most = MOST_ROWS * MOST_IN_A_ROW
        fitting.folded = close_blocks(
            fitting.folded,
            lambda block, level: level > 0 and sum(isinstance(item, str) for item in block.items) > most,
        )
    picture, depth = _best_depth(fitting)
    return filled(fitting, Opened(picture, depth))


def _best_depth(fitting: Fitting) -> tuple[Picture, int]:
    """Return the picture with most levels open that fits a page, or else shows most, and this number of levels."""
    best: tuple[Picture, int] | None = None
    deepest, rows = fitting.nesting(), -1
    sizes = shown_at(fitting.folded)
    for depth in range(min(deepest, DEEPEST), 0, -1):
        if depth > 1 and sizes[min(depth, len(sizes) - 1)] > MOST_ROWS * MOST_PER_ROW:
            continue
        graph = fitting.closed(depth)
        if depth > 1 and needs_too_many_rows(graph):
            continue
        picture = fitting.compose(graph)
        if (picture.rows > MOST_ROWS and depth > 1) or picture.rows == rows:
            continue
        rows = picture.rows
        if best is not None and detail(picture) - LEAST_COST < fitting.value(best[0]):
            continue
        picture = fitting.tightened(picture)
        fits = fitting.fits(picture)
        if best is None or fits or fitting.value(picture) > fitting.value(best[0]) + 1e-9:
            best = picture, depth
        if fits:
            break
    assert best is not None
    return best
