"""Save a `ModelGraph` as JSON and load it again. Loading a file never runs code from it.

`fxsummary.graph.saved.schema.schema` describes the format. Each module, operation and edge has its own line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from fxsummary.errors import OutputError, SavedGraphError
from fxsummary.graph.attributes import EDGE, NODE, EdgeData, NodeData
from fxsummary.graph.changes import Comparison, Difference
from fxsummary.graph.memory import Alive, Memory, Storage
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import ModuleCall, ModuleInfo, ParameterInfo, Returned
from fxsummary.graph.saved.folded import NAMES as FOLDED
from fxsummary.graph.saved.folded import load_folded, save_folded
from fxsummary.graph.saved.schema import ALIVE, CALL, GRAPH, MEMORY, MODULE, PARAMETER, VERSION
from fxsummary.graph.saved.values import (
    WrongValueError,
    expected,
    load_field,
    load_fields,
    load_value,
    objects,
    save_fields,
)
from fxsummary.support.gc_pause import paused
from fxsummary.text.numbers import shorten

FORMAT = "fxsummary"

_NAMES = frozenset({"format", "version", "modules", "calls", "memory", "nodes", "edges", *FOLDED})
"""The keys of a saved graph that are not attributes of the graph."""
_ELSEWHERE = frozenset({"modules", "returned", "memory", *FOLDED})
"""The attributes of the graph that have functions of their own."""
_ESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Characters that control a terminal, change the text direction or cannot be encoded as UTF-8."""


def dumps(graph: ModelGraph) -> str:
    """Return the graph as JSON for `loads`. Equal graphs give equal bytes.

    Raises:
        OutputError: an attribute holds a value that is not plain; the message names it.
    """
    try:
        head = {"format": FORMAT, "version": VERSION} | _save_graph(graph)
        calls = {"calls": _save_calls(graph)} if graph.returned else {}
        if graph.memory is not None:
            head["memory"] = _save_memory(graph.memory)
        parts = {"modules": _save_modules(graph), **calls, **save_folded(graph)}
        parts |= {"nodes": _save_nodes(graph), "edges": _save_edges(graph)}
        lines = [f"{_text(name)}: {_text(value)}" for name, value in head.items()]
        lines += [f"{_text(name)}: {_array(rows)}" for name, rows in parts.items()]
    except WrongValueError as error:
        raise OutputError(
            f"JSON cannot hold this graph: {error}. Remove the attribute, or make it a plain value."
        ) from None
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(path: str | os.PathLike[str]) -> ModelGraph:
    """Return the graph from a file that ``graph.render("model.json")`` wrote.

    Raises:
        SavedGraphError: the file cannot be read or is not a saved graph; the message names the place.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SavedGraphError(f"cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SavedGraphError(f"{path} is not UTF-8 text, so it is not a saved graph: {error}.") from error
    return loads(text, name=str(path))


@paused()
def loads(text: str, *, name: str = "the text") -> ModelGraph:
    """Return the graph from a text that `dumps` returned; ``name`` is the name of its file, for errors.

    Raises:
        SavedGraphError: the text is not a saved graph; the message names the place.
    """
    try:
        raw = json.loads(text, parse_constant=_refuse)
        _check_format(raw)
        return _load_graph(raw)
    except json.JSONDecodeError as error:
        raise SavedGraphError(
            f"{name}, line {error.lineno}, column {error.colno}: this is not JSON: {error.msg}. {_REMEDY}"
        ) from error
    except WrongValueError as error:
        raise SavedGraphError(f"{name}: {error}. {_REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise SavedGraphError(f"{name}: this JSON cannot be read: {error}. {_REMEDY}") from error


_REMEDY = 'Graphs are saved with graph.render("model.json").'


def _refuse(constant: str) -> Any:
    raise WrongValueError("", f"{constant} is not JSON; it is saved as an object, such as {{'float': 'inf'}}")


def _check_format(raw: Any) -> None:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise WrongValueError("", f'this is not a saved graph: expected an object with "format": "{FORMAT}"')
    version = raw.get("version")
    if type(version) is not int or version < 1:
        raise expected("a whole number of at least 1", version, "version")
    if version > VERSION:
        raise WrongValueError(
            "version", f"a later fxsummary wrote this file: it has version {version}, and this one reads versions "
            f"up to {VERSION}; update fxsummary"
        )  # fmt: skip


def _text(value: object) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _array(items: Iterable[object]) -> str:
    lines = ",\n ".join(map(_text, items))
    return f"[\n {lines}\n]" if lines else "[]"


def _save_graph(graph: ModelGraph) -> dict[str, object]:
    data = {name: value for name, value in graph.graph.items() if name not in _ELSEWHERE}
    if graph.comparison is not None:
        data["comparison"] = graph.comparison.plain()
    return save_fields(data, {name: field for name, field in GRAPH.items() if name in data}, "graph", _NAMES)


def _save_modules(graph: ModelGraph) -> Iterator[dict[str, object]]:
    for path, module in graph.modules.items():
        place = f"graph.modules[{path!r}]"
        saved = save_fields({name: getattr(module, name) for name in MODULE}, MODULE, place)
        if module.parameters:
            own = [{name: getattr(each, name) for name in PARAMETER} for each in module.parameters]
            saved["parameters"] = [save_fields(each, PARAMETER, place) for each in own]
        yield saved


def _save_memory(memory: Memory) -> dict[str, object]:
    saved = save_fields({name: getattr(memory, name) for name in MEMORY}, MEMORY, "graph.memory")
    alive = [{name: getattr(each, name) for name in ALIVE} for each in memory.alive]
    return saved | {"alive": [save_fields(each, ALIVE, "graph.memory.alive") for each in alive]}


def _load_memory(raw: Mapping[str, object]) -> Memory:
    alive = enumerate(objects(raw.get("alive", []), "memory.alive"))
    loaded = [Alive(**load_fields(each, ALIVE, f"memory.alive[{index}]", more=False)) for index, each in alive]
    return Memory(**load_fields(raw, MEMORY, "memory", without=("alive",), more=False), alive=tuple(loaded))


def _save_calls(graph: ModelGraph) -> Iterator[dict[str, object]]:
    for call, returned in graph.returned.items():
        yield save_fields({**call._asdict(), **returned._asdict()}, CALL, f"graph.returned[{call!r}]")


def _save_nodes(graph: ModelGraph) -> Iterator[dict[str, object]]:
    fields = dict(NODE)
    for key, data in graph.nodes(data=True):
        if not isinstance(key, str):
            raise expected("text as a node key", key, "nodes")
        saved = {name: value for name, value in data.items() if name not in NODE.unsaved} if NODE.unsaved else data
        yield {"key": key} | save_fields(saved, fields, f"nodes[{key!r}]", ("key",))


def _save_edges(graph: ModelGraph) -> Iterator[dict[str, object]]:
    """Return the edges by reader, each reader's edges in the order in which it reads them; loading keeps this order."""
    fields = dict(EDGE)
    for target in graph:
        for source, data in graph.sources(target).items():
            place = f"edges[{source!r}, {target!r}]"
            yield {"from": source, "to": target} | save_fields(data, fields, place, ("from", "to"))


