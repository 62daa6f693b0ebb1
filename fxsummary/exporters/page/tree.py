"""The columns of the module tree of the page, if they are chosen."""

from __future__ import annotations

from typing import Any

from fxsummary.exporters.page.outline import Outline
from fxsummary.exporters.tables.columns import Cells, columns_of, fields_of
from fxsummary.graph.attributes import NodeData
from fxsummary.views.costs import carry_costs
from fxsummary.views.modules import first_calls, module_data


def tree_columns(outline: Outline, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the headings of these columns, and the cells of each module of the page."""
    graph = outline.graph
    cells = Cells(graph, outline.totals, names, fields_of(graph, names))
    drawn: dict[str, NodeData] = {}
    for path, data in module_data(graph).items():  # a module is drawn before its copies
        if (shown := outline.drawn(path)) in drawn:
            carry_costs(data, drawn[shown])
        else:
            drawn[shown] = data
    calls = first_calls(graph)
    rows = {
        path: cells.of_module(path, data, calls[path].operations() if path in calls else ())
        for path, data in drawn.items()
    }
    columns = [[each.title, each.right] for each in columns_of(names)]
    return {"columns": columns, "cells": [rows.get(path, [""] * len(names)) for path in outline.modules]}
