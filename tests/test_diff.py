"""Two models compared: what is aligned with what, what is said of it, and how it looks in every form."""

from __future__ import annotations

import json
import pickle
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
import torch
from graphs import AVAILABLE, contents, display_width, graph_of, unprintable
from test_diff_lines import check_sums
from torch import nn

import fxsummary
from fxsummary import ModelGraph
from fxsummary.compare import Line, changed_lines
from fxsummary.drawing.style import LIGHT
from fxsummary.errors import InputError, SavedGraphError
from fxsummary.exporters.reports import comparison as report
from fxsummary.graph.attributes import NO_COSTS, NODE
from fxsummary.graph.changes import SIGNS, Comparison, Run, before
from fxsummary.graph.saved import dumps, loads
from zoo import OWN, REAL, ZOO
from zoo.operators import define_torchvision_operators
from zoo.real import torchvision_model

define_torchvision_operators()


@cache
def vision(name: str, size: int = 224, **options: Any) -> ModelGraph:
    image = torch.empty(1, 3, size, size, device="meta")
    return fxsummary.graph(torchvision_model(name, **options).eval(), image)


@cache
def language(name: str, **options: Any) -> ModelGraph:
    import transformers

    model = getattr(transformers, name)
    with torch.device("meta"):
        made = model(model.config_class(**options)).eval()
    return fxsummary.graph(made, kwargs={"input_ids": torch.zeros(1, 16, dtype=torch.int64)})


def compared(one: ModelGraph, other: ModelGraph) -> tuple[ModelGraph, Comparison]:
    result = fxsummary.diff(one, other)
    assert result.comparison is not None
    return result, result.comparison


def lines_of(graph: ModelGraph) -> dict[str, Line]:
    """The lines by path and name."""
    found: dict[str, Line] = {}
    todo = [("", line) for line in changed_lines(graph)]
    while todo:
        base, line = todo.pop()
        path = ".".join(filter(None, (base, line.name)))
        if line.name or not base:
            found[path or line.text] = line
        todo += [(path, child) for child in line.children]
    return found


# --- laws --------------------------------------------------------------------------------------


def assert_lawful(one: ModelGraph, other: ModelGraph) -> None:
    """Every operation of both is there once, and the changes add up to the difference of the totals."""
    frozen = contents(one), contents(other)
    result, comparison = compared(one, other)
    assert (contents(one), contents(other)) == frozen
    counts = Counter(change for _, change in result.nodes(data="change"))
    both = counts["same"] + counts["changed"] + counts["moved"]
    assert len(one) == both + counts["removed"] and len(other) == both + counts["added"]
    assert dict(comparison.counts) == {change: counts[change] for change in SIGNS}
    assert [key for key in result if result.nodes[key]["change"] != "removed"] == list(other)
    assert result.totals == other.totals and comparison.before == one.totals
    data = [data for _, data in result.nodes(data=True)]
    for name in NO_COSTS.keys() & {*NODE.sums}:
        sides = [(before(each, name), each[name]) for each in data]
        was = sum(number or 0 for number, _ in sides)
        now = sum(number or 0 for _, number in sides)
        assert was == sum(each[name] or 0 for _, each in one.nodes(data=True)), name
        assert now == sum(each[name] or 0 for _, each in other.nodes(data=True)), name
    assert all(each["differences"] for each in data if each["change"] == "changed")
    assert not any(each["differences"] for each in data if each["change"] in ("same", "moved", "added"))
    order = {key: place for place, key in enumerate(result)}
    assert all(order[a] < order[b] for a, b in result.edges)
    assert set(other.edges) <= set(result.edges)
    check_sums(result)


@pytest.mark.parametrize("name", ZOO)
def test_a_model_is_equal_to_itself(name: str) -> None:
    graph = graph_of(name)
    result, comparison = compared(graph, graph.copy())
    assert comparison.equal
    assert {change for _, change in result.nodes(data="change")} == {"same"}
    assert set(result) == set(graph) and set(result.edges) == set(graph.edges)
    assert changed_lines(result) == []
    assert "No differences" in result.to_text()


@pytest.mark.parametrize("names", [*pairwise(list(OWN)[::2]), *pairwise(list(REAL)[::6])], ids=str)
@pytest.mark.slow
def test_operations_and_costs_add_up(names: tuple[str, str]) -> None:
    assert_lawful(graph_of(names[0]), graph_of(names[1]))


