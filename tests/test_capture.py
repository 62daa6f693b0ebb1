"""Capture: the nodes of torch.fx, module stacks, source lines, edges, hooks, leaves, GraphModules, kinds."""

from __future__ import annotations

import copy
import linecache
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch
from graphs import contents, graph_of, graph_with, shapes_of
from torch import Tensor, fx, nn
from torch.nn import functional as F

import fxsummary
from fxsummary.capture.operations import memo
from fxsummary.capture.operations.propagate import propagate
from fxsummary.capture.operations.run import Operations
from fxsummary.capture.results import Trace
from fxsummary.capture.subject import Subject
from fxsummary.capture.symbolic.trace import trace
from fxsummary.graph.spec import TensorSpec
from zoo import OWN, ZOO
from zoo.own import CNN, Residual, twelve_blocks

TRACED_BY_FX = [
    "CNN",
    "Residual",
    "PlusItself",
    "CalledTwice",
    "SharedBlock",
    "TiedWeights",
    "BareParameter",
    "DictOutput",
    "NamedTupleOutput",
    "TupleOutput",
    "Containers",
    "twelve_blocks",
    "FunctionalConvolution",
    "RecurrentHead",
    "SelfAttention",
    "conv_subclass",
    "torchvision.resnet50",
    "torchvision.vit_b_16",
    "torchvision.convnext_tiny",
    "torchvision.densenet121",
    "torchvision.efficientnet_b0",
    "torchvision.squeezenet1_0",
    "torchvision.shufflenet_v2_x1_0",
    "timm.resnet18",
    "timm.mixer_s32_224",
    "timm.poolformer_s12",
]


@pytest.mark.parametrize("name", TRACED_BY_FX)
def test_nodes_are_those_of_torch_fx(name: str) -> None:
    expected = fx.Tracer().trace(copy.deepcopy(ZOO[name].model()))
    graph = graph_of(name)
    keys = {node.name: key for node, key in zip(expected.nodes, graph, strict=True)}
    if not any(data["target"] == "operator.iadd" for _, data in graph.nodes(data=True)):  # torch.fx writes it as an add
        assert all(name == key for name, key in keys.items())
    assert [data["op"] for _, data in graph.nodes(data=True)] == [node.op for node in expected.nodes]
    edges = {(keys[source.name], keys[node.name]) for node in expected.nodes for source in node.all_input_nodes}
    assert set(graph.edges) == edges


def test_tracing_builds_no_graph_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a GraphModule was built")

    monkeypatch.setattr(fx.GraphModule, "__init__", refuse)
    assert graph_with(CNN(), ZOO["CNN"].inputs()).totals.parameters == 20_778


# --- edges -------------------------------------------------------------------------------------


def test_x_plus_x_is_one_edge_with_two_slots() -> None:
    graph = graph_of("PlusItself")
    assert graph.edges["fc", "add"]["slots"] == (0, 1)
    assert graph.nodes["add"]["arguments"] == "%, %"
    assert graph.edges["fc", "add"]["bytes"] == 2 * 4 * 4


def test_edges_carry_shape_dtype_and_bytes() -> None:
    edge = graph_of("CNN").edges["conv1", "relu1"]
    assert edge == {"slots": (0,), "parts": (), "shape": (1, 16, 28, 28), "dtype": "float32", "bytes": 4 * 16 * 28 * 28}


def test_slots_follow_the_arguments() -> None:
    graph = graph_of("NestedInput")
    joined = graph_of("VariadicInput")
    assert graph.edges["add", "add_1"]["slots"] == (0,)
    assert [joined.edges[source, "cat"]["slots"] for source in joined.pred["cat"]] == [(0,), (1,), (2,)]


def test_longest_path_by_flops() -> None:
    graph = graph_of("CNN")
    weights = {(u, v): graph.nodes[v]["flops"] for u, v in graph.edges}
    nx.set_edge_attributes(work := graph.copy(), weights, "flops")
    path = nx.dag_longest_path(work, weight="flops")
    assert [key for key in path if graph.nodes[key]["flops"]] == ["conv1", "conv2", "fc"]


# --- modules -----------------------------------------------------------------------------------


