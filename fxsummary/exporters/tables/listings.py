"""Views that list modules, parameters or operations."""

from __future__ import annotations

from collections.abc import Iterable

from fxsummary.errors import InputError
from fxsummary.exporters.tables.columns import Cells, column_names, columns_of, fields_of
from fxsummary.exporters.tables.table import Column, Row, Table
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.text.numbers import count, shape, share

Names = Iterable[str] | str | None
"""The columns that the user chose."""


def modules(graph: ModelGraph, depth: int | None, fold: Fold, columns: Names) -> Table:
    """List the module tree with the parameters of each module."""
    check_no_columns("modules", columns)
    held = {
        path: sum(p.numel or 0 for p in module.parameters if not p.buffer and p.tied_to is None)
        for path, module in graph.modules.items()
    }
    for path in sorted(filter(None, held), key=lambda path: -path.count(".")):
        held[path.rpartition(".")[0]] += held[path]
    total = held.get("", 0)
    rows: list[Row] = []
    todo: list[tuple[str, tuple[bool, ...]]] = [("", ())]
    while todo:
        path, branches = todo.pop()
        module = graph.modules[path]
        remark = f" = {module.shared_with}" if module.shared_with is not None else ""
        remark += "" if module.called or graph.captured_by == "modules" else " (never called)"
        text = " ".join(filter(None, (path.rpartition(".")[2], module.type, module.config))) + remark
        cells = count(held[path]) if held[path] else "", share(held[path], total).removesuffix(" %")
        rows.append(Row(text, cells, branches))
        if depth is None or len(branches) < depth:
            todo += [(child, (*branches, child == module.children[-1])) for child in reversed(module.children)]
    return Table((Column("Module", shrinks=20), Column("Parameters", right=True), Column("%", right=True)), rows)


def parameters(graph: ModelGraph, depth: int | None, fold: Fold, columns: Names) -> Table:
    """List each named parameter; a tied one names the parameter that it is tied to, and counts once."""
    check_no_columns("parameters", columns)
    total = graph.totals.parameters
    rows = []
    for module in graph.modules.values():
        for p in module.parameters:
            if not p.buffer:
                remark = f" = {p.tied_to}" if p.tied_to else "" if p.read else " (never read)"
                number = 0 if p.tied_to else p.numel
                portion = share(number, total).removesuffix(" %")
                spec = (shape(p.spec.shape), p.spec.dtype) if p.spec else ("?", "?")
                shown, trained = "" if p.tied_to else count(number), "yes" if p.trainable else "no"
                rows.append(Row(p.name + remark, (*spec, shown, portion, trained)))
    right = (Column(title, right=True) for title in ("Count", "%", "Trainable"))
    return Table((Column("Parameter", shrinks=20), Column("Shape", shrinks=9), Column("dtype"), *right), rows)


def operations(graph: ModelGraph, depth: int | None, fold: Fold, columns: Names) -> Table:
    """List every operation in execution order."""
    names = column_names(columns)
    cells = Cells(graph, graph.totals, names, fields_of(graph, names))
    rows = [
        Row(key, (data["label"] if data["op"].startswith("call_") else data["op"], *cells.of_operation(key, 1)))
        for key, data in graph.nodes(data=True)
    ]
    return Table((Column("Operation", shrinks=14), Column("Type", shrinks=10), *columns_of(names)), rows)


def check_no_columns(view: str, columns: Names) -> None:
    """Raise InputError if columns are chosen for a view whose columns are fixed."""
    if columns is not None:
        raise InputError(f"the view {view!r} has fixed columns: to choose columns, use the view summary or operations.")
