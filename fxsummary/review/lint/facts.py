"""What several rules ask of a graph."""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.attributes import own_path
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo
from fxsummary.passes.notes import never_called


def knows_dataflow(graph: ModelGraph) -> bool:
    """Whether the graph has all of forward, so that what is not in it is not done."""
    return graph.captured_by != "modules" and not graph.is_partial


def uncalled(graph: ModelGraph) -> Iterator[ModuleInfo]:
    """The outermost modules with parameters that forward never calls, but for those that were not chosen."""
    return (module for module in never_called(graph) if not is_choice(graph, module.path))


def is_choice(graph: ModelGraph, path: str) -> bool:
    """Whether a module is one of several, numbered, of which forward chooses by a value that was assumed."""
    if not any(assumed for _, assumed in graph.nodes(data="assumed")):
        return False
    parts = path.split(".")
    return any(part.isdigit() and _has_called_sibling(graph, parts[: at + 1]) for at, part in enumerate(parts))


def _has_called_sibling(graph: ModelGraph, parts: list[str]) -> bool:
    own, holder = graph.modules.get(".".join(parts)), graph.modules.get(".".join(parts[:-1]))
    if own is None or holder is None or own.called:
        return False
    siblings = [graph.modules[path] for path in holder.children]
    return any(each.type == own.type and each.called for each in siblings)


def only_source(graph: ModelGraph, key: str) -> str | None:
    """The operation that this one alone reads and that is read by this one alone."""
    sources = list(graph.sources(key))
    return sources[0] if len(sources) == 1 and len(graph.readers(sources[0])) == 1 else None


def name_of(graph: ModelGraph, key: str) -> str:
    """The path of the module or parameter of an operation, or its key."""
    return own_path(graph.nodes[key]) or key
