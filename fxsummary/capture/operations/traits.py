"""What is always true of an operator: its FLOP formula, its parts, what it writes, whether it makes new memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from torch.utils.flop_counter import flop_registry

from fxsummary.capture.operations.flops import CORRECTED, FORMULAS, OTHERS, aten
from fxsummary.capture.operations.twins import takes_device
from fxsummary.capture.torch_internals import HigherOrderOperator, OpOverload, in_python, is_composite

_NO_FORMULA = (
    "linalg_", "_linalg_", "cholesky", "triangular_solve", "lu_", "lstsq", "inverse", "ormqr", "geqrf", "qr",
    "svd", "_native_multi_head_attention",
    "_transformer_encoder_layer_fwd", "mkldnn_linear", "mkldnn_convolution", "miopen_",
    "_int_mm", "_weight_int", "_addmm_activation", "_sparse_mm", "_sparse_addmm", "sspaddmm",
    "quantized_", "_cudnn_rnn", "_thnn_fused", "_wrapped_", "_convert_weight_to_int4pack", "_dyn_quant",
    "_mixed_dtypes_linear", "_sparse_semi_structured_linear", "_sparse_semi_structured_mm",
    "_sparse_semi_structured_addmm", "_cslt_sparse_mm", "_sparse_sparse_matmul", "sparse_sampled_addmm", "hspmm",
    "_foreach_mm", "conv_tbc", "conv_depthwise3d", "_conv_depthwise2d", "slow_conv", "_slow_conv2d",
    "cudnn_convolution", "convolution_backward_overrideable", "_nnpack_spatial_convolution", "_mps_convolution",
    "mps_convolution", "_lstm_mps", "lstm_mps", "mkldnn_rnn_layer_backward", "linear_backward", "matmul_backward",
    "_cdist_backward",
    "_scaled_dot_product_", "_flash_attention_", "_cudnn_attention_", "_triton_", "_cholesky_solve", "_spsolve",
)  # fmt: skip
"""How the names of ATen operators of the matrix family begin that have no formula."""

_FREE_LINALG = frozenset(
    {"linalg_vector_norm", "linalg_cross", "linalg_diagonal", "linalg_vander", "_linalg_check_errors"}
)
_KNOWN_FREE = frozenset({"aten", "prim", "prims", "profiler", "debugprims", "inductor"})


def formula(packet: object) -> Callable[..., int] | None:
    """Return the formula of an operator, from torch's registry or from `FORMULAS`."""
    known = flop_registry.get(packet)
    return CORRECTED.get(known, known) if known is not None else FORMULAS.get(packet) or _other(packet)


@functools.lru_cache(maxsize=1024)
def _other(packet: object) -> Callable[..., int] | None:
    """Return the formula of an operator that is not of ATen."""
    return OTHERS.get(str(packet))


_IN_PARTS = (aten.linear.default, aten.scaled_dot_product_attention.default)
"""Composite operators that a mode sees as one call; their parts show what they hold if no kernel covers a call."""


class Traits(NamedTuple):
    """What is always true of an operator; one look-up for all, because torch hashes operators in Python.

    Attributes:
        written: the positions of the arguments that it writes to.
        parts: a function that calls its parts; None if it has none.
        is_in_parts: whether it is one of `_IN_PARTS`.
        takes_device: whether it has an argument for the device of its result.
        is_view: whether it returns memory that it is given.
        may_share: whether it may return memory of its arguments.
        is_free: see `_is_free`.
        is_plain: whether it is one kernel of ATen outside the matrix family; it may still have a formula of the user's.
    """

    written: tuple[int, ...]
    parts: Callable[..., Any] | None
    is_in_parts: bool
    takes_device: bool
    is_view: bool
    may_share: bool
    is_free: bool
    is_plain: bool


@functools.lru_cache(maxsize=1024)
def traits_of(func: Any) -> Traits:
    """Return what is always true of an operator."""
    schema: Any = getattr(func, "_schema", None)
    infos = [argument.alias_info for argument in schema.arguments] if getattr(schema, "is_mutable", False) else ()
    returned, parts = () if schema is None else schema.returns, _parts(func)
    return Traits(
        written=tuple([place for place, info in enumerate(infos) if info is not None and info.is_write]),
        parts=parts,
        is_in_parts=func in _IN_PARTS,
        takes_device=takes_device(func),
        # torch.tensor ends with lift_fresh of a new tensor
        is_view=bool(getattr(func, "is_view", False)) and func is not aten.lift_fresh.default,
        may_share=schema is None or func.namespace != "aten" or any(each.alias_info for each in returned),
        is_free=_is_free(func),
        is_plain=parts is None and isinstance(func, OpOverload) and func.namespace == "aten" and _is_free(func),
    )


def _parts(func: Any) -> Callable[..., Any] | None:
    """Return a function that calls an operator's parts; None if it has none."""
    if isinstance(func, HigherOrderOperator):
        return in_python(func)
    is_known = isinstance(func, OpOverload) and func.namespace != "prim"
    return func.decompose if is_known and is_composite(func) else None


def costs_nothing(func: Any) -> bool:
    """Whether an operator is known to be outside the matrix family, whatever its arguments.

    >>> costs_nothing(aten.relu.default), costs_nothing(aten.mm.default), costs_nothing(aten.linear.default)
    (True, False, False)
    """
    packet = getattr(func, "_overloadpacket", func)
    traits = traits_of(func)
    return packet is aten.item or (formula(packet) is None and traits.parts is None and traits.is_free)


def _is_free(func: Any) -> bool:
    """Whether an operator without a formula is known to be outside the matrix family."""
    if not isinstance(func, OpOverload):
        return False
    if func.namespace in _KNOWN_FREE:
        name = func._schema.name.partition("::")[2]
        return name in _FREE_LINALG or not name.startswith(_NO_FORMULA)
    return bool(func.is_view)
