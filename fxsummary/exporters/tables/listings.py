"""Parts of the tables: costs as cells, and the views that list modules, parameters or operations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fxsummary.exporters.tables.table import Column
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import known
from fxsummary.graph.spec import leaves
from fxsummary.text.numbers import about, count, shape, share, short

COLUMNS = (
    Column("Module", shrinks=20),
    Column("Output shape", shrinks=12),
    Column("Parameters", right=True),
    Column("FLOPs", right=True),
    Column("%", right=True),
)


class Entry(NamedTuple):
    """A row of a listing; `branches` as in `fxsummary.exporters.tables.table.tree`."""

    cells: tuple[str, ...]
    branches: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A table; the names are in its first column."""

    columns: tuple[Column, ...]
    rows: list[Entry]


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

    def cells(self, total_flops: int | None, times: int) -> tuple[str, str, str]:
        """Parameters, FLOPs, and the share that ``times`` of them have of the model's FLOPs; "" for nothing."""
        parameters = count(self.parameters) if self.parameters or self.parameters is None else ""
        cost = about(short(self.flops), self.assumed) if self.flops or self.flops is None else ""
        all_of_it = self.flops is not None and self.flops * times == total_flops
        portion = about(share(self.flops * times, total_flops), self.assumed and not all_of_it) if self.flops else ""
        return (
            f"≥ {parameters}" if self.partial[0] and self.parameters else parameters,
            f"≥ {cost}" if self.partial[1] and self.flops else cost,
            portion.removesuffix(" %"),
        )


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


def modules(graph: ModelGraph, depth: int | None, fold: bool) -> Listing:
    """Containment only: what holds what, and how many parameters."""
    own = {
        path: sum(p.numel or 0 for p in module.parameters if not p.buffer and p.tied_to is None)
        for path, module in graph.modules.items()
    }
    held = dict(own)
    for path in sorted(own, key=lambda path: -path.count(".") if path else 1):
        if path:
            held[path.rpartition(".")[0]] += held[path]
    total = held.get("", 0)
    rows: list[Entry] = []
    todo: list[tuple[str, tuple[bool, ...]]] = [("", ())]
    while todo:
        path, branches = todo.pop()
        module = graph.modules[path]
        remark = f" = {module.shared_with}" if module.shared_with is not None else ""
        remark += "" if module.called or graph.captured_by == "modules" else " (never called)"
        name = path.rpartition(".")[2]
        text = " ".join(filter(None, (name, module.type, module.config))) + remark
        number = held[path]
        rows.append(Entry((text, count(number) if number else "", share(number, total).removesuffix(" %")), branches))
        if depth is None or len(branches) < depth:
            last = len(module.children) - 1
            below = [(child, (*branches, index == last)) for index, child in enumerate(module.children)]
            todo.extend(reversed(below))
    columns = (Column("Module", shrinks=20), Column("Parameters", right=True), Column("%", right=True))
    return Listing(columns, rows)


def parameters(graph: ModelGraph, depth: int | None, fold: bool) -> Listing:
    """Each named parameter; a tied one says what it is tied to, and counts once."""
    total = graph.totals.parameters
    rows = []
    for module in graph.modules.values():
        for p in module.parameters:
            if not p.buffer:
                remark = f" = {p.tied_to}" if p.tied_to else "" if p.read else " (never read)"
                number = None if p.spec is None else 0 if p.tied_to else p.spec.numel
                portion = share(number, total).removesuffix(" %")
                dims = shape(p.spec.shape) if p.spec else "?"
                dtype = p.spec.dtype if p.spec else "?"
                trained = "yes" if p.trainable else "no"
                shown = "" if p.tied_to else count(number)
                rows.append(Entry((p.name + remark, dims, dtype, shown, portion, trained)))
    columns = (
        Column("Parameter", shrinks=20),
        Column("Shape", shrinks=9),
        Column("dtype"),
        Column("Count", right=True),
        Column("%", right=True),
        Column("Trainable", right=True),
    )
    return Listing(columns, rows)


def operations(graph: ModelGraph, depth: int | None, fold: bool) -> Listing:
    """Every operation in execution order."""
    total = graph.totals.flops
    rows = []
    for key, data in graph.nodes(data=True):
        costs = Costs.over(graph, [key], 1).cells(total, 1)
        label = data["label"] if data["op"].startswith("call_") else data["op"]
        rows.append(Entry((key, label, shape_cell(data["outputs"], data["assumed"]), *costs)))
    columns = (Column("Operation", shrinks=14), Column("Type", shrinks=10), *COLUMNS[1:])
    return Listing(columns, rows)
