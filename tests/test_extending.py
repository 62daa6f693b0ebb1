"""The examples of docs/extending.md do what the page says."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from kernels import Compared
from torch import nn

import fxsummary
from fxsummary.capture.inputs.guess.guesses import ARGUMENTS, SIZES
from fxsummary.capture.operations.kernels import KERNELS
from fxsummary.graph.attributes import NODE
from fxsummary.graph.saved.schema import schema
from fxsummary.passes import PASSES
from fxsummary.review.lint import RULES
from fxsummary.support.registry import EXPORTERS
from fxsummary.views.idioms import IDIOMS

FOLDER = Path(__file__).parents[1] / "docs" / "examples" / "extending"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def net() -> fxsummary.ModelGraph:
    return fxsummary.graph(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), torch.empty(2, 8))


@pytest.fixture
def output_intensity() -> Iterator[None]:
    """The pass of the page, registered for one test."""
    importlib.import_module("output_intensity")
    yield
    NODE.unregister("output_intensity")
    PASSES.unregister("output_intensity")
    sys.modules.pop("output_intensity")


@pytest.mark.usefixtures("output_intensity")
def test_a_pass_runs_on_every_graph() -> None:
    graph = net()
    assert graph.nodes["_0"]["output_intensity"] == 2 * 2 * 8 * 4 / (2 * 4 * 4) == 4
    assert graph.nodes["_1"]["output_intensity"] == 0


@pytest.mark.usefixtures("output_intensity")
def test_what_a_pass_sets_is_shown_everywhere(tmp_path: Path) -> None:
    graph = net()
    row = next(line for line in graph.to_text(columns=("flops", "output_intensity")).splitlines() if "0 Linear" in line)
    assert row.split()[-2:] == ["128", "4.0"]
    assert "| FLOPs | FLOPs/B |" in graph.to_markdown(columns="flops,output_intensity")
    assert "| 128 | 4.0 |" in graph.to_markdown(columns="flops,output_intensity")
    assert "FLOPs/B: 4.0" in graph.to_svg() and "FLOPs/B: 4.0" in graph.to_dot()
    assert '"more":[["FLOPs/B","4.0"]]' in graph.to_html()
    assert json.loads(graph.to_json())["nodes"][1]["output_intensity"] == 4
    assert fxsummary.load(graph.render(tmp_path / "net.json")).to_text(columns="output_intensity") == graph.to_text(
        columns="output_intensity"
    )
    assert schema()["$defs"]["node"]["properties"]["output_intensity"]["default"] == 0
    difference = fxsummary.diff(graph, fxsummary.graph(nn.Sequential(nn.Linear(16, 4), nn.ReLU()), torch.empty(2, 16)))
    assert ("output_intensity", 4, 8) in difference.nodes["_0"]["differences"]
    assert "8→4 ⇒ 16→4: FLOPs/B 4.0 ⇒ 8.0" in difference.to_text()
    assert "FLOPs/B 4.0 ⇒ 8.0" in difference.to_svg() and "FLOPs/B 4.0 ⇒ 8.0" in difference.to_markdown()


@pytest.mark.usefixtures("output_intensity")
def test_what_a_pass_sets_is_a_column_of_dataframes_and_latex() -> None:
    pytest.importorskip("pandas")
    graph = net()
    assert graph.to_pandas()["output_intensity"].tolist() == [0, 4, 0, 0]
    pytest.importorskip("jinja2")
    assert "FLOPs/B" in graph.to_latex(columns=["output_intensity"])


@pytest.mark.usefixtures("output_intensity")
def test_a_quotient_is_computed_again_for_a_block() -> None:
    model = nn.Sequential(*[nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 8)) for _ in range(3)])
    graph = fxsummary.graph(model, torch.empty(2, 8))
    rows = [line.split() for line in graph.to_text(columns="flops,output_intensity").splitlines()]
    assert next(row for row in rows if "×3" in row)[-1] == "16.0"  # (512 + 512) FLOPs in a block, 64 bytes out of it
    assert "FLOPs/B: 16.0" in graph.to_svg(depth=1)


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
        EXPORTERS.unregister("tsv")


def test_a_formula() -> None:
    pairwise = importlib.import_module("pairwise").pairwise

    class Distances(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return pairwise(x, y)

    graph = fxsummary.graph(Distances(), torch.empty(5, 8), torch.empty(3, 8))
    assert graph.totals.flops == 2 * 5 * 3 * 8
    assert not graph.totals.unknown_flops


def test_a_kernel() -> None:
    sys.modules.pop("shuffle", None)
    try:
        importlib.import_module("shuffle")
        mode = Compared()
        for groups, layout in ((2, torch.contiguous_format), (3, torch.contiguous_format), (2, torch.channels_last)):
            x = torch.empty(1, 4, 6, 6, device="meta", memory_format=layout)
            with mode, suppress(RuntimeError):
                torch.channel_shuffle(x, groups)
        assert not mode.wrong
        assert mode.answered == {"aten::channel_shuffle": 1}
        assert fxsummary.graph(nn.ChannelShuffle(2), torch.empty(1, 4, 6, 6)).output_spec.shape == (1, 4, 6, 6)
    finally:
        KERNELS.pop("aten::channel_shuffle", None)


def test_a_lint_rule() -> None:
    importlib.import_module("large_kernels")
    try:
        graph = fxsummary.graph(nn.Sequential(nn.Conv2d(3, 8, 7), nn.Conv2d(8, 8, 3)), torch.empty(1, 3, 16, 16))
        assert graph.lint() == ()
        (finding,) = graph.lint(select=["large-kernels"])
        assert (finding.message, finding.remedy) == ("0 has a kernel of 7×7", "Use three of 3×3.")
    finally:
        RULES.unregister("large-kernels")
        sys.modules.pop("large_kernels", None)


def test_an_idiom() -> None:
    class Squared(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x).square().tanh()

    before = list(IDIOMS)
    sys.modules.pop("squared_relu", None)
    try:
        importlib.import_module("squared_relu")
        graph = fxsummary.graph(Squared(), torch.empty(2, 8))
        assert "relu²" in graph.to_mermaid() and "relu² 2 operations" in graph.to_text()
        table = graph.to_text().rpartition("───\n")[0]
        assert "square" not in graph.to_mermaid().rpartition("Memory")[0] + table.replace("Squared", "")
        assert "square" in graph.to_text(view="operations")
    finally:
        IDIOMS[:] = before


class Scanner(nn.Module):
    """Reads points; coordinates are the last dimension, or the first if transposed."""

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
