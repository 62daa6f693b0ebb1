"""The nodes of a captured graph: what they carry, and how one is made."""

from __future__ import annotations

from typing import Any

from torch import fx

from fxsummary.capture.torch_internals import insert_node, name_of_target, unused_name

STACK, SOURCE, SPEC, AUTOCAST = "nn_module_stack", "fxsummary_source", "fxsummary_spec", "fxsummary_autocast"
"""Keys in ``node.meta``: module stack, ``file:line``, the spec of a placeholder, and the state of autocast."""

AFTER = "fxsummary_after"
"""Key in ``node.meta``: nodes that wrote in place, through an alias, what this one reads."""

NO_GRAD = "fxsummary_no_grad"
"""Key in ``node.meta``: whether gradients were off."""

APPLIED = "fxsummary_applied"
"""Key in ``node.meta``: the call of a `torch.autograd.Function` that yields it, and its place among the results."""

LIKE = "fxsummary_like"
"""Key in ``node.meta``: the node that this one is a copy of, in another call of an identical module."""


def new_node(
    graph: fx.Graph, op: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
) -> fx.Node:
    """Add a node as ``graph.create_node`` does, without its walk over the arguments."""
    return named_node(graph, new_name(graph, target, name), op, target, args or (), kwargs or {}, type_expr)


def new_name(graph: fx.Graph, target: Any, name: str | None = None) -> str:
    """Return a name that no node has: one like ``name``, or after what is called."""
    return unused_name(graph, _candidate(graph, target) if name is None else name)


def named_node(
    graph: fx.Graph, name: str, op: str, target: Any, args: Any, kwargs: Any, type_expr: Any = None
) -> fx.Node:
    """Add a node with a name from `new_name`."""
    node = fx.Node(graph, name, op, target, args, kwargs, type_expr)
    insert_node(graph, node)
    return node


def _candidate(graph: fx.Graph, target: Any) -> str:
    """What torch.fx makes the name of a node from; in short for a path in lower case."""
    if type(target) is str:
        plain = target.replace(".", "_")
        if plain.isidentifier() and plain.isascii() and plain == plain.lower() and "__" not in plain:
            return plain
    return name_of_target(graph, target)
