"""The columns of tables: cells for the costs of operations and blocks, and for every attribute with a title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.exporters.tables.table import Column
from fxsummary.graph.attributes import NO_COSTS, NODE, NodeData, own_path
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.receptive import ReceptiveFields, told
from fxsummary.graph.records import differing, known, over_copies
from fxsummary.graph.spec import TensorSpec, leaves
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import about, shape, share
from fxsummary.text.series import in_one
from fxsummary.views.blocks import Block, result_of
from fxsummary.views.costs import carry_costs
from fxsummary.views.depth import closed_block

COLUMNS = ("shape", "parameters", "flops", "share")
"""The default columns after the name."""
SEES = "receptive_field"

_MORE = {
    "share": Column("%", right=True),
    "parameter_share": Column("Parameters %", right=True),
    "time_share": Column("%", right=True),
    "macs": Column("MACs", right=True),
    "input_shape": Column("Input shape", shrinks=12),
    "kernel": Column("Kernel"),
    SEES: Column("Sees", shrinks=12),
}
"""Columns that are no attributes."""

_KERNEL = re.compile(r"(?:^|, )([\d·]+(?:×[\d·]+)*), s\d")
"""A kernel size in the settings of a convolution or pooling: before the stride."""


def column_names(columns: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return the names of the columns after the first: the given ones (also as comma-separated text) or the defaults.

    >>> column_names("kind, flops"), column_names(None)
    (('kind', 'flops'), ('shape', 'parameters', 'flops', 'share'))
    >>> column_names(["colour"])
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown column 'colour'. Known: op, target, kind, module, module_type, label, \
config, shape, dtype, parameters, trainable_parameters, parameter_bytes, buffers, buffer_bytes, flops, trust, \
output_bytes, workspace, in_use, multiplicity, source, change, nonzero_parameters, moved, seconds, intensity, bound, \
was, share, parameter_share, time_share, macs, input_shape, kernel, receptive_field
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


def _input_cell(graph: ModelGraph, keys: Iterable[str]) -> str:
    """Format the shape of the first tensor that operations read from others, and the number of further tensors."""
    inside = dict.fromkeys(key for key in keys if graph.data(key)["op"] != "placeholder")
    cells: dict[tuple[object, ...], str] = {}
    for key in inside:
        for source, edge in graph.sources(key).items():
            data = graph.data(source)
            value = None if edge["shape"] is None else TensorSpec(edge["shape"], "")
            if source not in inside and data["op"] != "get_attr" and (value or data["outputs"] is None):
                each = () if edge["parts"] else differing(data, "outputs") or ()
                cells.setdefault((source, edge["parts"]), shape_cell(value, data["assumed"], each))
    first = next(iter(cells.values()), "")
    return first + (f" +{len(cells) - 1}" if len(cells) > 1 else "")


def _halved(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that the cell of the FLOPs depends on, for MACs."""
    flops, each, least = data["flops"], differing(data, "flops"), known(data, "flops") // 2
    copies = {"each_copy": {"flops": [None if number is None else number // 2 for number in each]}} if each else {}
    halves = {"flops": None if flops is None else flops // 2, "at_least": {"flops": least}}
    return {**halves, **copies, "trust": data["trust"]}


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

    def __post_init__(self) -> None:
        if "nonzero_parameters" in self.names and self.totals.nonzero_parameters is None:
            raise InputError("the nonzero parameters were not counted: pass nonzero=True to fxsummary.graph.")

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

    def of_module(self, path: str, data: NodeData, inside: Iterable[str]) -> tuple[str, ...]:
        """Return the cells of a module that is one operation, see `fxsummary.views.modules`.

        Args:
            inside: the operations of its first call.
        """
        return self._row(data, shape_cell(data["outputs"], data["assumed"]), 1, path, inside)

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
        result, path = shape_cell(*result_of(self.graph, block)), block.last or block.path
        return self._row(data, result, times, path, block.operations())

    def of_operation(self, key: str, times: int) -> tuple[str, ...]:
        """Return the cells of an operation, for one of the ``times`` copies of its parent."""
        one = data = self.graph.data(key)
        if data["multiplicity"] != times:  # the costs of all its copies in one copy of the parent
            kept = {name: each for name, each in one.get("each_copy", {}).items() if name not in NODE.sums}
            data = {**one, **NO_COSTS, **cast(NodeData, dict.fromkeys(NODE.sums, 0)), "each_copy": kept}
            carry_costs(one, data, one["multiplicity"] // times)
        name = key if self.fields is not None and key in self.fields.operations else own_path(one)
        outputs = shape_cell(one["outputs"], one["assumed"], differing(one, "outputs") or ())
        return self._row(data, outputs, times, name, [key])

    def _row(
        self, data: Mapping[str, Any], shape: str, times: int, name: str, inside: Iterable[str]
    ) -> tuple[str, ...]:
        every = {**data, "multiplicity": times}
        flops, parameters = (over_copies(every, name) for name in ("flops", "parameters"))
        assumed = data["trust"] == "assumed" and flops != self.totals.flops
        cells = {"shape": shape, "share": about(_percent(flops, self.totals.flops), assumed) if flops else ""}
        cells["time_share"] = self._time_share(every) if "seconds" in data else ""
        if not set(self.names).isdisjoint(_MORE):
            cells["parameter_share"] = _percent(parameters, self.totals.parameters) if parameters else ""
            cells["macs"] = NODE.cell("flops", _halved(data))
            cells["kernel"] = found[1] if (found := _KERNEL.search(data["config"])) else ""
            cells["input_shape"] = _input_cell(self.graph, inside) if "input_shape" in self.names else ""
        if self.fields is not None:
            cells[SEES] = self.fields.text(name) if name else told(self.fields.head)
        return tuple([cells[name] if name in cells else NODE.cell(name, data) for name in self.names])

    def _time_share(self, data: Mapping[str, Any]) -> str:
        found = self.graph.roofline_found
        parts = (over_copies(data, "seconds"), found.seconds) if found else (0, 0)
        return _percent(*[round(seconds * 1e12) for seconds in parts])


def _percent(part: int, whole: int | None) -> str:
    return share(part, whole).removesuffix(" %")