def test_comparing_is_symmetric_in_what_it_counts() -> None:
    _, there = compared(vision("resnet18"), vision("resnet34"))
    _, back = compared(vision("resnet34"), vision("resnet18"))
    assert (there.counts["added"], there.counts["removed"]) == (back.counts["removed"], back.counts["added"]) == (56, 0)


# --- real models -------------------------------------------------------------------------------


def test_resnet_18_to_34_has_longer_runs() -> None:
    one, other = vision("resnet18"), vision("resnet34")
    assert_lawful(one, other)
    result, comparison = compared(one, other)
    numbers = {"layer1": (2, 3), "layer2": (2, 4), "layer3": (2, 6), "layer4": (2, 3)}
    assert comparison.runs == tuple(Run(path, "BasicBlock", *pair) for path, pair in numbers.items())
    assert comparison.counts == {"added": 56, "removed": 0, "changed": 0, "moved": 0, "same": 71}
    lines = lines_of(result)
    assert set(lines) == {*numbers, "layer1.2", "layer2.2…3", "layer3.2…5", "layer4.2"}
    assert lines["layer3"].text == "Sequential: 2 → 6 BasicBlock"
    assert lines["layer3.2…5"].text == "BasicBlock ×4"
    assert sum(now - was for was, now in (lines[path].parameters for path in numbers)) == 10_108_160
    assert other.totals.parameters - one.totals.parameters == 10_108_160
    markdown = report.markdown(result)
    assert "- ~ `layer3` Sequential: 2 → 6 BasicBlock, +4.72 M parameters, +1.85 GFLOPs" in markdown


def test_resnet_34_to_50_keeps_the_places_of_its_blocks() -> None:
    one, other = vision("resnet34"), vision("resnet50")
    assert_lawful(one, other)
    result, comparison = compared(one, other)
    assert comparison.runs == ()
    kinds = {module.path: module.type for module in comparison.modules}
    assert kinds["layer1.0"] == "BasicBlock ⇒ Bottleneck"
    assert result.nodes["layer1_0_conv3"]["change"] == "added"
    assert result.nodes["layer1_0_conv1"]["differences"][0] == (
        "config",
        "64→64, 3×3, s1, p1, bias=False",
        "64→64, 1×1, s1, bias=False",
    )
    assert lines_of(result)["fc"].text == "Linear 512→1000 ⇒ 2048→1000"


@pytest.mark.slow
def test_bert_with_one_layer_more() -> None:
    one, other = language("BertModel"), language("BertModel", num_hidden_layers=13)
    assert_lawful(one, other)
    result, comparison = compared(one, other)
    assert comparison.runs == (Run("encoder.layer", "BertLayer", 12, 13),)
    assert comparison.counts["added"] == 25 and comparison.counts["same"] == len(one)
    lines = lines_of(result)
    assert set(lines) == {"encoder", "encoder.layer", "encoder.layer.12"}
    assert lines["encoder.layer"].text == "12 → 13 BertLayer"
    assert "- ~ `encoder.layer` 12 → 13 BertLayer, +7.09 M parameters, +227 MFLOPs" in report.markdown(result)


def one_of(graph: ModelGraph) -> ModelGraph:
    return fxsummary.diff(graph, graph)


def test_llama_with_another_intermediate_size() -> None:
    one, other = (language("LlamaForCausalLM", num_hidden_layers=4, intermediate_size=n) for n in (11008, 14336))
    assert_lawful(one, other)
    result, comparison = compared(one, other)
    assert comparison.counts["added"] == comparison.counts["removed"] == 0
    lines = lines_of(result)
    mlp = "model.layers.0…3.mlp"
    assert lines[f"{mlp}.gate_proj"].text == "Linear 4096→11008, bias=False ⇒ 4096→14336, bias=False"
    assert lines[f"{mlp}.down_proj"].text == "Linear 11008→4096, bias=False ⇒ 14336→4096, bias=False"
    assert lines[mlp].parameters[1] - lines[mlp].parameters[0] == 4 * 3 * 4096 * (14336 - 11008)
    assert not [path for path in lines if "attn" in path or "norm" in path]


