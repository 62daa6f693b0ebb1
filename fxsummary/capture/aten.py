"""ATen operators by the names of the field: ``add`` for ``aten.add.Tensor``, ``softmax`` for ``aten._softmax``."""

from __future__ import annotations

from functools import cache
from typing import Any

from fxsummary.capture.torch_internals import OpOverload

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


def is_assertion(target: object) -> bool:
    """Whether an operator only checks what export assumed."""
    name = str(target._schema.name).rpartition("::")[2] if isinstance(target, OpOverload) else ""
    return name.startswith(("_assert", "sym_constrain_range", "_functional_assert", "_functional_sym_constrain_range"))
