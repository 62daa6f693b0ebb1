"""Saved graphs: JSON by its schema, back as the same graph, and errors that name the place."""

from __future__ import annotations

import copy
import enum
import json
import math
import pickle
from pathlib import Path
from typing import Any

import networkx as nx
import numpy
import pytest
import torch
from graphs import graph_of, unprintable
from jsonschema import Draft202012Validator
from printed import check, text_rows
from test_printed import check_totals
from torch import nn
from unfolding import as_listed, unfolded_as_listed

import fxsummary
from fxsummary import ModelGraph, TensorSpec
from fxsummary.errors import OutputError, SavedGraphError, UnknownNameError
from fxsummary.graph.attributes import EDGE, NODE
from fxsummary.graph.records import ModuleCall
from fxsummary.graph.saved import VERSION, dumps, load, loads
from fxsummary.graph.saved.schema import schema
from fxsummary.views.blocks import block_tree
from fxsummary.views.depth import limit_depth
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.shown import shown
from fxsummary.views.simplify import simplify
from zoo import HOSTILE, ZOO

SCHEMA = json.loads(json.dumps(schema()))
VALIDATOR = Draft202012Validator(SCHEMA)


def everything(graph: ModelGraph) -> str:
    """All that a graph holds, types and orders of nodes and edges included."""

    def ordered(data: dict[str, Any]) -> list[Any]:
        return sorted(data.items())

    return repr((
        [(key, ordered(data)) for key, data in graph.nodes(data=True)],
        [(source, target, ordered(data)) for source, target, data in graph.edges(data=True)],
        [list(graph.pred[key]) for key in graph],
        ordered(graph.graph),
    ))  # fmt: skip


# --- the laws ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_a_saved_graph_comes_back_as_it_was(name: str) -> None:
    graph = graph_of(name)
    text = graph.to_json()
    again = loads(text)
    assert type(again) is ModelGraph
    assert everything(again) == everything(graph)
    assert again.to_json() == text
    assert again.totals == graph.totals
    text.encode("utf-8")


@pytest.mark.parametrize(
    "name", ["CNN", "DictOutput", "quantized", "opaque_weights", "TiedWeights", "LSTM", "torchvision.vit_b_16"]
)
def test_forms_of_a_loaded_graph_are_those_of_the_graph(name: str) -> None:
    graph = graph_of(name)
    again = loads(dumps(graph))
    assert again.to_text() == graph.to_text()
    assert again.to_svg() == graph.to_svg()
    assert again.to_dot() == graph.to_dot()
    for view in ("modules", "parameters", "operations"):
        assert again.to_text(view=view) == graph.to_text(view=view)


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if not entry.real] + ["torchvision.resnet50"])
def test_json_is_by_the_schema(name: str) -> None:
    errors = [
        f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(json.loads(dumps(graph_of(name))))
    ]
    assert errors == []


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["version"]["const"] == VERSION


def test_the_schema_names_every_attribute() -> None:
    named = {kind: SCHEMA["$defs"][kind]["properties"] for kind in ("node", "edge")}
    assert named["node"].keys() == {"key", *NODE} and named["edge"].keys() == {"from", "to", *EDGE}
    for properties, table in ((named["node"], NODE), (named["edge"], EDGE)):
        for name, attribute in table.items():
            assert properties[name]["description"] == attribute.description
            assert ("default" in properties[name]) != attribute.required


def test_the_schema_refuses_what_is_wrong() -> None:
    raw = json.loads(dumps(graph_of("CNN")))
    assert VALIDATOR.is_valid(raw)
    raw["nodes"][1]["flops"] = "many"
    assert not VALIDATOR.is_valid(raw)


def test_each_operation_has_a_line_of_its_own() -> None:
    graph = graph_of("CNN")
    lines = dumps(graph).splitlines()
    assert sum(line.startswith(' {"key": ') for line in lines) == len(graph)
    assert '"conv1", "op": "call_module"' in next(line for line in lines if line.startswith(' {"key": "conv1"'))


