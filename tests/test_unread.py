"""What a module shows is all that it holds: also what is not read, or read elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.views.depth import limit_depth
from fxsummary.views.unread import with_unread
from zoo import ZOO


def rows(graph: ModelGraph) -> dict[str, int]:
    """What the closed modules at the top show, in all calls together."""
    shown: dict[str, int] = {}
    for _, data in limit_depth(with_unread(graph), 1).nodes(data=True):
        if data["op"] == "call_module":
            shown[data["target"]] = shown.get(data["target"], 0) + (data["parameters"] or 0)
    return shown


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(8))
        self.fc = nn.Linear(8, 8)
        self.unused = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


class ReadsInside(nn.Module):
    """Reads a parameter of a module from outside, before it calls the module."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.encoder, self.never = nn.Linear(8, 8), Encoder(), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(self.first(x) + self.encoder.position)


class WeightBeforeCall(nn.Module):
    """Reads the weight of a layer before the layer is called."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 8, bias=False), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x * self.encoder[0].weight.sum())


class HandedOver(nn.Module):
    """A module that the model holds is called by another, which does not."""

    class User(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor, shared: nn.Module) -> torch.Tensor:
            return self.fc(shared(x))

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.user = nn.Linear(8, 8), self.User()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.user(x, self.shared)


@pytest.mark.parametrize("trace", ["symbolic", "record"])
@pytest.mark.parametrize("kind", [ReadsInside, WeightBeforeCall, HandedOver])
def test_a_closed_module_shows_what_it_holds(kind: Any, trace: str) -> None:
    model = kind()
    graph = fxsummary.graph(model, torch.zeros(2, 8), trace=trace)
    assert with_unread(graph).totals == graph.totals
    for path, number in rows(graph).items():
        assert number == sum(p.numel() for p in model.get_submodule(path).parameters()), path


def test_rows_say_what_is_not_read_and_where_a_parameter_counts() -> None:
    graph = fxsummary.graph(ReadsInside(), torch.zeros(2, 8))
    text = graph.to_text()
    assert "not read never" in text and "├ not read unused" in text
    assert "encoder.position Parameter in encoder" in text
    assert "└ not read unused" in graph.to_text() or "not read unused" in text
    assert "read elsewhere position" in text


@pytest.mark.parametrize("name", ZOO)
def test_rows_for_what_is_not_read_keep_the_totals(name: str) -> None:
    graph = graph_of(name)
    assert with_unread(graph).totals == graph.totals
    assert list(with_unread(graph).edges) == list(graph.edges)


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.has_dataflow and not entry.packed])
def test_closed_modules_of_the_zoo_show_what_they_hold(name: str) -> None:
    graph, model = graph_of(name), ZOO[name].model()
    seen: set[int] = set()
    for path, number in rows(graph).items():
        distinct = {id(p): p for p in model.get_submodule(path).parameters()}
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in distinct.values()):
            continue  # it has no size before the first forward
        shown = sum(p.numel() for key, p in distinct.items() if key not in seen)  # what is shared counts once
        assert number == shown, path
        seen |= distinct.keys()


class Tied(nn.Module):
    """Encoder and decoder with one embedding."""

    class Stack(nn.Module):
        def __init__(self, embedding: nn.Embedding) -> None:
            super().__init__()
            self.embedding, self.fc = embedding, nn.Linear(8, 8)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.fc(self.embedding(ids))

    def __init__(self) -> None:
        super().__init__()
        self.encoder = self.Stack(nn.Embedding(100, 8))
        self.decoder = self.Stack(nn.Embedding(100, 8))
        self.decoder.embedding.weight = self.encoder.embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.encoder(ids) + self.decoder(ids)


def test_a_module_says_what_it_shares() -> None:
    graph = fxsummary.graph(Tied(), torch.zeros(1, 4, dtype=torch.int64))
    text = " ".join(graph.to_text(width=120, depth=1).split())
    assert "encoder Stack 1×4×8 872" in text
    assert "decoder Stack shares 800 with encoder.embedding 1×4×8 72" in text
    assert "ops, shares 800 with encoder.embedding" in graph.to_svg(depth=1)