def _load_graph(raw: dict[str, object]) -> ModelGraph:
    modules, nodes, edges = (objects(raw.get(part), part) for part in ("modules", "nodes", "edges"))
    graph = ModelGraph()
    for name in raw:
        if name in GRAPH:
            graph.graph[name] = load_field(raw[name], GRAPH[name], name)
        elif name not in _NAMES:
            graph.graph[name] = load_value(raw[name], name)
    if "comparison" in raw:
        try:
            graph.comparison = Comparison.of(graph.graph["comparison"])
        except (KeyError, TypeError) as error:
            raise expected("the results of a comparison", raw["comparison"], "comparison") from error
    if "storages" in graph.graph:
        graph.storages = tuple(map(Storage._make, graph.storages))
    if "memory" in raw:
        graph.memory = _load_memory(objects([raw["memory"]], "memory")[0])
    if modules:
        graph.modules = _load_modules(modules)
    if "calls" in raw:
        calls = enumerate(objects(raw["calls"], "calls"))
        loaded = [load_fields(each, CALL, f"calls[{index}]", more=False) for index, each in calls]
        graph.returned = {
            ModuleCall._make(map(each.get, ModuleCall._fields)): Returned._make(map(each.get, Returned._fields))
            for each in loaded
        }
    graph.fill(_load_nodes(nodes), ())
    for source, target, data in _load_edges(edges, graph):
        graph.link(source, target, data)
    load_folded(raw, graph)
    return graph


def _load_modules(items: list[dict[str, object]]) -> dict[str, ModuleInfo]:
    modules: dict[str, ModuleInfo] = {}
    announced = {""}
    for index, raw in enumerate(items):
        place = f"modules[{index}]"
        data = load_fields(raw, MODULE, place, without=("parameters",), more=False)
        path = data["path"]
        if path not in announced:
            raise WrongValueError(place, f"{path!r} is not a child of an earlier module, or appears twice")
        announced.remove(path)
        for child in data["children"]:
            if child in announced or child in modules or child == path:
                raise WrongValueError(place, f"{child!r} is the child of two modules")
            announced.add(child)
        own = enumerate(objects(raw.get("parameters", []), f"{place}.parameters"))
        loaded = [load_fields(each, PARAMETER, f"{place}.parameters[{at}]", more=False) for at, each in own]
        modules[path] = ModuleInfo(**data, parameters=tuple([ParameterInfo(**each) for each in loaded]))
    if announced:
        raise WrongValueError("modules", f"the children {', '.join(sorted(announced))} are missing")
    return modules


def _load_nodes(items: list[dict[str, object]]) -> Iterator[tuple[str, NodeData]]:
    fields = dict(NODE)
    stacks: dict[Any, Any] = {}  # equal ones are one object, as views expect
    known: set[str] = set()
    for index, raw in enumerate(items):
        place = f"nodes[{index}]"
        key = raw.get("key")
        if not isinstance(key, str) or key in known:
            raise expected("text that is not the key of another node", key, f"{place}.key")
        known.add(key)
        data = load_fields(raw, fields, f"{place} ({shorten(repr(key), 60)})", without=("key",))
        stack = data["module_stack"]
        data["module_stack"] = stacks.get(stack) or stacks.setdefault(stack, tuple(map(ModuleCall._make, stack)))
        if "change" in data:
            differences: Any = data.get("differences")
            try:
                data["differences"] = tuple([Difference(*item) for item in differences])
            except TypeError as error:
                what = "an array of [attribute, before, after]"
                raise expected(what, differences, f"{place}.differences") from error
        yield key, cast(NodeData, data)


def _load_edges(items: list[dict[str, object]], graph: ModelGraph) -> Iterator[tuple[str, str, EdgeData]]:
    fields = dict(EDGE)
    for index, raw in enumerate(items):
        place = f"edges[{index}]"
        source, target = raw.get("from"), raw.get("to")
        for name, key in (("from", source), ("to", target)):
            if not isinstance(key, str) or key not in graph:
                raise expected("the key of a node", key, f"{place}.{name}")
        assert isinstance(source, str) and isinstance(target, str)
        if source in graph.sources(target):
            raise WrongValueError(place, f"an edge from {source!r} to {target!r} already exists")
        yield source, target, cast(EdgeData, load_fields(raw, fields, place, without=("from", "to")))
