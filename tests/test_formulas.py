"""FLOPs and parameters against numbers derived by hand: 2 per multiply-accumulate, batch included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from graphs import graph_of
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import flop_registry, shape_wrapper

import fxsummary
from fxsummary.capture.operations import flops
from fxsummary.errors import OperatorError
from zoo.own import CNN


def test_small_cnn() -> None:
    """By hand, at 1×3×28×28."""
    conv1 = 16 * (28 * 28) * (3 * 3 * 3)  # output elements, each over 3×3×3 inputs
    conv2 = 32 * (14 * 14) * (16 * 3 * 3)  # after 2×2 pooling
    linear = (32 * 7 * 7) * 10
    assert conv1 + conv2 + linear == 1_257_536
    parameters = (16 * 3 * 3 * 3 + 16) + (32 * 16 * 3 * 3 + 32) + (1568 * 10 + 10)
    assert parameters == 20_778
    totals = fxsummary.graph(CNN(), torch.empty(1, 3, 28, 28)).totals
    assert totals.parameters == totals.trainable_parameters == parameters
    assert totals.parameter_bytes == 4 * parameters
    assert totals.macs == 1_257_536
    assert totals.flops == 2_515_072 == 2 * 1_257_536


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [
        ("torchvision.resnet50", 25_557_032, 8_178_368_512),
        ("torchvision.vit_b_16", 86_567_656, 35_127_656_448),
    ],
)
def test_published_models(name: str, parameters: int, flops: int) -> None:
    totals = graph_of(name).totals
    assert (totals.parameters, totals.flops) == (parameters, flops)


def vit_b_16_flops() -> int:
    """ViT-B/16 at 224: 197 tokens of width 768, 12 layers, 12 heads."""
    tokens, width = 14 * 14 + 1, 768
    patches = 14 * 14 * width * (3 * 16 * 16)
    projections = tokens * width * (3 * width + width)  # q, k, v and the output
    scores = 2 * tokens * tokens * width  # q·kᵀ, then scores·v
    mlp = 2 * tokens * width * (4 * width)
    return 2 * (patches + 12 * (projections + scores + mlp) + width * 1000)


def test_vit_b_16_by_hand() -> None:
    assert vit_b_16_flops() == 35_127_656_448


class Calls(nn.Module):
    """A model of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def flops_of(function: Callable[..., Any] | nn.Module, *shapes: tuple[int, ...]) -> int | None:
    model = function if isinstance(function, nn.Module) else Calls(function)
    totals = fxsummary.graph(model.eval(), *[torch.empty(shape) for shape in shapes]).totals
    assert totals.unknown_flops == ()
    return totals.flops


