"""FLOPs of one ATen call: 2 per multiply-accumulate, batch included, matrix-product family only.

The convention is that of `torch.utils.flop_counter`, whose formulas are used as they are, those that a
user added with ``register_flop_formula`` too. `FORMULAS` holds what that registry lacks. Elementwise work
(norms, activations, softmax, bias, arithmetic) is not counted. Formulas see shapes, never values.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry, shape_wrapper

from fxsummary.capture.torch_internals import DispatchMode, HigherOrderOperator, OpOverload, is_composite

aten = torch.ops.aten
Shape = Sequence[int]


def mv_flops(matrix: Shape, vector: Shape, **_: Any) -> int:
    """(m, k) @ (k): every element of the matrix is one multiply-accumulate.

    >>> mv_flops((3, 4), (4,))
    24
    """
    return 2 * math.prod(matrix)


def addmv_flops(bias: Shape, matrix: Shape, vector: Shape, **_: Any) -> int:
    """bias + (m, k) @ (k): as `mv_flops`, the addition is not counted."""
    return mv_flops(matrix, vector)


def dot_flops(a: Shape, b: Shape, **_: Any) -> int:
    """(k) . (k): k multiply-accumulates."""
    return 2 * math.prod(a)


def addbmm_flops(bias: Shape, a: Shape, b: Shape, **_: Any) -> int:
    """bias + sum over the batch of (b, m, k) @ (b, k, n).

    >>> addbmm_flops((3, 5), (2, 3, 4), (2, 4, 5))
    240
    """
    return 2 * math.prod(a) * b[-1]


def trilinear_flops(
    a: Shape, b: Shape, c: Shape, without_a: Any, without_b: Any, without_c: Any, summed: Any, *_: Any, **__: Any
) -> int:
    """Three tensors multiplied and summed, such as ``nn.Bilinear``: the first two, then their product with the third.

    Args:
        without_a, without_b, without_c: the dimensions that each lacks.
        summed: the dimensions that are summed over.

    >>> trilinear_flops((2, 3), (4, 3, 5), (2, 5), [1, 3], [0], [1, 2], [2, 3]) == 2 * 2 * 4 * (3 * 5 + 5)
    True
    """
    rank = len(a) + len(without_a)
    sizes = [dict(zip(_others(rank, lacks), shape, strict=True)) for shape, lacks in ((a, without_a), (b, without_b))]
    first = {**sizes[0], **sizes[1]}
    third = dict(zip(_others(rank, without_c), c, strict=True))
    second = {**{place: size for place, size in first.items() if place not in summed or place in third}, **third}
    return 2 * (math.prod(first.values()) + math.prod(second.values()))


def _others(rank: int, lacks: Any) -> list[int]:
    return [place for place in range(rank) if place not in lacks]


def distance_flops(a: Shape, b: Shape, p: float = 2, *_: Any, **__: Any) -> int:
    """Distances between (…, m, k) and (…, n, k): each pair is a multiply-accumulate for each feature.

    Other norms than the Euclidean one multiply nothing.

    >>> distance_flops((100, 64), (50, 64)), distance_flops((100, 64), (50, 64), 1.0)
    (640000, 0)
    """
    return 2 * math.prod(_broadcast(a[:-2], b[:-2])) * a[-2] * b[-2] * a[-1] if p == 2 else 0


def own_distance_flops(a: Shape, p: float = 2, **_: Any) -> int:
    """Distances between the rows of (n, k), each pair once."""
    return a[0] * (a[0] - 1) * a[1] if p == 2 else 0


def _broadcast(a: Shape, b: Shape) -> Shape:
    return tuple(torch.broadcast_shapes(tuple(a), tuple(b)))


def solve_triangular_flops(a: Shape, b: Shape, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Each element of the solution takes n / 2 multiply-accumulates on average, of a matrix (n, n).

    >>> solve_triangular_flops((4, 4), (4, 3), out_shape=(4, 3))
    48
    """
    return a[-1] * math.prod(out_shape or b)


