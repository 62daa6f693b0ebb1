"""Nodes of a captured graph: the keys of their meta, how to create them, and the names of their functions."""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

from torch import fx

from fxsummary.capture.torch_internals import OpOverload, insert_node, name_of_target, unused_name

STACK, SOURCE, SPEC, AUTOCAST = "nn_module_stack", "fxsummary_source", "fxsummary_spec", "fxsummary_autocast"
"""Keys in ``node.meta``: module stack, ``file:line``, the spec of a placeholder, the state of autocast."""

AFTER, NO_GRAD, REQUIRES_GRAD = "fxsummary_after", "fxsummary_no_grad", "fxsummary_requires_grad"
"""Keys in ``node.meta``: the nodes that changed this node's inputs in place through an alias; whether gradients were
off; whether forward set ``requires_grad`` on the result."""

APPLIED = "fxsummary_applied"
"""Key in ``node.meta``: the call of a `torch.autograd.Function` that returned this node, and which result it is."""

HOOKED = "fxsummary_hooked"
"""Key in ``node.meta``: whether hooks replace what the node saves for backward, as in ``torch.utils.checkpoint``."""

INSIDE = "fxsummary_inside"
"""Key in ``node.meta``: in an exported program the ATen calls of a leaf module, its arguments and its results."""

LIKE = "fxsummary_like"
"""Key in ``node.meta``: the node that this node is a copy of, in another call of an identical module."""


def new_node(graph: fx.Graph, op: str, target: Any, args: Any, kwargs: Any, name: str | None = None) -> fx.Node:
    """Add a node as ``graph.create_node`` does, but without its walk over the arguments, which is slow.

    Args:
        name: the basis of its name; by default the target, as in torch.fx.
    """
    if name is None:
        is_kept = type(target) is str and target.islower() and "__" not in target  # torch.fx changes nothing in it
        name = target if is_kept else name_of_target(graph, target)
    unused = unused_name(graph, name)
    node = fx.Node(graph, unused, op, target, args or (), kwargs or {})
    insert_node(graph, node)
    return node


# --- names of functions ----------------------------------------------------------------------------

_NAMES = {
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d", "_adaptive_avg_pool3d": "adaptive_avg_pool3d",
    "_fused_rms_norm": "rms_norm", "_to_copy": "to", "_unsafe_view": "view", "constant_pad_nd": "pad",
    "linalg_vector_norm": "norm", "max_pool2d_with_indices": "max_pool2d", "max_pool3d_with_indices": "max_pool3d",
    "native_dropout": "dropout", "native_group_norm": "group_norm", "native_layer_norm": "layer_norm",
    "sym_numel": "numel", "sym_size": "size", "sym_storage_offset": "storage_offset", "sym_stride": "stride",
}  # fmt: skip
_METHODS = {
    "iadd": "add_", "isub": "sub_", "imul": "mul_", "itruediv": "div_", "ifloordiv": "floor_divide_",
    "imod": "remainder_", "ipow": "pow_",
}  # fmt: skip
_IN_PLACE = frozenset(getattr(operator, name) for name in _METHODS)
_FAMILIES = (("scaled_dot_product", "scaled_dot_product_attention"), ("native_batch_norm", "batch_norm"))


def function_name(target: object) -> str:
    """Return the name of a function; for an ATen operator, the name of its public function.

    >>> import torch
    >>> function_name(torch.ops.aten.add.Tensor), function_name(torch.ops.aten._softmax.default)
    ('add', 'softmax')
    >>> function_name(torch.ops.aten._native_batch_norm_legit_functional.default), function_name(torch.cat)
    ('batch_norm', 'cat')
    """
    if isinstance(target, OpOverload):
        return _field_name(target)
    name = str(getattr(target, "__name__", type(target).__name__))
    return _METHODS.get(name, name) if target in _IN_PLACE else name


@cache
def _field_name(overload: Any) -> str:
    name = str(overload._schema.name).rpartition("::")[2]
    if name.startswith("__") and name.endswith("__"):
        return f"{name.strip('_')}_"  # as in the operator module: and_, or_
    families = [family for prefix, family in _FAMILIES if name.lstrip("_").startswith(prefix)]
    return families[0] if families else _NAMES.get(name) or name.lstrip("_")
