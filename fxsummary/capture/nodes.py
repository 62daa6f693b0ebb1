"""The nodes of a captured graph: what they carry, and how one is made."""

from __future__ import annotations

from typing import Any

from torch import fx

STACK, SOURCE, SPEC, AUTOCAST = "nn_module_stack", "fxsummary_source", "fxsummary_spec", "fxsummary_autocast"
"""Keys in ``node.meta``: module stack, ``file:line``, the spec of a placeholder, and the state of autocast."""

AFTER = "fxsummary_after"
"""Key in ``node.meta``: nodes that wrote in place, through an alias, what this one reads."""

NO_GRAD = "fxsummary_no_grad"
"""Key in ``node.meta``: whether gradients were off."""

APPLIED = "fxsummary_applied"
"""Key in ``node.meta``: the call of a `torch.autograd.Function` that yields it, and its place among the results."""

COPY = "fxsummary_copy"
"""Key in ``node.meta``: the `CopiedNode` that this node stands for."""

LIKE = "fxsummary_like"
"""Key in ``node.meta``: the node that this one is a copy of, in another call of an identical module."""


def new_node(
    graph: fx.Graph, op: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None
) -> fx.Node:
    """``graph.create_node``, without its walk over the arguments."""
    if not IS_KNOWN:
        return graph.create_node(op, target, args, kwargs, name, type_expr)
    return named_node(graph, new_name(graph, target, name), op, target, args or (), kwargs or {}, type_expr)


def new_name(graph: fx.Graph, target: Any, name: str | None = None) -> str:
    """A name that no node has: one like ``name``, or after what is called."""
    candidate = _candidate(graph, target) if name is None else name
    namespace: Any = graph._graph_namespace
    if candidate in _TAKEN or candidate[-1:].isdigit() or not (candidate.isidentifier() and candidate.isascii()):
        created: str = namespace.create_name(candidate, None)
        return created
    used, number, unused = namespace._used_names, namespace._base_count.get(candidate, 0), candidate
    while unused in used:
        number += 1
        unused = f"{candidate}_{number}"
    used.add(unused)
    namespace._base_count[candidate] = number
    return unused


def named_node(
    graph: fx.Graph, name: str, op: str, target: Any, args: Any, kwargs: Any, type_expr: Any = None
) -> fx.Node:
    """A node with a name from `new_name`; only where the graph is one that `IS_KNOWN`."""
    node = fx.Node(graph, name, op, target, args, kwargs, type_expr)
    graph._graph_namespace.associate_name_with_obj(name, node)
    graph._insert(node)
    graph._find_nodes_lookup_table.insert(node)
    graph._len += 1
    return node


def _candidate(graph: fx.Graph, target: Any) -> str:
    """What torch.fx makes the name of a node from; in short for a path in lower case."""
    if type(target) is str:
        plain = target.replace(".", "_")
        if plain.isidentifier() and plain.isascii() and plain == plain.lower() and "__" not in plain:
            return plain
    return graph._target_to_str(target)


_TAKEN: Any = getattr(fx.graph, "_illegal_names", {})
"""Names that torch.fx gives to no node: Python's own."""
IS_KNOWN = (
    all(hasattr(fx.Graph(), name) for name in ("_graph_namespace", "_insert", "_find_nodes_lookup_table", "_len"))
    and all(hasattr(fx.graph._Namespace(), name) for name in ("_used_names", "_base_count"))
    and bool(_TAKEN)
)
"""Whether a graph of this torch is made as `new_node` has it."""
