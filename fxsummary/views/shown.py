"""The view that summaries and pictures show: simplified, folded, with idioms merged and small modules closed."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.depth import close_small
from fxsummary.views.fold import fold_repeats
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.simplify import simplify
from fxsummary.views.unread import with_unread


def shown(graph: ModelGraph, *, fold: bool = True) -> ModelGraph:
    """Return the graph that a summary or a picture with everything open shows; ``graph`` is not changed."""
    whole = with_unread(graph)
    simple = simplify(whole, own=whole is not graph)
    return close_small(merge_idioms(fold_repeats(simple) if fold else simple, own=True))