def grouped_mm_flops(a: Shape, b: Shape, *_: Any, **__: Any) -> int:
    """Grouped matmul: each row (or column) meets the one matrix of its group, wherever the groups lie.

    (m, k) @ (g, k, n): 2·m·k·n, rows grouped. (g, m, k) @ (k, n): the same, columns grouped. (m, k) @ (k, n):
    the same too, as the inner lengths of the groups add up to k. (g, m, k) @ (g, k, n): g such products.

    >>> grouped_mm_flops((10, 4), (3, 4, 5)), grouped_mm_flops((3, 10, 4), (4, 5))
    (400, 400)
    >>> grouped_mm_flops((3, 10, 4), (3, 4, 5))
    1200
    """
    batch = a[0] if len(a) == len(b) == 3 else 1
    return 2 * batch * a[-2] * a[-1] * b[-1]


def sdpa_flops(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """q @ kᵀ, then scores @ v, for query (…, L, E), key (…, S, E), value (…, S, Ev); masks save nothing.

    2·B·L·S·E + 2·B·L·S·Ev, B over all leading dimensions of the query: with grouped-query attention
    the key's heads are repeated to those of the query.

    >>> sdpa_flops((1, 12, 197, 64), (1, 12, 197, 64), (1, 12, 197, 64)) == 4 * 12 * 197**2 * 64
    True
    """
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def recurrent_flops(input: Shape, hidden: Any, weights: Any, *_: Any, **__: Any) -> int:
    """LSTM, GRU and plain RNN over input (T, B, I) or (B, T, I): each weight matrix meets each step once.

    T·B·2·(sum of the elements of all weight matrices), over layers, directions and projections;
    the gates' elementwise products are not of the family.

    >>> recurrent_flops((5, 1, 3), None, [(16, 3), (16, 4), (16,), (16,)])
    1120
    """
    return _recurrent(math.prod(input[:-1]), weights)


def packed_recurrent_flops(data: Shape, batch_sizes: Shape, hidden: Any, weights: Any, *_: Any, **__: Any) -> int:
    """As `recurrent_flops` for a packed sequence, whose data (N, I) holds all steps that exist."""
    return _recurrent(data[0], weights)


def mkldnn_recurrent_flops(input: Shape, *weights: Any, **_: Any) -> int:
    """One layer in one direction, as oneDNN runs it: over input (T, B, I), with two matrices and two biases."""
    return _recurrent(math.prod(input[:-1]), list(weights[:4]))


def recurrent_cell_flops(input: Shape, hidden: Any, *weights: Any, **_: Any) -> int:
    """One step of a cell over input (B, I): each weight matrix meets each row once."""
    return _recurrent(math.prod(input[:-1]), list(weights))


def _recurrent(steps: int, weights: Sequence[Any]) -> int:
    matrices = (w for w in weights if isinstance(w, (tuple, list)) and len(w) == 2)
    return 2 * steps * sum(math.prod(matrix) for matrix in matrices)


def _recurrent_any(input: Shape, second: Any, third: Any, *rest: Any, **_: Any) -> int:
    packed = bool(rest) and isinstance(rest[0], (list, tuple))
    return packed_recurrent_flops(input, second, third, rest[0]) if packed else recurrent_flops(input, second, third)


_EXTRA: dict[str, Callable[..., int]] = {
    "mv": mv_flops,
    "addmv": addmv_flops,
    "dot": dot_flops,
    "vdot": dot_flops,
    "addbmm": addbmm_flops,
    "_trilinear": trilinear_flops,
    "_cdist_forward": distance_flops,
    "_euclidean_dist": distance_flops,
    "_pdist_forward": own_distance_flops,
    "linalg_solve_triangular": solve_triangular_flops,
    "_grouped_mm": grouped_mm_flops,
    "scaled_dot_product_attention": sdpa_flops,
    "_scaled_dot_product_flash_attention_for_cpu": sdpa_flops,
    "_scaled_dot_product_fused_attention_overrideable": sdpa_flops,
    "lstm": _recurrent_any,
    "gru": _recurrent_any,
    "rnn_tanh": _recurrent_any,
    "rnn_relu": _recurrent_any,
    "mkldnn_rnn_layer": mkldnn_recurrent_flops,
    "lstm_cell": recurrent_cell_flops,
    "gru_cell": recurrent_cell_flops,
    "rnn_tanh_cell": recurrent_cell_flops,
    "rnn_relu_cell": recurrent_cell_flops,
}

FORMULAS: dict[Any, Callable[..., int]] = {
    getattr(aten, name): shape_wrapper(formula) for name, formula in _EXTRA.items() if hasattr(aten, name)
}
"""Formulas that torch's registry lacks, by ATen operator, in its calling convention."""

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

_SAME_DTYPE = {aten.mm: (0, 1), aten.bmm: (0, 1), aten.addmm: (1, 2), aten.baddbmm: (1, 2), aten.mv: (0, 1)}


def formula(packet: Any) -> Callable[..., int] | None:
    """The formula of an ATen (or custom) operator, from torch's registry or from `FORMULAS`."""
    found: Callable[..., int] | None = flop_registry.get(packet) or FORMULAS.get(packet)
    return found


class _Registry:
    """What torch's registry held when it was last looked at.

    Attributes:
        version: how often it has changed.
    """

    def __init__(self) -> None:
        self.version = -1
        self._packets: tuple[Any, ...] = ()
        self._counts: tuple[Any, ...] = ()

    def look(self) -> _Registry:
        """See what was registered, replaced or removed."""
        packets, counts = tuple(flop_registry), tuple(flop_registry.values())
        if self.version < 0 or counts != self._counts or packets != self._packets:
            self.version += 1
            self._packets, self._counts = packets, counts
        return self


_registry = _Registry()


def registry_version() -> int:
    """A number that grows when a formula is registered with torch, replaced or removed."""
    return _registry.look().version


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

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            return self._higher_order(func, args, kwargs)
        packet = getattr(func, "_overloadpacket", func)
        count = formula(packet)
        if count is None and _is_composite(func):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if packet in _SAME_DTYPE:
            _check_same_dtype(*(args[position] for position in _SAME_DTYPE[packet]))
        if packet is aten.embedding and args[1].dtype not in (torch.int64, torch.int32):
            raise RuntimeError(f"expected indices of an embedding to be int64 or int32, but got: {args[1].dtype}")
        result = self.call(func, args, kwargs)
        if getattr(_paused, "now", False):
            return result
        if count is not None and any(map(_is_sparse, args)):
            self.unknown.append(str(packet))  # the formulas are those of dense products
        elif count is not None:
            self.flops += _evaluate(count, args, kwargs, result)
        elif not _is_free(func):
            self.unknown.append(str(packet))
        return result

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operator."""
        return func(*args, **kwargs)

    def _higher_order(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator that takes functions: by its formula, or by what its functions do."""
        count, written_out = formula(func), in_python(func)
        if count is None and written_out is not None:
            with self:
                return written_out(*args, **kwargs)
        result = self.call(func, args, kwargs)
        if count is None:
            self.unknown.append(str(func))
        elif not getattr(_paused, "now", False):
            self.flops += _evaluate(count, args, kwargs, result)
        return result


_WRAPPER = shape_wrapper(len).__code__


def _evaluate(count: Callable[..., int], args: Any, kwargs: Any, result: Any) -> int:
    """Evaluate a formula; torch's wrapper, which turns tensors into shapes, takes longer than most kernels."""
    if getattr(count, "__code__", None) is not _WRAPPER:
        return count(*args, **kwargs, out_val=result)
    formula: Callable[..., int] = count.__wrapped__  # type: ignore[attr-defined]
    return formula(*_shapes(args), **_shapes(kwargs), out_shape=_shapes(result))


def _shapes(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.shape
    if isinstance(value, (tuple, list)):
        return value if value and type(value[0]) is int else [_shapes(item) for item in value]
    return {name: _shapes(item) for name, item in value.items()} if isinstance(value, dict) else value


def in_python(func: Any) -> Callable[..., Any] | None:
    """What an operator that takes functions does, written out in Python; None if that is not known."""
    found: Callable[..., Any] | None = func.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return found


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


def _is_sparse(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is not torch.strided


def _check_same_dtype(a: torch.Tensor, b: torch.Tensor) -> None:
    """The real kernels refuse mixed dtypes, those on meta do not."""
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected both matrices to have the same dtype, but got: {a.dtype} != {b.dtype}")
