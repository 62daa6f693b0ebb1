"""What is known of one model: its values by column, or why there are none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from fxsummary.analysis.table.columns import Computed
from fxsummary.api import as_graph
from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.modeltable import cell_of
from fxsummary.loading import on_meta
from fxsummary.loading.libraries import Library, provide
from fxsummary.loading.load_model import graph_of

Model = nn.Module | ModelGraph | Callable[[], Any] | str
LONGEST_REASON = 200
_SENTENCE = re.compile(r"(?<=[^.\s]{2}[.!?])\s|\n")


def measured(
    model: Model, input_shape: Any, columns: Sequence[Computed], named: tuple[str, Library] | None = None
) -> dict[str, Any]:
    """Return the cells of a model by column, and the reason why columns failed; all values are plain, as in JSON.

    Args:
        named: prefix and library of a model that is a name; whoever runs this may not know the library.
    """
    if named is not None:
        provide(*named)
    graph = _graph(model, input_shape)
    cells: dict[str, Any] = {}
    reasons = []
    for column, measure in columns:
        try:
            cells[column.name] = cell_of(measure(graph))
        except Exception as error:  # a column of the user's must not cost the others
            cells[column.name] = (None, "?")
            reasons.append(f"column {column.name!r}: {reason_of(error)}")
    return {"cells": cells, "reason": "; ".join(reasons)}


def _graph(model: Model, input_shape: Any) -> ModelGraph:
    if isinstance(model, str):
        return graph_of(model, input_shape=input_shape)
    if isinstance(model, ModelGraph):
        if input_shape is not None:
            raise InputError("input_shape does not apply to a graph: its inputs are known.")
        return model
    if not isinstance(model, nn.Module) and callable(model):
        model = on_meta.made(model)
        if isinstance(model, nn.Module):
            model.eval()
    return as_graph(model, input_shape=input_shape)


def reason_of(error: BaseException) -> str:
    """Return the first sentence of an error, with its type unless its words say enough.

    >>> reason_of(ValueError("heads do not divide width. Pass another."))
    'ValueError: heads do not divide width.'
    """
    text = _SENTENCE.split(str(error).strip(), maxsplit=1)[0].strip()
    own = type(error).__module__.startswith("fxsummary.")
    kind = "" if own else type(error).__name__
    reason = ": ".join(filter(None, (kind, text))) or type(error).__name__
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"
