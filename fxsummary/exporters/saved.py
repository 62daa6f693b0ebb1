"""Export to JSON, which `fxsummary.load` reads back."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.saved import dumps
from fxsummary.views.fold import fold_repeats
from fxsummary.views.shown import Fold, check_fold


def to_json(graph: ModelGraph, *, fold: Fold = False) -> str:
    """Return the graph as JSON for `fxsummary.load`; equal graphs give equal bytes.

    Args:
        fold: save only the first copy of each run of copies, with the number of copies and what each copy reads:
            "similar" (or True) for runs of equal and of similar copies, "exact" only for equal ones.
    """
    how = check_fold(fold)
    return dumps(fold_repeats(graph, similar=how == "similar") if how else graph)