def test_module_stack_and_owner() -> None:
    data = graph_of("twelve_blocks").nodes["_3_mlp_up"]
    assert [(call.path, call.type, call.call) for call in data["module_stack"]] == [
        ("3", "_Block", 0),
        ("3.mlp", "_Pair", 0),
        ("3.mlp.up", "Linear", 0),
    ]
    assert (data["module"], data["module_type"], data["target"], data["label"]) == (
        "3.mlp.up",
        "Linear",
        "3.mlp.up",
        "Linear",
    )
    function = graph_of("twelve_blocks").nodes["gelu"]
    assert (function["module"], function["module_type"], function["label"]) == ("1.mlp", "_Pair", "gelu")


def test_second_call_of_a_shared_block() -> None:
    graph = graph_of("SharedBlock")
    calls = [data["module_stack"][0].call for _, data in graph.nodes(data=True) if data["module_stack"]]
    assert calls == [0, 0, 0, 1, 1, 1]
    assert [data["parameters"] for _, data in graph.nodes(data=True) if data["label"] == "Linear"] == [144, 136, 0, 0]
    assert graph.modules["again"].shared_with == "first"


def test_a_module_name_that_looks_like_a_call() -> None:
    class At(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("fc", Residual())
            self.add_module("fc@1", Residual())

        def forward(self, x: Tensor) -> Tensor:
            return getattr(self, "fc@1")(self.fc(self.fc(x)))

    graph = fxsummary.graph(At(), torch.empty(2, 8))
    stacks = [data["module_stack"][0] for _, data in graph.nodes(data=True) if data["label"] == "add"]
    assert [(call.path, call.call) for call in stacks] == [("fc", 0), ("fc", 1), ("fc@1", 0)]
    assert graph.totals.parameters == 2 * 88


def test_uncalled_modules_are_in_the_tree() -> None:
    modules = graph_of("Unused").modules
    assert not modules["spare"].called
    assert modules["fc"].called
    assert [p.read for p in modules["spare"].parameters] == [False, False]
    assert [p.read for p in modules["fc"].parameters] == [True, True]


def test_leaf_by_type_name_and_path() -> None:
    model, x = twelve_blocks(), torch.empty(1, 4, 16)
    block = type(model[1])
    whole = fxsummary.graph(model, x)
    for leaf in (block, "_Block", [block], [str(index) for index in range(1, 13)]):
        graph = fxsummary.graph(model, x, leaf=leaf)
        assert len(graph) == 1 + 14 + 1
        assert graph.nodes["_1"]["label"] == "_Block"
        assert graph.totals.parameters == whole.totals.parameters
        assert graph.totals.flops == whole.totals.flops


def test_parametrized_modules_keep_their_name() -> None:
    labels = [data["label"] for _, data in graph_of("weight_norm").nodes(data=True) if data["op"] == "call_module"]
    assert labels == ["Conv2d", "Flatten", "Linear"]


def test_subclass_of_a_torch_module_is_entered() -> None:
    graph = graph_of("conv_subclass")
    assert [data["label"] for _, data in graph.nodes(data=True)][1:5] == ["pad", "weight", "bias", "conv2d"]


# --- source lines ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key", "code"),
    [
        ("CNN", "conv1", "self.conv1(x)"),
        ("CNN", "view", "x.view("),
        ("Residual", "add", "x + self.fc"),
        ("SharedBlock", "gelu", "F.gelu"),
        ("BareParameter", "matmul", "@ self.weight"),
        ("torchvision.vit_b_16", "cat", "torch.cat"),
    ],
)
def test_source_is_the_line_of_the_call(name: str, key: str, code: str) -> None:
    source = graph_of(name).nodes[key]["source"]
    filename, _, line = source.rpartition(":")
    found = [root / filename for root in map(Path, (*_roots(), ".")) if (root / filename).is_file()]
    assert found, source
    assert code in linecache.getline(str(found[0]), int(line))


def _roots() -> list[str]:
    return [path or "." for path in sys.path]


@pytest.mark.parametrize("name", ["CNN", "nested_sequential", "twelve_blocks", "LSTM", "quantized", "TiedWeights"])
def test_source_is_never_the_line_that_asks_for_the_graph(name: str) -> None:
    """Where it is made does not belong to the model: the same model gives the same graph anywhere."""
    sources = [data["source"] for _, data in graph_of(name).nodes(data=True)]
    assert not [source for source in sources if "graphs.py" in source]