def test_vit_with_another_head() -> None:
    result, _ = compared(vision("vit_b_16"), vision("vit_b_16", num_classes=10))
    lines = lines_of(result)
    assert set(lines) == {"heads", "heads.head"}
    assert lines["heads.head"].text == "Linear 768→1000 ⇒ 768→10"
    assert lines["heads.head"].parameters == (769_000, 7_690)


def test_another_input_size_is_one_change_that_others_follow() -> None:
    result, comparison = compared(vision("resnet18"), vision("resnet18", 256))
    assert comparison.counts["changed"] == 67
    lines = lines_of(result)
    assert lines["x"].text == "input: 1×3×224×224 float32 ⇒ 1×3×256×256 float32"
    assert lines["layer1…4"].text == "Sequential ×4: 62 operations changed only in shapes or FLOPs"
    assert "x 1×3×224×224 → x 1×3×256×256" in result.to_text()


# --- small models ------------------------------------------------------------------------------


def chain(*modules: nn.Module) -> ModelGraph:
    return fxsummary.graph(nn.Sequential(*modules).eval(), torch.empty(2, 8))


class Block(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.up = nn.Linear(8, width)
        self.down = nn.Linear(width, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.up(self.norm(x)).relu())


class Named(nn.Module):
    def __init__(self, name: str, count: int = 3, width: int = 8) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.ModuleList([Block(width) for _ in range(count)]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in getattr(self, self.name):
            x = block(x)
        return x


def named(name: str, **options: int) -> ModelGraph:
    return fxsummary.graph(Named(name, **options), torch.empty(2, 8))


def test_renamed_modules_are_moved_and_nothing_else() -> None:
    result, comparison = compared(named("layers"), named("blocks"))
    assert not comparison.equal
    assert comparison.counts["added"] == comparison.counts["removed"] == comparison.counts["changed"] == 0
    assert result.nodes["blocks_1_up"]["was"] == "layers.1.up"
    lines = lines_of(result)
    assert lines["blocks.0…2"].change == "moved"
    assert lines["blocks.0…2"].text == "Block ×3 (was layers.0…2)"


def test_renamed_and_changed() -> None:
    result, comparison = compared(named("layers"), named("blocks", width=16, count=4))
    assert comparison.counts["removed"] == 0
    assert result.nodes["blocks_0_norm"]["change"] == "moved"
    assert result.nodes["blocks_0_up"]["differences"][0] == ("config", "8→8", "8→16")


def test_modules_in_another_order_are_moved() -> None:
    one = chain(nn.Linear(8, 8), nn.ReLU(), nn.LayerNorm(8))
    other = chain(nn.LayerNorm(8), nn.Linear(8, 8), nn.ReLU())
    assert_lawful(one, other)
    result, comparison = compared(one, other)
    assert comparison.counts["added"] == comparison.counts["removed"] == 0
    assert result.nodes["_0"]["change"] == "moved" and result.nodes["_0"]["was"] == "2"


def test_a_block_that_was_wrapped_is_moved() -> None:
    one, other = chain(Block()), chain(nn.Sequential(Block(), nn.Linear(8, 4)))
    result, comparison = compared(one, other)
    assert comparison.counts["added"] == 1 and comparison.counts["removed"] == 0
    assert lines_of(result)["0"].change == "changed"
    assert result.nodes["_0_0_up"]["was"] == "0.up"


def test_an_operation_put_in_changes_no_other() -> None:
    one, other = chain(nn.Linear(8, 8), nn.Linear(8, 4)), chain(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))
    result, comparison = compared(one, other)
    assert comparison.counts["changed"] == 0 and comparison.counts["added"] == 1
    assert result.nodes["_2"]["change"] == "moved" and result.nodes["_2"]["was"] == "1"


def test_an_operation_taken_out_stays_where_it_was() -> None:
    one, other = chain(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)), chain(nn.Linear(8, 8), nn.Linear(8, 4))
    result, _ = compared(one, other)
    gone = [key for key, data in result.nodes(data=True) if data["change"] == "removed"]
    assert len(gone) == 1 and result.nodes[gone[0]]["label"] == "Tanh"
    assert nx.is_directed_acyclic_graph(result)
    assert list(result).index(gone[0]) == list(result).index("_0") + 1
    assert result.edges["_0", gone[0]]["change"] == "removed"


