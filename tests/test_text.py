"""The summary as text: golden outputs, and the columns added up again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.views.fold import fold_repeats
from zoo import ZOO

GOLDEN = Path(__file__).parent / "golden"

GOLDEN_MODELS = (
    "CNN",
    "Residual",
    "PlusItself",
    "SharedBlock",
    "TiedWeights",
    "BareParameter",
    "Unused",
    "KeywordInput",
    "RecurrentHead",
    "SelfAttention",
    "twelve_blocks",
    "alternating_blocks",
    "frozen_part",
    "CustomOperatorWithoutFormula",
)


def compare(name: str, text: str) -> None:
    """Against the file of this name; with UPDATE_GOLDEN=1 in the environment the file is written instead."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GOLDEN_MODELS)
def test_golden_summary(name: str) -> None:
    compare(f"{name}.txt", str(graph_of(name)))


@pytest.mark.parametrize("view", ["modules", "parameters", "operations"])
@pytest.mark.parametrize("name", ["CNN", "SharedBlock", "TiedWeights"])
def test_golden_view(name: str, view: str) -> None:
    compare(f"{name}.{view}.txt", graph_of(name).to_text(view=view))


# --- the columns, added up again ---------------------------------------------------------------


@dataclass
class Row:
    """A line of the table: its numbers of one copy, or with Σ of all copies, and the rows inside."""

    head: str
    level: int
    parameters: int
    flops: float
    share: float
    summed: tuple[str, ...] = ()
    inside: list[Row] = field(default_factory=list)

    @property
    def repeat(self) -> int:
        found = re.search(r" ×(\d+)( steps| calls)?( carry .*| .* each)?$", self.head)
        return int(found.group(1)) if found and self.inside else 1

    def over_copies(self, name: str, around: int) -> float:
        """A cost of all copies, given the number of copies of the rows around."""
        return float(getattr(self, name)) * (1 if name in self.summed else around)

    def walk(self) -> Iterator[Row]:
        yield self
        for row in self.inside:
            yield from row.walk()


def parse(text: str) -> Row:
    """The table of a summary (or of the view "modules") as nested rows."""
    lines = text.split("\n")
    heading = next(index for index, line in enumerate(lines) if line.startswith("Module "))
    titles = lines[heading]
    ends = {title: titles.index(title) + len(title) for title in ("Parameters", "FLOPs", "%") if title in titles}
    width = titles.index("Output shape") if "Output shape" in titles else None
    root: Row | None = None
    path: list[Row] = []
    for line in lines[heading + 2 :]:
        if not line or line.startswith("─"):
            break
        branch = line[: len(line) - len(line.lstrip(" │├└"))]
        head = line[:width].rstrip() if width else branch + re.split(r"\s{2,}", line[len(branch) :])[0]
        level = len(branch) // 2
        cells = {title: cell(line, end) for title, end in ends.items()}
        costs = {"parameters": cells["Parameters"], "flops": cells.get("FLOPs", "")}
        summed = tuple(name for name, text in costs.items() if text.startswith("Σ"))
        parameters, flops = (text.removeprefix("Σ ") for text in costs.values())
        row = Row(head, level, int(parameters or 0), number(flops), number(cells["%"]), summed)
        del path[level:]
        if path:
            path[-1].inside.append(row)
        path.append(row)
        root = root or row
    assert root is not None
    return root


def cell(line: str, end: int) -> str:
    """The cell that ends at this column."""
    text = line[:end]
    return re.split(r"\s{2,}", text)[-1].replace(",", "") if len(text) == end and text[-1] != " " else ""


def number(text: str) -> float:
    """A count in three digits with its suffix; a share."""
    if text in ("", "?", "<0.1"):
        return 0.0
    digits, _, unit = text.partition(" ")
    return float(digits) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[unit]


def assert_adds_up(graph: ModelGraph, root: Row) -> None:
    totals = graph.totals
    assert root.parameters == totals.parameters
    assert root.flops == pytest.approx(totals.flops or 0, rel=0.005)
    assert sum(row.parameters for row in root.inside) == totals.parameters
    pending = [(root, 1)]
    while pending:
        row, around = pending.pop()
        copies = around * row.repeat
        pending += [(inner, copies) for inner in row.inside]
        if row.inside:
            flops = sum(inner.over_copies("flops", copies) for inner in row.inside)
            share = sum(inner.share for inner in row.inside)
            assert row.over_copies("flops", around) == pytest.approx(flops, rel=0.012, abs=1), row.head
            assert row.share == pytest.approx(share, abs=0.06 * (len(row.inside) + 1)), row.head
            if row is not root:
                parameters = sum(inner.over_copies("parameters", copies) for inner in row.inside)
                assert row.over_copies("parameters", around) == parameters, row.head


