"""Views that list modules, parameters or operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fxsummary.errors import InputError
from fxsummary.exporters.tables.columns import Cells, column_names, columns_of, fields_of
from fxsummary.exporters.tables.table import Column, Row, Table
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo
from fxsummary.graph.pictures import Fold
from fxsummary.text.numbers import count, shape, share
from fxsummary.views.modules import first_calls, frozen_part, module_data

Names = Iterable[str] | str | None
"""The columns that the user chose."""


def modules(graph: ModelGraph, depth: int | None, fold: Fold, columns: Names) -> Table:
    """List the module tree with shapes and costs; a shared module has its costs at its first path."""
    is_tree = graph.captured_by == "modules" and columns is None  # there are neither shapes nor FLOPs
    names = ("parameters", "parameter_share") if is_tree else column_names(columns)
    cells = Cells(graph, graph.totals, names, fields_of(graph, names))
    found, calls = module_data(graph), first_calls(graph)
    rows: list[Row] = []
    todo: list[tuple[str, tuple[bool, ...]]] = [("", ())]
    while todo:
        path, branches = todo.pop()
        name, module = path.rpartition(".")[2], graph.modules[path]
        inside = calls[path].operations() if path in calls else ()
        rows.append(Row(name, cells.of_module(path, found[path], inside), branches, *_type(graph, module, found)))
        if depth is None or len(branches) < depth:
            todo += [(child, (*branches, child == module.children[-1])) for child in reversed(module.children)]
    return Table((Column("Module", shrinks=20), *columns_of(names)), rows)


def _type(graph: ModelGraph, module: ModuleInfo, found: Mapping[str, NodeData]) -> tuple[str, str]:
    """Return the class of a module and its settings; of a shared one, its first path."""
    if module.shared_with is not None:
        return f"{module.type} = {module.shared_with}", ""
    path = module.path
    is_frozen = path and frozen_part([found[path.rpartition(".")[0]]]) != "frozen"
    remarks = (
        "never called" if not module.called and graph.captured_by != "modules" else "",
        frozen_part([found[path]]) if is_frozen else "",
    )
    return module.type, ", ".join(filter(None, (*remarks, module.config)))


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
        raise InputError(f"the view {view!r} has fixed columns: to choose some, use summary, modules or operations.")
