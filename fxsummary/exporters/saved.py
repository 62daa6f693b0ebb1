"""Export to JSON, which `fxsummary.load` reads back."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.graph.saved import dumps
from fxsummary.views.fold import fold_repeats
from fxsummary.views.shown import check_fold


def to_json(graph: ModelGraph, *, fold: Fold = False) -> str:
    """Return the graph as JSON for `fxsummary.load`; equal graphs give equal bytes; see `ModelGraph.to_json`."""
    how = check_fold(fold)
    return dumps(fold_repeats(graph, similar=how == "similar") if how else graph)
