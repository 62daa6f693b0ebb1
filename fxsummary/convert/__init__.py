"""Convert a capture to a `ModelGraph`: from live objects to plain values."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from torch import fx, nn

from fxsummary.capture import Capture
from fxsummary.capture.module_index import modules_by_path
from fxsummary.capture.nodes import AFTER, LIKE
from fxsummary.capture.program import program_of
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.structures import UNKNOWN
from fxsummary.convert.attributes import Reader
from fxsummary.convert.module_tree import Tensors, add_modules, class_name, module_tree, tensors_in
from fxsummary.convert.plain import plain
from fxsummary.convert.storages import add_storages
from fxsummary.graph.attributes import EdgeData, NodeData, edge_from
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.spec import TensorSpec, nbytes
from fxsummary.support.gc_pause import paused


@paused()
def convert(capture: Capture) -> ModelGraph:
    """Return the graph of a capture, with all attributes except those that passes compute."""
    graph = ModelGraph()
    modules = modules_by_path(capture.model)
    tensors = tensors_in(modules)
    attributes: dict[fx.Node, NodeData] = {}
    taken: Mapping[ModuleCall, tuple[str, ...]] = {}
    if capture.trace is None:
        add_modules(graph, modules, tensors)
        called = set(modules)
    else:
        called, attributes, taken = _add_operations(graph, capture, capture.trace, modules, tensors)
    propagation = None if capture.is_partial else capture.propagation
    graph.graph.update(
        name=class_name(capture.model),
        captured_by=capture.captured_by,
        notes=tuple(capture.notes),
        inputs_inferred=capture.inputs_inferred,
        is_partial=capture.is_partial,
        output_spec=None if propagation is None else plain(propagation.output),
        modules=module_tree(modules, tensors, capture, called),
    )
    if (
        capture.trace is not None
        and capture.trace.storages is not None
        and propagation is not None
        and _is_known(propagation)
    ):
        graph.graph["storages"] = add_storages(capture.trace, capture.trace.storages, attributes, graph.modules)
        graph.graph["deaths_recorded"] = capture.captured_by in ("symbolic", "recorded")
        program = program_of(capture)
        graph.program = program and replace(program, taken=taken)
    return graph


def _is_known(propagation: Propagation) -> bool:
    """Whether all results are known."""
    return all(outcome.value is not UNKNOWN for outcome in propagation.outcomes.values())


def _add_operations(
    graph: ModelGraph, capture: Capture, trace: Trace, modules: Mapping[str, nn.Module], tensors: Tensors
) -> tuple[set[str], dict[fx.Node, NodeData], Mapping[ModuleCall, tuple[str, ...]]]:
    """Fill the graph from a trace; return the paths of the modules that it calls, the attributes of the nodes, and
    the operations whose results each call of a module gets.

    A copied node takes its attributes from its original, except those that depend on its place.
    """
    reader = Reader(capture, modules, tensors)
    attributes: dict[fx.Node, NodeData] = {}
    for node in trace.graph.nodes:
        like = attributes.get(node.meta.get(LIKE))
        attributes[node] = reader.read(node) if like is None else reader.moved(node, like)
    graph.fill(((node.name, data) for node, data in attributes.items()), _edges(attributes))
    for key, data in graph.nodes(data=True):
        if data["op"] == "output":
            data["assumed"] = any(graph.nodes[source]["assumed"] for source in graph.sources(key))
    if trace.returned:
        graph.graph["returned"] = reader.returned(trace.returned)
    taken = reader.taken(trace.taken)
    return {"", *capture.untold, *reader.called}, attributes, taken


def _edges(attributes: Mapping[fx.Node, NodeData]) -> Iterator[tuple[str, str, EdgeData]]:
    read: dict[Any, list[EdgeData]] = {}
    for node in attributes:
        sources = _sources(node)
        like = read.get(node.meta.get(LIKE))
        if like is not None and len(like) == len(sources):  # it reads the same slots as its original, from other nodes
            edges = [edge.copy() for edge in like]
        else:
            read_at = zip(map(attributes.__getitem__, sources), _slots(node, sources), strict=True)
            edges = [edge_from(source, slots, nbytes(source["outputs"])) for source, slots in read_at]
            if node.target is operator.getitem and len(edges) == 1:
                edges[0]["parts"] = _part_taken(node.args[1], attributes[sources[0]]["outputs"])
        read[node] = edges
        for source, edge in zip(sources, edges, strict=True):
            yield source.name, node.name, edge


def _part_taken(key: object, outputs: object) -> tuple[tuple[int | str, ...], ...]:
    """Return the part of a tuple or dict that an element access reads; () for the whole."""
    if isinstance(key, int) and isinstance(outputs, (tuple, list)):
        return ((key + len(outputs) if key < 0 else int(key),),)
    if outputs is None or isinstance(outputs, TensorSpec) or isinstance(key, fx.Node):
        return ()
    return ((str(plain(key)),),)


def _sources(node: fx.Node) -> Sequence[fx.Node]:
    """Return the nodes that a node reads, its arguments first."""
    after = node.meta.get(AFTER, ())
    return list(dict.fromkeys([*node.all_input_nodes, *after])) if after else node.all_input_nodes


def _slots(node: fx.Node, sources: Sequence[fx.Node]) -> list[tuple[int, ...]]:
    """Return the argument slots of each of these nodes, counted over all nodes in the arguments."""
    slots: dict[fx.Node, list[int]] = {source: [] for source in sources}
    place = count()
    fx.map_arg((node.args, node.kwargs), lambda source: slots[source].append(next(place)))
    return list(map(tuple, slots.values()))
