"""What is true of a model, found without fxsummary: by running it.

Parameters are those of the distinct parameter tensors, output shapes and dtypes those of a real forward on
the CPU. FLOPs are counted by `torch.utils.flop_counter`, twice: on the CPU run, with the formulas below for
what that counter lacks, and on a copy on the meta device, where most of those operators decompose into ones
that it knows. The meta count is the truth where that run succeeds, the CPU count elsewhere; where both are
there and differ, the truth is in doubt and says so. Where an operator of the matrix family has no formula
(a triangular solve), the count is a lower bound, and an answer must say that it is one.

Convention: 2 FLOPs per multiply-accumulate of the matrix-product family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from benchmarks.zoo.outputs import Leaf, leaves
from zoo.entry import Entry, Example

aten = torch.ops.aten
Shape = Sequence[int]


@dataclass
class Truth:
    """The truth of one model.

    Attributes:
        parameters: elements of the distinct parameter tensors.
        outputs: shape and dtype of each tensor that forward returns.
        flops: FLOPs of the matrix-product family.
        source: the run that `flops` is from, "meta" or "cpu".
        unknown: operators of the matrix family without a formula; if any, `flops` is a lower bound.
        doubts: why `flops` may be wrong.
    """

    parameters: int
    outputs: list[Leaf]
    flops: int
    source: str
    unknown: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"outputs": [list(leaf) for leaf in self.outputs]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Truth:
        """The inverse of `as_json`.

        >>> truth = Truth(1, [Leaf((2, 3), "float32", False)], 12, "cpu")
        >>> Truth.from_json(truth.as_json()) == truth
        True
        """
        outputs = [Leaf(tuple(shape), dtype, inside) for shape, dtype, inside in values["outputs"]]
        return cls(**values | {"outputs": outputs})


def measure(entry: Entry) -> Truth:
    """Run a model and write down what is true of it."""
    model = entry.model().requires_grad_(False)  # the counter hangs hooks on gradients where there may be any
    parameters = sum(parameter.numel() for parameter in {id(p): p for p in model.parameters()}.values())
    on_cpu = _Run(model, entry, "cpu")
    if on_cpu.error is not None:
        raise on_cpu.error
    on_meta = _Run(model.to("meta"), entry, "meta")
    best = on_cpu if on_meta.error else on_meta
    doubts = []
    if not on_meta.error and on_meta.flops != on_cpu.flops:
        doubts.append(f"on meta {on_meta.flops:,}, on the CPU {on_cpu.flops:,}")
    return Truth(parameters, on_cpu.outputs, best.flops, "cpu" if on_meta.error else "meta", best.unknown, doubts)


class _Run:
    """One forward under the counter; keeps the error if it raised."""

    def __init__(self, model: nn.Module, entry: Entry, device: str) -> None:
        self.error: Exception | None = None
        example = entry.example()
        counter, seen = FlopCounterMode(display=False, custom_mapping=FORMULAS), _Seen()
        torch.manual_seed(0)
        try:
            args, kwargs = _moved(example, device)
            with torch.no_grad(), _plain_kernels(), seen, counter:
                result = model(*args, **kwargs)
        except Exception as error:
            self.error = error
            return
        self.outputs = leaves(result)
        self.flops = counter.get_total_flops()
        self.unknown = sorted(seen.unknown)


def _moved(example: Example, device: str) -> Any:
    """The inputs on a device."""
    return pytree.tree_map_only(torch.Tensor, lambda x: x.to(device), (example.args, dict(example.kwargs)))


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Without the fused attention of nn.MultiheadAttention, which hides its matrix products."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Seen(TorchDispatchMode):
    """Notes which operators of the matrix family are called for which there is no formula."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = getattr(func, "_overloadpacket", func)
        if packet not in flop_registry and packet not in FORMULAS and _is_matrix_family(func):
            self.unknown.add(str(packet))
        return func(*args, **kwargs or {})


_MATRIX_FAMILY = (
    "linalg_", "_linalg_", "cholesky", "triangular_solve", "lu_", "inverse", "qr", "svd", "_trilinear", "_cdist",
    "_euclidean", "_native_multi_head", "_transformer_encoder", "mkldnn_", "_mkldnn", "miopen_", "_int_mm",
    "_weight_int", "_sparse", "sspaddmm", "_scaled", "quantized_", "_cudnn", "_thnn_fused", "_wrapped_", "_dyn_quant",
    "_grouped", "_efficient", "_flash", "conv", "matmul", "linear", "mm", "bmm", "mv", "addmv", "dot", "vdot", "inner",
    "tensordot", "addbmm", "addr", "lstm", "gru", "rnn", "_lstm", "_addmm",
)  # fmt: skip
_NOT_MATRIX_FAMILY = frozenset({"linalg_vector_norm", "linalg_cross", "linalg_diagonal", "_linalg_check_errors"})
_FREE_NAMESPACES = frozenset({"prim", "prims", "profiler", "inductor", "debugprims", "higher_order"})