# --- folded graphs -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_a_folded_graph_comes_back_as_it_was(name: str) -> None:
    graph = graph_of(name)
    for simple, similar in ((graph, False), (hide_scalars(graph), True), (hide_scalars(graph), False)):
        folded = fold_repeats(simple, similar=similar)
        text = dumps(folded)
        again = loads(text)
        assert everything(again) == everything(folded)
        assert dumps(again) == text
        assert unfolded_as_listed(again) == unfolded_as_listed(folded)
        assert again.totals == graph.totals
    if ZOO[name].has_dataflow:
        (_, reads), (_, original) = unfolded_as_listed(again), as_listed(simple)
        assert reads == original


@pytest.mark.parametrize("name", ZOO)
def test_what_is_shown_can_be_saved(name: str) -> None:
    graph = shown(graph_of(name))
    again = loads(dumps(graph))
    assert list(again.nodes(data=True)) == list(graph.nodes(data=True)) and again.totals == graph.totals
    assert dumps(loads(dumps(again))) == dumps(graph)
    assert graph_tree(again) == graph_tree(graph)


def graph_tree(graph: ModelGraph) -> list[Any]:
    return [(block.call, block.repeat, block.last, block.copies) for block in block_tree(graph).walk()]


FOLDED = ["twelve_blocks", "alternating_blocks", "torchvision.resnet50", "torchvision.vit_b_16", "timm.resnet18"]


@pytest.mark.parametrize("name", FOLDED)
def test_forms_of_a_loaded_folded_graph_are_those_of_the_graph(name: str) -> None:
    graph = fold_repeats(graph_of(name))
    for again in (loads(dumps(graph)), pickle.loads(pickle.dumps(graph)), copy.deepcopy(graph)):
        assert everything(again) == everything(graph)
        assert again.to_text() == graph.to_text()
        assert again.to_svg() == graph.to_svg()
        assert again.to_dot() == graph.to_dot()


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if not entry.real] + FOLDED)
def test_json_of_a_folded_graph_is_by_the_schema(name: str) -> None:
    raw = json.loads(dumps(fold_repeats(graph_of(name))))
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(raw)] == []


def test_files_of_graphs_that_are_not_folded_say_nothing_of_runs() -> None:
    assert not {"repeats", "copies_read", "own_values", "module_copies"} & json.loads(dumps(graph_of("CNN"))).keys()


