"""The nodes of a captured graph: what they carry, and how one is made."""

from __future__ import annotations

from typing import Any

from torch import fx

STACK, SOURCE, SPEC, AUTOCAST = "nn_module_stack", "fxsummary_source", "fxsummary_spec", "fxsummary_autocast"
"""Keys in ``node.meta``: module stack, ``file:line``, the spec of a placeholder, and the state of autocast."""

AFTER = "fxsummary_after"
"""Key in ``node.meta``: nodes that wrote in place, through an alias, what this one reads."""

LIKE = "fxsummary_like"
"""Key in ``node.meta``: the node that this one is a copy of, in another call of an identical module."""


def new_node(
    graph: fx.Graph, op: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
) -> fx.Node:
    """``graph.create_node``, without its walk over the arguments and the entries that assigning them makes anew."""
    node = graph.create_node(op, target, None, None, name, type_expr)
    if args:
        _set_args(node, args)
    if kwargs:
        _set_kwargs(node, kwargs)
    return node


_set_args: Any = fx.Node.args.fset  # type: ignore[attr-defined]
_set_kwargs: Any = fx.Node.kwargs.fset  # type: ignore[attr-defined]
