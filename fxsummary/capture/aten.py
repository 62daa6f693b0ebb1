"""ATen operators by the names of the field: ``add`` for ``aten.add.Tensor``, ``softmax`` for ``aten._softmax``."""

from __future__ import annotations

import operator
from functools import cache
from typing import Any

from fxsummary.capture.torch_internals import OpOverload

_NAMES = {
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
    "_adaptive_avg_pool3d": "adaptive_avg_pool3d",
    "_fused_rms_norm": "rms_norm",
    "_to_copy": "to",
    "_unsafe_view": "view",
    "adaptive_max_pool2d": "adaptive_max_pool2d",
    "constant_pad_nd": "pad",
    "linalg_vector_norm": "norm",
    "max_pool2d_with_indices": "max_pool2d",
    "max_pool3d_with_indices": "max_pool3d",
    "native_dropout": "dropout",
    "native_group_norm": "group_norm",
    "native_layer_norm": "layer_norm",
    "sym_numel": "numel",
    "sym_size": "size",
    "sym_storage_offset": "storage_offset",
    "sym_stride": "stride",
}
_FAMILIES = (("_scaled_dot_product", "scaled_dot_product_attention"), ("native_batch_norm", "batch_norm"))
_TO_THE_END = 2**63 - 1


def function_name(target: Any) -> str:
    """The name of a function; of an ATen operator the one that its callers know.

    >>> import torch
    >>> function_name(torch.ops.aten.add.Tensor), function_name(torch.ops.aten._softmax.default)
    ('add', 'softmax')
    >>> function_name(torch.ops.aten._native_batch_norm_legit_functional.default), function_name(torch.cat)
    ('batch_norm', 'cat')
    """
    if not isinstance(target, OpOverload):
        return getattr(target, "__name__", type(target).__name__)
    return _field_name(target)


@cache
def _schema_name(overload: Any) -> str:
    name: str = overload._schema.name
    return name.rpartition("::")[2]


@cache
def _field_name(overload: Any) -> str:
    name = _schema_name(overload)
    if name.startswith("__") and name.endswith("__"):
        return f"{name.strip('_')}_"  # as in the operator module: and_, or_
    for prefix, family in _FAMILIES:
        if name.lstrip("_").startswith(prefix.lstrip("_")):
            return family
    return _NAMES.get(name) or name.lstrip("_")


def is_assertion(target: Any) -> bool:
    """Whether an operator only checks what export assumed."""
    name = _schema_name(target) if isinstance(target, OpOverload) else ""
    return name.startswith(("_assert", "sym_constrain_range", "_functional_assert", "_functional_sym_constrain_range"))


def is_item(target: Any) -> bool:
    """Whether a function takes one value out of several."""
    return target is operator.getitem


def index_text(name: str, args: tuple[Any, ...]) -> str | None:
    """What ``slice`` and ``select`` take, as it would stand in brackets; None for other operators.

    >>> index_text("slice", (None, 1, 0, 3)), index_text("select", (None, 0, -1)), index_text("add", ())
    ('[:, 0:3]', '[-1]', None)
    """
    if name not in ("slice", "select") or len(args) < 2 or not isinstance(args[1], int) or args[1] < 0:
        return None
    rest = ["%" if item is not None and not isinstance(item, int) else item for item in args[2:]]
    if name == "select":
        index = str(rest[0]) if rest else "%"
    else:
        start, end, step = [*rest, None, None, None][:3]
        index = f"{'' if start is None else start}:{'' if end in (None, _TO_THE_END) else end}"
        index += "" if step in (None, 1) else f":{step}"
    return f"[{', '.join((':',) * args[1] + (index,))}]"