MATRIX_PRODUCTS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], int]] = {
    # (m, k) @ (k, n): m·n results of k products
    "matmul": (lambda a, b: a @ b, [(3, 4), (4, 5)], 2 * 3 * 4 * 5),
    "matmul batched": (torch.matmul, [(2, 7, 3, 4), (4, 5)], 2 * 14 * 3 * 4 * 5),
    "matmul broadcast": (torch.matmul, [(2, 1, 3, 4), (7, 4, 5)], 2 * 14 * 3 * 4 * 5),
    "matmul vector": (torch.matmul, [(3, 4), (4,)], 2 * 3 * 4),
    "matmul dot": (torch.matmul, [(4,), (4,)], 2 * 4),
    "rmatmul": (lambda a, b: a.__matmul__(b), [(3, 4), (4, 5)], 2 * 3 * 4 * 5),
    "mm": (torch.mm, [(3, 4), (4, 5)], 2 * 3 * 4 * 5),
    "bmm": (torch.bmm, [(2, 3, 4), (2, 4, 5)], 2 * 2 * 3 * 4 * 5),
    "mv": (torch.mv, [(3, 4), (4,)], 2 * 3 * 4),
    "dot": (torch.dot, [(4,), (4,)], 2 * 4),
    "vdot": (torch.vdot, [(4,), (4,)], 2 * 4),
    "addmm": (torch.addmm, [(5,), (3, 4), (4, 5)], 2 * 3 * 4 * 5),
    "addmv": (torch.addmv, [(3,), (3, 4), (4,)], 2 * 3 * 4),
    "baddbmm": (torch.baddbmm, [(2, 3, 5), (2, 3, 4), (2, 4, 5)], 2 * 2 * 3 * 4 * 5),
    "addbmm": (torch.addbmm, [(3, 5), (2, 3, 4), (2, 4, 5)], 2 * 2 * 3 * 4 * 5),
    "linear": (F.linear, [(2, 7, 4), (5, 4), (5,)], 2 * 14 * 4 * 5),
    "einsum matmul": (lambda a, b: torch.einsum("ij,jk->ik", a, b), [(3, 4), (4, 5)], 2 * 3 * 4 * 5),
    "einsum batched": (
        lambda a, b: torch.einsum("bhid,bhjd->bhij", a, b),
        [(2, 3, 5, 8), (2, 3, 6, 8)],
        2 * 6 * 5 * 6 * 8,
    ),
    "tensordot": (lambda a, b: torch.tensordot(a, b, dims=2), [(2, 3, 4), (3, 4, 5)], 2 * 2 * 12 * 5),
    # query 2×4×5×8 against 7 keys of 8 and values of 6: L·S·E and L·S·Ev for each of the 8 heads
    "attention": (F.scaled_dot_product_attention, [(2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 6)], 2 * 8 * 5 * 7 * (8 + 6)),
    "attention with mask": (
        F.scaled_dot_product_attention,
        [(2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), (5, 7)],
        2 * 8 * 5 * 7 * (8 + 8),
    ),
    "attention causal": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [(2, 4, 5, 8), (2, 4, 5, 8), (2, 4, 5, 8)],
        2 * 8 * 5 * 5 * (8 + 8),
    ),
    # keys and values of 2 heads serve 6 query heads
    "attention grouped": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        [(2, 6, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8)],
        2 * 12 * 5 * 7 * (8 + 8),
    ),
    "attention without heads": (F.scaled_dot_product_attention, [(2, 5, 8), (2, 7, 8), (2, 7, 8)], 2 * 2 * 5 * 7 * 16),
    # each of 6·8·8 results over 4·3·3 inputs
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), [(2, 4, 8, 8), (6, 4, 3, 3)], 2 * 2 * 6 * 64 * 4 * 9),
    "torch.conv2d": (lambda x, w: torch.conv2d(x, w, padding=1), [(2, 4, 8, 8), (6, 4, 3, 3)], 2 * 2 * 6 * 64 * 4 * 9),
    # grouped: each result sees only the channels of its group
    "conv2d grouped": (lambda x, w: F.conv2d(x, w, groups=2), [(1, 4, 8, 8), (6, 2, 3, 3)], 2 * 6 * 36 * 2 * 9),
    "conv1d": (F.conv1d, [(2, 3, 10), (4, 3, 3)], 2 * 2 * 4 * 8 * 3 * 3),
    "conv3d": (F.conv3d, [(1, 2, 4, 4, 4), (3, 2, 2, 2, 2)], 2 * 3 * 27 * 2 * 8),
    # transposed: each of the 4·5·5 inputs goes to 3·3·3 results
    "conv_transpose2d": (
        lambda x, w: F.conv_transpose2d(x, w, stride=2),
        [(1, 4, 5, 5), (4, 3, 3, 3)],
        2 * 4 * 25 * 3 * 9,
    ),
    # the product with the weight, (B, I) by (O, I, J), and that of the result with the second input
    "bilinear": (F.bilinear, [(2, 7, 3), (2, 7, 5), (4, 3, 5)], 2 * 14 * 4 * (3 * 5 + 5)),
    "bilinear module": (nn.Bilinear(3, 5, 4), [(2, 3), (2, 5)], 2 * 2 * 4 * (3 * 5 + 5)),
    # each pair meets each feature
    "cdist": (torch.cdist, [(100, 64), (50, 64)], 2 * 100 * 50 * 64),
    "cdist of few": (torch.cdist, [(2, 1, 3, 8), (5, 4, 8)], 2 * 10 * 3 * 4 * 8),
    "cdist of absolute differences": (lambda a, b: torch.cdist(a, b, p=1), [(3, 8), (4, 8)], 0),
    "pdist": (F.pdist, [(6, 5)], 2 * 15 * 5),
    # row i takes i multiply-accumulates for each right side, n / 2 on average
    "solve_triangular": (
        lambda a, b: torch.linalg.solve_triangular(a, b, upper=True),
        [(2, 4, 4), (2, 4, 3)],
        2 * 4 * 4 * 3,
    ),
    # nothing is summed
    "outer": (torch.outer, [(4,), (5,)], 0),
    "ger": (torch.ger, [(4,), (5,)], 0),
    "einsum outer": (lambda a, b: torch.einsum("i,j->ij", a, b), [(4,), (5,)], 0),
    "elementwise": (lambda a, b: (a * b + a).softmax(-1).relu().sum(), [(3, 4), (3, 4)], 0),
}