def test_same_graph_from_another_line() -> None:
    model, x = nn.Sequential(nn.Linear(8, 4), nn.ReLU()), torch.empty(2, 8)
    here = fxsummary.graph(model, x)
    there = fxsummary.graph(model, x)
    assert contents(here) == contents(there)


# --- inputs ------------------------------------------------------------------------------------


def test_one_placeholder_per_tensor() -> None:
    assert list(graph_of("NestedInput").inputs) == ["items_0", "items_1", "named_c", "named_d_0"]
    assert list(graph_of("NumberInput").inputs) == ["x"]
    assert list(graph_of("OptionalNone").inputs) == ["x"]
    assert list(graph_of("OptionalGiven").inputs) == ["x", "mask"]
    assert list(graph_of("NoInput").inputs) == []


def test_only_shape_dtype_and_device_of_inputs_are_looked_at() -> None:
    model = CNN()
    given = graph_with(model, ZOO["CNN"].inputs())
    on_meta = fxsummary.graph(model, torch.empty(1, 3, 28, 28, device="meta"))
    nan = fxsummary.graph(model, torch.full((1, 3, 28, 28), float("nan")))
    assert given.totals == on_meta.totals == nan.totals
    assert shapes_of(on_meta.output_spec) == shapes_of(given.output_spec)


def test_strides_of_the_input_are_kept() -> None:
    x = torch.empty(1, 3, 28, 28).to(memory_format=torch.channels_last)
    graph = fxsummary.graph(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), x)
    assert graph.inputs["input"].stride == x.stride()


@pytest.mark.parametrize("name", OWN)
def test_without_inputs_there_is_always_an_answer(name: str) -> None:
    graph = fxsummary.graph(OWN[name].model())
    if not ZOO[name].packed and name != "Lazy":
        assert graph.totals.parameters == graph_of(name).totals.parameters
    assert str(graph)
    assert graph.to_dot()


# --- where symbolic tracing stops --------------------------------------------------------------


def test_the_module_tree_instead_and_why() -> None:
    graph = graph_with(OWN["ControlFlowOnValues"].model(), OWN["ControlFlowOnValues"].inputs(), trace="symbolic")
    assert graph.captured_by == "modules"
    assert graph.number_of_edges() == 0
    assert [data["target"] for _, data in graph.nodes(data=True)] == ["scale", "offset", "fc"]
    (note,) = graph.notes
    line = int(re.search(r"own\.py:(\d+)", note).group(1))  # type: ignore[union-attr]
    source = Path(__file__).parents[1] / "zoo" / "own.py"
    assert "if x.sum() > 0:" in linecache.getline(str(source), line)


class _Stops(nn.Module):
    def __init__(self, reason: str) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.reason = reason

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        if self.reason == "len":
            return y * len(y)
        if self.reason == "iterate":
            return sum(row for row in y)  # type: ignore[return-value]
        if self.reason == "assign":
            y[0] = 0
            return y
        if self.reason == "int":
            return y * int(x.sum())
        return y if y.shape[0] > 1 else x


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("len", "len() of a tensor is taken"),
        ("iterate", "a tensor is iterated or unpacked"),
        ("assign", "elements of a tensor are assigned"),
        ("int", "int"),
        ("shape", "control flow depends on a tensor"),
    ],
)
def test_reasons_are_plain(reason: str, said: str) -> None:
    for inputs in ((torch.ones(3, 4),), ()):
        graph = fxsummary.graph(_Stops(reason), *inputs)
        assert graph.totals.parameters == 20
        if graph.captured_by == "modules":
            assert any(said in note and "test_capture.py" in note for note in graph.notes), graph.notes


# --- GraphModule -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CNN", "Residual", "BareParameter", "twelve_blocks", "DictOutput", "RecurrentHead"])
def test_graph_module_is_taken_as_it_is(name: str) -> None:
    module = fx.symbolic_trace(ZOO[name].model())
    before = module.code, str(module.graph)
    graph = graph_with(module, ZOO[name].inputs())
    assert (module.code, str(module.graph)) == before
    assert graph.captured_by == "exported"
    expected = graph_of(name)
    assert list(graph) == [node.name for node in module.graph.nodes]
    assert graph.totals.parameters == expected.totals.parameters
    assert graph.totals.flops == expected.totals.flops
    assert shapes_of(graph.output_spec) == shapes_of(expected.output_spec)


