"""The operations as a pandas DataFrame, and as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fxsummary.graph.attributes import NODE
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import clean
from fxsummary.text.numbers import shape as shape_text

if TYPE_CHECKING:
    import pandas


def to_pandas(graph: ModelGraph) -> pandas.DataFrame:
    """Return a DataFrame with a row per operation; see `ModelGraph.to_pandas`."""
    import pandas

    rows = [data for _, data in graph.nodes(data=True)]
    present = {name for data in rows for name in data}
    index = pandas.Index([clean(str(key)) for key in graph], name="operation", dtype="string")
    columns = {
        name: pandas.Series([_cell(data.get(name)) for data in rows], index=index, dtype=NODE[name].type.column)
        for name in NODE.columns
        if NODE[name].always or name in present
    }
    return pandas.DataFrame(columns, index=index)


def to_csv(graph: ModelGraph) -> str:
    """Return the rows of `to_pandas` as CSV; unknown values are empty."""
    text: str = to_pandas(graph).to_csv(lineterminator="\n")
    return text


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return shape_text(value)
    return clean(value) if isinstance(value, str) else value
