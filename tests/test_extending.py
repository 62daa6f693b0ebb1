"""The examples of docs/extending.md do what the page says."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import fxsummary
from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, SIZES
from fxsummary.review.lint import RULES
from fxsummary.support.registry import EXPORTERS

FOLDER = Path(__file__).parents[1] / "docs" / "examples" / "extending"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def net() -> fxsummary.ModelGraph:
    return fxsummary.graph(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), torch.empty(2, 8))


def test_a_pass() -> None:
    graph = net()
    importlib.import_module("intensity").annotate(graph)
    assert graph.nodes["_0"]["intensity"] == 2 * 2 * 8 * 4 / (2 * 4 * 4)
    assert graph.nodes["_1"]["intensity"] == 0


def test_an_exporter(tmp_path: Path) -> None:
    sys.modules.pop("tsv", None)
    try:
        importlib.import_module("tsv")
        text = net().render(tmp_path / "net.tsv").read_text()
        assert text.splitlines() == [
            "name\tlabel\tflops",
            "input_1\tinput\t0",
            "_0\tLinear\t128",
            "_1\tReLU\t0",
            "output\toutput\t0",
        ]
        assert net().render(tmp_path / "net.tsv", header=False).read_text().startswith("input_1\t")
    finally:
        EXPORTERS._items.pop("tsv", None)


def test_a_formula() -> None:
    pairwise = importlib.import_module("pairwise").pairwise

    class Distances(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return pairwise(x, y)

    graph = fxsummary.graph(Distances(), torch.empty(5, 8), torch.empty(3, 8))
    assert graph.totals.flops == 2 * 5 * 3 * 8
    assert not graph.totals.unknown_flops


def test_a_lint_rule() -> None:
    importlib.import_module("large_kernels")
    try:
        graph = fxsummary.graph(nn.Sequential(nn.Conv2d(3, 8, 7), nn.Conv2d(8, 8, 3)), torch.empty(1, 3, 16, 16))
        assert graph.lint() == ()
        (finding,) = graph.lint(select=["large-kernels"])
        assert (finding.message, finding.remedy) == ("0 has a kernel of 7×7", "Use three of 3×3.")
    finally:
        RULES._items.pop("large-kernels", None)
        sys.modules.pop("large_kernels", None)


class Scanner(nn.Module):
    """Reads points, of which the last dimension is the coordinates unless they come first."""

    def __init__(self, num_beams: int, is_transposed: bool = False) -> None:
        super().__init__()
        self.num_beams = num_beams
        self.is_transposed = is_transposed
        self.fc = nn.Linear(num_beams if is_transposed else 3, 8)

    def forward(self, lidar_scan: torch.Tensor) -> torch.Tensor:
        return self.fc(lidar_scan if bool((lidar_scan == lidar_scan).all()) else -lidar_scan)


def test_an_input_convention() -> None:
    assert "input inferred: lidar_scan 1×3" in fxsummary.graph(Scanner(48)).notes  # by the linear layer alone
    sys.modules.pop("convention", None)
    try:
        importlib.import_module("convention")
        assert "input inferred: lidar_scan 1×48×3" in fxsummary.graph(Scanner(48)).notes
        assert "input inferred: lidar_scan 1×3×48" in fxsummary.graph(Scanner(48, is_transposed=True)).notes
    finally:
        del ARGUMENTS["lidar_scan"], SIZES["beams"]
