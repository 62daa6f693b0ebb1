"""Ghosts: what a forward pass does not need, drawn on request."""

from __future__ import annotations

import re
from functools import cache

import pytest
import torch
from graphs import contents, graph_of
from test_svg import texts
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.documents import picture_options, render
from fxsummary.drawing.choose import picture
from fxsummary.errors import InputError
from fxsummary.views.depth import limit_depth
from fxsummary.views.ghosts import dead, with_ghosts


class Part(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.unused, self.drop = nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Dropout()
        self.table = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.fc(x)
        torch.relu(y) * 2
        return y


class Wasteful(nn.Module):
    """Two parts with a module that is never called and an operation that nothing reads, and more of both."""

    count: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([Part(), Part()])
        self.head, self.aux, self.dead = nn.Linear(8, 4), nn.Linear(8, 4), nn.Sequential(Part(), Part())
        self.stats = nn.BatchNorm1d(8, affine=False)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.parts:
            x = part(x)
        self.count.add_(1)
        self.dead(x).softmax(-1)
        y: torch.Tensor = self.head(x)
        return y


@cache
def wasteful() -> ModelGraph:
    return fxsummary.graph(Wasteful().eval(), torch.empty(2, 8))


def ghosts(graph: ModelGraph, **options: object) -> dict[str, str]:
    """The ghost rows of a picture: what forward does not need, by the first word of the row."""
    rows = picture(graph, ghosts=True, **options).scene.rows()  # type: ignore[arg-type]
    return {row.keys[0]: row.label for row in rows if row.ghost}


def test_what_nothing_reads_is_dead_but_not_a_write() -> None:
    labels = [wasteful().nodes[key]["label"] for key in dead(wasteful())]
    assert sorted(labels) == ["Linear", "Linear", *["mul"] * 4, *["relu"] * 4, "softmax"]
    assert dead(fxsummary.graph(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), torch.empty(2, 8))) == set()


def test_ghosts_are_drawn_on_request_only() -> None:
    held = contents(wasteful())
    plain, full = wasteful().to_svg(), wasteful().to_svg(ghosts=True)
    assert "o-ghost" not in plain and not any(text.startswith("never called") for text in texts(plain))
    assert {text for text in texts(full) if text.startswith("never called")} == {
        "never called unused Sequential", "never called aux Linear", "never called stats BatchNorm1d",
    }  # fmt: skip
    assert "not needed: never called, or nothing reads it" in texts(full)
    assert ".o-ghost{stroke-dasharray:4 3}" in full and re.search(r'<path [^>]*class="e o-ghost"/>', full)
    assert set(ghosts(wasteful()).values()) >= {"relu", "mul", "never called aux Linear"}
    assert contents(wasteful()) == held


def test_a_closed_module_that_nothing_reads_is_a_ghost() -> None:
    rows = {row.path: row for row in picture(wasteful(), depth=1, ghosts=True).scene.rows()}
    assert rows["dead"].ghost and not rows["head"].ghost
    groups = {group.path: group for group in picture(wasteful(), depth=3, ghosts=True).scene.groups()}
    assert {path for path, group in groups.items() if group.ghost} == {"dead.0"}


@pytest.mark.parametrize("name", ["torchvision.googlenet", "Unused", "CNN"])
def test_ghosts_change_no_sum(name: str) -> None:
    graph = graph_of(name)
    drawn = with_ghosts(graph)
    assert drawn.totals == graph.totals
    for depth in (1, 2):
        rows = [data for _, data in limit_depth(drawn, depth).nodes(data=True)]
        assert sum((data["parameters"] or 0) * data["multiplicity"] for data in rows) == graph.totals.parameters


def test_a_comparison_has_no_ghosts() -> None:
    compared = fxsummary.diff(wasteful(), wasteful())
    with pytest.raises(InputError, match="a comparison has no ghosts"):
        compared.to_svg(ghosts=True)
    with pytest.raises(InputError, match='ghosts= has no meaning for view="memory"'):
        wasteful().to_svg(ghosts=True, view="memory")


def test_nothing_is_known_without_dataflow() -> None:
    tree = wasteful().derived(wasteful().nodes(data=True), (), captured_by="modules")
    assert dead(tree) == set()


def test_the_option_in_documents() -> None:
    assert picture_options.chosen({"ghosts": ""}) == {"ghosts": True}
    assert "ghosts" in render.FLAGS and "ghosts" in render.OPTIONS
