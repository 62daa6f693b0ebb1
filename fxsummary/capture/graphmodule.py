"""A GraphModule as input: its graph is taken as it is."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from torch import fx, nn

from fxsummary.capture.inputs import Inputs, placeholder_names
from fxsummary.capture.members import modules_by_path
from fxsummary.capture.nodes import SOURCE, SPEC, STACK
from fxsummary.capture.source import is_user_file, relative
from fxsummary.capture.symbolic import Trace
from fxsummary.errors import InputError

_FRAME = re.compile(r'File "(.+)", line (\d+)')


def from_graph_module(module: fx.GraphModule, inputs: Inputs | None) -> Trace:
    """The graph of a GraphModule, with stacks from ``nn_module_stack`` or from the paths of its modules.

    The given graph is copied, its nodes keep their names.

    Raises:
        InputError: as many tensors as placeholders are wanted.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    types = {path: type(child) for path, child in modules_by_path(module).items()}
    for node in module.graph.nodes:
        copy = graph.create_node(
            node.op,
            node.target,
            fx.map_arg(node.args, copies.__getitem__),
            fx.map_arg(node.kwargs, copies.__getitem__),
            node.name,
        )
        copy.meta[STACK] = _stack(node, types)
        copy.meta[SOURCE] = _source(node)
        copies[node] = copy
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    specs = [] if inputs is None else [spec for _, spec in placeholder_names(inputs)]
    if inputs is not None and len(specs) != sum(1 for node in placeholders if not node.args):
        raise InputError(
            f"the graph has {len(placeholders)} inputs ({', '.join(str(n.target) for n in placeholders)}), "
            f"but {len(specs)} tensors are given. Pass one tensor for each."
        )
    for index, node in enumerate(placeholders):
        node.meta[SPEC] = specs[index] if index < len(specs) else None
    return Trace(graph)


def _stack(node: fx.Node, types: dict[str, type[nn.Module]]) -> OrderedDict[str, tuple[str, Any]]:
    given = node.meta.get("nn_module_stack")
    if given:
        return OrderedDict((key, (value[0], value[1])) for key, value in given.items())
    stack: OrderedDict[str, tuple[str, Any]] = OrderedDict()
    if node.op == "call_module":
        parts = str(node.target).split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            stack[path] = (path, types.get(path, nn.Module))
    return stack


def _source(node: fx.Node) -> str:
    frames = [match for match in _FRAME.findall(node.stack_trace or "") if is_user_file(match[0])]
    return f"{relative(frames[-1][0])}:{frames[-1][1]}" if frames else ""
