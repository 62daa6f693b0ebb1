"""What rests on an assumed value, is a lower bound or is not known is marked where it stands; the legend says how."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary import ModelGraph


class Routed(nn.Module):
    """Rows are chosen by a value; on meta it is assumed how many."""

    class Expert(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.down(self.up(x).relu())

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.expert, self.head = nn.Linear(8, 1), self.Expert(), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = x[self.gate(x).squeeze(-1) > 0]
        return self.head(x) + self.expert(chosen).sum(0)[:3]


@pytest.fixture(scope="module")
def routed() -> ModelGraph:
    return fxsummary.graph(Routed().to("meta"), torch.empty(6, 8, device="meta"))


def test_assumed_shapes_and_flops_are_marked_in_text_and_tables(routed: ModelGraph) -> None:
    assert routed.totals.assumed_flops
    for form in (routed.to_text(width=120), routed.to_markdown(), routed.to_text(view="operations", width=120)):
        (up,) = [line for line in form.splitlines() if ("Linear" in line and "8→32" in line) or "expert_up" in line]
        assert up.count("≈") >= 2 and "≈6" not in form.splitlines()[0]
        (head,) = [line for line in form.splitlines() if "8→3 " in line.replace("|", " ") or "head " in line]
        assert "≈" not in head
    assert "≈          depends on assumed values" in routed.to_text()
    assert "- **≈:** depends on assumed values" in routed.to_markdown()
    assert "FLOPs      ≈" in routed.to_text()


def test_closed_modules_and_the_model_are_marked(routed: ModelGraph) -> None:
    lines = routed.to_text(depth=1, width=120).splitlines()
    (expert,) = [line for line in lines if "expert Expert" in line]
    assert expert.count("≈") == 3  # the shape, the FLOPs, and their share
    (model,) = [line for line in lines if line.startswith("Routed  ")]
    assert "≈" in model


def test_assumed_shapes_and_flops_are_marked_in_pictures(routed: ModelGraph) -> None:
    for depth in (0, 1, 2, None):
        svg = routed.to_svg(depth=depth)
        assert ">≈</text>" in svg and "depends on assumed values" in svg
        assert "≈" in svg.split("<desc>")[1].split("</desc>")[0]
    assert "≈" in routed.to_html() and "≈" in routed.to_dot() and "≈" in routed.to_mermaid()


def test_the_legend_has_only_the_marks_that_occur() -> None:
    graph = fxsummary.graph(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.zeros(2, 4))
    facts = [line.split(" ")[0] for line in graph.to_text().splitlines()]
    assert not {"≈", "≥", "?", "×N", "+N"} & set(facts)
    svg = graph.to_svg()
    assert not any(f">{mark}</text>" in svg for mark in ("≈", "≥", "?", "×N"))


def test_the_legend_explains_further_tensors_and_copies() -> None:
    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3)], nn.LSTM(4, 4))
    text = fxsummary.graph(model, torch.zeros(2, 4)).to_text()
    assert "+N         N more tensors" in text and "×N         inside ×N," in text


class Decomposed(nn.Module):
    """A layer, and an operation that no formula counts."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svd(self.linear(x))[0]


@pytest.fixture(scope="module")
def decomposed() -> ModelGraph:
    return fxsummary.graph(nn.Sequential(*[Decomposed() for _ in range(3)], nn.Linear(8, 8)), torch.zeros(8, 8))


def test_what_is_known_of_a_block_is_a_lower_bound_in_every_form(decomposed: ModelGraph) -> None:
    assert "≥ 3.07 k  75.0" in decomposed.to_text()
    assert "≥ 3.07 kFLOPs" in decomposed.to_svg()
    assert "FLOPs: ≥ 1,024 × 3 = 3,072" in decomposed.to_svg(depth=1)


def test_flowcharts_explain_the_marks_that_occur(decomposed: ModelGraph, routed: ModelGraph) -> None:
    assert "×N: N copies" in decomposed.to_dot() and "≥: at least; part of it is unknown" in decomposed.to_dot()
    assert 'marks["×N N copies; counts inside are per copy"]' in decomposed.to_mermaid()
    assert "≈ depends on assumed values" in routed.to_mermaid()
    assert "marks[" not in fxsummary.graph(nn.Linear(4, 4), torch.zeros(2, 4)).to_mermaid()
