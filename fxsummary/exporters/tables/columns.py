"""The columns of tables: cells for the costs of operations and blocks, and for every attribute with a title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fxsummary.errors import UnknownNameError
from fxsummary.exporters.tables.table import Column
from fxsummary.graph.attributes import NO_COSTS, NODE, NodeData, own_path
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.receptive import ReceptiveFields, told
from fxsummary.graph.records import differing, known, over_copies
from fxsummary.graph.spec import leaves
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import about, shape, share
from fxsummary.text.series import in_one
from fxsummary.views.blocks import Block, result_of
from fxsummary.views.costs import carry_costs
from fxsummary.views.depth import closed_block

COLUMNS = ("shape", "parameters", "flops", "share")
"""The default columns after the name."""
SEES = "receptive_field"

_MORE = {"share": Column("%", right=True), "time_share": Column("%", right=True), SEES: Column("Sees", shrinks=12)}
"""Columns that are no attributes."""


def column_names(columns: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return the names of the columns after the first: the given ones (also as comma-separated text) or the defaults.

    >>> column_names("kind, flops"), column_names(None)
    (('kind', 'flops'), ('shape', 'parameters', 'flops', 'share'))
    >>> column_names(["colour"])
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown column 'colour'. Known: op, target, kind, module, module_type, label, \
config, shape, dtype, parameters, trainable_parameters, parameter_bytes, buffers, buffer_bytes, flops, trust, \
output_bytes, workspace, in_use, multiplicity, source, change, moved, seconds, intensity, bound, was, share, \
time_share, receptive_field
    """
    if columns is None:
        return COLUMNS
    names = columns.split(",") if isinstance(columns, str) else columns
    wanted = tuple(name.strip() for name in names)
    for name in wanted:
        if name not in (*NODE.columns, *_MORE):
            raise UnknownNameError(unknown("column", name, (*NODE.columns, *_MORE)))
    return wanted


def columns_of(names: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of a table."""
    return tuple([_MORE[name] if name in _MORE else _of_attribute(name) for name in names])


def _of_attribute(name: str) -> Column:
    is_number = NODE[name].type.is_number
    return Column(NODE[name].title, is_number, None if is_number else 12)


def fields_of(graph: ModelGraph, names: Sequence[str]) -> ReceptiveFields | None:
    """Return the receptive fields of a captured graph if one of the columns shows them."""
    return graph.receptive_field() if SEES in names else None


def shape_cell(outputs: object, assumed: bool = False, each: Sequence[object] = ()) -> str:
    """Format the shape of the first tensor and the number of further tensors; ``?`` if unknown.

    Args:
        each: the results of all copies if they differ.

    >>> from fxsummary.graph.spec import TensorSpec
    >>> half, whole = TensorSpec((7, 128), "float32"), TensorSpec((7, 256), "float32")
    >>> shape_cell((half, half), assumed=True), shape_cell(half, each=[half, whole])
    ('≈7×128 +1', '7×128…256')
    """
    text = in_one([_shape(copy) for copy in each or [outputs]], as_ranges=True)
    return about(text, assumed) if text not in ("", "?") else text


def _shape(outputs: object) -> str:
    specs = list(leaves(outputs))
    if not specs:
        return "?" if outputs is None else ""
    return shape(specs[0].shape) + (f" +{len(specs) - 1}" if len(specs) > 1 else "")


@dataclass(frozen=True, slots=True)
class Cells:
    """Formats the cells of the columns with the given names, one tuple per row.

    Attributes:
        graph: graph of the operations in the rows.
        totals: totals of the model.
        fields: the receptive fields, if a column shows them.
    """

    graph: ModelGraph
    totals: Totals
    names: tuple[str, ...]
    fields: ReceptiveFields | None = None

    def of_model(self, root: Block) -> tuple[str, ...]:
        """Return the cells of the whole model, including parameters that no operation reads."""
        totals = self.totals
        data: dict[str, Any] = {
            **closed_block(self.graph, root, 1),
            "trust": "assumed" if totals.assumed_flops else "exact",
        }
        data["parameters"] = None if totals.unknown_parameters else totals.parameters
        data["flops"] = None if totals.unknown_flops else totals.flops
        least = {"parameters": totals.parameters, "flops": totals.flops or 0}
        data["at_least"] = {**data.get("at_least", {}), **least}
        return self._of_block(root, 1, data)

    def of_block(self, block: Block, times: int) -> tuple[str, ...]:
        """Return the cells of a block, for one of the ``times`` copies of its parent."""
        return self._of_block(block, times, {**closed_block(self.graph, block, times)})

    def _of_block(self, block: Block, times: int, data: dict[str, Any]) -> tuple[str, ...]:
        if not set(self.names).issubset(COLUMNS):
            one: Mapping[str, Any] = closed_block(
                self.graph, block, block.copies
            )  # a quotient is the same for one copy
            data |= {name: one.get(name) for name in NODE.recomputed}
            data["kind"] = data["kind"] if data["kind"] != "other" else ""
        return self._row(data, shape_cell(*result_of(self.graph, block)), times, block.last or block.path)

    def of_operation(self, key: str, times: int) -> tuple[str, ...]:
        """Return the cells of an operation, for one of the ``times`` copies of its parent."""
        one = data = self.graph.data(key)
        if data["multiplicity"] != times:  # the costs of all its copies in one copy of the parent
            kept = {name: each for name, each in one.get("each_copy", {}).items() if name not in NODE.sums}
            data = {**one, **NO_COSTS, **cast(NodeData, dict.fromkeys(NODE.sums, 0)), "each_copy": kept}
            carry_costs(one, data, one["multiplicity"] // times)
        name = key if self.fields is not None and key in self.fields.operations else own_path(one)
        return self._row(data, shape_cell(one["outputs"], one["assumed"], differing(one, "outputs") or ()), times, name)

    def _row(self, data: Mapping[str, Any], shape: str, times: int, name: str) -> tuple[str, ...]:
        each = differing(data, "flops")
        flops, total = known(data, "flops") * times if each is None else sum(each), self.totals.flops
        assumed = data["trust"] == "assumed" and flops != total
        cells = {"shape": shape, "share": about(share(flops, total), assumed).removesuffix(" %") if flops else ""}
        cells["time_share"] = self._time_share({**data, "multiplicity": times}) if "seconds" in data else ""
        if self.fields is not None:
            cells[SEES] = self.fields.text(name) if name else told(self.fields.head)
        return tuple([cells[name] if name in cells else NODE.cell(name, data) for name in self.names])

    def _time_share(self, data: Mapping[str, Any]) -> str:
        found = self.graph.roofline_found
        parts = (over_copies(data, "seconds"), found.seconds) if found else (0, 0)
        return share(*[round(seconds * 1e12) for seconds in parts]).removesuffix(" %")