@pytest.mark.parametrize("name", MATRIX_PRODUCTS)
def test_matrix_products(name: str) -> None:
    function, shapes, flops = MATRIX_PRODUCTS[name]
    assert flops_of(function, *shapes) == flops


T, B, N, H = 5, 2, 6, 4  # steps, batch, inputs, hidden

RECURRENT: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    # one step of one gate: W_ih (H×N) and W_hh (H×H)
    "RNN": (lambda: nn.RNN(N, H), (T, B, N), 2 * T * B * 1 * H * (N + H)),
    "RNN relu": (lambda: nn.RNN(N, H, nonlinearity="relu"), (T, B, N), 2 * T * B * 1 * H * (N + H)),
    "GRU": (lambda: nn.GRU(N, H), (T, B, N), 2 * T * B * 3 * H * (N + H)),
    "LSTM": (lambda: nn.LSTM(N, H), (T, B, N), 2 * T * B * 4 * H * (N + H)),
    "batch first": (lambda: nn.LSTM(N, H, batch_first=True), (B, T, N), 2 * T * B * 4 * H * (N + H)),
    "unbatched": (lambda: nn.LSTM(N, H), (T, N), 2 * T * 4 * H * (N + H)),
    "two layers": (lambda: nn.LSTM(N, H, 2), (T, B, N), 2 * T * B * 4 * H * ((N + H) + (H + H))),
    "bidirectional": (lambda: nn.LSTM(N, H, bidirectional=True), (T, B, N), 2 * 2 * T * B * 4 * H * (N + H)),
    # the second layer reads both directions of the first
    "bidirectional GRU, two layers": (
        lambda: nn.GRU(N, H, 2, bidirectional=True),
        (T, B, N),
        2 * 2 * T * B * 3 * H * ((N + H) + (2 * H + H)),
    ),
    # with a projection to P = 3, W_hh is 4H×P, and W_hr (P×H) is added
    "projection": (lambda: nn.LSTM(N, H, proj_size=3), (T, B, N), 2 * T * B * (4 * H * (N + 3) + 3 * H)),
    "bidirectional projection, two layers": (
        lambda: nn.LSTM(N, H, 2, bidirectional=True, proj_size=3),
        (T, B, N),
        2 * 2 * T * B * ((4 * H * (N + 3) + 3 * H) + (4 * H * (2 * 3 + 3) + 3 * H)),
    ),
    "LSTMCell": (lambda: nn.LSTMCell(N, H), (B, N), 2 * B * 4 * H * (N + H)),
    "GRUCell": (lambda: nn.GRUCell(N, H), (B, N), 2 * B * 3 * H * (N + H)),
    "RNNCell": (lambda: nn.RNNCell(N, H), (B, N), 2 * B * 1 * H * (N + H)),
}


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent(name: str, training: bool) -> None:
    factory, shape, flops = RECURRENT[name]
    assert fxsummary.graph(factory().train(training), torch.empty(shape)).totals.flops == flops


def test_multihead_attention() -> None:
    """In-projection of q, k and v, scores, values, out-projection; the fused path is no way around it."""
    length, width = 5, 8
    flops = 2 * B * length * (3 * width * width + 2 * length * width + width * width)
    attention = nn.Sequential(nn.TransformerEncoderLayer(width, 2, 16, batch_first=True)).eval()
    mlp = 2 * B * length * 2 * (width * 16)
    assert flops_of(attention, (B, length, width)) == flops + mlp
    assert flops_of(Calls(lambda x: x), (B, length, width)) == 0


def test_weight_norm_costs_nothing_of_the_family() -> None:
    model = parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    assert flops_of(model, (1, 3, 8, 8)) == 2 * 4 * 36 * 27
    assert fxsummary.graph(model).totals.parameters == 4 * 27 + 4 + 4  # direction, magnitude, bias


