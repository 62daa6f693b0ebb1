"""The columns of tables: cells for the costs of operations and blocks, and for every attribute with a title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fxsummary.errors import UnknownNameError
from fxsummary.exporters.tables.table import Column
from fxsummary.graph.attributes import NO_COSTS, NODE, NodeData
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.records import known
from fxsummary.graph.spec import leaves
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import about, shape, share
from fxsummary.views.blocks import Block, result_of
from fxsummary.views.costs import carry_costs
from fxsummary.views.depth import closed_block

COLUMNS = ("shape", "parameters", "flops", "share")
"""The default columns after the name."""


def column_names(columns: Iterable[str] | str | None) -> tuple[str, ...]:
    """Return the names of the columns after the first: the given ones (also as comma-separated text) or the defaults.

    >>> column_names("kind, flops"), column_names(None)
    (('kind', 'flops'), ('shape', 'parameters', 'flops', 'share'))
    >>> column_names(["colour"])
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown column 'colour'. Known: op, target, kind, module, module_type, label, \
config, shape, dtype, parameters, trainable_parameters, parameter_bytes, buffers, buffer_bytes, flops, trust, \
output_bytes, multiplicity, source, change, was, share
    """
    if columns is None:
        return COLUMNS
    names = columns.split(",") if isinstance(columns, str) else columns
    wanted = tuple(name.strip() for name in names)
    for name in wanted:
        if name not in (*NODE.columns, "share"):
            raise UnknownNameError(unknown("column", name, (*NODE.columns, "share")))
    return wanted


def columns_of(names: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of a table."""
    rows = [(NODE[name].title, NODE[name].type.is_number) if name != "share" else ("%", True) for name in names]
    return tuple(Column(title, number, None if number else 12) for title, number in rows)


def _costs_over(graph: ModelGraph, keys: Iterable[str], per: int) -> NodeData:
    """The costs of some operations, for one of the ``per`` copies of their parent."""
    parameters = flops = 0
    no_parameters = no_flops = assumed = False
    for key in keys:
        data = graph.nodes[key]
        times = data["multiplicity"] // per
        parameters += known(data, "parameters") * times
        flops += known(data, "flops") * times
        no_parameters |= data["parameters"] is None
        no_flops |= data["flops"] is None
        assumed |= data["trust"] == "assumed"
    return _costs(parameters, flops, no_parameters, no_flops, assumed)


def _costs(parameters: int, flops: int, no_parameters: bool, no_flops: bool, assumed: bool) -> NodeData:
    return {
        "parameters": None if no_parameters else parameters,
        "flops": None if no_flops else flops,
        "at_least": {"parameters": parameters, "flops": flops},
        "trust": "assumed" if assumed else "exact",
    }


def shape_cell(outputs: object, assumed: bool = False) -> str:
    """Format the shape of the first tensor and the number of further tensors; ``?`` if unknown.

    >>> from fxsummary.graph.spec import TensorSpec
    >>> shape_cell((TensorSpec((7, 128), "float32"), TensorSpec((7,), "int64")), assumed=True)
    '≈7×128 +1'
    """
    specs = list(leaves(outputs))
    if not specs:
        return "?" if outputs is None else ""
    more = f" +{len(specs) - 1}" if len(specs) > 1 else ""
    return about(shape(specs[0].shape) + more, assumed)


@dataclass(frozen=True, slots=True)
class Cells:
    """Formats the cells of the columns with the given names, one tuple per row.

    Attributes:
        graph: graph of the operations in the rows.
        totals: totals of the model.
    """

    graph: ModelGraph
    totals: Totals
    names: tuple[str, ...]

    def of_model(self, root: Block) -> tuple[str, ...]:
        """Return the cells of the whole model, including parameters that no operation reads."""
        totals = self.totals
        no_flops = totals.flops is None or bool(totals.unknown_flops)
        no_parameters, assumed = bool(totals.unknown_parameters), bool(totals.assumed_flops)
        return self.of_block(root, 1, _costs(totals.parameters, totals.flops or 0, no_parameters, no_flops, assumed))

    def of_block(self, block: Block, times: int, costs: NodeData | None = None) -> tuple[str, ...]:
        """Return the cells of a block, for one of the ``times`` copies of its parent."""
        costs = costs or _costs_over(self.graph, block.operations(), times)
        shape = shape_cell(*result_of(self.graph, block))
        if not self._has_others():
            return self._row(costs, shape, times)
        one: Mapping[str, Any] = closed_block(self.graph, block, block.copies)  # a quotient is the same for one copy
        data: dict[str, Any] = {**closed_block(self.graph, block, times)}
        data |= {name: one.get(name) for name in NODE.recomputed}
        costs["at_least"] = {**data.get("at_least", {}), **costs["at_least"]}
        return self._row({**data, **costs, "kind": data["kind"] if data["kind"] != "other" else ""}, shape, times)

    def of_operation(self, key: str, times: int) -> tuple[str, ...]:
        """Return the cells of an operation, for one of the ``times`` copies of its parent."""
        data, copies = self.graph.nodes[key], self.graph.nodes[key]["multiplicity"]
        costs, shape = _costs_over(self.graph, [key], times), shape_cell(data["outputs"], data["assumed"])
        if not self._has_others():
            return self._row(costs, shape, times)
        if copies != times:  # the costs of all its copies in one copy of the parent
            one, data = data, {**data, **NO_COSTS, **cast(NodeData, dict.fromkeys(NODE.sums, 0))}
            carry_costs(one, data, copies // times)
        return self._row({**data, **costs}, shape, times)

    def _has_others(self) -> bool:
        return not set(self.names).issubset(COLUMNS)

    def _row(self, data: Mapping[str, Any], shape: str, times: int) -> tuple[str, ...]:
        flops, total = known(data, "flops") * times, self.totals.flops
        assumed = data["trust"] == "assumed" and flops != total
        cells = {"shape": shape, "share": about(share(flops, total), assumed).removesuffix(" %") if flops else ""}
        return tuple([cells[name] if name in cells else NODE.cell(name, data) for name in self.names])