def _is_matrix_family(func: Any) -> bool:
    """Whether an operator does, or may do, matrix products: by its name in ATen, always outside of it."""
    if not isinstance(func, torch._ops.OpOverload) or func.is_view:
        return False
    name = func._schema.name.partition("::")[2]
    if func.namespace != "aten":
        return func.namespace not in _FREE_NAMESPACES
    return name.startswith(_MATRIX_FAMILY) and name not in _NOT_MATRIX_FAMILY


def _matrix_vector(matrix: Shape, vector: Shape, **_: Any) -> int:
    """(m, k) @ (k): m·k multiply-accumulates, one for each element of the matrix."""
    return 2 * matrix[0] * matrix[1]


def _add_matrix_vector(bias: Shape, matrix: Shape, vector: Shape, **_: Any) -> int:
    """bias + (m, k) @ (k): the sum is elementwise work, so as without it."""
    return 2 * matrix[0] * matrix[1]


def _triangular_system(a: Shape, b: Shape, *, out_shape: Any = None, left: bool = True, **_: Any) -> int:
    """(…, n, n) with k right sides: row i has i products with what is known already, n²/2 in all for each side."""
    out = out_shape or b
    return math.prod(out) * a[-1]


def _distances(a: Shape, b: Shape, *_: Any, **__: Any) -> int:
    """(…, m, k) and (…, n, k): all pairs of rows meet in a matrix product."""
    return 2 * math.prod(a) * b[-2]


def _dot(a: Shape, b: Shape, **_: Any) -> int:
    """(k)·(k): k multiply-accumulates."""
    return 2 * a[0]


def _add_batch_of_products(bias: Shape, a: Shape, b: Shape, **_: Any) -> int:
    """bias + Σ over b of (b, m, k) @ (b, k, n): b matrix products of m·k·n multiply-accumulates."""
    return 2 * a[0] * a[1] * a[2] * b[2]


def _add_product_activation(bias: Shape, a: Shape, b: Shape, **_: Any) -> int:
    """act(bias + (m, k) @ (k, n)): one matrix product."""
    return 2 * a[0] * a[1] * b[1]


def _product(a: Shape, b: Shape, **_: Any) -> int:
    """(m, k) @ (k, n): m·n results, each of k multiply-accumulates."""
    return 2 * a[0] * a[1] * b[1]


def _grouped_product(a: Shape, b: Shape, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Groups of matrix products.

    Each of the results (all of the output) takes k multiply-accumulates, k the last dimension of a; if both
    are 2-D the groups divide k, so the k's of all groups together make one product (m, k) @ (k, n).
    """
    if len(a) == 2 and len(b) == 2:
        return 2 * a[0] * a[1] * b[1]
    rows = a[0] if len(a) == 2 else a[0] * a[1] if len(b) == 3 else a[1]
    return 2 * rows * a[-1] * b[-1]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """softmax(q kᵀ) v per batch and query head: L·S·E multiply-accumulates for q kᵀ, L·S·F for the product with v.

    q is (B, H, L, E), k (B, H or fewer, S, E), v (B, H or fewer, S, F). A mask saves nothing.
    """
    batch, heads, length, depth = query
    return batch * heads * (2 * length * key[2] * depth + 2 * length * key[2] * value[3])


def _recurrent_layer(input: Shape, from_input: Shape, from_hidden: Shape, *_: Any, **__: Any) -> int:
    """One direction of an LSTM or GRU layer over (T, B, I): at each step, for each of B rows, both matrices once."""
    steps = input[0] * input[1]
    return 2 * steps * (math.prod(from_input) + math.prod(from_hidden))


def _convolution_tbc(input: Shape, weight: Shape, bias: Shape, pad: int = 0, **_: Any) -> int:
    """(T, B, C) with (K, C, D): each of (T + 2 pad - K + 1)·B·D results sums over K·C."""
    time, batch, channels = input
    width, _channels, results = weight
    return 2 * (time + 2 * pad - width + 1) * batch * results * width * channels


_BY_NAME: dict[str, Callable[..., int]] = {
    "mv": _matrix_vector,
    "addmv": _add_matrix_vector,
    "dot": _dot,
    "vdot": _dot,
    "addbmm": _add_batch_of_products,
    "_addmm_activation": _add_product_activation,
    "_int_mm": _product,
    "_grouped_mm": _grouped_product,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
    "mkldnn_rnn_layer": _recurrent_layer,
    "conv_tbc": _convolution_tbc,
    "linalg_solve_triangular": _triangular_system,
    "_euclidean_dist": _distances,
}
FORMULAS: dict[Any, Callable[..., int]] = {
    getattr(aten, name): formula
    for name, formula in _BY_NAME.items()
    if hasattr(aten, name) and getattr(aten, name) not in flop_registry
}
"""Formulas that torch's counter lacks, by operator; they see shapes."""
