"""Reads a GraphModule: its graph is used as it is."""

from __future__ import annotations

import itertools
import operator
from functools import partial
from typing import Any

from torch import fx, nn

from fxsummary.capture.exported import metadata
from fxsummary.capture.inputs.example import Inputs, map_named, placeholder_names
from fxsummary.capture.module_index import modules_by_path
from fxsummary.capture.nodes import SOURCE, SPEC, STACK
from fxsummary.capture.results import Trace
from fxsummary.capture.source import relative
from fxsummary.capture.torch_internals import PyTreeCodeGen
from fxsummary.errors import InputError
from fxsummary.graph.spec import TensorSpec


def from_graph_module(module: fx.GraphModule, inputs: Inputs | None) -> Trace:
    """Return a copy of a GraphModule's graph, with stacks from ``nn_module_stack`` or the paths of its modules.

    Raises:
        InputError: the number of tensors differs from the number of placeholders.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, Any] = {}
    # the placeholders of an exported graph are the tensors among the arguments
    is_flat = inputs is None or isinstance(module.graph._codegen, PyTreeCodeGen)
    given = {} if inputs is None or is_flat else inputs.arguments
    types = {path: type(child) for path, child in modules_by_path(module).items()}
    for node in module.graph.nodes:
        name = str(node.target).lstrip("*")
        source = copies.get(node.args[0]) if node.target in (operator.getitem, getattr) else None
        if node.op == "placeholder" and isinstance(given.get(name), (tuple, list, dict)):
            copies[node] = map_named(partial(_placeholder, graph), name, given[name])
        elif isinstance(source, (tuple, list, dict)):
            key = node.args[1]
            copies[node] = getattr(source, key) if isinstance(source, tuple) and isinstance(key, str) else source[key]
        else:
            args, kwargs = fx.map_arg((node.args, node.kwargs), copies.__getitem__)
            copy = copies[node] = graph.create_node(node.op, node.target, args, kwargs, node.name)
            copy.meta[STACK] = _stack(node, types)
            file, line = [("", ""), *metadata.frames(node.stack_trace or "")][-1]
            copy.meta[SOURCE] = f"{relative(file)}:{line}" if file else ""
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    specs = [] if inputs is None else [spec for _, spec in placeholder_names(inputs)]
    if inputs is not None and len(specs) != sum(1 for node in placeholders if not node.args):
        raise InputError(
            f"the graph has {len(placeholders)} inputs ({', '.join(str(n.target) for n in placeholders)}), "
            f"but {len(specs)} tensors are given. Pass one tensor per input."
        )
    for index, node in enumerate(placeholders):
        node.meta[SPEC] = specs[index] if index < len(specs) else None
    return Trace(graph)


def _placeholder(graph: fx.Graph, name: str, value: object) -> object:
    if not isinstance(value, TensorSpec):
        return value
    node = graph.create_node("placeholder", name, (), {})
    node.meta[STACK], node.meta[SOURCE] = {}, ""
    return node


def _stack(node: fx.Node, types: dict[str, type[nn.Module]]) -> dict[str, tuple[str, object]]:
    given = node.meta.get("nn_module_stack")
    if given:
        return {key: (value[0], value[1]) for key, value in given.items()}
    names = str(node.target).split(".") if node.op == "call_module" else []
    paths = itertools.accumulate(names, lambda path, name: f"{path}.{name}")
    return {path: (path, types.get(path, nn.Module)) for path in paths}