def test_graph_module_infers_its_input() -> None:
    graph = fxsummary.graph(fx.symbolic_trace(CNN()))
    assert graph.inputs_inferred
    assert graph.totals.flops == 2_515_072


def test_graph_module_keeps_its_blocks() -> None:
    graph = graph_with(fx.symbolic_trace(ZOO["twelve_blocks"].model()), ZOO["twelve_blocks"].inputs())
    assert graph.nodes["_3_mlp_up"]["module_stack"][0].path == "3"


def test_compiled_model_is_the_model_inside() -> None:
    graph = graph_with(torch.compile(CNN()), ZOO["CNN"].inputs())
    assert graph.totals.parameters == 20_778
    assert graph.totals.flops == 2_515_072


# --- hooks -------------------------------------------------------------------------------------


def test_hooks_are_not_run() -> None:
    model = OWN["hooked"].model()
    graph_with(model, OWN["hooked"].inputs())
    fxsummary.graph(model)
    assert model.seen == []


def test_global_hooks_are_not_run() -> None:
    seen: list[str] = []
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, output: seen.append("forward"))
    try:
        graph = graph_with(CNN(), ZOO["CNN"].inputs())
    finally:
        handle.remove()
    assert seen == []
    assert graph.totals.flops == 2_515_072


# --- memo --------------------------------------------------------------------------------------


def test_each_distinct_operation_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []
    compute = Operations._observe

    def counting(self: Operations, target: Any, args: Any, *rest: Any) -> Any:
        if isinstance(target, nn.Linear):
            calls.append(args[0].shape)
        return compute(self, target, args, *rest)

    monkeypatch.setattr(Operations, "_observe", counting)
    memo.clear()
    graph_with(twelve_blocks(), ZOO["twelve_blocks"].inputs())
    assert len(calls) == 3  # 16→16, 16→32, 32→16
    graph_with(twelve_blocks(), ZOO["twelve_blocks"].inputs())
    assert len(calls) == 3


def test_what_differs_is_not_mixed_up() -> None:
    """Models that are equal but for one thing each, looked at in one process."""
    x = torch.empty(2, 4, 8, 8)
    cases = [
        (nn.Conv2d(4, 4, 3), (2, 4, 6, 6)),
        (nn.Conv2d(4, 4, 3, padding=1), (2, 4, 8, 8)),
        (nn.Conv2d(4, 4, 3, stride=2), (2, 4, 3, 3)),
        (nn.Conv2d(4, 4, 3, groups=2), (2, 4, 6, 6)),
        (nn.Conv2d(4, 4, 3, dilation=2), (2, 4, 4, 4)),
        (nn.Conv2d(4, 4, 3, bias=False), (2, 4, 6, 6)),
    ]
    flops = []
    for module, shape in cases:
        graph = fxsummary.graph(nn.Sequential(module), x)
        assert graph.output_spec.shape == shape
        flops.append(graph.totals.flops)
    assert flops[0] == 2 * flops[3] == flops[5]

    class Adds(nn.Module):
        def __init__(self, value: Any) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: Tensor) -> Tensor:
            return x + self.value

    ids = torch.zeros(2, dtype=torch.int64)
    dtypes = [fxsummary.graph(Adds(value), ids).output_spec.dtype for value in (1, 1.0, True, 1j)]
    assert dtypes == ["int64", "float32", "int64", "complex64"]


def test_changed_modules_are_looked_at_again() -> None:
    model, x = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)), torch.empty(2, 8)
    assert fxsummary.graph(model, x).totals.parameters == 44
    model[0] = nn.Linear(8, 4, bias=False)
    assert fxsummary.graph(model, x).totals.parameters == 40
    model.double()
    assert fxsummary.graph(model, x.double()).output_spec.dtype == "float64"


