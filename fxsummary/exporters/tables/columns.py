"""The columns of tables: costs of operations and blocks as cells, and every attribute that has a title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fxsummary.errors import UnknownNameError
from fxsummary.exporters.tables.table import Column
from fxsummary.graph.attributes import NODE
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.records import known
from fxsummary.graph.spec import leaves
from fxsummary.text.numbers import about, count, shape, share, short
from fxsummary.views.blocks import Block, result_of
from fxsummary.views.depth import closed_block

COLUMNS = ("shape", "parameters", "flops", "share")
"""The columns behind the names, unless others are asked for."""
_SHARE = Column("%", right=True)


def column_names(columns: Iterable[str] | str | None) -> tuple[str, ...]:
    """The names of the columns behind the first: those given, or a text with commas between them, or the usual ones.

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
            raise UnknownNameError(f"unknown column {name!r}. Known: {', '.join((*NODE.columns, 'share'))}")
    return wanted


def columns_of(names: Iterable[str]) -> tuple[Column, ...]:
    """The columns as a table has them."""
    return tuple(_SHARE if name == "share" else _column(name) for name in names)


def _column(name: str) -> Column:
    is_number = NODE[name].type.is_number
    return Column(NODE[name].title, right=is_number, shrinks=None if is_number else 12)


@dataclass(frozen=True)
class Costs:
    """Costs of an operation or a block: sums over its copies, None where nothing is known.

    Attributes:
        partial: whether parameters and FLOPs are lower bounds; assumed: whether the FLOPs rest on assumed values.
    """

    parameters: int | None
    flops: int | None
    partial: tuple[bool, bool] = (False, False)
    assumed: bool = False

    @classmethod
    def of_model(cls, totals: Totals) -> Costs:
        """Those of all operations, and of what none reads."""
        return cls(
            totals.parameters if totals.parameters or not totals.unknown_parameters else None,
            totals.flops,
            (bool(totals.unknown_parameters), bool(totals.unknown_flops)),
            bool(totals.assumed_flops),
        )

    @classmethod
    def over(cls, graph: ModelGraph, keys: Iterable[str], per: int) -> Costs:
        """The costs of some operations, in one of the ``per`` copies of what they lie in."""
        parameters = cost = 0
        missing = [False, False]
        assumed = False
        for key in keys:
            data = graph.nodes[key]
            times = data["multiplicity"] // per
            parameters += known(data, "parameters") * times
            cost += known(data, "flops") * times
            missing[0] |= data["parameters"] is None
            missing[1] |= data["flops"] is None
            assumed |= data["trust"] == "assumed"
        return cls(
            None if missing[0] and not parameters else parameters,
            None if missing[1] and not cost else cost,
            (missing[0], missing[1]),
            assumed,
        )

    def cells(self, total_flops: int | None, times: int) -> dict[str, str]:
        """Parameters, FLOPs, and the share that ``times`` of them have of the model's FLOPs; "" for nothing."""
        parameters = count(self.parameters) if self.parameters or self.parameters is None else ""
        cost = about(short(self.flops), self.assumed) if self.flops or self.flops is None else ""
        all_of_it = self.flops is not None and self.flops * times == total_flops
        portion = about(share(self.flops * times, total_flops), self.assumed and not all_of_it) if self.flops else ""
        return {
            "parameters": f"≥ {parameters}" if self.partial[0] and self.parameters else parameters,
            "flops": f"≥ {cost}" if self.partial[1] and self.flops else cost,
            "share": portion.removesuffix(" %"),
        }


def shape_cell(outputs: Any, assumed: bool = False) -> str:
    """The shape of the first tensor and how many more there are; ``?`` if unknown.

    >>> from fxsummary.graph.spec import TensorSpec
    >>> shape_cell((TensorSpec((7, 128), "float32"), TensorSpec((7,), "int64")), assumed=True)
    '≈7×128 +1'
    """
    specs = list(leaves(outputs))
    if not specs:
        return "?" if outputs is None else ""
    more = f" +{len(specs) - 1}" if len(specs) > 1 else ""
    return about(shape(specs[0].shape) + more, assumed)


class Cells:
    """Makes the cells of the columns asked for, one tuple for a row.

    Args:
        graph: whose operations the rows show.
        totals: of the model.
        names: of the columns.
    """

    def __init__(self, graph: ModelGraph, totals: Totals, names: tuple[str, ...]) -> None:
        self._graph = graph
        self._totals = totals
        self._names = names
        self._others = [name for name in names if name not in COLUMNS]

    def of_model(self, root: Block) -> tuple[str, ...]:
        """Cells of the model as a whole."""
        return self._of_block(root, Costs.of_model(self._totals), 1)

    def of_block(self, block: Block, times: int) -> tuple[str, ...]:
        """Cells of a block in one of the ``times`` copies of what it lies in."""
        return self._of_block(block, Costs.over(self._graph, block.operations(), times), times)

    def of_operation(self, key: str, times: int) -> tuple[str, ...]:
        """Cells of an operation in one of the ``times`` copies of what it lies in."""
        data = self._graph.nodes[key]
        costs = Costs.over(self._graph, [key], times).cells(self._totals.flops, times)
        costs["shape"] = shape_cell(data["outputs"], data["assumed"])
        return self._row(costs, data)

    def _of_block(self, block: Block, costs: Costs, times: int) -> tuple[str, ...]:
        cells = costs.cells(self._totals.flops, times)
        cells["shape"] = shape_cell(*result_of(self._graph, block))
        if not self._others:
            return self._row(cells, {})
        one = closed_block(self._graph, block, block.copies)  # a quotient is that of one copy, a sum that of all
        data = closed_block(self._graph, block, times) | {name: one.get(name) for name in NODE.recomputed}
        return self._row(cells, {**data, "kind": data["kind"] if data["kind"] != "other" else ""})

    def _row(self, cells: dict[str, str], data: Mapping[str, Any]) -> tuple[str, ...]:
        for name in self._others:
            cells[name] = NODE.cell(name, data)
        return tuple([cells[name] for name in self._names])
