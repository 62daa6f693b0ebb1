"""The columns of tables: cells for the costs of operations and blocks, and for every attribute with a title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, Literal, cast

from fxsummary.errors import UnknownNameError
from fxsummary.exporters.tables.table import Column
from fxsummary.graph.attributes import NO_COSTS, NODE, NodeData
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.records import differing, is_unknown, known
from fxsummary.graph.spec import leaves
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import about, in_one, shape, share
from fxsummary.views.blocks import Block, result_of
from fxsummary.views.costs import carry_costs, in_groups
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
    """The costs of some operations, for one of the ``per`` copies of their parent; for each one if these differ."""
    nodes = [graph.nodes[key] for key in keys]
    parameters, flops = (_cost_over(nodes, name, per) for name in ("parameters", "flops"))
    no_parameters, no_flops = (any(is_unknown(data, name) for data in nodes) for name in ("parameters", "flops"))
    costs = _costs(min(parameters), min(flops), no_parameters, no_flops, any(d["trust"] == "assumed" for d in nodes))
    costs["each_copy"] = {
        name: tuple(values)
        for name, values in (("parameters", parameters), ("flops", flops))
        if min(values) != max(values) and costs.get(name) is not None
    }
    return costs


def _cost_over(nodes: Iterable[NodeData], name: Literal["parameters", "flops"], per: int) -> list[int]:
    """The known part of a cost of some operations in each of the ``per`` copies of their parent."""
    alike, each = 0, [0] * per
    for data in nodes:
        if differing(data, name):
            each = list(map(add, each, in_groups(data, name, per)))
        elif data[name] != 0:
            alike += known(data, name) * (data["multiplicity"] // per)
    return [alike + number for number in each]


def _costs(parameters: int, flops: int, no_parameters: bool, no_flops: bool, assumed: bool) -> NodeData:
    return {
        "parameters": None if no_parameters else parameters,
        "flops": None if no_flops else flops,
        "at_least": {"parameters": parameters, "flops": flops},
        "each_copy": {},
        "trust": "assumed" if assumed else "exact",
    }


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
        return self._row({**_with(data, costs), "kind": data["kind"] if data["kind"] != "other" else ""}, shape, times)

    def of_operation(self, key: str, times: int) -> tuple[str, ...]:
        """Return the cells of an operation, for one of the ``times`` copies of its parent."""
        data, copies = self.graph.nodes[key], self.graph.nodes[key]["multiplicity"]
        costs = _costs_over(self.graph, [key], times)
        shape = shape_cell(data["outputs"], data["assumed"], differing(data, "outputs") or ())
        if not self._has_others():
            return self._row(costs, shape, times)
        if copies != times:  # the costs of all its copies in one copy of the parent
            one, data = data, {**data, **NO_COSTS, **cast(NodeData, dict.fromkeys(NODE.sums, 0))}
            carry_costs(one, data, copies // times)
        return self._row(_with(data, costs), shape, times)

    def _has_others(self) -> bool:
        return not set(self.names).issubset(COLUMNS)

    def _row(self, data: Mapping[str, Any], shape: str, times: int) -> tuple[str, ...]:
        each = differing(data, "flops")
        flops, total = known(data, "flops") * times if each is None else sum(each), self.totals.flops
        assumed = data["trust"] == "assumed" and flops != total
        cells = {"shape": shape, "share": about(share(flops, total), assumed).removesuffix(" %") if flops else ""}
        return tuple([cells[name] if name in cells else NODE.cell(name, data) for name in self.names])


def _with(data: Mapping[str, Any], costs: NodeData) -> dict[str, Any]:
    """Return the attributes of an operation or a block with these costs."""
    both = {name: {**data.get(name, {}), **costs[name]} for name in ("at_least", "each_copy")}
    for name in costs["at_least"].keys() - costs["each_copy"].keys():
        both["each_copy"].pop(name, None)
    return {**data, **costs, **both}
