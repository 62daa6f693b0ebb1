"""The view that summaries and pictures show: simplified, folded, with idioms merged and small modules closed."""

from __future__ import annotations

from typing import Literal

from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.views.depth import close_small
from fxsummary.views.fold import fold_repeats
from fxsummary.views.ghosts import with_ghosts
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.shorten import by_few, without_steps
from fxsummary.views.simplify import simplify
from fxsummary.views.unread import with_unread


def check_fold(fold: object) -> Literal["similar", "exact", False]:
    """Return what to fold; raises InputError for anything but a `Fold`."""
    if fold is True or fold == "similar":
        return "similar"
    if fold is False or fold == "exact":
        return "exact" if fold else False
    raise InputError(f'fold={fold!r} is not a way to fold: pass "similar", "exact" (equal copies only) or False.')


def shown(graph: ModelGraph, *, fold: Fold = "similar", ghosts: bool = False) -> ModelGraph:
    """Return the graph that a summary or a picture with everything open shows; ``graph`` is not changed.

    With ``ghosts``, it also has what forward does not need; raises InputError if the graph is a comparison.
    """
    how = check_fold(fold)
    prepared = with_ghosts if ghosts else with_unread
    short, steps = without_steps(graph) if how else (graph, [])
    whole = prepared(short)
    view = by_few(whole, steps, similar=how == "similar") if how else None
    if view is None:
        whole = prepared(graph) if steps else whole
        view = folded(simplify(whole, own=whole is not graph), fold)
    return close_small(merge_idioms(view, own=True))


def folded(graph: ModelGraph, fold: Fold) -> ModelGraph:
    """Return the graph with the copies folded that ``fold`` names."""
    how = check_fold(fold)
    return fold_repeats(graph, similar=how == "similar") if how else graph
