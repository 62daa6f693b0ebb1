"""Idioms are recognised in the forms in which they are written, and nothing else is given their names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import fxsummary
from fxsummary import ModelGraph
from fxsummary.graph.saved import dumps, loads
from fxsummary.views.shown import shown
from tests.graphs import graph_of
from tests.test_idioms import labels, merged
from zoo import ZOO


def one(view: ModelGraph, label: str) -> Any:
    (data,) = (data for _, data in view.nodes(data=True) if data["label"] == label)
    return data


class Function(nn.Module):
    """A model of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


# rotary embeddings


def tables(x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    angles = torch.arange(x.shape[-2])[:, None].float() * torch.arange(size).float()
    return angles.cos(), angles.sin()


def chunked(x: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def sliced(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    cos, sin = tables(x, half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((cos * a - sin * b, a * sin + b * cos), -1)


def interleaved(x: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def unbound(x: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).reshape(x.shape)


def written(x: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.empty_like(x)
    turned[..., 0::2] = a * cos - b * sin
    turned[..., 1::2] = a * sin + b * cos
    return turned.type_as(x)


def backwards(x: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin), -1)


def complex_numbers(x: Tensor) -> Tensor:
    angles = torch.arange(x.shape[-2])[:, None].float() * torch.arange(x.shape[-1] // 2).float()
    table = torch.polar(torch.ones_like(angles), angles)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * table).flatten(-2).type_as(x)


def half_precision(x: Tensor) -> Tensor:
    return chunked(x.bfloat16().float()).to(torch.bfloat16)


ROTATIONS = [chunked, sliced, interleaved, unbound, written, backwards, complex_numbers, half_precision]


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_rotary_embedding_is_one_row(rotation: Callable[[Tensor], Tensor]) -> None:
    view = merged(Function(lambda x: rotation(x + 1)), torch.empty(2, 6, 8))
    assert sorted(labels(view)) == ["add", "args_0", "output", "rotary", "sin, cos table"]
    row = one(view, "rotary")
    assert row["config"] == f"{len(row['absorbed']) + 1} operations" and row["shape"] == (2, 6, 8)


def test_a_table_may_be_given_or_learned() -> None:
    def given(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frequencies = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            angles = torch.arange(6)[:, None].float() * self.frequencies
            return given(x, angles.cos(), angles.sin())

    x, table = torch.empty(2, 6, 8), torch.empty(6, 4)
    assert "rotary" in labels(merged(Function(given), x, table, table)) and "rotary" in labels(merged(Learned(), x))


@pytest.mark.parametrize("rotation", [chunked, interleaved, complex_numbers])
@pytest.mark.parametrize("is_split", [True, False])
def test_a_rotation_of_a_part_is_one_row_with_the_rest(rotation: Callable[[Tensor], Tensor], is_split: bool) -> None:
    def partial(x: Tensor) -> Tensor:
        turned, rest = x.split([8, 4], -1) if is_split else (x[..., :8], x[..., 8:])
        return torch.cat((rotation(turned), rest), -1)

    view = merged(Function(partial), torch.empty(2, 6, 12))
    assert one(view, "rotary")["config"].startswith("8 of 12, ") and "cat" not in labels(view)


def other_value(x: Tensor, y: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x[..., :4], y[..., :4]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def same_part_twice(x: Tensor, y: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x[..., :4], x[..., :4]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def overlapping(x: Tensor, y: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] - 1)
    a, b = x[..., 1:], x[..., :-1]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def half_written(x: Tensor, y: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.chunk(2, -1)
    turned = torch.zeros(2, 6, 12)
    turned[..., 0:4] = a * cos - b * sin
    turned[..., 4:8] = a * sin + b * cos
    return turned


def no_crossing(x: Tensor, y: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * cos + b * sin), -1)


def data_as_table(x: Tensor, y: Tensor) -> Tensor:
    c, s = F.linear(y, torch.ones(8, 8)).chunk(2, -1)
    a, b = x.chunk(2, -1)
    return torch.cat((a * c - b * s, b * c + a * s), -1)


def weights_as_table(x: Tensor, y: Tensor) -> Tensor:
    c, s = F.linear(y, torch.ones(8, 8)), F.linear(y, torch.ones(8, 8))
    return x * c + torch.cat((-x[..., 4:], x[..., :4]), -1) * s


def two_differences(x: Tensor, y: Tensor) -> Tensor:
    cos, sin = tables(x, x.shape[-1] // 2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos - a * sin), -1)


def product_of_spectra(x: Tensor, y: Tensor) -> Tensor:
    one, other = (torch.view_as_complex(each.reshape(2, 6, 4, 2)) for each in (x, y @ y.mT @ y))
    return torch.view_as_real(one * other)


@pytest.mark.parametrize(
    "function",
    [
        other_value,
        same_part_twice,
        overlapping,
        half_written,
        no_crossing,
        data_as_table,
        weights_as_table,
        two_differences,
        product_of_spectra,
    ],
)
def test_products_of_something_else_are_no_rotary_embedding(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    view = merged(Function(function), torch.empty(2, 6, 8), torch.empty(2, 6, 8))
    assert "rotary" not in labels(view)


def test_the_rest_of_another_value_stays_apart() -> None:
    x, y = torch.empty(2, 6, 12), torch.empty(2, 6, 12)
    view = merged(Function(lambda x, y: torch.cat((chunked(x[..., :8]), y[..., 8:]), -1)), x, y)
    assert "cat" in labels(view) and one(view, "rotary")["shape"] == (2, 6, 8)


# masks, positions and tables


class Tokens(nn.Module):
    """A model that reads tokens, and something made of the tokens or of a mask by ``function``."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], *, looks_up: bool) -> None:
        super().__init__()
        self.function, self.looks_up = function, looks_up
        self.tokens, self.positions = nn.Embedding(16, 8), nn.Embedding(64, 8)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.tokens(ids)
        made = self.function(ids, mask)
        if self.looks_up:
            return x + self.positions(made)
        return torch.softmax(x @ x.mT + made, -1) @ x


def of_mask(ids: Tensor, mask: Tensor) -> Tensor:
    return ((mask.cumsum(-1) - 1) * mask).clamp(0)


def of_padding(ids: Tensor, mask: Tensor) -> Tensor:
    is_token = ids.ne(1).int()
    return is_token.cumsum(-1).type_as(is_token) * is_token + 1


def of_sizes(ids: Tensor, mask: Tensor) -> Tensor:
    return torch.arange(ids.shape[1])[None] + 2


@pytest.mark.parametrize("function", [of_mask, of_padding, of_sizes])
def test_positions_are_one_row(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    view = merged(Tokens(function, looks_up=True), torch.ones(2, 6).long(), torch.ones(2, 6).long())
    assert one(view, "positions")["config"].endswith(" operations")
    assert len(view) == 7 - ("mask" not in view)


def test_indices_that_are_no_positions_are_not_called_positions() -> None:
    model = Tokens(lambda ids, mask: (ids * 3 + mask).clamp(0, 63) % 64, looks_up=True)
    view = merged(model, torch.ones(2, 6).long(), torch.ones(2, 6).long())
    assert "indices" in labels(view) and "positions" not in labels(view)


def padding(ids: Tensor, mask: Tensor) -> Tensor:
    return (1 - mask[:, None, :].float()) * -1e9


def causal(ids: Tensor, mask: Tensor) -> Tensor:
    place = torch.arange(ids.shape[1])
    return torch.zeros(6, 6).masked_fill(place[None] > place[:, None], -1e9)


def causal_and_padding(ids: Tensor, mask: Tensor) -> Tensor:
    place = torch.arange(ids.shape[1])
    seen = (place[None] <= place[:, None])[None] & mask[:, None, :].bool()
    return torch.where(seen, 0.0, -1e9)


def window(ids: Tensor, mask: Tensor) -> Tensor:
    place = torch.arange(ids.shape[1])
    seen = (place[None] <= place[:, None]) & (place[None] > place[:, None] - 3)
    return torch.where(seen, 0.0, -1e9)


def window_both_ways(ids: Tensor, mask: Tensor) -> Tensor:
    place = torch.arange(ids.shape[1])
    return torch.where((place[None] - place[:, None]).abs() <= 3, 0.0, -1e9)


def lengths(ids: Tensor, mask: Tensor) -> Tensor:
    """Compares positions with lengths; no order of positions."""
    seen = torch.arange(ids.shape[1])[None] < mask.sum(-1, keepdim=True)
    return torch.where(seen, 0.0, -1e9)[:, None].expand(2, 6, 6)


def same_document(ids: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask[:, None] == mask[:, :, None], 0.0, -1e9)


def slopes(ids: Tensor, mask: Tensor) -> Tensor:
    """A bias that falls with the distance."""
    return torch.arange(ids.shape[1])[None, None].float() * -0.5


MASKS = [
    (padding, "attention mask"), (causal, "causal mask"), (causal_and_padding, "causal mask"), (window, "sliding mask"),
    (window_both_ways, "sliding mask"), (lengths, "attention mask"), (same_document, "attention mask"),
    (slopes, "attention bias"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "name"), MASKS)
def test_a_mask_is_one_row_with_its_purpose(function: Callable[[Tensor, Tensor], Tensor], name: str) -> None:
    view = merged(Tokens(function, looks_up=False), torch.ones(2, 6).long(), torch.ones(2, 6).long())
    rest = ["Embedding", "add", "ids", "matmul", "matmul", "output", "softmax", "transpose"]
    assert [label for label in labels(view) if label.endswith((" mask", " bias"))] == [name], labels(view)
    assert len(view) <= len(rest) + 3


def test_a_constant_without_a_known_purpose_is_called_a_constant() -> None:
    view = merged(Function(lambda x: x * (torch.tensor(0.95) * 2 - 1).erfinv().mul(math.sqrt(2))), torch.empty(2, 3))
    assert one(view, "constant")["config"] == "5 operations"


def test_values_of_floats_are_no_bookkeeping() -> None:
    view = merged(Function(lambda x: (x > 0).cumsum(-1).clamp(0, 3).float() * 2), torch.empty(2, 3))
    assert not {"positions", "mask", "constant", "indices"} & set(labels(view))


def test_a_mask_and_a_table_of_the_same_positions_are_two_rows() -> None:
    def both(x: Tensor) -> Tensor:
        place = torch.arange(x.shape[-2])
        angles = place[:, None].float() * torch.arange(4).float()
        angles = torch.cat((angles, angles), -1)
        mask = torch.where(place[None] <= place[:, None], 0.0, -1e9)
        return torch.softmax((x * angles.cos()) @ (x * angles.sin()).mT + mask, -1)

    view = merged(Function(both), torch.empty(2, 6, 8))
    assert {"causal mask", "sin, cos table"} <= set(labels(view))


# mixtures of experts


class Experts(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.router = form, nn.Linear(8, 4, bias=False)
        self.up, self.bias = nn.Parameter(torch.randn(4, 8, 8)), nn.Parameter(torch.zeros(4))
        self.register_buffer("correction", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.form)(x)

    def selected_weights(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        out = torch.einsum("td,tkde->tke", x, self.up[chosen])
        return (out * weights[..., None]).sum(1)

    def corrected(self, x: Tensor) -> Tensor:
        scores = self.router(x).sigmoid()
        chosen = (scores + self.correction).topk(2, -1)[1]
        weights = scores.gather(-1, chosen) * 2.5
        out = torch.einsum("td,tkde->tke", x, self.up[chosen])
        return (out * weights[..., None]).sum(1)

    def sorted(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).topk(2, -1)
        weights = weights.softmax(-1)
        order = chosen.flatten().argsort()
        ends = chosen.flatten().bincount(minlength=4).cumsum(0).to(torch.int32)
        tokens = x[order // 2]
        out = torch._grouped_mm(tokens.bfloat16(), self.up.bfloat16(), offs=ends).float()
        out = out * weights.flatten()[order][:, None]
        return torch.zeros_like(x).index_add(0, order // 2, out)

    def first_only(self, x: Tensor) -> Tensor:
        weight, chosen = self.router(x).softmax(-1).max(-1)
        return torch.einsum("td,tde->te", x, self.up[chosen]) * weight[:, None]


@pytest.mark.parametrize(("form", "number"), [("selected_weights", 2), ("corrected", 2), ("first_only", 1)])
def test_the_choice_of_experts_is_one_row(form: str, number: int) -> None:
    graph = fxsummary.graph(Experts(form).eval(), torch.empty(6, 8), trace="record")
    view = shown(graph)
    assert one(view, "expert routing")["config"].startswith(f"top {number} of 4, ")
    assert not {"topk", "softmax", "sigmoid", "max", "gather"} & set(labels(view))
    assert ("combine experts" in labels(view)) == (number > 1)
    assert view.totals.flops == graph.totals.flops and view.totals.parameters == graph.totals.parameters


def test_what_the_choice_does_not_lead_to_is_not_in_its_row() -> None:
    class More(Experts):
        def forward(self, x: Tensor) -> Any:
            scores = self.router(x)
            weights, chosen = scores.softmax(-1).topk(2, -1)
            out = torch.einsum("td,tkde->tke", x, self.up[chosen]) * weights[..., None]
            return out.sum(1), out.sum(-1).mean(), scores.square().mean()

    seen = labels(shown(fxsummary.graph(More("").eval(), torch.empty(6, 8), trace="record")))
    assert seen.count("square") == 1 and seen.count("mean") == 2 and "expert routing" in seen
    assert "combine experts" not in seen  # the weighted results are read twice


def test_experts_in_a_loop_have_their_routing_in_one_row() -> None:
    class Looped(Experts):
        def forward(self, x: Tensor) -> Tensor:
            weights, chosen = self.router(x).softmax(-1).topk(2, -1)
            out = torch.zeros_like(x)
            for number in range(4):
                token, place = torch.where(chosen == number)
                out.index_add_(0, token, F.linear(x[token], self.up[number]) * weights[token, place, None])
            return out

    torch.manual_seed(0)
    graph = fxsummary.graph(Looped("").eval(), torch.randn(12, 8))
    view = shown(graph, fold="exact")
    assert one(view, "expert routing")["config"] == "top 2 of 4, 14 operations"
    assert "where" not in labels(view) and "combine experts" in labels(view)
    assert [run.count for run in shown(graph).graph["repeats"].values()] == [4]


class Routed(nn.Module):
    """Experts that are called with the tokens routed to them, and add to the sum so far."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.gate = form, nn.Linear(8, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2)
        result = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            token, rank = (chosen == number).nonzero(as_tuple=True)
            tokens = x[None, token].reshape(-1, 8) if self.form == "view" else x[token]
            part = expert(tokens) * weights[token, rank, None]
            if self.form == "index_add":
                result.index_add_(0, token, part)
            elif self.form == "other":
                result[token] = x[token] + part
            else:
                result[token] += part
        return result


@pytest.mark.parametrize("form", ["setitem", "view", "index_add", "other"])
def test_experts_get_their_tokens_by_dispatch_and_are_combined(form: str) -> None:
    torch.manual_seed(0)
    graph = fxsummary.graph(Routed(form), torch.randn(64, 8))
    view = shown(graph)
    assert [run.copied for run in view.graph["repeats"].values()] == ["×4 experts"]
    seen = labels(view)
    assert seen.count("dispatch") == 1 and not {"eq", "nonzero", "topk"} & set(seen)
    is_sum = form != "other"  # which adds to the tokens, not to the sum so far
    assert ("combine experts" in seen, "zeros_like" in seen) == (is_sum, not is_sum)
    assert view.totals.flops == graph.totals.flops and view.totals.parameters == graph.totals.parameters
    assert next(iter(loads(dumps(view)).graph["repeats"].values())).unit == "experts"
    assert "×4 experts" in graph.to_text() and "×4 experts" in graph.to_svg()
    unfolded = shown(graph, fold=False)
    assert "repeats" not in unfolded.graph  # which says that a graph is folded
    assert labels(unfolded).count("dispatch") == 4 and labels(unfolded).count("combine experts") == 4 * is_sum
    assert unfolded.totals.flops == graph.totals.flops


def test_layers_around_experts_are_no_experts() -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Routed("setitem") for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = x + layer(x)
            return x

    torch.manual_seed(0)
    found = shown(fxsummary.graph(Layers(), torch.randn(64, 8))).graph["repeats"].values()
    assert {run.unit for run in found if run.count == 3} <= {""} and "experts" in {run.unit for run in found}


def test_a_view_of_a_parameter_is_a_part_of_what_reads_it() -> None:
    class Transposed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(16, 8))

        def forward(self, x: Tensor) -> Tensor:
            return (x @ self.weight.transpose(0, 1)).relu()

    view = shown(fxsummary.graph(Transposed(), torch.empty(4, 8)))
    assert labels(view) == ["x", "matmul", "relu", "output"] and one(view, "matmul")["parameters"] == 128


def nearest(x: Tensor, w: Tensor) -> Tensor:
    """Chooses tokens by scores; nothing is multiplied by them."""
    chosen = F.linear(x, w).softmax(-1).topk(2, -1)[1]
    return F.linear(x[chosen[:, 0]], w)


def sparse_attention(x: Tensor, w: Tensor) -> Tensor:
    scores = F.linear(x, w) @ x.mT
    kept = torch.zeros_like(scores).scatter(-1, scores.topk(2, -1)[1], 1.0)
    return torch.softmax(scores.masked_fill(kept == 0, -1e9), -1) @ x


def gated_pool(x: Tensor, w: Tensor) -> Tensor:
    """Keeps the largest values of a vector: no weights are selected."""
    scores, chosen = F.linear(x, w).topk(2, -1)
    return x[chosen[:, 0]] * scores[:, :1]


def best_tokens(x: Tensor, w: Tensor) -> Tensor:
    """Chooses tokens, not experts."""
    scores, chosen = F.linear(x, w)[:, :1].topk(2, 0)
    return F.linear(x[chosen[:, 0]], w) * scores


@pytest.mark.parametrize("function", [nearest, sparse_attention, gated_pool, best_tokens])
def test_other_choices_are_no_expert_routing(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 8))

        def forward(self, x: Tensor) -> Tensor:
            return function(x, self.weight)

    view = merged(Model(), torch.empty(8, 8))
    assert not {"expert routing", "combine experts"} & set(labels(view))


# activations and norms written out


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def gelu_tanh(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


def gelu_tanh_factored(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * x * (1 + 0.044715 * x * x)))


ACTIVATIONS = [
    (gelu, "gelu", ""), (gelu_tanh, "gelu", "approximate=tanh"), (gelu_tanh_factored, "gelu", "approximate=tanh"),
    (lambda x: x * torch.sigmoid(x), "silu", ""), (lambda x: torch.sigmoid(x) * x, "silu", ""),
    (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu", ""),
    (lambda x: x / 1 * torch.tanh(F.softplus(x)), "mish", ""),
]  # fmt: skip


class Between(nn.Module):
    """A function between two layers; ``other`` reads the result of the first layer too."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.up, self.down = function, nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x)
        return self.down(self.function(x) * (x + 1))


@pytest.mark.parametrize(("function", "label", "config"), ACTIVATIONS)
def test_an_activation_written_out_is_one_row(function: Callable[[Tensor], Tensor], label: str, config: str) -> None:
    view = merged(Between(function), torch.empty(2, 4))
    row = one(view, label)
    assert row["kind"] == "activation"
    assert row["config"] == ", ".join(filter(None, (config, f"{len(row['absorbed']) + 1} operations")))
    assert labels(view) == ["x", "Linear", label, "add", "mul", "Linear", "output"]


NO_ACTIVATIONS = [
    lambda x: x * torch.sigmoid(x + 1),
    lambda x: x * torch.sigmoid(x * 1.6),
    lambda x: x.flip(-1) * torch.sigmoid(x),
    lambda x: 0.5 * x * (1 + torch.tanh(x)),
    lambda x: x * 0.5 * (1 + torch.erf(x)),
]


@pytest.mark.parametrize("function", NO_ACTIVATIONS)
def test_similar_functions_keep_their_operations(function: Callable[[Tensor], Tensor]) -> None:
    assert not {"silu", "gelu", "quick_gelu", "mish"} & set(labels(merged(Between(function), torch.empty(2, 4))))


def test_an_activation_whose_gate_is_read_elsewhere_stays_open() -> None:
    def both(x: Tensor) -> Tensor:
        gate = torch.sigmoid(x)
        return x * gate + gate.flip(-1)

    assert "silu" not in labels(merged(Between(both), torch.empty(2, 4)))


class Normed(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.up, self.scale = function, nn.Linear(4, 8), nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x)
        return self.function(x) * self.scale + x


NORMS = [
    (lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6), "rms_norm", 6),
    (lambda x: x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6), "rms_norm", 6),
    (lambda x: torch.rsqrt(x.square().mean(-1, keepdim=True)) * x, "rms_norm", 5),
    (lambda x: x * (x.pow(2).sum(-1, keepdim=True) + 1e-6).rsqrt(), "l2_norm", 6),
    (lambda x: x * (x.pow(2).mean(-1, keepdim=True) + 1e-6) ** -0.5, "rms_norm", 6),
]


@pytest.mark.parametrize(("function", "label", "number"), NORMS)
def test_a_norm_written_out_is_one_row_with_its_weight(
    function: Callable[[Tensor], Tensor], label: str, number: int
) -> None:
    view = merged(Normed(function), torch.empty(2, 4))
    row = one(view, label)
    assert (row["kind"], row["parameters"], row["parameter_names"]) == ("norm", 8, ("scale",))
    assert row["config"] == f"{number + 1} operations" == f"{len(row['absorbed']) + 1} operations"
    assert labels(view) == ["x", "Linear", label, "add", "output"]
    assert f"scale {label}" in fxsummary.graph(Normed(function), torch.empty(2, 4)).to_text()


NO_NORMS = [
    lambda x: x * torch.rsqrt(x.pow(2).mean(0, keepdim=True) + 1e-6),
    lambda x: x * torch.rsqrt(x.pow(3).mean(-1, keepdim=True) + 1e-6),
    lambda x: x.flip(-1) * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
    lambda x: x * torch.rsqrt(x.mean(-1, keepdim=True) + 1e-6),
    lambda x: x * torch.sqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6),
]


@pytest.mark.parametrize("function", NO_NORMS)
def test_other_scalings_are_no_norm(function: Callable[[Tensor], Tensor]) -> None:
    assert not {"rms_norm", "l2_norm"} & set(labels(merged(Normed(function), torch.empty(2, 4))))


def centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


LAYER_NORMS = [
    lambda x: (y := centred(x)) / (y.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt(),
    lambda x: centred(x) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-6),
    lambda x: centred(x) * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + 1e-6),
    lambda x: (y := centred(x)) * torch.rsqrt((y * y).mean(-1, keepdim=True) + 1e-6),
    lambda x: (x - (m := x.mean(-1, keepdim=True))) * ((x - m).square().mean(-1, keepdim=True) + 1e-6) ** -0.5,
]


class LayerNormed(nn.Module):
    """A norm of one dimension, with a weight and a bias."""

    def __init__(self, function: Callable[[Tensor], Tensor], dim: int = -1) -> None:
        super().__init__()
        self.function, self.dim, self.up = function, dim, nn.Linear(4, 8)
        self.scale, self.shift = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x)
        if self.dim == -1:
            return torch.relu(self.function(x) * self.scale + self.shift)
        x = x.movedim(-1, self.dim)
        return torch.relu(self.scale[:, None, None] * self.function(x) + self.shift[:, None, None])


@pytest.mark.parametrize("function", LAYER_NORMS)
def test_a_layer_norm_written_out_is_one_row_with_weight_and_bias(function: Callable[[Tensor], Tensor]) -> None:
    graph = fxsummary.graph(LayerNormed(function), torch.empty(2, 4))
    view = merged(LayerNormed(function), torch.empty(2, 4))
    row = one(view, "layer_norm")
    assert (row["kind"], row["parameters"], row["parameter_names"]) == ("norm", 16, ("scale", "shift"))
    assert labels(view) == ["x", "Linear", "layer_norm", "relu", "output"]
    assert graph.totals.parameters == view.totals.parameters


def test_a_layer_norm_of_channels_is_one_row_too() -> None:
    def normed(x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        return (x - mean) / torch.sqrt((x - mean).pow(2).mean(1, keepdim=True) + 1e-6)

    view = merged(LayerNormed(normed, 1), torch.empty(2, 5, 5, 4))
    assert labels(view) == ["x", "Linear", "movedim", "layer_norm", "relu", "output"]


NO_LAYER_NORMS = [
    lambda x: centred(x) / torch.sqrt(x.var(-1, keepdim=True) + 1e-6),
    lambda x: centred(x) / torch.sqrt(x.flip(-1).var(-1, keepdim=True, unbiased=False) + 1e-6),
    lambda x: (x - x.flip(0).mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-6),
    lambda x: (x - x.mean(0, keepdim=True)) / torch.sqrt(x.var(0, keepdim=True, unbiased=False) + 1e-6),
    lambda x: (y := centred(x)) / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + 1e-6) + y,
]


@pytest.mark.parametrize("function", NO_LAYER_NORMS)
def test_other_differences_from_a_mean_are_no_layer_norm(function: Callable[[Tensor], Tensor]) -> None:
    assert "layer_norm" not in labels(merged(LayerNormed(function), torch.empty(2, 4)))


# caches, copies and constants


class Cached(nn.Module):
    """Attention with a cache of keys and values, which ``update`` extends."""

    def __init__(self, update: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.update, self.k, self.v = update, nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> Any:
        k, all_keys = self.update(keys, self.k(x))
        v, all_values = self.update(values, self.v(x))
        return torch.softmax(x @ k.mT, -1) @ v, {"keys": all_keys, "values": all_values}


def extended(cache: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    whole = torch.cat((cache, new), 1)
    return whole, whole


def copied(cache: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    whole = torch.zeros_like(cache).index_copy_(1, torch.arange(3) + 2, new)
    return whole, whole


def assigned(cache: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    cache[:, 2:5] = new
    return cache, cache


@pytest.mark.parametrize(("update", "number"), [(extended, 2), (copied, 4), (assigned, 2)])
def test_the_updates_of_a_cache_are_one_row(update: Any, number: int) -> None:
    x, cache = torch.empty(2, 3, 8), torch.empty(2, 5, 8)
    view = merged(Cached(update), x, cache, cache.clone())
    row = one(view, "cache update")
    assert row["config"] == f"{number} operations" and len(row["outputs"]) == 2
    assert not {"cat", "index_copy_", "setitem", "zeros_like"} & set(labels(view))


def first_result(x: Tensor, y: Tensor) -> Tensor:
    return torch.zeros(2, 6).index_copy_(1, torch.arange(4), F.linear(x, torch.ones(4, 4)))


def input_again(x: Tensor, y: Tensor) -> Any:
    """An input that something else reads too is no cache."""
    return y * 2, torch.cat((x, F.linear(x, torch.ones(4, 4))), 1).relu_()


def not_used(x: Tensor, y: Tensor) -> Any:
    return y * 2, torch.zeros(2, 6).index_copy_(1, torch.arange(4), F.linear(x, torch.ones(4, 4)))


@pytest.mark.parametrize("function", [first_result, input_again, not_used])
def test_other_writes_are_no_cache_update(function: Callable[[Tensor, Tensor], Any]) -> None:
    assert "cache update" not in labels(merged(Function(function), torch.empty(2, 4), torch.empty(2, 4)))


def test_copies_into_all_parts_of_an_empty_tensor_are_a_concatenation() -> None:
    def by_copies(x: Tensor, y: Tensor) -> Tensor:
        both = x.new_empty(2, 10)
        both[:, :4].copy_(x)
        both[:, 4:].copy_(y)
        return both.relu()

    def with_a_gap(x: Tensor, y: Tensor) -> Tensor:
        both = x.new_zeros(2, 11)
        both[:, :4].copy_(x)
        both[:, 4:10].copy_(y)
        return both.relu()

    x, y = torch.empty(2, 4), torch.empty(2, 6)
    view = merged(Function(by_copies), x, y)
    row = one(view, "cat")
    assert (row["config"], row["shape"], labels(view)[2:]) == (
        "by copies, 5 operations",
        (2, 10),
        ["cat", "relu", "output"],
    )
    assert row["outputs"].shape == (2, 10)
    assert "cat" not in labels(merged(Function(with_a_gap), x, y))


def test_equal_constants_that_are_only_returned_are_one_row() -> None:
    def lengths(x: Tensor) -> Any:
        return x * 2, [torch.tensor(7) for _ in range(5)], torch.tensor(8)

    view = merged(Function(lengths), torch.empty(2, 4))
    configs = [data["config"] for _, data in view.nodes(data=True) if data["label"] == "tensor"]
    assert configs == ["7, 5 alike", "8"]


@pytest.mark.parametrize(
    "activation", [F.silu, lambda x: F.gelu(x, approximate="tanh"), gelu, lambda x: x * x.sigmoid()]
)
def test_a_module_that_is_an_activation_is_one_row(activation: Callable[[Tensor], Tensor]) -> None:
    class Activation(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return activation(x)

    model = nn.Sequential(nn.Linear(4, 4), Activation())
    view = shown(fxsummary.graph(model, torch.empty(2, 4)))
    (row,) = (data for _, data in view.nodes(data=True) if data["target"] == "1")
    assert (row["label"], row["kind"]) == ("Activation", "activation")
    assert len(view) == 4


def test_a_module_with_a_linear_layer_or_two_inputs_stays_open() -> None:
    class Gate(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x.sigmoid() * y

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = Gate()

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.gate(x, y)

    assert {"sigmoid", "mul"} <= set(labels(shown(fxsummary.graph(Net(), torch.empty(2, 4), torch.empty(2, 4)))))


# the law of all of them


@pytest.mark.parametrize("name", ZOO)
def test_every_operation_is_shown_or_absorbed_once(name: str) -> None:
    graph = graph_of(name)
    if graph.captured_by == "modules":
        pytest.skip("a module tree has no operations")
    for fold in (True, False):
        view = shown(graph, fold=fold)
        absorbed = [key for _, data in view.nodes(data=True) for key in data.get("absorbed", ())]
        absorbed = [key for key in absorbed if graph.nodes[key]["op"] != "get_attr"]  # shown at each reader
        assert len(absorbed) == len(set(absorbed)) and not set(absorbed) & set(view)
        for _, data in view.nodes(data=True):
            if data["config"].endswith(" operations") and data["op"] != "call_module":
                assert data["config"].split(", ")[-1] == f"{len(data['absorbed']) + 1} operations"
        if not fold:
            place = {key: number for number, key in enumerate(view)}
            assert all(place[source] < place[target] for source, target in view.edges)
