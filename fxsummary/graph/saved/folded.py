"""Save what a folded graph says of its runs, and load it again (see `fxsummary.views.fold.fold_repeats`).

A dict whose keys have several parts is saved as rows: the parts of the key, then the value. What concerns operations
that a later view removed is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fxsummary.graph import fields as of
from fxsummary.graph.fields import Field, Type, every
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import ModuleCall, Repeat
from fxsummary.graph.saved.values import (
    WrongValueError,
    expected,
    load_field,
    load_fields,
    objects,
    save_fields,
    save_value,
)

_SLOT = Type(
    "an argument position, or -1", int, lambda value: type(value) is int and value >= -1,
    {"type": "integer", "minimum": -1, "description": "-1: read through an in-place write to another name."},
)  # fmt: skip
_CALL = of.row("[path, type, call]", ModuleCall, of.TEXT, of.TEXT, of.CALL)
_COPY = Type(
    "the key of a node, or [path, type, call]", Any, lambda value: of.TEXT.fits(value) or _CALL.fits(value),
    {"anyOf": [of.TEXT.schema, _CALL.schema]},
)  # fmt: skip
_VALUE = of.row("", Any, of.TEXT, of.PART)
_VALUES = every("", of.row("", Any, of.TEXT, of.COUNT, of.PART))


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a folded graph.

    Attributes:
        row: type of a row.
        description: meaning.
        operations: returns the keys of the operations in a row.
    """

    row: Type
    description: str
    operations: Callable[[Any], list[str]] = lambda row: [row[0]]

    @property
    def field(self) -> Field:
        """All rows as a field."""
        return Field(every(f"an array of {self.row.what}", self.row), self.description, ())


TABLES = {
    "copies_read": Table(
        of.row("[reader, slot, copy]", Any, of.TEXT, _SLOT, of.COUNT),
        "Which copy of a run an operation outside of it reads, if not the last.",
    ),
    "own_values": Table(
        of.row("[reader, slot, array of [source, copy, part]]", Any, of.TEXT, _SLOT, _VALUES),
        "The value that each copy of an operation reads, if each reads a value of its own.",
        lambda row: [row[0], *(source for source, _, _ in row[2])],
    ),
    "module_copies": Table(
        of.row("[path, array of paths]", Any, of.TEXT, of.TEXTS),
        "All modules that a module represents.",
        lambda row: [],
    ),
}
"""The tables of the whole graph by name."""

_OF_RUN = {
    "carried": Table(
        of.row("[reader, slot, [source, part]]", Any, of.TEXT, _SLOT, _VALUE),
        "Values that each further copy reads from the previous copy.", lambda row: [row[0], row[2][0]],
    ),
    "own": Table(of.row("[reader, slot]", Any, of.TEXT, _SLOT), "Slots at which each copy reads a value of its own."),
}  # fmt: skip

REPEAT = {
    "of": Field(_COPY, "A copy: the key of an operation, or the call of a block."),
    "count": Field(of.COPIES, "Number of copies."),
    "last": Field(of.TEXT, "Path of the last module of the last copy.", ""),
    **{name: table.field for name, table in _OF_RUN.items()},
    "unit": Field(of.one_of("steps", "calls", "experts", ""), "See `fxsummary.graph.records.Repeat`.", ""),
}
"""Fields of a run of copies; see `fxsummary.graph.records.Repeat`."""

NAMES = ("repeats", *TABLES)
"""The attributes of a folded graph that are saved here."""


def save_folded(graph: ModelGraph) -> dict[str, Iterator[object]]:
    """Return the rows of each table that the graph has."""
    rows = {name: _save_table(graph, name) for name in TABLES} | {"repeats": _save_repeats(graph)}
    return {name: rows[name] for name in NAMES if name in graph.graph}


