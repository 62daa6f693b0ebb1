"""The operations as a pandas DataFrame, and as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.numbers import clean
from fxsummary.text.numbers import shape as shape_text

if TYPE_CHECKING:
    import pandas

COLUMNS = {
    "op": "string", "target": "string", "kind": "string", "module": "string", "module_type": "string",
    "label": "string", "config": "string", "shape": "string", "dtype": "string",
    "parameters": "Int64", "trainable_parameters": "Int64", "parameter_bytes": "Int64",
    "buffers": "Int64", "buffer_bytes": "Int64", "flops": "Int64", "trust": "string", "output_bytes": "Int64",
    "multiplicity": "Int64", "source": "string",
}  # fmt: skip
"""Columns with their dtypes."""


def to_pandas(graph: ModelGraph) -> pandas.DataFrame:
    """A DataFrame with a row for each operation, in execution order, under the name that torch.fx gives it.

    The columns are attributes of the nodes, which `fxsummary.ModelGraph` describes: ``op``, ``target``, ``kind``,
    ``module``, ``module_type``, ``label``, ``config``, ``shape`` (as ``1×3×28×28``), ``dtype``, ``trust`` and
    ``source`` as texts (dtype "string"); ``parameters``, ``trainable_parameters``, ``parameter_bytes``, ``buffers``,
    ``buffer_bytes``, ``flops``, ``output_bytes`` and ``multiplicity`` as whole numbers (dtype "Int64"). What is not
    known is ``<NA>``.
    """
    import pandas

    rows = [data for _, data in graph.nodes(data=True)]
    index = pandas.Index([clean(str(key)) for key in graph], name="operation", dtype="string")
    columns = {
        name: pandas.Series([_cell(data.get(name)) for data in rows], index=index, dtype=dtype)
        for name, dtype in COLUMNS.items()
    }
    return pandas.DataFrame(columns, index=index)


def to_csv(graph: ModelGraph) -> str:
    """The rows of `to_pandas` as CSV; what is not known is empty."""
    text: str = to_pandas(graph).to_csv(lineterminator="\n")
    return text


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return shape_text(value)
    return clean(value) if isinstance(value, str) else value
