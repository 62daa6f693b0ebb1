"""From a capture to a `ModelGraph`: live objects end here, plain values go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from torch import fx, nn

from fxsummary.capture import Capture
from fxsummary.capture.members import modules_by_path, tensor_names
from fxsummary.capture.nodes import AFTER, COPY, LIKE
from fxsummary.capture.symbolic import Trace
from fxsummary.collecting import paused
from fxsummary.convert.attributes import Reader
from fxsummary.convert.modules import add_modules
from fxsummary.convert.plain import plain
from fxsummary.modelgraph import ModelGraph
from fxsummary.moduletree import class_name, module_tree
from fxsummary.spec import nbytes

if TYPE_CHECKING:
    from fxsummary.convert.attributes import AnyNode


@paused()
def convert(capture: Capture) -> ModelGraph:
    """The graph of a capture, with everything but what the passes compute."""
    graph = ModelGraph()
    modules = modules_by_path(capture.model)
    tensors = tensor_names(modules)
    if capture.trace is None:
        add_modules(graph, capture, tensors)
        called = set(modules)
    else:
        called = _add_operations(graph, capture, capture.trace, modules, tensors)
    graph.graph.update(
        name=class_name(capture.model),
        captured_by=capture.captured_by,
        notes=tuple(capture.notes),
        inputs_inferred=capture.inputs_inferred,
        is_partial=capture.is_partial,
        output_spec=_output_spec(capture),
        modules=module_tree(modules, tensors, capture, called),
    )
    return graph


def _add_operations(
    graph: ModelGraph, capture: Capture, trace: Trace, modules: Mapping[str, nn.Module], tensors: Mapping[int, str]
) -> set[str]:
    """Fill the graph from a trace; returns the paths of the modules that it calls.

    A node that is a copy of another has all from that one but what lies in another place.
    """
    reader = Reader(capture, modules, tensors)
    attributes: dict[AnyNode, dict[str, Any]] = {}
    for node in trace.nodes:
        like = _prototype(node)
        if like is not None and like in attributes:
            attributes[node] = reader.moved(node, attributes[like])
        elif isinstance(node, fx.Node):
            attributes[node] = reader.read(node)
    graph.fill(((node.name, data) for node, data in attributes.items()), _edges(attributes))
    return {"", *capture.untold, *reader.called}


def _prototype(node: AnyNode) -> fx.Node | None:
    return node.meta.get(LIKE) if isinstance(node, fx.Node) else node.item.node


def _edges(attributes: Mapping[AnyNode, Mapping[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    values: dict[AnyNode, tuple[str, dict[str, Any]]] = {}
    slots: dict[AnyNode, Sequence[tuple[int, ...]]] = {}
    for node, data in attributes.items():
        name, sources, like = node.name, _sources(node), _prototype(node)
        if like is not None and like in slots:  # a copy yields the same, and has the same arguments in other nodes
            _, value = values[like]
            positions = slots[like]
        else:
            positions = slots[node] = _slots(node, sources)
            value = {"slots": (), "shape": data["shape"], "dtype": data["dtype"], "bytes": nbytes(data["outputs"])}
        values[node] = name, value
        for source, at in zip(sources, positions, strict=True):
            start, flows = values[source]
            edge = flows.copy()
            edge["slots"] = at
            yield start, name, edge


def _sources(node: AnyNode) -> Sequence[AnyNode]:
    """The nodes that it reads, those of its arguments first."""
    copied = node.meta.get(COPY) if isinstance(node, fx.Node) else node
    if copied is not None:
        sources: Sequence[AnyNode] = copied.sources
        return sources
    assert isinstance(node, fx.Node)
    meta = node.meta
    return list(dict.fromkeys([*node.all_input_nodes, *meta[AFTER]])) if AFTER in meta else node.all_input_nodes


def _slots(node: AnyNode, sources: Sequence[AnyNode]) -> list[tuple[int, ...]]:
    """At which places of the arguments each of these nodes stands, counted over all nodes in them."""
    assert isinstance(node, fx.Node)
    slots: dict[AnyNode, list[int]] = {source: [] for source in sources}
    place = count()
    fx.map_arg((node.args, node.kwargs), lambda source: slots[source].append(next(place)))
    return list(map(tuple, slots.values()))


def _output_spec(capture: Capture) -> Any:
    return None if capture.propagation is None or capture.is_partial else plain(capture.propagation.output)
