"""Export to node-link data and GraphML, with scalar attributes only, for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import networkx as nx

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import TensorSpec
from fxsummary.text.numbers import clean
from fxsummary.text.numbers import shape as shape_text


def to_node_link(graph: ModelGraph) -> dict[str, Any]:
    """Return the graph as node-link data; see `ModelGraph.to_node_link`."""
    flat = flattened(graph)
    return {
        "directed": True,
        "multigraph": False,
        "graph": flat.graph,
        "nodes": [{"id": key} | data for key, data in flat.nodes(data=True)],
        "edges": [{"source": source, "target": target} | data for source, target, data in flat.edges(data=True)],
    }


def to_graphml(graph: ModelGraph) -> str:
    """Return the graph as GraphML; see `ModelGraph.to_graphml`."""
    file = BytesIO()
    nx.write_graphml_xml(flattened(graph, unknown=False), file, named_key_ids=False)
    return file.getvalue().decode("utf-8") + "\n"


def flattened(graph: ModelGraph, unknown: bool = True) -> nx.DiGraph:
    """Return a DiGraph of the same operations and edges, with scalar attributes only.

    Args:
        unknown: whether to keep attributes whose value is None.
    """

    def scalars(data: Mapping[str, object]) -> dict[str, object]:
        values = {clean(str(name)): _scalar(value, name == "shape") for name, value in data.items()}
        return {name: value for name, value in values.items() if unknown or value is not None}

    keys = _names(graph)
    flat = nx.DiGraph(**scalars({name: value for name, value in graph.graph.items() if name != "modules"}))
    flat.add_nodes_from((keys[key], scalars(data)) for key, data in graph.nodes(data=True))
    flat.add_edges_from((keys[source], keys[target], scalars(data)) for source, target, data in graph.edges(data=True))
    return flat


def _names(graph: ModelGraph) -> dict[str, str]:
    """Return the node keys as strings, changed only if XML cannot contain them."""
    names: dict[str, str] = {}
    used: set[str] = set()
    for key in graph:
        name = clean(str(key))
        while name in used or (name != key and name in graph):
            name += "_"
        used.add(name)
        names[key] = name
    return names


def _scalar(value: object, is_shape: bool = False) -> object:
    """Convert a value to one number, boolean or string.

    >>> _scalar((1, 3, 28, 28), is_shape=True), _scalar(("a", "b")), _scalar(None), _scalar({"x": (1, 2)})
    ('1×3×28×28', 'a, b', None, '{"x": [1, 2]}')
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, TensorSpec)):
        return clean(str(value))
    if isinstance(value, tuple) and is_shape:
        return shape_text(value)
    if isinstance(value, tuple) and all(isinstance(part, (str, int, TensorSpec)) for part in value):
        return clean(", ".join(map(str, value)))
    return clean(json.dumps(_plain(value), ensure_ascii=False))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