def _save_repeats(graph: ModelGraph) -> Iterator[object]:
    blocks = _blocks(graph)
    for name, repeat in graph.graph["repeats"].items():
        place = f"graph.repeats[{name!r}]"
        if not isinstance(repeat, Repeat):
            raise expected("a Repeat", repeat, place)
        if name in graph or name in blocks:
            rows = {"carried": _rows(repeat.carried), "own": repeat.own}
            kept = {each: tuple(_kept(table, rows[each], graph)) for each, table in _OF_RUN.items()}
            plain = {"of": name, "count": repeat.count, "last": repeat.last, "unit": repeat.unit}
            yield save_fields(plain | kept, REPEAT, place)


def _save_table(graph: ModelGraph, name: str) -> Iterator[object]:
    table = TABLES[name]
    for row in _kept(table, _rows(graph.graph[name]), graph):
        place = f"graph.{name}[{row[:-1]!r}]"
        if not table.row.fits(row):
            raise expected(table.row.what, row, place)
        yield save_value(row, place)


def load_folded(raw: Mapping[str, object], graph: ModelGraph) -> None:
    """Add the tables of a saved graph to the graph with its nodes."""
    blocks = _blocks(graph)
    repeats = enumerate(objects(raw.get("repeats", []), "repeats"))
    runs = [_load_repeat(each, graph, blocks, f"repeats[{index}]") for index, each in repeats]
    tables = {name: _load_table(table, raw[name], graph, name) for name, table in TABLES.items() if name in raw}
    graph.graph.update(tables | ({"repeats": _once(runs, "repeats")} if "repeats" in raw else {}))
    patterns = {call for call in blocks if call.call < 0}
    if missing := patterns.difference(graph.graph.get("repeats", ())):
        raise WrongValueError("repeats", f"the pattern {list(min(missing))} in a module_stack has no run")


def _load_repeat(
    raw: Mapping[str, object], graph: ModelGraph, blocks: Container[ModuleCall], place: str
) -> tuple[ModuleCall | str, Repeat]:
    data = load_fields(raw, REPEAT, place, more=False)
    name = data["of"] if isinstance(data["of"], str) else ModuleCall(*data["of"])
    if name not in graph and name not in blocks:
        raise expected("the key of a node, or the call of a block", raw["of"], f"{place}.of")
    for each, table in _OF_RUN.items():
        _check(table, data[each], graph, f"{place}.{each}")
    carried = _once(map(_pair, data["carried"]), f"{place}.carried")
    return name, Repeat(data["count"], data["last"], carried, data["own"], data["unit"])


def _load_table(table: Table, raw: object, graph: ModelGraph, name: str) -> dict[Any, Any]:
    rows = load_field(raw, table.field, name)
    _check(table, rows, graph, name)
    return _once(map(_pair, rows), name)


def _check(table: Table, rows: Iterable[Any], graph: ModelGraph, place: str) -> None:
    for index, row in enumerate(rows):
        for key in table.operations(row):
            if key not in graph:
                raise expected("the key of a node", key, f"{place}[{index}]")


def _once(pairs: Iterable[tuple[Any, Any]], place: str) -> dict[Any, Any]:
    """Return pairs as a dict, in which each key appears once."""
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise WrongValueError(place, f"{key!r} appears twice")
        found[key] = value
    return found


def _kept(table: Table, rows: Iterable[Any], graph: ModelGraph) -> Iterator[Any]:
    return (row for row in rows if all(key in graph for key in table.operations(row)))


def _rows(table: Mapping[Any, object]) -> Iterator[tuple[Any, ...]]:
    return ((*(key if isinstance(key, tuple) else (key,)), value) for key, value in table.items())


def _pair(row: tuple[Any, ...]) -> tuple[Any, Any]:
    return (row[:-1] if len(row) > 2 else row[0]), row[-1]


def _blocks(graph: ModelGraph) -> set[ModuleCall]:
    return {call for stack in {id(s): s for _, s in graph.nodes(data="module_stack")}.values() for call in stack}
