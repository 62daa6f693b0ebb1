"""Notes on the module tree: modules that are never called, and active dropout."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fxsummary.graph.labels import DROPOUTS, base
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo
from fxsummary.text.numbers import listed


def annotate(graph: ModelGraph) -> None:
    """Add the notes; nothing else changes."""
    if graph.captured_by == "modules":
        return
    unused = [] if graph.is_partial else [f"{module.path} ({module.type})" for module in never_called(graph)]
    active = [(key, graph.nodes[key]) for key in active_dropout(graph)]
    modules = [data["target"] for _, data in active if data["op"] == "call_module"]
    calls = [(key, data["source"]) for key, data in active if data["op"] != "call_module"]
    places = [f"{key} at {source}" if source else key for key, source in calls]
    notes = {
        "never called in this forward": unused,
        "dropout is active, because these modules are in train mode": modules,
        "dropout is active in calls with training=True": places,
    }
    graph.notes += tuple(f"{text}: {listed(names)}" for text, names in notes.items() if names)


def never_called(graph: ModelGraph) -> Iterator[ModuleInfo]:
    """Yield the outermost modules with parameters or buffers in which nothing is called or read."""
    used = _with(graph, lambda module: module.called or any(parameter.read for parameter in module.parameters))
    holding = _with(graph, lambda module: bool(module.parameters))  # modules such as dropout are often only settings
    todo = [""]
    while todo:
        module = graph.modules[todo.pop()]
        if module.path and module.path not in used:
            if module.path in holding:
                yield module
        else:
            todo += [path for path in reversed(module.children) if graph.modules[path].shared_with is None]


def _with(graph: ModelGraph, holds: Callable[[ModuleInfo], bool]) -> set[str]:
    """Return the paths of the modules for which ``holds`` is true, and of the modules around them."""
    found: set[str] = set()
    for path in reversed(list(graph.modules)):
        module = graph.modules[path]
        if holds(module) or not found.isdisjoint(module.children):
            found.add(path)
    return found


def active_dropout(graph: ModelGraph) -> Iterator[str]:
    """Yield the keys of active dropouts."""
    for key, data in graph.nodes(data=True):
        if base(data["label"]) not in DROPOUTS or data["config"] == "p=0":
            continue
        active = graph.modules[data["target"]].training if data["op"] == "call_module" else None
        if active or (active is None and "training=True" in data["arguments"]):
            yield key