@pytest.mark.skipif(not hasattr(F, "linear_cross_entropy"), reason="this torch has none")
def test_linear_cross_entropy_is_a_linear_layer() -> None:
    target = torch.zeros(6, dtype=torch.int64)
    calls = Calls(lambda x, weight: F.linear_cross_entropy(x, weight, target))
    assert flops_of(calls, (6, 5), (7, 5)) == 2 * 6 * 5 * 7


@pytest.mark.parametrize("trace", ["auto", "record"])
def test_the_products_inside_of_an_unknown_operation_are_a_lower_bound(trace: str, tmp_path: Path) -> None:
    graph = fxsummary.graph(Calls(lambda a: torch.svd_lowrank(a, q=2)), torch.randn(6, 5), trace=trace)
    assert graph.totals.flops == 768 and graph.totals.unknown_flops
    assert "≥ 768" in str(graph)
    graph.render(tmp_path / "svd.json")
    assert fxsummary.load(tmp_path / "svd.json").totals == graph.totals


def test_a_note_says_which_formula_is_missing() -> None:
    graph = fxsummary.graph(Calls(torch.linalg.inv), torch.randn(3, 3))
    assert any("no formula for aten.linalg_inv_ex" in note and "register_flop_formula" in note for note in graph.notes)


def test_an_operator_of_the_family_without_a_formula_is_unknown() -> None:
    totals = fxsummary.graph(Calls(lambda a: torch.linalg.solve(a, a) @ a), torch.empty(3, 3)).totals
    assert len(totals.unknown_flops) == 1
    assert totals.flops == 2 * 27


def test_a_sparse_product_is_unknown() -> None:
    """It costs something, and without its values nobody knows how much: never 0."""
    totals = fxsummary.graph(Calls(torch.sparse.mm), torch.empty(2, 4).to_sparse(), torch.empty(4, 3)).totals
    assert len(totals.unknown_flops) == 1


def test_what_is_outside_the_family_costs_nothing_even_without_a_shape() -> None:
    """Reading a value ends what is known of shapes, but leaves out no product."""
    totals = fxsummary.graph(Calls(lambda a, b: (a @ b).mean().item()), torch.empty(3, 4), torch.empty(4, 5)).totals
    assert (totals.flops, totals.unknown_flops) == (2 * 3 * 4 * 5, ())


def test_grouped_matmul_formula() -> None:
    """10 rows of 4, each against the one 4×5 matrix of its group."""
    assert flops.grouped_mm_flops((10, 4), (3, 4, 5)) == 2 * 10 * 4 * 5


def test_packed_sequence_formula() -> None:
    """8 steps exist of 10 in the padded batch: only those are computed."""
    assert flops.recurrent_flops((8, 6), (2, 2, 2, 1, 1), None, [(16, 6), (16, 4), (16,), (16,)]) == 2 * 8 * 16 * 10


def test_batch_multiplies_flops_and_not_parameters() -> None:
    one, eight = (fxsummary.graph(CNN(), input_shape=(n, 3, 28, 28)).totals for n in (1, 8))
    assert eight.flops == 8 * (one.flops or 0)
    assert eight.parameters == one.parameters


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.complex64])
def test_dtype_does_not_change_flops(dtype: torch.dtype) -> None:
    model = nn.Linear(4, 5, dtype=dtype)
    totals = fxsummary.graph(model, torch.empty(3, 4, dtype=dtype)).totals
    assert totals.flops == 2 * 3 * 4 * 5
    assert totals.parameter_bytes == 25 * dtype.itemsize


def test_every_row_is_an_operator_of_torch() -> None:
    """A misspelt name would leave the operator without a formula."""
    assert [name for name in flops._EXTRA if not hasattr(torch.ops.aten, name)] == []


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_a_formula_that_raises_is_not_blamed_on_the_inputs(trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(flop_registry, torch.ops.aten.mm, shape_wrapper(lambda a, b: 2))
    with pytest.raises(OperatorError, match=r"the FLOP formula of aten\.mm raised TypeError.*accept \*\*kwargs"):
        fxsummary.graph(Calls(lambda a: a @ a), torch.empty(3, 3), trace=trace)


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_a_linear_layer_with_a_vector_as_its_weight(trace: str) -> None:
    graph = fxsummary.graph(Calls(F.linear), torch.empty(6, 5), torch.empty(5), trace=trace)
    assert graph.totals.flops == 2 * 6 * 5
