"""The picture: everything is in it or named as hidden, nothing overlaps, all text is escaped, same bytes each time."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from graphs import graph_of
from test_layout import check_boxes, check_edges, crossings
from torch import Tensor, nn
from torch.nn import functional as F

import fxsummary
from benchmarks.figures import Faults, faults
from fxsummary import ModelGraph, TensorSpec
from fxsummary.drawing import choose, compose
from fxsummary.drawing.arrangement import arrange
from fxsummary.drawing.fonts import text_width
from fxsummary.drawing.names import NAME, RETURNED
from fxsummary.drawing.scene import Item
from fxsummary.drawing.style import DARK, LIGHT, Palette
from fxsummary.errors import UnknownNameError
from fxsummary.exporters.svg import to_svg
from fxsummary.graph.modelgraph import ModuleCall
from fxsummary.graph.records import over_copies
from fxsummary.layout import Edge
from fxsummary.views.blocks import UNREAD
from fxsummary.views.depth import limit_depth
from fxsummary.views.fold import fold_repeats
from fxsummary.views.simplify import simplify
from zoo import HOSTILE, OWN, ZOO

SVG = "{http://www.w3.org/2000/svg}"
every_model = pytest.mark.parametrize("name", ZOO)


@cache
def picture_of(name: str) -> Any:
    return choose.picture(graph_of(name))


@cache
def svg_of(name: str) -> str:
    return to_svg(graph_of(name))


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.encode("utf-8"))


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in parsed(svg).iter(f"{SVG}text")]


def description(svg: str) -> str:
    found = parsed(svg).find(f"{SVG}desc")
    assert found is not None and found.text
    return found.text


# --- what is drawn ---------------------------------------------------------------------------------


@every_model
def test_every_operation_is_drawn_once_or_counted_as_hidden(name: str) -> None:
    graph, picture = graph_of(name), picture_of(name)
    drawn = [key for item in picture.scene.items() for key in item.keys if key in picture.graph]
    assert sorted(drawn) == sorted(picture.graph)
    data = [data for _, data in picture.graph.nodes(data=True)]
    hidden = picture.graph.graph.get("hidden", {})
    operations = sum(count for kind, count in hidden.items() if not kind.startswith("edges"))
    shown = sum(d["multiplicity"] * d.get("closed", 1) for d in data if d["op"] != UNREAD)
    assert shown + operations == len(graph)
    svg = svg_of(name)
    for kind, count in hidden.items():
        assert f"{count} {kind}" in description(svg)
    assert f"{len(graph):,} operation{'s' * (len(graph) != 1)}, drawn as {picture.rows:,} row" in description(svg)


def row_of(item: Item, key: str) -> int:
    return next(number for number, row in enumerate(item.rows) if key in row.keys)


@every_model
def test_every_edge_is_drawn_or_a_neighbourhood_in_a_table(name: str) -> None:
    picture = picture_of(name)
    if not picture.scene.dataflow:
        return
    place: dict[str, tuple[Item, int]] = {}
    for item in picture.scene.items():
        place.update({key: (item, at) for at, key in enumerate(item.keys)})
    edges = set(picture.scene.edges)
    for source, target in picture.graph.edges:
        (above, row), (below, next_row) = place[source], place[target]
        if above is below:
            assert next_row == row + 1
        elif Edge(above.key, below.key) not in edges:
            chips = [text for text, kind in below.rows[row_of(below, target)].chips if kind == NAME]
            returned = below.form == "terminal" and RETURNED in above.rows[row_of(above, source)].chips
            assert chips or returned, (source, target)


@every_model
def test_costs_of_what_is_drawn_are_the_totals(name: str) -> None:
    graph, picture = graph_of(name), picture_of(name)
    data = [data for _, data in picture.graph.nodes(data=True)]
    totals = graph.totals
    assert sum(over_copies(each, "parameters") for each in data) == totals.parameters
    if totals.flops is not None and not totals.unknown_flops:
        assert sum(over_copies(each, "flops") for each in data) == totals.flops


@every_model
def test_nothing_overlaps(name: str) -> None:
    scene = picture_of(name).scene
    arranged = arrange(scene)
    root, placed = arranged.measured.root, arranged.layout
    check_boxes(root, placed)
    if len(scene.edges) <= 300:
        check_edges(root, scene.edges, placed)
    assert not crossings(placed)


@every_model
@pytest.mark.parametrize("page", ["screen", "column"])
def test_no_wire_runs_through_a_text_or_a_box_or_another_wire(name: str, page: str) -> None:
    assert faults(to_svg(graph_of(name), page=page)) == Faults([], [], [])


@every_model
def test_the_page_holds_all_text(name: str) -> None:
    root = parsed(svg_of(name))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter(f"{SVG}text"):
        mono, bold = " m" in element.attrib["class"], "font-weight" in element.attrib
        length = text_width("".join(element.itertext()), float(element.attrib["font-size"]), bold=bold, mono=mono)
        x = float(element.attrib["x"]) - length * {"end": 1.0, "middle": 0.5}.get(element.get("text-anchor", ""), 0.0)
        assert x >= -0.5 and x + length <= width + 0.5
        assert 0 <= float(element.attrib["y"]) <= height


# --- bytes, escaping, themes -----------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    hostile = HOSTILE[name]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)

    graph = fxsummary.graph(Net(), torch.empty(1, 2))
    for _, data in graph.nodes(data=True):
        data.update(label=hostile, config=hostile, target=hostile, source=hostile, arguments=hostile + "%")
        data["module_stack"] = (ModuleCall(hostile, hostile),)
    svg = to_svg(graph, title=hostile)
    parsed(svg)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", svg)
    assert "<script" not in svg and len(svg) < 40_000
    assert all(len(text) <= 160 for text in texts(svg))


@pytest.mark.parametrize("name", ["long", "percent", "script"])
def test_a_long_name_is_cut_in_its_tooltip(name: str) -> None:
    graph = fxsummary.graph(nn.Sequential(nn.Linear(2, 2)), torch.empty(1, 2))
    for _, data in graph.nodes(data=True):
        data["source"] = HOSTILE[name]
    lines = [line for e in parsed(to_svg(graph)).iter(f"{SVG}title") for line in (e.text or "").splitlines()]
    assert max(map(len, lines)) <= 600
    assert any(line.startswith(f"source: {HOSTILE[name][:40]}") for line in lines)


def test_same_bytes_and_the_graph_as_it_was() -> None:
    graph = graph_of(next(iter(OWN)))
    before = [(key, dict(data)) for key, data in graph.nodes(data=True)], dict(graph.graph)
    assert to_svg(graph) == to_svg(graph)
    assert before == ([(key, dict(data)) for key, data in graph.nodes(data=True)], dict(graph.graph))


def test_themes() -> None:
    graph = fxsummary.graph(nn.Sequential(nn.Linear(2, 2)), torch.empty(1, 2))
    auto, light, dark = (to_svg(graph, theme=theme) for theme in ("auto", "light", "dark"))
    assert auto.count("@media (prefers-color-scheme:dark)") == 1
    assert LIGHT.page in light and DARK.page not in light
    assert DARK.page in dark and LIGHT.kinds["convolution"][0] not in dark
    assert not re.search(r"var\(|paint-order|https?://(?!www\.w3\.org/2000/svg)", auto + light + dark)
    assert parsed(auto).attrib["role"] == "img"
    with pytest.raises(UnknownNameError, match="auto, light, dark"):
        to_svg(graph, theme="sepia")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(palette: Palette) -> None:
    for kind, (fill, stroke) in palette.kinds.items():
        if kind == "terminal":
            assert contrast(fill, palette.terminal_text) >= 5.2
            continue
        assert min(contrast(fill, palette.text), contrast(fill, palette.muted)) >= 5.2, kind
        assert contrast(fill, stroke) >= 3.4, kind
    for ground in (palette.page, *palette.groups):
        assert min(contrast(ground, palette.text), contrast(ground, palette.muted)) >= 5.2


# --- what a reader sees ----------------------------------------------------------------------------


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(x + self.norm(self.conv(x)))


class Stages(nn.Module):
    def __init__(self, blocks: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.stage = nn.Sequential(*(Residual(8) for _ in range(blocks)))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage(self.stem(x))
        return self.head(self.drop(x.mean((2, 3))))


@pytest.fixture(scope="module")
def stages() -> ModelGraph:
    return fxsummary.graph(Stages().eval(), torch.empty(2, 3, 16, 16))


def test_repeats_chips_signs_and_totals(stages: ModelGraph) -> None:
    seen = texts(to_svg(stages))
    for wanted in ("Stages", "×4", "+", "BN", "ReLU", "Conv2d", "Linear", "600 × 4 = 2.4 k params · 91 % FLOPs"):
        assert wanted in seen, wanted
    assert "Dropout" not in seen
    assert any(text.startswith("2.71 k parameters · ") and "x 2×3×16×16" in text for text in seen)


def test_training_dropout_stays() -> None:
    graph = fxsummary.graph(Stages().train(), torch.empty(2, 3, 16, 16))
    assert "Dropout" in texts(to_svg(graph))


def test_tooltips_say_everything(stages: ModelGraph) -> None:
    tips = [element.text or "" for element in parsed(to_svg(stages)).iter(f"{SVG}title")]
    head = next(tip for tip in tips if "path: head" in tip)
    for wanted in ("Linear(%", "input: ", "output: 2×10 float32", "parameters: 90", "FLOPs: 320", "source: "):
        assert wanted in head, wanted
    assert any("584 × 4 = 2,336" in tip for tip in tips)


def test_depth(stages: ModelGraph) -> None:
    assert "Residual" in texts(to_svg(stages, depth=2))
    flat = texts(to_svg(stages, depth=1))
    assert "BN" not in flat and "Sequential" in flat
    for depth in range(3):
        assert limit_depth(fold_repeats(simplify(stages)), depth).totals.flops == stages.totals.flops


def test_inferred_inputs_are_said() -> None:
    assert any("(inferred)" in text for text in texts(to_svg(fxsummary.graph(nn.Sequential(nn.Linear(4, 2))))))


def test_unknown_is_not_zero() -> None:
    graph = fxsummary.graph(Stages().eval(), torch.empty(2, 3, 16, 16))
    graph.nodes["head"]["flops"] = None
    graph.nodes["stem"]["parameters"] = None
    seen = texts(to_svg(graph))
    assert any("≥ " in text and "FLOPs" in text and "≥ 2.49 k parameters" in text for text in seen)
    assert seen.count("?") == 3


def test_module_tree_without_dataflow() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

        def forward(self, x: torch.Tensor, *rest: Any) -> torch.Tensor:
            return self.body(x) if rest[0].sum() > 0 else x

    graph = fxsummary.graph(Branching())
    svg = to_svg(graph)
    assert graph.captured_by == "modules"
    assert any("module tree: no dataflow" in text for text in texts(svg))
    assert 'class="e"' not in svg and "Linear" in texts(svg)


def node(op: str, label: str, **more: Any) -> dict[str, Any]:
    spec = TensorSpec((1, 8), "float32")
    values = {
        "op": op, "target": label, "label": label, "kind": "other", "config": "", "arguments": "", "source": "",
        "module": "", "module_type": "", "module_stack": (), "multiplicity": 1, "flops": 0,
        "outputs": spec, "shape": spec.shape, "dtype": spec.dtype, "output_bytes": 32,
        "parameters": 0, "trainable_parameters": 0, "parameter_names": (), "parameter_bytes": 0,
        "parameter_dtypes": (), "buffers": 0, "buffer_bytes": 0,
        "reads": (), "unknown_operators": (), "packed": False, "assumed": False, "trust": "exact",
    }  # fmt: skip
    return values | more


def graph_from(edges: list[tuple[str, str]], **nodes: dict[str, Any]) -> ModelGraph:
    graph = ModelGraph()
    graph.graph.update(name="Hand")
    graph.add_nodes_from(nodes.items())
    for source, target in edges:
        slot = len(graph.pred[target])
        graph.add_edge(source, target, slots=(slot,), parts=(), shape=(1, 8), dtype="float32", bytes=32)
    return graph


def test_simplify_carries_costs_and_slots() -> None:
    weight = node("get_attr", "weight", parameters=64, trainable_parameters=64, parameter_dtypes=(("float32", 64),))
    graph = graph_from(
        [("x", "same"), ("same", "f"), ("w", "f"), ("f", "v1"), ("v1", "v2"), ("v2", "out")],
        x=node("placeholder", "x"),
        same=node("call_method", "contiguous"),
        w=weight,
        f=node("call_function", "linear", kind="linear", flops=128),
        v1=node("call_method", "view"),
        v2=node("call_method", "transpose", outputs=TensorSpec((8, 1), "float32"), shape=(8, 1)),
        dead=node("call_function", "neg"),
        out=node("output", "output"),
    )
    simple = simplify(graph)
    assert list(simple) == ["x", "f", "v2", "out"]
    assert simple.nodes["f"]["parameters"] == 64 and graph.nodes["f"]["parameters"] == 0
    assert simple.edges["x", "f"]["slots"] == (0,)
    assert simple.nodes["v2"]["label"] == "transpose"
    assert simple.graph["hidden"] == {
        "contiguous": 1, "operations that nothing reads": 1, "parameters shown in their operation": 1, "view": 1,
    }  # fmt: skip
    assert simple.totals.parameters == graph.totals.parameters and simple.totals.flops == graph.totals.flops


def test_simplify_chains_concatenations() -> None:
    names = ["a", "b", "c", "d"]
    edges = [("a", "c1"), ("b", "c1"), ("a", "c2"), ("b", "c2"), ("c", "c2")]
    edges += [(n, "c3") for n in names] + [(c, "out") for c in ("c1", "c2", "c3")]
    nodes = {n: node("placeholder", n) for n in names}
    nodes |= {c: node("call_function", "cat", kind="arithmetic") for c in ("c1", "c2", "c3")}
    simple = simplify(graph_from(edges, **nodes, out=node("output", "output")))
    assert sorted(simple.pred["c2"]) == ["c", "c1"] and sorted(simple.pred["c3"]) == ["c2", "d"]
    assert simple.edges["c2", "c3"]["slots"] == (0, 1, 2)


def test_a_value_of_unknown_shape_is_kept() -> None:
    unknown = {"outputs": None, "shape": None, "dtype": None, "output_bytes": None}
    graph = graph_from(
        [("x", "f"), ("f", "out")],
        x=node("placeholder", "x", **unknown),
        f=node("call_function", "mystery", **unknown),
        out=node("output", "output", **unknown),
    )
    assert "mystery" in texts(to_svg(graph))


def test_broadcast_values_are_named_in_their_readers() -> None:
    edges, nodes = [], {"x": node("placeholder", "x"), "mask": node("placeholder", "mask")}
    last = "x"
    for i in range(5):
        stack = (ModuleCall(f"layer{i}", "Layer"),)
        for part in ("a", "b"):
            key = f"{part}{i}"
            nodes[key] = node("call_function", f"op{i}{part}", module_stack=stack, module=f"layer{i}")
            edges.append((last, key))
            last = key
        edges.append(("mask", f"a{i}"))
    nodes["out"] = node("output", "output")
    graph = graph_from([*edges, (last, "out")], **nodes)
    svg = to_svg(graph)
    assert texts(svg).count("mask") == 6
    assert "mask" not in [edge.source for edge in compose.compose(graph, graph).scene.edges]
    assert "5 edges drawn as names" in description(svg)


def test_a_cycle_between_closed_blocks_is_drawn() -> None:
    a, b = (ModuleCall("a", "A"),), (ModuleCall("b", "B"),)
    graph = graph_from(
        [("x", "a1"), ("a1", "b1"), ("b1", "a2"), ("a2", "b2"), ("b2", "out")],
        x=node("placeholder", "x"),
        a1=node("call_function", "f", module_stack=a),
        b1=node("call_function", "g", module_stack=b),
        a2=node("call_function", "h", module_stack=a),
        b2=node("call_function", "k", module_stack=b),
        out=node("output", "output"),
    )
    for depth in (None, 0, 1):
        parsed(to_svg(graph, depth=depth))


@pytest.mark.parametrize("different", [True, False])
@pytest.mark.slow
def test_thousands_of_operations(different: bool) -> None:
    count = 3000
    nodes = {f"n{i}": node("call_function", (f"gelu{i * different}", "add")[i % 2]) for i in range(count)}
    edges = [(f"n{i}", f"n{i + 1}") for i in range(count - 1)] + [(f"n{i - 3}", f"n{i}") for i in range(3, count, 2)]
    edges += [("x", "n0"), (f"n{count - 1}", "out")]
    graph = graph_from(edges, x=node("placeholder", "x"), **nodes, out=node("output", "output"))
    svg = to_svg(graph)
    assert any("depth=0 fits a page" in text for text in texts(svg)) == different
    assert ("×1499" in texts(svg)) != different


def test_widths() -> None:
    assert text_width("MMMM", 10) > text_width("iiii", 10)
    assert text_width("ab", 10, mono=True) == pytest.approx(12.04)
    assert text_width("\u0301", 10) == 0 and text_width("層", 10, mono=True) == pytest.approx(12.04)


def test_two_calls_of_one_block_are_two_frames() -> None:
    calls = [(ModuleCall("a", "A", number),) for number in range(2)]
    nodes = {f"n{i}": node("call_function", "f", module_stack=calls[i // 2]) for i in range(4)}
    edges = [("x", "n0"), ("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n3", "out")]
    graph = graph_from(edges, x=node("placeholder", "x"), **nodes, out=node("output", "output"))
    closed = limit_depth(graph, 1)
    assert len(closed) == 4 and len(set(closed)) == 4


class Pyramid(nn.Module):
    """Three levels down, and up again with a lateral convolution on each skip; each level has a result."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(8, 8, 3, stride=2, padding=1) for _ in range(3))
        self.lateral = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(3))
        self.result = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [x := layer(x) for layer in self.down]
        y = self.lateral[2](levels[2])
        results = [self.result[2](y)]
        for at in (1, 0):
            y = self.lateral[at](levels[at]) + F.interpolate(y, scale_factor=2)
            results.append(self.result[at](y))
        return results


def test_a_pyramid_has_laterals_beside_its_sums_and_marks_its_results() -> None:
    scene = choose.picture(fxsummary.graph(Pyramid(), torch.empty(1, 8, 64, 64))).scene
    arranged = arrange(scene)
    assert arranged.page.shaped and not crossings(arranged.layout)
    boxes, of = arranged.layout.boxes, {item.keys[0]: item for item in scene.items()}
    assert boxes["lateral_0"].right < boxes["add_1"].x and boxes["lateral_0"].y < boxes["lateral_1"].y
    marked = [key for key, item in of.items() if RETURNED in [chip for row in item.rows for chip in row.chips]]
    assert {"result_1", "result_2"} <= {*marked} and not of["output"].rows[0].chips
