"""The nodes of a captured graph: what they carry, and how one is made."""

from __future__ import annotations

from typing import Any

from torch import fx

from fxsummary.capture.torch_internals import insert_node, name_of_target, unused_name

STACK, SOURCE, SPEC, AUTOCAST = "nn_module_stack", "fxsummary_source", "fxsummary_spec", "fxsummary_autocast"
"""Keys in ``node.meta``: module stack, ``file:line``, the spec of a placeholder, and the state of autocast."""

AFTER, NO_GRAD = "fxsummary_after", "fxsummary_no_grad"
"""Nodes that wrote in place, through an alias, what this one reads; whether gradients were off."""

APPLIED = "fxsummary_applied"
"""The call of a `torch.autograd.Function` that yields it, and its place among the results."""

LIKE = "fxsummary_like"
"""The node that this one is a copy of, in another call of an identical module."""


def new_node(graph: fx.Graph, op: str, target: Any, args: Any, kwargs: Any, name: str | None = None) -> fx.Node:
    """Add a node as ``graph.create_node`` does, without its walk over the arguments."""
    node = fx.Node(graph, new_name(graph, target, name), op, target, args or (), kwargs or {})
    insert_node(graph, node)
    return node


def new_name(graph: fx.Graph, target: object, name: str | None = None) -> str:
    """Return a name that no node has: one like ``name``, or after what is called."""
    if name is None:
        plain = target.replace(".", "_") if type(target) is str else ""
        # torch.fx leaves a path in lower case as it is
        is_plain = plain.isidentifier() and plain.isascii() and plain == plain.lower() and "__" not in plain
        name = plain if is_plain else name_of_target(graph, target)
    return unused_name(graph, name)
