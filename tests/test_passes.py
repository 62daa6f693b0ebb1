"""Passes and conversion on graphs written by hand or of one layer: each slip is one red test."""

from __future__ import annotations

import torch
from torch import nn

import fxsummary
from fxsummary import passes
from fxsummary.capture import capture
from fxsummary.convert import convert


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head, self.unused = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False), nn.Linear(3, 3)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.ones(4))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(ids) * self.scale)


def converted() -> fxsummary.ModelGraph:
    return convert(capture(Tied(), (torch.zeros(2, dtype=torch.int64),)))


def test_conversion_keeps_order_names_and_edges() -> None:
    graph = converted()
    assert list(graph) == ["ids", "embed", "scale", "mul", "head", "output"]
    assert sorted(graph.edges) == sorted(
        [("ids", "embed"), ("embed", "mul"), ("scale", "mul"), ("mul", "head"), ("head", "output")]
    )
    assert graph.edges["scale", "mul"]["slots"] == (1,) and graph.edges["embed", "mul"]["slots"] == (0,)


def test_conversion_leaves_costs_to_the_passes() -> None:
    assert converted().nodes["head"]["parameters"] in (0, None)
    assert passes.annotate(converted()).nodes["embed"]["parameters"] == 40


def test_a_tied_parameter_counts_where_it_is_read_first() -> None:
    graph = passes.annotate(converted())
    assert (graph.nodes["embed"]["parameters"], graph.nodes["head"]["parameters"]) == (40, 0)
    assert graph.nodes["head"]["config"].startswith("tied to embed")


def test_a_buffer_counts_apart() -> None:
    data = passes.annotate(converted()).nodes["scale"]
    assert (data["parameters"], data["buffers"], data["buffer_bytes"]) == (0, 1, 16)


def test_what_is_never_read_is_noted_and_in_the_totals() -> None:
    graph = passes.annotate(converted())
    assert graph.totals.parameters == 40 + 12
    assert any("12 parameters are never read" in note for note in graph.notes)
    assert any("never called in this forward: unused (Linear)" in note for note in graph.notes)


def test_kinds_outside_of_products_cost_nothing_and_are_exact() -> None:
    graph = passes.annotate(converted())
    assert (graph.nodes["mul"]["flops"], graph.nodes["mul"]["trust"]) == (0, "exact")
    assert graph.nodes["head"]["flops"] == 2 * 2 * 4 * 10


def test_an_unknown_cost_is_none_and_its_operator_is_noted() -> None:
    class Svd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svd(x)[1]

    graph = fxsummary.graph(Svd(), torch.empty(3, 3))
    assert (graph.nodes["linalg_svd"]["flops"], graph.nodes["linalg_svd"]["trust"]) == (None, "unknown")
    assert graph.totals.flops is None and any("aten._linalg_svd" in note for note in graph.notes)


def test_memory_is_what_an_operation_puts_out() -> None:
    assert passes.annotate(converted()).nodes["head"]["output_bytes"] == 2 * 10 * 4


def test_a_graph_is_annotated_by_all_passes_and_stays_the_same_when_annotated_again() -> None:
    graph = passes.annotate(converted())
    assert {data["kind"] for _, data in graph.nodes(data=True)} == {
        "input", "embedding", "parameter", "arithmetic", "linear", "output",
    }  # fmt: skip