def test_a_formula_registered_later_counts() -> None:
    @torch.library.custom_op("zoo::late", mutates_args=())
    def late(x: Tensor) -> Tensor:
        return x * 2

    late.register_fake(torch.empty_like)

    class Late(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.zoo.late(x)

    x = torch.empty(3)
    assert fxsummary.graph(Late(), x).totals.flops is None
    torch.utils.flop_counter.register_flop_formula(torch.ops.zoo.late)(lambda shape, **_: 77)
    try:
        assert fxsummary.graph(Late(), x).totals.flops == 77
    finally:
        del torch.utils.flop_counter.flop_registry[torch.ops.zoo.late]


# --- operations --------------------------------------------------------------------------------

SPECS = [
    torch.empty(2, 3),
    torch.empty(2, 3, 4),
    torch.empty(2, 3, 4, 5),
    torch.empty(2, 3, 4, 5, 6),
    torch.empty(2, 3, dtype=torch.float64),
    torch.empty(2, 3, dtype=torch.bfloat16),
    torch.ones(2, 3, dtype=torch.int64),
    torch.ones(2, 3, dtype=torch.bool),
    torch.empty(3, 2).t(),
    torch.empty(2, 3, 4, 5).to(memory_format=torch.channels_last),
    torch.empty(0, 3),
    torch.empty(1, 3),
    torch.empty(()),
]
LAYERS: list[Any] = [
    nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3), nn.LayerNorm(3), nn.LayerNorm((4, 5)), nn.BatchNorm1d(5),
    nn.ReLU(), nn.ReLU6(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Hardswish(), nn.Hardsigmoid(),
    nn.LeakyReLU(), nn.ELU(), nn.Mish(), nn.Softplus(), nn.Dropout(), nn.Identity(), F.relu, F.gelu, torch.relu,
    torch.sigmoid,
]  # fmt: skip


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("called", LAYERS, ids=lambda called: getattr(called, "__name__", str(called)))
def test_an_outcome_is_what_the_real_kernel_returns(called: Any, training: bool) -> None:
    if isinstance(called, nn.Module):
        called.train(training)
    answered = 0
    for tensor in SPECS:
        if isinstance(called, nn.BatchNorm1d) and not tensor.is_contiguous():
            continue  # torch's kernel on meta keeps the order in memory, the real one does not
        spec = TensorSpec(tuple(tensor.shape), str(tensor.dtype)[6:], tensor.stride(), "cpu")
        try:
            result = called(tensor)
        except Exception:  # what the real kernel refuses, meta may take
            continue
        value = Operations("cpu").run(called, (spec,), {}).value
        assert value == TensorSpec(tuple(result.shape), str(result.dtype)[6:], result.stride(), "cpu"), spec
        answered += 1
    assert answered


# --- kinds -------------------------------------------------------------------------------------

KINDS = {
    "CNN": ["input", "convolution", "activation", "pool", "convolution", "activation", "pool", "reshape", "reshape",
            "linear", "output"],
    "Residual": ["input", "norm", "linear", "arithmetic", "output"],
    "TiedWeights": ["input", "embedding", "linear", "output"],
    "BareParameter": ["input", "parameter", "arithmetic", "parameter", "linear", "output"],
    "SelfAttention": ["input", "attention", "output"],
    "ScaledDotProduct": ["input", "input", "input", "attention", "output"],
    "RecurrentHead": ["input", "recurrent", "reshape", "reshape", "reshape", "linear", "reshape", "linear",
                      "arithmetic", "output"],
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str) -> None:
    assert [data["kind"] for _, data in graph_of(name).nodes(data=True)] == KINDS[name]


# --- threads -----------------------------------------------------------------------------------


def test_threads_wait_for_each_other() -> None:
    """Tracing patches nn.Module for its duration: one model at a time."""
    models = [twelve_blocks() for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        graphs = list(pool.map(lambda model: fxsummary.graph(model, torch.empty(1, 4, 16)), models))
    assert {graph.totals.parameters for graph in graphs} == {13_552}
    assert {graph.totals.flops for graph in graphs} == {100_352}
    assert {len(graph) for graph in graphs} == {len(graph_of("twelve_blocks"))}


def test_propagation_alone() -> None:
    """The parts can be used by themselves: a trace without inputs, specs afterwards."""
    model = CNN()
    traced = trace(Subject(model), None)
    assert isinstance(traced, Trace)
    outcome = propagate(model, traced, "cpu", {"x": TensorSpec((4, 3, 28, 28), "float32", (2352, 784, 28, 1))})
    assert outcome.output.shape == (4, 10)
    assert sum(each.flops or 0 for each in outcome.outcomes.values()) == 4 * 2_515_072
