"""The columns of a table of models, and the functions that compute them from a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import networkx

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.modeltable import UNKNOWN, Cell, Column
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import shape

Measure = Callable[[ModelGraph], Any]
"""A function of a graph that returns a number, a text, a `Cell`, or None for unknown."""
Columns = Iterable[str | Measure | tuple[str, Measure]] | str | None
"""The columns that a user chooses."""
DEFAULT = ("parameters", "flops", "activations", "peak", "input")


class Computed(NamedTuple):
    """A column, and the function that computes it."""

    column: Column
    measure: Measure


def _bounded(graph: ModelGraph, value: int | None, is_bound: object, is_assumed: object = False) -> Cell:
    """Return a cell with its mark; a graph that ends before forward does gives lower bounds."""
    if value is None:
        return UNKNOWN
    return Cell(value, "≥" if is_bound or graph.is_partial else "≈" if is_assumed else "")


def _flows(graph: ModelGraph) -> bool:
    """Return whether the operations are known."""
    return graph.captured_by != "modules"


def _parameters(graph: ModelGraph) -> Cell:
    return Cell(graph.totals.parameters, "≥" if graph.totals.unknown_parameters else "")


def _trainable(graph: ModelGraph) -> Cell:
    return Cell(graph.totals.trainable_parameters, "≥" if graph.totals.unknown_parameters else "")


def _weights(graph: ModelGraph) -> Cell:
    return Cell(graph.totals.parameter_bytes, "≥" if graph.totals.unknown_parameters else "")


def _buffers(graph: ModelGraph) -> Cell:
    return Cell(graph.totals.buffer_bytes)


def _flops(graph: ModelGraph) -> Cell:
    totals = graph.totals
    return _bounded(graph, totals.flops, totals.unknown_flops, totals.assumed_flops)


def _macs(graph: ModelGraph) -> Cell:
    value, mark = _flops(graph)
    return Cell(value // 2 if isinstance(value, int) else None, mark)


def _activations(graph: ModelGraph) -> Cell:
    if graph.memory is None:
        return UNKNOWN
    made = sum(each.nbytes for each in graph.storages if each.kind == "activation")
    is_bound = any(data["outputs"] is None and graph.readers(key) for key, data in graph.nodes(data=True))
    return _bounded(graph, made, is_bound, graph.memory.is_assumed)


def _peak(graph: ModelGraph) -> Cell:
    memory = graph.memory
    return UNKNOWN if memory is None else _bounded(graph, memory.peak, memory.unknown, memory.is_assumed)


def _memory(graph: ModelGraph) -> Cell:
    memory = graph.memory
    return UNKNOWN if memory is None else _bounded(graph, memory.total, memory.unknown, memory.is_assumed)


def _operations(graph: ModelGraph) -> Cell:
    return _bounded(graph, len(graph), False) if _flows(graph) else UNKNOWN


def _depth(graph: ModelGraph) -> Cell:
    return _bounded(graph, networkx.dag_longest_path_length(graph) + 1, False) if _flows(graph) else UNKNOWN


def _modules(graph: ModelGraph) -> Cell:
    return Cell(len(graph.modules))


def _input(graph: ModelGraph) -> Cell:
    specs = graph.inputs
    if len(specs) == 1:
        return Cell("".join(shape(spec.shape) if spec else "?" for spec in specs.values()))
    return Cell(graph.inputs_text)


def _captured_by(graph: ModelGraph) -> Cell:
    return Cell(graph.captured_by + (" in part" if graph.is_partial else ""))


def _notes(graph: ModelGraph) -> Cell:
    return Cell(" ".join(graph.notes))


COLUMNS = {
    "parameters": Computed(Column("parameters", "Parameters", "parameters"), _parameters),
    "trainable": Computed(Column("trainable", "Trainable", "parameters"), _trainable),
    "weights": Computed(Column("weights", "Weights", "bytes"), _weights),
    "buffers": Computed(Column("buffers", "Buffers", "bytes"), _buffers),
    "flops": Computed(Column("flops", "FLOPs", "short"), _flops),
    "macs": Computed(Column("macs", "MACs", "short"), _macs),
    "activations": Computed(Column("activations", "Activations", "bytes"), _activations),
    "peak": Computed(Column("peak", "Peak", "bytes"), _peak),
    "memory": Computed(Column("memory", "Memory", "bytes"), _memory),
    "operations": Computed(Column("operations", "Operations", "count"), _operations),
    "depth": Computed(Column("depth", "Depth", "count"), _depth),
    "modules": Computed(Column("modules", "Modules", "count"), _modules),
    "input": Computed(Column("input", "Input", "text"), _input),
    "captured_by": Computed(Column("captured_by", "Captured by", "text"), _captured_by),
    "notes": Computed(Column("notes", "Notes", "text"), _notes),
}
"""fxsummary's own columns by name."""


def chosen(columns: Columns) -> tuple[Computed, ...]:
    """Return the columns that a user chose: names (also as comma-separated text), functions, or pairs of both.

    Raises:
        UnknownNameError: no column has this name.
        InputError: a column is neither a name nor a function, or two columns have the same name.

    >>> [each.column.title for each in chosen("parameters, flops")]
    ['Parameters', 'FLOPs']
    >>> chosen([("nodes", len)])[0].column
    Column(name='nodes', title='nodes', form='')
    """
    names = columns.split(",") if isinstance(columns, str) else DEFAULT if columns is None else columns
    found = tuple(_column(each) for each in names)
    taken = [each.column.name for each in found]
    if double := next((name for name in taken if taken.count(name) > 1), None):
        raise InputError(f"two columns have the name {double!r}: give one of them another name.")
    return found


def _column(given: Any) -> Computed:
    if isinstance(given, str):
        name = given.strip()
        if name not in COLUMNS:
            raise UnknownNameError(unknown("column", name, COLUMNS))
        return COLUMNS[name]
    name, measure = given if isinstance(given, tuple) and len(given) == 2 else (getattr(given, "__name__", ""), given)
    if not callable(measure) or not isinstance(name, str) or not name:
        raise InputError(f"column {given!r} is not a name, a function of a graph, or a pair of name and function.")
    return Computed(Column(name, name.replace("_", " ")), measure)
