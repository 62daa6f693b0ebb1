"""Export to JSON, which `fxsummary.load` reads back."""

from __future__ import annotations

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.saved import dumps
from fxsummary.views.fold import fold_repeats


def to_json(graph: ModelGraph, *, fold: bool = False) -> str:
    """Return the graph as JSON for `fxsummary.load`; equal graphs give equal bytes.

    Args:
        fold: save only the first copy of each run of copies, with the number of copies and what each copy reads.
    """
    return dumps(fold_repeats(graph) if fold else graph)