class _UnreadInRun(nn.Module):
    """Layers that read a weight of the model and hold one that is never read."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.unread = nn.Linear(8, 8), nn.Parameter(torch.empty(3))

        def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return self.fc(x) * scale

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(self.Layer() for _ in range(6))
        self.scales = nn.ParameterList(torch.empty(8) for _ in range(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, scale in zip(self.layers, self.scales, strict=True):
            x = layer(x, scale)
        return x


def test_the_summary_of_a_folded_graph_adds_up() -> None:
    graphs = [fxsummary.graph(_UnreadInRun(), torch.empty(2, 8)), *map(graph_of, FOLDED)]
    for graph in graphs:
        root = text_rows(loads(graph.to_json(fold=True)).to_text(width=1000))
        check(root)
        check_totals(graph, root)


def test_folding_twice_is_folding_once() -> None:
    folded = fold_repeats(graph_of("twelve_blocks"))
    assert fold_repeats(folded) is folded


# --- values ------------------------------------------------------------------------------------

VALUES = [
    None, True, 0, -3, 2**70, 1.0, -0.0, 1e-300, 0.1, math.inf, -math.inf, "", "text", 'a"b\\c\n', "×→\u202e\x9b\u2028",
    "a\ud800b", (), (1,), ((1, 2), (3,)), [], [1, (2, [3])], {}, {"shape": 1, "dtype": 2}, {"list": [1]},
    {1: (2,), None: 3},
    2 + 3j, complex(math.inf, -0.0), b"", b"\x00\xff", slice(None, 3, -1), TensorSpec((2, 3), "float32", (3, 1)),
    TensorSpec((2, 3), "bfloat16", (1, 2), "cuda:1"), TensorSpec((2, 0), "int64", None), TensorSpec((), "bool", ()),
    TensorSpec((1, 3), "float8_e4m3fn", (9, 1)), (TensorSpec((4,), "complex64", (1,), "meta"), None, {"x": [1.5, "a"]}),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(value: Any) -> None:
    graph = ModelGraph(note=value)
    again = loads(dumps(graph))
    assert repr(again.graph["note"]) == repr(value)
    assert type(again.graph["note"]) is type(value)
    assert VALIDATOR.is_valid(json.loads(dumps(graph)))


def test_nan_comes_back() -> None:
    assert math.isnan(loads(dumps(ModelGraph(note=math.nan))).graph["note"])
    assert "NaN" not in dumps(ModelGraph(note=(math.nan, math.inf)))


def test_attributes_of_the_user_come_back() -> None:
    graph = graph_of("CNN").copy()
    graph.nodes["conv1"]["latency_ms"] = 0.25
    graph.edges["x", "conv1"]["pinned"] = (True, None)
    graph.graph["git"] = {"commit": "abc"}
    again = loads(dumps(graph))
    assert again.nodes["conv1"]["latency_ms"] == 0.25
    assert again.edges["x", "conv1"]["pinned"] == (True, None)
    assert again.graph["git"] == {"commit": "abc"}


@pytest.mark.parametrize("view", [simplify, lambda graph: limit_depth(simplify(graph), 1)])
def test_graphs_made_by_views_can_be_saved(view: Any) -> None:
    graph = view(graph_of("torchvision.vit_b_16"))
    again = loads(dumps(graph))
    assert everything(again) == everything(graph)
    assert list(again.edges) and again.totals == graph.totals


class _Activation(str, enum.Enum):
    RELU = "relu"


class _ReturnsSettings(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"x": x, "activation": _Activation.RELU, "rate": numpy.float64(0.5)}


def test_settings_in_what_forward_returns_are_plain() -> None:
    graph = fxsummary.graph(_ReturnsSettings(), torch.empty(2), trace="record")
    spec = loads(dumps(graph)).output_spec
    assert (type(spec["activation"]), type(spec["rate"])) == (str, float)
    assert spec == graph.output_spec == {"x": TensorSpec((2,), "float32", (1,)), "activation": "relu", "rate": 0.5}
    assert type(graph.output_spec["activation"]) is str


def test_module_stacks_are_of_module_calls() -> None:
    (call,) = loads(dumps(graph_of("CNN"))).nodes["conv1"]["module_stack"]
    assert call == ModuleCall("conv1", "Conv2d", 0) and call.path == "conv1"


def test_parts_of_a_graph_and_empty_ones_can_be_saved() -> None:
    half = graph_of("CNN").subgraph(["x", "conv1", "relu1"])
    assert nx.utils.graphs_equal(loads(dumps(half)), half)
    assert nx.utils.graphs_equal(loads(dumps(ModelGraph())), ModelGraph())


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_names_do_not_reach_the_terminal(key: str) -> None:
    text = dumps(graph_of(f"hostile_{key}"))
    assert list(unprintable(text)) == []


# --- what cannot be saved ----------------------------------------------------------------------


def test_what_is_not_plain_is_named() -> None:
    graph = graph_of("CNN").copy()
    graph.nodes["conv1"]["weight"] = object()
    with pytest.raises(OutputError, match=r"nodes\['conv1'\]\.weight: expected a plain value .*, found <object"):
        dumps(graph)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("flops", 1.5, r"nodes\['fc'\]\.flops: expected a whole number, not negative, or null .*, found 1\.5"),
        ("shape", [1, 2], r"nodes\['fc'\]\.shape: expected an array of sizes, or null, found \[1, 2\]"),
        ("key", 1, r"nodes\['fc'\]: an attribute cannot be named 'key'"),
        (3, 1, r"nodes\['fc'\]: an attribute cannot be named 3"),
    ],
)
def test_attributes_that_are_wrong_are_not_saved(name: Any, value: Any, message: str) -> None:
    graph = graph_of("CNN").copy()
    graph.nodes["fc"][name] = value
    with pytest.raises(OutputError, match=message):
        dumps(graph)


def test_nodes_without_their_attributes_are_not_saved() -> None:
    graph = ModelGraph()
    graph.add_node("a")
    with pytest.raises(OutputError, match=r"nodes\['a'\]: the attribute 'op' is missing"):
        dumps(graph)
    graph = ModelGraph()
    graph.add_node(1)
    with pytest.raises(OutputError, match=r"expected text as a node key, found 1"):
        dumps(graph)


# --- what cannot be loaded ---------------------------------------------------------------------


def changed(**parts: Any) -> str:
    return json.dumps({**json.loads(dumps(graph_of("CNN"))), **parts})


def with_node(**attributes: Any) -> str:
    raw = json.loads(dumps(graph_of("CNN")))
    raw["nodes"][1] |= attributes
    return json.dumps(raw)


def without(part: str, index: int, name: str) -> str:
    raw = json.loads(dumps(graph_of("CNN")))
    del raw[part][index][name]
    return json.dumps(raw)


def with_modules(*modules: dict[str, Any]) -> str:
    return changed(modules=list(modules))


def with_run(**attributes: Any) -> str:
    raw = json.loads(graph_of("twelve_blocks").to_json(fold=True))
    raw["repeats"][0] |= attributes
    return json.dumps(raw)


def with_table(name: str, *rows: Any) -> str:
    return json.dumps({**json.loads(graph_of("twelve_blocks").to_json(fold=True)), name: rows})


WRONG = {
    "": r"line 1, column 1: this is not JSON",
    '{"format": "fxsummary",\n "version": }': r"line 2, column 13: this is not JSON",
    "[]": r'this is not a saved graph: expected an object with "format": "fxsummary"',
    "{}": r"this is not a saved graph",
    "[" * 100_000: r"this JSON cannot be read",
    '{"format": "fxsummary", "version": NaN}': r"NaN is not JSON",
    '{"format": "fxsummary", "version": 1' + "0" * 5000 + "}": r"this JSON cannot be read",
    changed(version="1"): r"version: expected a whole number of at least 1, found '1'",
    changed(
        version=2
    ): r"version: a later fxsummary wrote this file: it has version 2, and this one reads versions up to 1; update",
    changed(nodes=None): r"nodes: expected an array, found None",
    changed(edges=[1]): r"edges\[0\]: expected an object, found 1",
    changed(notes=["a", 1]): r"notes: expected an array of texts, found \['a', 1\]",
    changed(
        output_spec={"shape": [-1], "dtype": "float32"}
    ): r"output_spec\.shape: expected an array of sizes, found \[-1\]",
    changed(output_spec={"shape": [1]}): r"output_spec: expected a tensor: shape, dtype and perhaps",
    changed(output_spec={"shape": [1], "dtype": 3}): r"output_spec: expected names of dtype and device",
    changed(
        output_spec={"shape": [1], "dtype": "bool", "stride": [1, 2]}
    ): r"output_spec\.stride: expected null, or a step",
    changed(output_spec={"tuple": [1]}): r"output_spec: expected an object with one of list, dict, .*, found \{'tuple'",
    changed(output_spec={}): r"output_spec: expected an object with one of",
    changed(
        output_spec=[{"float": "big"}]
    ): r"output_spec\[0\]\.float: expected \"inf\", \"-inf\" or \"nan\", found 'big'",
    changed(output_spec={"bytes": "xy"}): r"output_spec\.bytes: expected hexadecimal digits",
    changed(output_spec={"dict": [1]}): r"output_spec\.dict: expected an object",
    changed(output_spec={"list": "ab"}): r"output_spec\.list: expected an array",
    changed(output_spec={"slice": [1]}): r"output_spec\.slice: expected an array of start, stop and step",
    with_node(
        flops="many"
    ): r"nodes\[1\] \('conv1'\)\.flops: expected a whole number, not negative, or null .*, found 'many'",
    with_node(flops=True): r"flops: expected a whole number",
    with_node(parameters=-1): r"parameters: expected a whole number",
    with_node(shape="1x3"): r"shape: expected an array of sizes, or null",
    with_node(module_stack=[["conv1", "Conv2d"]]): r"module_stack: expected an array of \[path, type, call\]",
    with_node(trust="blind"): r"trust: expected one of exact, assumed, unknown, found 'blind'",
    with_node(multiplicity=0): r"multiplicity: expected a whole number of at least 1",
    with_node(key="x"): r"nodes\[1\]\.key: expected text that is not the key of another node, found 'x'",
    without("nodes", 1, "op"): r"nodes\[1\] \('conv1'\): 'op' is missing: expected text",
    without("edges", 0, "to"): r"edges\[0\]\.to: expected the key of a node, found None",
    changed(edges=[{"from": "x", "to": "nowhere"}]): r"edges\[0\]\.to: expected the key of a node, found 'nowhere'",
    changed(edges=[{"from": "x", "to": "conv1"}] * 2): r"edges\[1\]: an edge from 'x' to 'conv1' already exists",
    with_run(count=1): r"repeats\[0\]\.count: expected a whole number of at least 2, found 1",
    with_run(of="nothing"): r"repeats\[0\]\.of: expected the key of a node, or the call of a block, found 'nothing'",
    with_run(of=["blocks.0"]): r"repeats\[0\]\.of: expected the key of a node, or \[path, type, call\], found",
    with_run(copies=3): r"repeats\[0\]: unknown 'copies'; the known names are of, count, last, carried, own",
    with_run(
        carried=[["output", -2, ["output", []]]]
    ): r"repeats\[0\]\.carried: expected an array of \[reader, slot, \[source",
    with_run(
        carried=[["output", 0, ["nowhere", []]]]
    ): r"repeats\[0\]\.carried\[0\]: expected the key of a node, found 'no",
    with_run(carried=[["output", 0, ["output", []]]] * 2): r"repeats\[0\]\.carried: \('output', 0\) appears twice",
    with_run(own=[["nowhere", 0]]): r"repeats\[0\]\.own\[0\]: expected the key of a node, found 'nowhere'",
    changed(repeats={}): r"repeats: expected an array, found \{\}",
    changed(repeats=[1]): r"repeats\[0\]: expected an object, found 1",
    with_table("copies_read", ["output", 0, -1]): r"copies_read: expected an array of \[reader, slot, copy\]",
    with_table("copies_read", ["nowhere", 0, 1]): r"copies_read\[0\]: expected the key of a node, found 'nowhere'",
    with_table(
        "own_values", ["output", 0, [["output", 0, []], ["y", 0, []]]]
    ): r"own_values\[0\]: expected the key of a node",
    with_table("module_copies", ["a", "b"]): r"module_copies: expected an array of \[path, array of paths\], found",
    with_table("module_copies", ["a", []], ["a", []]): r"module_copies: 'a' appears twice",
    with_node(module_stack=[["conv1", "A · B", -1]]): r"repeats: the pattern \['conv1', 'A · B', -1\] in a module",
    with_modules({"path": "", "type": "M", "size": 1}): r"modules\[0\]: unknown 'size'; the known names are path, type",
    with_modules({"path": "a", "type": "M"}): r"modules\[0\]: 'a' is not a child of an earlier module",
    with_modules({"path": "", "type": "M", "children": [""]}): r"modules\[0\]: '' is the child of two modules",
    with_modules({"path": "", "type": "M", "children": ["a"]}): r"modules: the children a are missing",
    with_modules({"path": "", "type": "M", "parameters": [1]}): r"modules\[0\]\.parameters\[0\]: expected an object",
    with_modules(
        {"path": "", "type": "M", "parameters": [{"name": "w"}]}
    ): r"modules\[0\]\.parameters\[0\]: 'spec' is missing",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_with_its_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(text, "utf-8")
    with pytest.raises(SavedGraphError, match=WRONG[text]) as error:
        load(path)
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < len(str(path)) + 400


def test_kinds_and_dtypes_of_later_versions() -> None:
    raw = json.loads(dumps(graph_of("CNN")))
    raw["nodes"][1] |= {"kind": "state space", "label": "Mamba"}
    graph = loads(json.dumps(raw))
    for form in ("to_text", "to_dot", "to_svg", "to_html", "to_markdown", "to_mermaid", "to_graphml"):
        assert "Mamba" in getattr(graph, form)(), form
    raw["nodes"][1]["parameter_dtypes"] = [["float2", 448]]
    with pytest.raises(UnknownNameError, match=r"torch [\d.+a-z]+ has no dtype 'float2': update torch"):
        loads(json.dumps(raw)).to_text()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SavedGraphError, match=r"cannot read .*missing\.json: No such file"):
        load(tmp_path / "missing.json")
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe")
    with pytest.raises(SavedGraphError, match=r"latin\.json is not UTF-8 text"):
        load(tmp_path / "latin.json")


def test_load_is_public(tmp_path: Path) -> None:
    path = graph_of("CNN").render(tmp_path / "cnn.json")
    assert nx.utils.graphs_equal(fxsummary.load(path), graph_of("CNN"))