class Rewired(nn.Module):
    def __init__(self, swap: bool) -> None:
        super().__init__()
        self.swap = swap
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> Any:
        a, b = self.a(x), self.b(x)
        return a, b, self.c(b if self.swap else a)


def test_another_input_is_a_change() -> None:
    one, other = (fxsummary.graph(Rewired(swap), torch.empty(2, 8)) for swap in (False, True))
    result, comparison = compared(one, other)
    assert comparison.counts["changed"] == 1
    assert result.nodes["c"]["differences"] == (("inputs", ("a",), ("b",)),)
    assert lines_of(result)["c"].text == "Linear 8→8: reads a ⇒ b"


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (nn.ReLU(), nn.GELU(), "ReLU ⇒ GELU"),
        (nn.Dropout(0.1), nn.Dropout(0.2), "Dropout p=0.1 ⇒ p=0.2"),
        (nn.LayerNorm(8), nn.RMSNorm(8), "LayerNorm 8 ⇒ RMSNorm 8"),
        (nn.Linear(8, 8), nn.Linear(8, 8, dtype=torch.float16), None),
        (nn.Linear(8, 8), nn.Linear(8, 8).requires_grad_(False), "Linear 8→8: trainable 72 ⇒ 0"),
    ],
    ids=["activation", "rate", "norm", "dtype", "frozen"],
)
def test_words_for_a_change(one: nn.Module, other: nn.Module, text: str | None) -> None:
    if text is None:
        graphs = [fxsummary.graph(m, torch.empty(2, 8, dtype=m.weight.dtype)) for m in (one, other)]
        result = fxsummary.diff(*graphs)
        assert "float32 ⇒ float16" in result.to_text()
        return
    result, comparison = compared(chain(one), chain(other))
    assert lines_of(result)["0"].text == text
    assert not comparison.equal


class Unread(nn.Module):
    def __init__(self, unread: int) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.unread = nn.Parameter(torch.empty(unread))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


def test_parameters_never_read_are_a_difference() -> None:
    one, other = (fxsummary.graph(Unread(n), torch.empty(1, 4)) for n in (3, 5))
    result, comparison = compared(one, other)
    assert not comparison.equal and {change for _, change in result.nodes(data="change")} == {"same"}
    assert lines_of(result)["parameters never read"].parameters == (3, 5)


# --- what may be compared ----------------------------------------------------------------------


def test_models_graphs_and_files(tmp_path: Path) -> None:
    one, other = nn.Linear(8, 4), nn.Linear(8, 6)
    path = fxsummary.graph(one, torch.empty(1, 8)).render(tmp_path / "before.json")
    expected = contents(fxsummary.diff(one, other, args=(torch.empty(1, 8),)))
    assert contents(fxsummary.diff(path, fxsummary.graph(other, torch.empty(1, 8)))) == expected
    assert contents(fxsummary.diff(str(path), other, input_shape=(1, 8))) == expected
    with pytest.raises(SavedGraphError, match="cannot read"):
        fxsummary.diff(tmp_path / "nothing.json", other)


def test_a_graph_that_is_no_comparison_has_no_changes() -> None:
    assert graph_of("CNN").comparison is None
    with pytest.raises(InputError, match=r"create one with fxsummary\.diff"):
        report.markdown(graph_of("CNN"))


# --- forms -------------------------------------------------------------------------------------

NASTY = [name for name in OWN if name.startswith("hostile")]
PAIRS = [
    ("CNN", "Residual"), ("twelve_blocks", "alternating_blocks"), ("TiedWeights", "SharedBlock"),
    ("torchvision.resnet50", "timm.resnet18"),
    *[(name, "CNN") for name in NASTY[::2]], *[("CNN", name) for name in NASTY[1::2]],
]  # fmt: skip


