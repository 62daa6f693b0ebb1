"""The nodes of a captured graph: what they carry, how one is made, and what its function is called."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import fx

from fxsummary.capture.torch_internals import OpOverload, insert_node, name_of_target, unused_name

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


# --- names of functions ----------------------------------------------------------------------------

_NAMES = {
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d", "_adaptive_avg_pool3d": "adaptive_avg_pool3d",
    "_fused_rms_norm": "rms_norm", "_to_copy": "to", "_unsafe_view": "view", "constant_pad_nd": "pad",
    "linalg_vector_norm": "norm", "max_pool2d_with_indices": "max_pool2d", "max_pool3d_with_indices": "max_pool3d",
    "native_dropout": "dropout", "native_group_norm": "group_norm", "native_layer_norm": "layer_norm",
    "sym_numel": "numel", "sym_size": "size", "sym_storage_offset": "storage_offset", "sym_stride": "stride",
}  # fmt: skip
_FAMILIES = (("scaled_dot_product", "scaled_dot_product_attention"), ("native_batch_norm", "batch_norm"))


def function_name(target: object) -> str:
    """The name of a function; of an ATen operator the one that its callers know.

    >>> import torch
    >>> function_name(torch.ops.aten.add.Tensor), function_name(torch.ops.aten._softmax.default)
    ('add', 'softmax')
    >>> function_name(torch.ops.aten._native_batch_norm_legit_functional.default), function_name(torch.cat)
    ('batch_norm', 'cat')
    """
    if isinstance(target, OpOverload):
        return _field_name(target)
    return str(getattr(target, "__name__", type(target).__name__))


@cache
def _field_name(overload: Any) -> str:
    name = str(overload._schema.name).rpartition("::")[2]
    if name.startswith("__") and name.endswith("__"):
        return f"{name.strip('_')}_"  # as in the operator module: and_, or_
    families = [family for prefix, family in _FAMILIES if name.lstrip("_").startswith(prefix)]
    return families[0] if families else _NAMES.get(name) or name.lstrip("_")
