"""Counts the FLOPs of what runs, by the formulas of `fxsummary.capture.operations.flops` and torch's registry."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry, shape_wrapper

from fxsummary.capture.operations.flops import FORMULAS, aten
from fxsummary.capture.torch_internals import DispatchMode, HigherOrderOperator, OpOverload, in_python, is_composite
from fxsummary.errors import OperatorError

_NO_FORMULA = (
    "linalg_", "_linalg_", "cholesky", "triangular_solve", "lu_", "lstsq", "inverse", "ormqr", "geqrf", "qr",
    "svd", "_native_multi_head_attention",
    "_transformer_encoder_layer_fwd", "mkldnn_linear", "mkldnn_convolution", "miopen_",
    "_int_mm", "_weight_int", "_addmm_activation", "_sparse_mm", "_sparse_addmm", "sspaddmm", "_scaled_grouped_mm",
    "quantized_", "_cudnn_rnn", "_thnn_fused", "_wrapped_", "_convert_weight_to_int4pack", "_dyn_quant",
)  # fmt: skip
_FREE_LINALG = frozenset(
    {"linalg_vector_norm", "linalg_cross", "linalg_diagonal", "linalg_vander", "_linalg_check_errors"}
)
_KNOWN_FREE = frozenset({"aten", "prim", "prims", "profiler", "debugprims", "inductor"})

_SAME_DTYPE = {
    aten.linear: (0, 1),
    aten.mm: (0, 1),
    aten.bmm: (0, 1),
    aten.addmm: (1, 2),
    aten.baddbmm: (1, 2),
    aten.mv: (0, 1),
}


def formula(packet: object) -> Callable[..., int] | None:
    """The formula of an ATen (or custom) operator, from torch's registry or from `FORMULAS`."""
    return flop_registry.get(packet) or FORMULAS.get(packet)


_seen: list[tuple[tuple[object, ...], tuple[object, ...]]] = []
"""What torch's registry has held: operators and formulas."""


def registry_version() -> int:
    """A number that changes when a formula is registered with torch, replaced or removed."""
    now = tuple(flop_registry), tuple(flop_registry.values())
    if not _seen or _seen[-1] != now:
        _seen.append(now)
    return len(_seen)


_paused = threading.local()


@contextmanager
def uncounted() -> Iterator[None]:
    """Within, nothing that this thread runs is counted."""
    outer = getattr(_paused, "now", False)
    _paused.now = True
    try:
        yield
    finally:
        _paused.now = outer


class FlopCount(DispatchMode):
    """Counts the FLOPs of the ATen calls made while it is active.

    Attributes:
        flops: the sum so far.
        unknown: names of the operators called that have a cost of unknown size: of the matrix family
            without a formula, or from outside ATen without a formula.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.unknown: list[str] = []

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = getattr(func, "_overloadpacket", func)
        count = formula(packet)
        written_out = _written_out(func) if count is None else None
        if written_out is not None:
            with self:
                result = written_out(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if packet in _SAME_DTYPE:
            _check_same_dtype(*(args[position] for position in _SAME_DTYPE[packet]))
        if packet is aten.embedding and args[1].dtype not in (torch.int64, torch.int32):
            raise RuntimeError(f"expected indices of an embedding to be int64 or int32, but got: {args[1].dtype}")
        result = self.call(func, args, kwargs)
        if getattr(_paused, "now", False):
            return result
        if count is not None and not any(map(_is_sparse, args)):
            try:
                self.flops += _evaluate(count, args, kwargs, result)
            except Exception as error:
                raise OperatorError(
                    f"the FLOP formula of {packet} raised {type(error).__name__}: {error}. It gets the shapes of the "
                    "operator's arguments, and out_shape= and others by name: accept **kwargs."
                ) from error
        elif count is not None or not _is_free(func):  # the formulas are those of dense products
            self.unknown.append(str(packet))
        return result

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator."""
        return func(*args, **kwargs)


def _written_out(func: Any) -> Callable[..., Any] | None:
    """What an operator does, in terms of others; None if it is not made of others."""
    if isinstance(func, HigherOrderOperator):
        return in_python(func)
    return func.decompose if _is_composite(func) else None


_WRAPPER = shape_wrapper(len).__code__


def _evaluate(count: Any, args: Any, kwargs: Any, result: Any) -> int:
    """Evaluate a formula; torch's wrapper, which turns tensors into shapes, takes longer than most kernels."""
    if getattr(count, "__code__", None) is not _WRAPPER:
        return int(count(*args, **kwargs, out_val=result))
    return int(count.__wrapped__(*_shapes(args), **_shapes(kwargs), out_shape=_shapes(result)))


def _shapes(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.shape
    if isinstance(value, (tuple, list)):
        return value if value and type(value[0]) is int else [_shapes(item) for item in value]
    return {name: _shapes(item) for name, item in value.items()} if isinstance(value, dict) else value


def costs_nothing(func: Any) -> bool:
    """Whether an operator is known to be outside the matrix family, whatever its arguments.

    >>> costs_nothing(aten.relu.default), costs_nothing(aten.mm.default), costs_nothing(aten.linear.default)
    (True, False, False)
    """
    if getattr(func, "_overloadpacket", None) is aten.item:
        return True
    return formula(getattr(func, "_overloadpacket", func)) is None and not _is_composite(func) and _is_free(func)


@functools.lru_cache(maxsize=1024)
def _is_composite(func: Any) -> bool:
    return isinstance(func, OpOverload) and func.namespace != "prim" and is_composite(func)


@functools.lru_cache(maxsize=1024)
def _is_free(func: Any) -> bool:
    """Whether an operator without a formula is known not to be of the matrix family."""
    if not isinstance(func, OpOverload):
        return False
    if func.namespace in _KNOWN_FREE:
        name = func._schema.name.partition("::")[2]
        return name in _FREE_LINALG or not name.startswith(_NO_FORMULA)
    return bool(func.is_view)


def _is_sparse(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is not torch.strided


def _check_same_dtype(a: torch.Tensor, b: torch.Tensor) -> None:
    """The real kernels refuse mixed dtypes, those on meta do not."""
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected both matrices to have the same dtype, but got: {a.dtype} != {b.dtype}")