ADDABLE = [
    name
    for name, entry in ZOO.items()
    if entry.has_dataflow and not entry.packed and not entry.lower_bound and not name.startswith("hostile")
]


@pytest.mark.parametrize("fold", [True, False], ids=["folded", "unfolded"])
@pytest.mark.parametrize("name", ADDABLE)
def test_blocks_are_the_sum_of_what_is_in_them(name: str, fold: bool) -> None:
    graph = graph_of(name)
    assert_adds_up(graph, parse(graph.to_text(width=400, fold=fold)))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("name", ["CNN", "twelve_blocks", "nested_repeats", "SharedBlock", "torchvision.vit_b_16"])
def test_depth_closes_blocks_and_keeps_the_sums(name: str, depth: int) -> None:
    graph = graph_of(name)
    root = parse(graph.to_text(width=400, depth=depth))
    assert_adds_up(graph, root)
    assert max(row.level for row in root.walk()) <= depth


@pytest.mark.parametrize("name", ADDABLE)
def test_modules_view_adds_up(name: str) -> None:
    graph = graph_of(name)
    root = parse(graph.to_text(view="modules", width=400))
    assert root.parameters == graph.totals.parameters
    for (path, module), row in zip(graph.modules.items(), unfolded(graph, root), strict=True):
        own = sum(p.numel or 0 for p in module.parameters if not p.buffer and p.tied_to is None)
        assert row.parameters == own + sum(inner.parameters for inner in row.inside), path


def unfolded(graph: ModelGraph, root: Row) -> list[Row]:
    """The rows in the order of the module tree, which is that of the view."""
    rows = list(root.walk())
    assert len(rows) == len(graph.modules)
    return rows


@pytest.mark.parametrize("name", ADDABLE)
def test_parameters_view_adds_up(name: str) -> None:
    graph = graph_of(name)
    lines = graph.to_text(view="parameters", width=400).split("\n")
    end = lines[0].index("Count") + len("Count")
    counts = [int(cell(line, end) or 0) for line in lines[2:]]
    assert sum(counts) == graph.totals.parameters
    assert len(counts) == sum(not p.buffer for module in graph.modules.values() for p in module.parameters)


@pytest.mark.parametrize("name", ADDABLE)
def test_operations_view_adds_up(name: str) -> None:
    graph = graph_of(name)
    lines = graph.to_text(view="operations", width=400).split("\n")
    end = lines[0].index("Parameters") + len("Parameters")
    assert len(lines) == 2 + len(graph)
    assert (
        sum(int(cell(line, end) or 0) for line in lines[2:]) == graph.totals.parameters - graph.totals.unread_parameters
    )


# --- what is shown -----------------------------------------------------------------------------


def test_blocks_are_folded_with_their_number() -> None:
    assert "1…12 _Block ×12" in str(graph_of("twelve_blocks"))
    assert " ×12" not in graph_of("twelve_blocks").to_text(fold=False)
    assert "_Block · Sequential ×6" in str(graph_of("alternating_blocks"))
    text = graph_of("torchvision.vit_b_16").to_text(width=120)
    assert "encoder_layer_0…11 EncoderBlock ×12" in text


def test_repeats_inside_repeats() -> None:
    text = str(graph_of("nested_repeats"))
    assert "Sequential ×4" in text
    assert "_Block ×3" in text


def test_totals_below_the_table() -> None:
    text = str(graph_of("frozen_part"))
    assert "Parameters 82: 28 trainable, 54 frozen; 328 B float32" in text
    assert "Buffers    3, 60 B" in str(graph_of("Buffers"))
    assert "FLOPs      2,515,072 = 2 × 1,257,536 MACs" in str(graph_of("CNN"))
    assert "tied parameters, counted once: head.weight = embedding.weight" in str(graph_of("TiedWeights"))
    assert "never read" in str(graph_of("Unused"))


def test_largest_contributors_are_the_five_largest() -> None:
    graph = graph_of("torchvision.alexnet")
    lines = graph.to_text().split("\n")
    first = next(index for index, line in enumerate(lines) if line.startswith("Largest"))
    shown = [
        int(re.match(r"(?:Largest)?\s+([\d,]+)", line).group(1).replace(",", "")) for line in lines[first : first + 5]
    ]  # type: ignore[union-attr]
    assert shown == sorted((data["parameters"] for _, data in graph.nodes(data=True)), reverse=True)[:5]


def test_settings_are_shown_in_short() -> None:
    model = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1, groups=1), nn.MaxPool2d(2))
    text = fxsummary.graph(model, torch.empty(1, 3, 8, 8)).to_text(width=120)
    assert "0 Conv2d 3→16, 3×3, s2, p1" in text