@pytest.mark.parametrize("names", PAIRS, ids=str)
@pytest.mark.slow
def test_every_form_takes_a_comparison(names: tuple[str, str], tmp_path: Path) -> None:
    one, other = map(graph_of, names)
    assert_lawful(one, other)
    result = fxsummary.diff(one, other)
    held = contents(result)
    for form, export in AVAILABLE.items():
        if export.suffix and form != "png":
            assert result.render(tmp_path / f"diff{export.suffix}").stat().st_size, form
    for width in (80, 120):
        text = result.to_text(width=width)
        assert max(map(display_width, text.split("\n"))) <= width
        assert list(unprintable(text)) == []
    for view in ("summary", "modules", "parameters", "operations"):
        assert result.to_text(view=view)
    markdown = report.markdown(result)
    assert list(unprintable(markdown)) == []
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
    assert json.loads(json.dumps(report.data(result))) == json.loads(json.dumps(report.data(result)))
    for depth in (0, 1, None):
        ElementTree.fromstring(result.to_svg(depth=depth).encode())
    assert contents(result) == held


def test_the_picture_tells_by_sign_and_colour() -> None:
    one, other = vision("resnet34"), vision("resnet50")
    for old, new, changes in ((one, other, ("added", "changed")), (other, one, ("removed", "changed"))):
        result, comparison = compared(old, new)
        svg = result.to_svg()
        for change in changes:
            assert f">{change} ({comparison.counts[change]})</text>" in svg
            assert re.search(rf'class="s-{change}"/><text[^>]*>{re.escape(SIGNS[change])}</text>', svg), change
            assert f".f-{change}{{" in svg
    assert "25.6 M → 21.8 M parameters (−3.76 M)" in svg
    assert ".f-added" not in vision("resnet34").to_svg()
    equal = one_of(vision("resnet18")).to_svg()
    assert "no differences" in equal and 'class="s-added"' not in equal


def test_removed_operations_are_struck_through_and_dashed() -> None:
    """Also without colour: a line through the name, a dashed border, dashed wires; nothing else has them."""
    one, other = chain(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)), chain(nn.Linear(8, 8), nn.Linear(8, 4))
    svg = fxsummary.diff(one, other).to_svg(theme="light")
    removed = f".o-removed{{stroke:{LIGHT.changes['removed'][1]}}}"
    assert removed in svg and ".o-removed{stroke-dasharray:4 3}" in svg
    assert re.search(r'>Tanh</text><rect [^>]*class="s-removed"/>', svg)
    assert len(re.findall(r'<rect [^>]*class="s-removed"/>', svg)) == 1  # no other name is struck through
    assert len(re.findall(r'<rect [^>]*class="line o-removed"/>', svg)) == 1
    assert len(re.findall(r'<path [^>]*class="e o-removed"/>', svg)) == 2  # into it and out of it
    added = fxsummary.diff(other, one).to_svg(theme="light")
    assert 'o-removed"' not in added and 's-removed"' not in added
    two = fxsummary.diff(chain(Block(), Block()), chain(Block())).to_svg(theme="light")
    assert re.search(r'<rect [^>]*class="g\d o-removed"/>', two)  # the frame of a removed module


def test_a_closed_module_has_the_change_of_what_is_in_it() -> None:
    result = fxsummary.diff(vision("resnet18"), vision("resnet34"))
    svg = result.to_svg(depth=2)
    assert ">+4.72 M</text>" in svg and 'class="s-added"' in svg


def test_dot_has_the_signs() -> None:
    dot = fxsummary.diff(chain(nn.Linear(8, 8)), chain(nn.Linear(8, 4))).to_dot()
    assert 'label="~ Linear  0' in dot


def test_a_comparison_is_saved_and_pickled() -> None:
    result = fxsummary.diff(vision("resnet18"), vision("resnet34"))
    for again in (loads(dumps(result)), pickle.loads(pickle.dumps(result))):
        assert again.comparison == result.comparison
        assert again.to_text() == result.to_text()
        assert again.to_svg() == result.to_svg()


def test_same_models_same_bytes() -> None:
    texts = {fxsummary.diff(chain(Block()), chain(Block(16), Block(16))).to_svg() for _ in range(2)}
    assert len(texts) == 1


def test_the_device_is_no_difference() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.LSTM(8, 4))
    here = fxsummary.graph(model, torch.empty(2, 8))
    with torch.device("meta"):
        elsewhere = fxsummary.graph(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.LSTM(8, 4)), torch.empty(2, 8))
    compared = fxsummary.diff(here, elsewhere).comparison
    assert compared is not None and compared.equal
