"""Idioms become one operation each, with their costs and with everything that was merged counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.graph.attributes import NODE, Attribute
from fxsummary.graph.fields import COUNT
from fxsummary.views.depth import close_small
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.simplify import simplify


def merged(model: nn.Module, *args: Any) -> ModelGraph:
    """The view of a recorded model; totals and counts are checked."""
    graph = fxsummary.graph(model.eval(), *args, trace="record")
    before = str(list(graph.nodes(data=True)))
    view = merge_idioms(simplify(graph))
    assert str(list(graph.nodes(data=True))) == before
    assert view.totals.flops == graph.totals.flops
    assert view.totals.parameters == graph.totals.parameters
    assert view.totals.buffers == graph.totals.buffers
    hidden = sum(n for kind, n in view.graph["hidden"].items() if not kind.startswith("edges"))
    assert len(view) + hidden == len(graph)
    place = {key: number for number, key in enumerate(view)}
    assert all(place[source] < place[target] for source, target in view.edges)
    return view


def labels(graph: ModelGraph) -> list[str]:
    return [data["label"] for _, data in graph.nodes(data=True)]


def shape(graph: ModelGraph, label: str) -> Any:
    return next(data["shape"] for _, data in graph.nodes(data=True) if data["label"] == label)


class Rotary(nn.Module):
    def __init__(self, *, interleaved: bool = False) -> None:
        super().__init__()
        self.interleaved = interleaved
        self.register_buffer("frequencies", torch.ones(4))

    def turned(self, x: torch.Tensor) -> torch.Tensor:
        if self.interleaved:
            return torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2)
        half = x.shape[-1] // 2
        return torch.cat((-x[..., half:], x[..., :half]), -1)

    def forward(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        angles = torch.arange(q.shape[-2])[:, None].float() * self.frequencies
        angles = torch.cat((angles, angles), -1)
        cos, sin = angles.cos().unsqueeze(0), angles.sin().unsqueeze(0)
        q, k = q * cos + self.turned(q) * sin, k * cos + self.turned(k) * sin
        return q @ k.transpose(-1, -2)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_embeddings_and_their_table(interleaved: bool) -> None:
    view = merged(Rotary(interleaved=interleaved), torch.empty(2, 6, 8), torch.empty(2, 6, 8))
    assert sorted(labels(view)) == ["k", "matmul", "output", "q", "rotary", "rotary", "sin, cos table", "transpose"]
    table = next(key for key, data in view.nodes(data=True) if data["label"] == "sin, cos table")
    assert len(view.nodes[table]["outputs"]) == 2 and view.nodes[table]["buffers"] == 1
    assert "cos" in " ".join(view.nodes[table]["absorbed"]) + table


def test_a_merged_idiom_keeps_the_costs_that_you_add() -> None:
    NODE.register("hours", Attribute(COUNT, "time that it took", 0, title="Hours", adds="sum"))
    try:
        graph = fxsummary.graph(Rotary(interleaved=False), torch.empty(2, 6, 8), torch.empty(2, 6, 8))
        for _, data in graph.nodes(data=True):
            data["hours"] = int(data["kind"] == "arithmetic" and data["shape"] is not None)
        view = merge_idioms(simplify(graph))
        assert labels(view).count("rotary") == 2
        assert sum(data["hours"] for _, data in view.nodes(data=True)) >= 8
        assert view.graph["hidden"]["operations of rotary embeddings"] > 8
    finally:
        NODE.unregister("hours")


def test_a_sum_of_products_is_no_rotation() -> None:
    class Lerp(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x * y + (-x) * y

    assert "rotary" not in labels(merged(Lerp(), torch.empty(2, 8), torch.empty(2, 8)))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = nn.Linear(32, 32), nn.Linear(32, 16), nn.Linear(32, 16), nn.Linear(32, 32)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        b, n, _ = x.shape
        q = (self.q(x) * 0.25).view(b, n, 4, 8).transpose(1, 2)
        k = torch.cat([torch.tensor([]), self.k(x).view(b, n, 2, 8).transpose(1, 2)], -2)
        v = torch.cat([torch.tensor([]), self.v(x).view(b, n, 2, 8).transpose(1, 2)], -2)
        repeated = [t[:, :, None].expand(b, 2, 2, n, 8).reshape(b, 4, n, 8) for t in (k, v)]
        y = nn.functional.scaled_dot_product_attention(q, *repeated)
        return self.o(y.transpose(1, 2).reshape(b, n, 32)[:, 0:]), k, v


def test_heads_scalings_and_empty_caches() -> None:
    view = merged(Attention(), torch.empty(1, 5, 32))
    seen = labels(view)
    assert seen.count("split heads") == 3 and seen.count("repeat heads") == 2 and seen.count("merge heads") == 1
    assert not {"cat", "tensor", "mul", "index", "view", "expand"} & set(seen)
    configs = {data["label"]: data["config"] for _, data in view.nodes(data=True)}
    assert configs["repeat heads"] == "×2, 3 operations" and configs["merge heads"] == "4 × 8, 2 operations"
    assert any(
        data["config"].endswith("×0.25, 2 operations") for _, data in view.nodes(data=True) if data["label"] == "Linear"
    )
    assert shape(view, "repeat heads") == (1, 4, 5, 8)


def test_constants_are_one_row_but_random_numbers_are_not() -> None:
    class Masked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mask = torch.ones(4, 4).tril().bool()
            return x.masked_fill(mask, 0.0) + torch.rand(4, 4).abs()

    view = merged(Masked(), torch.empty(4, 4))
    assert "triangular mask" in labels(view)
    assert {"rand", "abs"} <= set(labels(view))


def test_sinusoidal_embeddings() -> None:
    class Embedding(nn.Module):
        def forward(self, step: torch.Tensor) -> torch.Tensor:
            angles = step[:, None].float() * torch.exp(torch.arange(8) * -0.5)[None]
            both = torch.cat([torch.sin(angles), torch.cos(angles)], -1)
            return torch.cat([both[:, 8:], both[:, :8]], -1)

    view = merged(Embedding(), torch.empty(2))
    assert labels(view) == ["step", "sinusoidal embedding", "output"]
    assert shape(view, "sinusoidal embedding") == (2, 16)


def test_flattened_products() -> None:
    class Conv1D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.empty(8, 4)), nn.Parameter(torch.empty(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.addmm(self.bias, x.view(-1, 8), self.weight).view(*x.shape[:-1], 4)

    view = merged(Conv1D(), torch.empty(2, 3, 8))
    assert labels(view) == ["x", "addmm", "output"]
    assert shape(view, "addmm") == (2, 3, 4)


def test_neutral_numbers_and_whole_slices() -> None:
    class Nothing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu((x * 1.0 + 0)[:, 0:])

    assert labels(merged(Nothing(), torch.empty(2, 3))) == ["x", "relu", "output"]


def test_activations_written_out_are_closed() -> None:
    class QuickGELU(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.sigmoid(1.702 * x)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = nn.Linear(4, 4), QuickGELU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.fc(x))

    view = close_small(simplify(fxsummary.graph(Net(), torch.empty(1, 4))))
    assert [(data["label"], data["kind"]) for _, data in view.nodes(data=True)][2] == ("QuickGELU", "activation")