SETTINGS: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "no bias": (nn.Linear(8, 4, bias=False), (1, 8), "Linear 8→4, bias=False"),
    "no bias of a convolution": (nn.Conv2d(3, 4, 3, bias=False), (1, 3, 5, 5), "Conv2d 3→4, 3×3, s1, bias=False"),
    "bias": (nn.Linear(8, 4), (1, 8), "Linear 8→4"),
    "projection": (nn.LSTM(4, 6, proj_size=2), (5, 2, 4), "LSTM 4→6, proj 2"),
    "cell": (nn.GRUCell(4, 3), (2, 4), "GRUCell 4→3"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_say_what_matters(name: str) -> None:
    model, shape, row = SETTINGS[name]
    assert f"└ {row}  " in fxsummary.graph(model, torch.empty(shape)).to_text(width=120)


def test_classes_of_an_adaptive_softmax_are_shown() -> None:
    model = nn.AdaptiveLogSoftmaxWithLoss(6, 20, [5])
    assert " 6→20 " in str(fxsummary.graph(model, torch.randn(2, 6), torch.tensor([1, 12])))


class Spelled(nn.Module):
    """Calls with defaults, and properties."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = nn.functional.max_pool2d(x, 2).softmax(-1)
        z = nn.functional.softmax(y, dim=-1)
        return y @ self.weight.T, z.mT, z.real, nn.functional.interpolate(x, scale_factor=2)


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_properties_have_their_name_and_defaults_are_not_shown(trace: str) -> None:
    graph = fxsummary.graph(Spelled(), torch.randn(1, 2, 8, 8), trace=trace)
    shown = [f"{data['label']} {data['config']}".strip() for _, data in graph.nodes(data=True)][1:-1]
    assert sorted(shown) == sorted(
        [
            "max_pool2d 2",
            "softmax -1",
            "softmax dim=-1",
            "weight",
            "T",
            "matmul",
            "mT",
            "real",
            "interpolate scale_factor=2",
        ]
    )
    assert not any("_stacklevel" in data["arguments"] for _, data in graph.nodes(data=True))


@pytest.mark.parametrize("trace", ["symbolic", "record"])
def test_a_layer_says_what_it_is_tied_to(trace: str) -> None:
    model = nn.ModuleDict({"wte": nn.Embedding(10, 6), "head": nn.Linear(6, 10), "plain": nn.Linear(10, 10)})
    model["head"].weight = model["wte"].weight
    forward = nn.Sequential(*model.values())
    graph = fxsummary.graph(forward, torch.zeros(1, 4, dtype=torch.int64), trace=trace)
    assert [data["config"] for _, data in graph.nodes(data=True) if data["op"] == "call_module"] == [
        "10→6", "tied to 0, 6→10", "10→10",
    ]  # fmt: skip
    assert "tied to 0" in str(graph)


def test_functions_are_shown_where_they_happen() -> None:
    rows = [row.head.strip(" │├└") for row in parse(graph_of("Residual").to_text()).walk()]
    assert rows == ["Residual", "norm LayerNorm 8", "fc Linear 8→8", "add"]


def test_unknown_is_a_question_mark_and_a_bound() -> None:
    text = str(graph_of("CustomOperatorWithoutFormula"))
    assert re.search(r"uncounted_mm .*\?", text)
    assert "≥ 64 = 2 × 32 MACs" in text
    assert re.search(r"ReLU .*\?", str(graph_of("opaque_weights")))
    assert "Parameters ≥ 136" in str(graph_of("opaque_weights"))


def test_unused_module_is_marked() -> None:
    text = graph_of("Unused").to_text(view="modules")
    assert re.search(r"spare Linear never called, 7→5", text)
    assert text.count("never called") == 1


def test_shared_module_is_shown_under_each_name() -> None:
    text = graph_of("SharedBlock").to_text(view="modules")
    assert "again _Pair = first" in text


def test_more_width_shows_more_and_never_cuts_short_names() -> None:
    graph = graph_of("torchvision.resnet50")
    assert "…" in graph.to_text(width=60)
    widths = [max(map(len, graph.to_text(width=width).split("\n"))) for width in (60, 80, 100, 140)]
    assert widths == sorted(widths)


class _Untraceable(nn.Module):
    """Three identical layers behind a branch on data."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleDict({"fc": nn.Linear(4, 4), "act": nn.ReLU()}) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer["act"](layer["fc"](x)) if x.sum() > 0 else x
        return x


def test_identical_siblings_of_a_module_tree_fold() -> None:
    graph = fxsummary.graph(_Untraceable(), trace="symbolic")
    assert graph.captured_by == "modules"
    rows = graph.to_text().splitlines()
    assert sum("0…2 ModuleDict ×3 " in row for row in rows) == 1
    assert sum("fc Linear 4→4" in row for row in rows) == 1
    assert fold_repeats(graph).totals.parameters == graph.totals.parameters == 60
