"""Exported programs and .pt2 files: the same model as the module that was exported, read without running anything."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import networkx as nx
import pygraphviz
import pytest
import torch
import untouched
from graphs import AVAILABLE, contents, shapes_of
from test_cli import run
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn import functional as F

import fxsummary
from fxsummary import ModelGraph, api
from fxsummary.capture.exported.grouping import Unit, in_order
from fxsummary.errors import FxsummaryError, InputError, ModelFileError
from fxsummary.graph.spec import leaves
from fxsummary.views.simplify import simplify
from zoo import OWN
from zoo.operators import define_torchvision_operators
from zoo.own import CNN

VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])

pytestmark = pytest.mark.skipif(
    VERSION < api.EXPORT_NEEDS, reason="fxsummary reads exported programs with torch 2.13 on"
)

# --- models ------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(BasicBlock(8, 8, 1), BasicBlock(8, 8, 1))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, 2), BasicBlock(16, 16, 1))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layer2(self.layer1(x))), 1))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, 4)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, 16))
        self.positions = nn.Parameter(torch.zeros(1, 17, 16))
        self.blocks = nn.ModuleList([Block(16) for _ in range(2)])
        self.head = nn.Linear(16, 5)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, 0])


class LSTMClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 8, num_layers=2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(16, 3)

    def forward(self, ids: Tensor) -> Tensor:
        out, (h, _) = self.lstm(self.embedding(ids))
        return self.fc(self.dropout(torch.cat([h[-2], h[-1]], 1))) + out.mean()


class TiedLM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 16)
        self.blocks = nn.Sequential(Block(16), Block(16))
        self.head = nn.Linear(16, 12, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.blocks(self.embedding(ids)))


class Outputs(nn.Module):
    """A dict of structures, inputs in structures, a parameter among the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor, *more: Tensor, options: dict[str, Any], factor: int = 2) -> dict[str, Any]:
        y = self.fc(x)
        rest = [more[0] * factor, (options["a"], [options["b"][0] + 1, 5])]
        return {"logits": y, "rest": rest, "scale": self.scale, "none": None}


class Normed(nn.Module):
    """Batch normalization in train mode, a buffer that forward itself changes, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        return self.drop(self.bn(self.conv(x)))


def partly_frozen() -> nn.Module:
    """Frozen, shared and unread parameters."""

    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(4, 4)
            self.frozen = nn.Linear(4, 4).requires_grad_(False)
            self.spare = nn.Linear(4, 3)
            self.lone = nn.Parameter(torch.ones(5), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.frozen(self.used(self.used(x)))

    return Partly()


def bert() -> nn.Module:
    define_torchvision_operators()
    from transformers import BertConfig, BertModel

    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
    return BertModel(BertConfig(vocab_size=50, **sizes))


def gpt2() -> nn.Module:
    define_torchvision_operators()
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=4, vocab_size=50, bos_token_id=1, eos_token_id=1))


class Model(NamedTuple):
    factory: Callable[[], nn.Module]
    inputs: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]
    train: bool = False


def ids() -> Tensor:
    return torch.randint(10, (1, 7))


MODELS = {
    "cnn": Model(CNN, lambda: ((torch.randn(1, 3, 28, 28),), {})),
    "resnet": Model(ResNet, lambda: ((torch.randn(2, 3, 32, 32),), {})),
    "vit": Model(ViT, lambda: ((torch.randn(1, 3, 32, 32),), {})),
    "lstm": Model(LSTMClassifier, lambda: ((ids(),), {})),
    "tied": Model(TiedLM, lambda: ((ids(),), {})),
    "bert": Model(bert, lambda: ((), {"input_ids": ids(), "attention_mask": torch.ones(1, 7, dtype=torch.int64)})),
    "gpt2": Model(gpt2, lambda: ((), {"input_ids": ids(), "use_cache": False})),
    "outputs": Model(
        Outputs,
        lambda: ((torch.randn(1, 4), torch.ones(3)), {"options": {"a": torch.ones(2), "b": [torch.ones(1)]}}),
    ),
    "normed": Model(Normed, lambda: ((torch.randn(2, 3, 6, 6),), {}), train=True),
    "frozen": Model(partly_frozen, lambda: ((torch.randn(2, 4),), {})),
}
VARIANTS = ("non-strict", "strict", "decomposed", "loaded")


@cache
def module_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name].factory().train(MODELS[name].train)


@cache
def program_of(name: str, variant: str = "non-strict") -> ExportedProgram:
    if variant == "decomposed":
        return program_of(name).run_decompositions()
    if variant == "loaded":
        return saved_and_loaded(program_of(name, "strict"))
    args, kwargs = MODELS[name].inputs()
    return torch.export.export(module_of(name), args, kwargs, strict=variant == "strict")


def saved_and_loaded(program: ExportedProgram) -> ExportedProgram:
    import io

    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)


@cache
def graph_of(name: str, variant: str = "non-strict") -> ModelGraph:
    """The graph of the exported model; do not change it."""
    return fxsummary.graph(program_of(name, variant))


@cache
def reference(name: str) -> ModelGraph:
    """The graph of the module itself."""
    args, kwargs = MODELS[name].inputs()
    return fxsummary.graph(module_of(name), *args, kwargs=kwargs or None)


def exported(model: nn.Module, *args: Any, strict: bool = False, **options: Any) -> ModelGraph:
    """The graph of a model exported here."""
    return fxsummary.graph(torch.export.export(model, args, strict=strict, **options))


every_model = pytest.mark.parametrize("name", MODELS)
every_variant = pytest.mark.parametrize("variant", VARIANTS)

# --- the same as the module --------------------------------------------------------------------


@every_variant
@every_model
def test_totals_are_those_of_the_module(name: str, variant: str) -> None:
    assert graph_of(name, variant).totals == reference(name).totals
    assert graph_of(name, variant).captured_by == "exported"


@every_variant
@every_model
def test_parameters_are_those_of_distinct_tensors(name: str, variant: str) -> None:
    """Counted here, not by the library: tied ones once, trainable by requires_grad, unread ones too."""
    totals, distinct = graph_of(name, variant).totals, {id(p): p for p in module_of(name).parameters()}.values()
    assert totals.parameters == sum(p.numel() for p in distinct)
    assert totals.trainable_parameters == sum(p.numel() for p in distinct if p.requires_grad)
    assert totals.buffer_bytes == sum(b.nbytes for b in module_of(name).buffers())


@every_variant
@every_model
def test_module_tree_is_that_of_the_module(name: str, variant: str) -> None:
    tree, expected = graph_of(name, variant).modules, reference(name).modules
    assert list(tree) == [path for path, _ in module_of(name).named_modules(remove_duplicate=False)]
    for path, module in tree.items():
        assert module.children == expected[path].children, path
        assert module.parameters == expected[path].parameters, path
        if expected[path].called and module.type != "Module":
            assert module.type == expected[path].type, path


@every_variant
@every_model
def test_classes_are_known_of_modules_that_left_an_operation(name: str, variant: str) -> None:
    graph = graph_of(name, variant)
    for _, data in graph.nodes(data=True):
        for call in data["module_stack"]:
            assert graph.modules[call.path].type == call.type == reference(name).modules[call.path].type
    assert graph.name == reference(name).name


@pytest.mark.parametrize("variant", ["non-strict", "strict", "loaded"])
@every_model
def test_settings_of_leaf_modules(name: str, variant: str) -> None:
    graph, expected = graph_of(name, variant), reference(name)
    called = [data["target"] for _, data in graph.nodes(data=True) if data["op"] == "call_module"]
    assert called
    for path in called:
        assert graph.modules[path].config == expected.modules[path].config, path
        assert graph.modules[path].training == expected.modules[path].training, path


@every_variant
@every_model
def test_inputs_and_output_spec(name: str, variant: str) -> None:
    graph, (args, kwargs) = graph_of(name, variant), MODELS[name].inputs()
    assert graph.inputs == reference(name).inputs
    result = copy.deepcopy(module_of(name))(*args, **kwargs)
    assert shapes_of(graph.output_spec) == shapes_of(dict(result) if isinstance(result, Mapping) else result)


@pytest.mark.parametrize("variant", ["non-strict", "strict", "loaded"])
@every_model
def test_leaf_modules_are_called_in_the_same_order(name: str, variant: str) -> None:
    def calls(graph: ModelGraph) -> list[tuple[str, int, Any, int | None]]:
        data = [data for _, data in graph.nodes(data=True) if data["op"] == "call_module"]
        return [(d["target"], d["module_stack"][-1].call, d["shape"], d["flops"]) for d in data]

    assert calls(graph_of(name, variant)) == calls(reference(name))


@every_model
def test_decomposed_leaf_modules_are_still_one_operation(name: str) -> None:
    def calls(graph: ModelGraph) -> dict[str, int]:
        return {data["target"]: data["flops"] for _, data in graph.nodes(data=True) if data["op"] == "call_module"}

    whole, decomposed = calls(graph_of(name)), calls(graph_of(name, "decomposed"))
    vanished = {path for path in whole if path not in decomposed}
    assert all(graph_of(name).modules[path].type == "Dropout" for path in vanished)
    assert decomposed == {path: flops for path, flops in whole.items() if path not in vanished}


NOT_EXPORTABLE = {
    "DataclassOutput", "ControlFlowOnValues", "PackedLSTM", "Lazy", "quantized", "opaque_weights",
    "script_module_child", "Forces", "DeepCopies",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in OWN if name not in NOT_EXPORTABLE])
def test_zoo(name: str) -> None:
    entry, example = OWN[name], OWN[name].inputs()
    program = torch.export.export(entry.model(), example.args, dict(example.kwargs))
    graph, expected = fxsummary.graph(program), fxsummary.graph(entry.model(), *example.args, kwargs=example.kwargs)
    assert graph.totals.parameters == expected.totals.parameters
    assert graph.totals.trainable_parameters == expected.totals.trainable_parameters
    assert (graph.totals.buffers, graph.totals.buffer_bytes) == (expected.totals.buffers, expected.totals.buffer_bytes)
    assert (graph.totals.flops, bool(graph.totals.unknown_flops)) == (
        expected.totals.flops,
        bool(expected.totals.unknown_flops),
    )
    assert list(graph.modules) == list(expected.modules)
    assert shapes_of(graph.output_spec) == shapes_of(expected.output_spec)
    assert graph.inputs == expected.inputs
    assert_is_well_formed(graph)
    assert str(graph)


# --- the graph ---------------------------------------------------------------------------------


def assert_is_well_formed(graph: ModelGraph) -> None:
    position = {key: index for index, key in enumerate(graph)}
    assert all(position[source] < position[target] for source, target in graph.edges)
    assert nx.is_directed_acyclic_graph(graph)
    assert [data["op"] for _, data in graph.nodes(data=True)].count("output") == 1
    for key, data in graph.nodes(data=True):
        slots = sorted(slot for _, _, slots in graph.in_edges(key, data="slots") for slot in slots)
        assert slots == list(range(len(slots))), key
        specs = list(leaves(data["outputs"]))
        assert data["shape"] == (specs[0].shape if specs else None), key


@every_variant
@every_model
def test_graph_is_well_formed(name: str, variant: str) -> None:
    graph = graph_of(name, variant)
    assert_is_well_formed(graph)
    flops = [data["flops"] for _, data in graph.nodes(data=True)]
    assert None not in flops
    assert sum(flops) == graph.totals.flops


@every_variant
@every_model
def test_labels_are_the_terms_of_the_field(name: str, variant: str) -> None:
    for key, data in graph_of(name, variant).nodes(data=True):
        assert not data["label"].startswith("_"), key
        assert "aten" not in data["label"], key
        if data["op"] == "call_function" and data["label"] != "getitem":
            assert data["target"].startswith("torch.ops.aten."), key
            assert data["kind"] != "other" or data["label"] in (
                "arange",
                "full_like",
                "full",
                "new_ones",
                "scalar_tensor",
            )


def test_operations_by_name() -> None:
    functional = [data["label"] for _, data in graph_of("vit").nodes(data=True) if data["op"] == "call_function"]
    assert functional[:6] == ["flatten", "transpose", "expand", "cat", "add", "reshape"]
    assert "scaled_dot_product_attention" in functional
    decomposed = {data["label"] for _, data in graph_of("vit", "decomposed").nodes(data=True)}
    assert decomposed > {"bmm", "softmax", "view", "permute"}
    configs = {data["label"]: data["config"] for _, data in graph_of("vit").nodes(data=True)}
    assert configs["select"] == "[:, 0]"
    assert configs["transpose"] == "1, 2"
    assert configs["Conv2d"] == "3→16, 8×8, s8"


def test_kinds() -> None:
    kinds = [data["kind"] for _, data in graph_of("lstm").nodes(data=True) if data["label"] != "getitem"]
    assert kinds == [
        "input", "embedding", "recurrent", "reshape", "reshape", "arithmetic", "reshape", "linear", "arithmetic",
        "arithmetic", "output",
    ]  # fmt: skip


def test_results_of_a_recurrent_module_are_taken_by_its_caller() -> None:
    graph = graph_of("lstm")
    assert [spec.shape for spec in graph.nodes["lstm"]["outputs"]] == [(1, 7, 16), (4, 1, 8), (4, 1, 8)]
    taken = [data for _, data in graph.nodes(data=True) if data["label"] == "getitem"]
    assert [(data["config"], data["module"]) for data in taken] == [("[0]", ""), ("[1]", "")]
    assert [data["shape"] for data in taken] == [(1, 7, 16), (4, 1, 8)]


def test_attention_weights_come_second() -> None:
    class Weights(nn.Module):
        def __init__(self, batch_first: bool) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.attention(x, x, x)

    for batch_first, program in itertools.product((True, False), (lambda p: p, lambda p: p.run_decompositions())):
        original = torch.export.export(Weights(batch_first).eval(), (torch.ones(3, 5, 8),))
        graph = fxsummary.graph(program(original))
        shapes = [spec.shape for spec in graph.nodes["attention"]["outputs"]]
        assert shapes == [(3, 5, 8), (3, 5, 5) if batch_first else (5, 3, 3)]
        assert graph.nodes["attention"]["config"] == "8, 2 heads"
        assert graph.modules["attention.out_proj"].type == "NonDynamicallyQuantizableLinear"


def test_calls_of_one_module_are_told_apart() -> None:
    data = [data for _, data in graph_of("frozen", "loaded").nodes(data=True) if data["target"] == "used"]
    assert [d["module_stack"][-1].call for d in data] == [0, 1]
    assert [d["parameters"] for d in data] == [20, 0]


def test_reads() -> None:
    graph = graph_of("tied", "loaded")
    assert graph.nodes["embedding"]["reads"] == graph.nodes["head"]["reads"] == ("embedding.weight",)
    assert graph.nodes["head"]["parameters"] == 0
    assert "tied parameters, counted once: head.weight = embedding.weight" in graph.notes
    assert graph_of("vit").nodes["cls"]["op"] == "get_attr"
    assert graph_of("vit").nodes["cls"]["reads"] == ("cls",)
    assert list(graph_of("vit").successors("cls")) == ["expand"]


@every_variant
def test_parameters_never_read(variant: str) -> None:
    graph = graph_of("frozen", variant)
    assert graph.totals.unread_parameters == 20
    assert [p.name for p in graph.modules["spare"].parameters] == ["spare.weight", "spare.bias"]
    assert any(note.startswith("20 parameters are never read in this forward: ") for note in graph.notes)


def test_a_parameter_among_the_outputs() -> None:
    graph = graph_of("outputs", "decomposed")
    assert graph.output_spec["scale"] == reference("outputs").output_spec["scale"]
    assert "scale" in graph.pred["output"]


# --- train mode, buffers, constants ------------------------------------------------------------


@every_variant
def test_changed_buffers_are_no_outputs(variant: str) -> None:
    graph = graph_of("normed", variant)
    assert list(graph.pred["output"]) == ["drop"]
    assert graph.output_spec.shape == (2, 4, 4, 4)
    assert graph.totals.buffers == 4
    assert not [key for key, data in graph.nodes(data=True) if data["label"].startswith("copy")]
    assert graph.nodes["bn"]["outputs"].shape == (2, 4, 4, 4)
    assert graph.nodes["bn"]["buffers"] == 3


def test_training_flags() -> None:
    assert {path: module.training for path, module in graph_of("normed").modules.items()} == {
        "": True, "conv": True, "bn": True, "drop": True,
    }  # fmt: skip
    assert not any(module.training for module in graph_of("lstm").modules.values())
    assert "dropout" not in simplify(graph_of("lstm"))
    assert "drop" in simplify(graph_of("normed"))


def test_constants_are_neither_parameters_nor_buffers() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset = torch.ones(4)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.offset * torch.tensor([1.0, 2.0, 3.0, 4.0])

    for strict in (False, True):
        graph = exported(Constant(), torch.ones(2, 4), strict=strict)
        assert (graph.totals.parameters, graph.totals.buffers) == (0, 0)
        assert [data["op"] for _, data in graph.nodes(data=True)].count("get_attr") == 2
        assert [data["label"] for _, data in graph.nodes(data=True) if data["op"] == "call_function"] == ["mul", "add"]


# --- sizes that are not fixed ------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_dynamic_dimensions(strict: bool) -> None:
    batch, length = Dim("batch", min=2, max=64), Dim("length", min=2, max=512)
    program = torch.export.export(
        module_of("tied"),
        (torch.zeros(3, 7, dtype=torch.int64),),
        dynamic_shapes=({0: batch, 1: length},),
        strict=strict,
    )
    expected = fxsummary.graph(module_of("tied"), torch.zeros(3, 7, dtype=torch.int64))
    for each in (program, program.run_decompositions(), saved_and_loaded(program)):
        graph = fxsummary.graph(each)
        assert graph.totals == expected.totals
        assert graph.inputs["ids"].shape == (3, 7)
        assert graph.output_spec == expected.output_spec
        assert graph.notes[0] == (
            "dynamic dimensions are shown with the size of the example: "
            "dimension 0 of ids (3; 2 to 64 allowed); dimension 1 of ids (7; 2 to 512 allowed)"
        )
        assert_is_well_formed(graph)


def test_dynamic_dimensions_that_are_equal_and_numbers() -> None:
    class Both(nn.Module):
        def forward(self, x: Tensor, y: Tensor, n: int) -> tuple[Tensor, int]:
            return (x + y) * n, x.shape[0] * n

    shapes = ({0: Dim("batch")}, {0: Dim("batch")}, Dim.DYNAMIC)
    graph = exported(Both(), torch.ones(3, 2), torch.ones(3, 2), 5, dynamic_shapes=shapes)
    assert list(graph.inputs) == ["x", "y"]
    assert "dimension 0 of x, dimension 0 of y (3" in graph.notes[0]
    assert graph.notes[0].partition("; n (5")[2]
    assert graph.output_spec[1] == 15
    assert str(graph).startswith("Both · input x 3×2, y 3×2")


def test_sizes_that_depend_on_data() -> None:
    class Selects(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.fc(x), self.fc(x[x.sum(-1) > 0])

    graph = exported(Selects(), torch.ones(3, 4))
    assert [note for note in graph.notes if "unknown after index at test_exported.py:" in note]
    assert graph.output_spec[0].shape == (3, 2)
    assert graph.output_spec[1] is None
    assert graph.totals.flops == 2 * 3 * 4 * 2
    assert graph.totals.unknown_flops == ("fc_1",)
    assert "?" in str(graph)


# --- graphs inside the graph -------------------------------------------------------------------


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.big = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: self.big(x) @ self.weight, lambda x: x + 1, (x,)) @ self.weight


@pytest.mark.parametrize("strict", [False, True])
def test_cond_is_one_operation(strict: bool) -> None:
    program = torch.export.export(Branches(), (torch.ones(3, 4),), strict=strict)
    for each in (program, program.run_decompositions(), saved_and_loaded(program)):
        graph = fxsummary.graph(each)
        (cond,) = [data for _, data in graph.nodes(data=True) if data["label"] == "cond"]
        assert cond["flops"] == 2 * 3 * (4 * 8 + 8 * 4 + 4 * 4)
        assert (cond["trust"], graph.totals.assumed_flops) == ("assumed", ("cond",))
        assert graph.totals.flops == cond["flops"] + 2 * 3 * 4 * 4
        assert graph.totals.parameters == 4 * 8 + 8 + 8 * 4 + 4 + 16
        assert graph.totals.unread_parameters == 0
        assert list(graph.modules) == ["", "big", "big.0", "big.1", "big.2"]
        assert [note for note in graph.notes if note.startswith("one of the branches of torch.cond runs; the FLOPs of")]
        assert_is_well_formed(graph)


def test_branches_that_cost_the_same_are_exact() -> None:
    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 4))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cond(x.sum() > 0, lambda x: x @ self.weight, lambda x: x.cos() @ self.weight, (x,))

    graph = exported(Same(), torch.ones(3, 4))
    assert (graph.totals.flops, graph.totals.assumed_flops, graph.notes) == (2 * 3 * 4 * 4, (), ())


def test_loops_have_unknown_flops() -> None:
    from torch._higher_order_ops.while_loop import while_loop

    class Loops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, n: Tensor, x: Tensor) -> Tensor:
            _, y = while_loop(lambda n, x: n > 0, lambda n, x: (n - 1, self.fc(x)), (n, x))
            return self.fc(y)

    graph = exported(Loops(), torch.tensor(3), torch.ones(2, 4))
    (loop,) = [key for key, data in graph.nodes(data=True) if data["label"] == "while_loop"]
    assert graph.totals.unknown_flops == (loop,)
    assert graph.totals.flops == 2 * 2 * 4 * 4
    assert any("unknown for while_loop" in note for note in graph.notes)


@pytest.mark.parametrize("strict", [False, True])
def test_graphs_that_run_once_are_written_out(strict: bool) -> None:
    class Guarded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                y = self.fc(x).cos()
            return self.fc(x) + y

    graph = exported(Guarded(), torch.ones(2, 4), strict=strict)
    operations = [data["label"] for _, data in graph.nodes(data=True)]
    assert operations == ["x", "Linear", "cos", "Linear", "add", "output"]
    assert graph.nodes["fc"]["module_stack"] == (("fc", "Linear", 0),)
    assert graph.totals.flops == 2 * 2 * 2 * 4 * 4


def test_autocast() -> None:
    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.fc(x)

    graph = exported(Cast(), torch.ones(2, 4))
    assert graph.nodes["fc"]["dtype"] == "bfloat16"
    assert graph.totals.flops == 2 * 2 * 4 * 3


# --- FLOPs of other operators ------------------------------------------------------------------


@torch.library.custom_op("exported_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    return x * 2


twice.register_fake(torch.empty_like)


def test_custom_operators() -> None:
    class Custom(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.exported_tests.twice(x)

    program = torch.export.export(Custom(), (torch.ones(3),))
    assert fxsummary.graph(program).totals.flops is None
    assert [data["label"] for _, data in fxsummary.graph(program).nodes(data=True)] == ["x", "twice", "output"]
    torch.utils.flop_counter.register_flop_formula(torch.ops.exported_tests.twice)(lambda shape, **_: 77)
    try:
        assert fxsummary.graph(program).totals.flops == 77
    finally:
        del torch.utils.flop_counter.flop_registry[torch.ops.exported_tests.twice]


def test_conversions_to_a_device_are_free() -> None:
    class Moves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.to("cpu", torch.float64) @ torch.ones(4, 2, dtype=torch.float64, device="cpu")

    graph = exported(Moves(), torch.ones(3, 4))
    assert (graph.totals.flops, graph.totals.unknown_flops) == (2 * 3 * 4 * 2, ())


# --- groups ------------------------------------------------------------------------------------


class Chain(nn.Module):
    """Three operations in a row, each a module."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.between, self.last = nn.ReLU(), nn.Tanh(), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self.first(x)))


def with_one_call(program: ExportedProgram, names: tuple[str, ...]) -> ExportedProgram:
    """The program with these nodes made to look like parts of one call of ``first``."""
    nodes = {node.name: node for node in program.graph.nodes}
    for name in names:
        nodes[name].meta["nn_module_stack"] = nodes[names[0]].meta["nn_module_stack"]
    return program


def test_a_group_that_would_be_a_cycle_is_kept_apart() -> None:
    program = with_one_call(torch.export.export(Chain(), (torch.ones(3),)), ("relu", "sigmoid"))
    graph = fxsummary.graph(program)
    assert [data["label"] for _, data in graph.nodes(data=True)] == ["x", "relu", "Tanh", "sigmoid", "output"]
    assert graph.nodes["sigmoid"]["module"] == "first"
    assert_is_well_formed(graph)


def test_a_group_with_an_input_from_later_comes_after_it() -> None:
    class Joins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.between = nn.ReLU(), nn.Tanh()

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            return y + self.between(x)

    program = with_one_call(torch.export.export(Joins(), (torch.ones(3),)), ("relu", "add"))
    graph = fxsummary.graph(program)
    assert [data["label"] for _, data in graph.nodes(data=True)] == ["x", "Tanh", "ReLU", "output"]
    assert set(graph.pred["first"]) == {"x", "between"}
    assert_is_well_formed(graph)


def test_order_is_that_of_the_program_where_it_can_be() -> None:
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    nodes = [x, *(graph.call_function(torch.neg, (x,)) for _ in range(5))]
    nodes.append(graph.call_function(torch.add, (nodes[1], nodes[4])))
    calls = {("leaf", 0): [nodes[2], nodes[6]]}
    units = in_order(nodes, calls)
    assert units == [Unit([n]) for n in (x, nodes[1], nodes[3], nodes[4])] + [
        Unit([nodes[2], nodes[6]], ("leaf", 0)),
        Unit([nodes[5]]),
    ]


# --- leaf= -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["non-strict", "loaded"])
@pytest.mark.parametrize("leaf", [Block, "Block", ["blocks.0", "blocks.1"]], ids=["class", "name", "paths"])
def test_leaf(variant: str, leaf: Any) -> None:
    graph = fxsummary.graph(program_of("vit", variant), leaf=leaf)
    assert [d["target"] for _, d in graph.nodes(data=True) if d["label"] == "Block"] == ["blocks.0", "blocks.1"]
    assert graph.totals == reference("vit").totals
    assert_is_well_formed(graph)


# --- nothing is run or changed -----------------------------------------------------------------


@every_model
def test_the_program_is_untouched(name: str) -> None:
    program = program_of(name)
    before = str(program), untouched.of_value(dict(program.state_dict)), [dict(n.meta) for n in program.graph.nodes]
    process = untouched.of_process()
    str(fxsummary.graph(program))
    assert untouched.differences(process, untouched.of_process()) == []
    after = str(program), untouched.of_value(dict(program.state_dict)), [dict(n.meta) for n in program.graph.nodes]
    assert before[0] == after[0]
    assert before[1][1] == after[1][1]
    assert [list(meta) for meta in before[2]] == [list(meta) for meta in after[2]]


def test_meta_weights() -> None:
    with torch.device("meta"):
        model = ResNet().eval()
    program = torch.export.export(model, (torch.empty(2, 3, 32, 32, device="meta"),))
    for each in (program, saved_and_loaded(program)):
        assert fxsummary.graph(each).totals == reference("resnet").totals


def test_two_exports_give_the_same_bytes() -> None:
    """The keys of strict export's module stacks are memory addresses."""
    graphs = [exported(module_of("resnet"), torch.randn(2, 3, 32, 32), strict=True) for _ in range(2)]
    assert contents(graphs[0]) == contents(graphs[1])
    assert contents(graph_of("resnet", "strict")) == contents(graph_of("resnet", "loaded"))


def test_the_graph_pickles() -> None:
    graph = graph_of("bert", "loaded")
    assert contents(pickle.loads(pickle.dumps(graph))) == contents(graph)


def test_source_lines() -> None:
    lines = Path(__file__).read_text("utf-8").splitlines()

    def text(key: str) -> str:
        file, _, number = graph_of("vit", "loaded").nodes[key]["source"].partition(":")
        assert file == Path(__file__).name
        return lines[int(number) - 1].strip()

    assert text("patches") == "x = self.patches(images).flatten(2).transpose(1, 2)"
    assert text("blocks_0_norm1") == "x = x + self.attn(self.norm1(x))"
    assert text("cat").startswith("x = torch.cat([self.cls.expand")
    sources = {data["source"].partition(":")[0] for _, data in graph_of("bert").nodes(data=True)} - {""}
    assert all(source.startswith("transformers/") for source in sources)


# --- exporters ---------------------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("variant", ["non-strict", "decomposed"])
def test_exporters(name: str, variant: str, tmp_path: Path) -> None:
    graph = graph_of(name, variant)
    before = contents(graph)
    assert str(graph).startswith(f"{graph.name} · input ")
    for view in ("modules", "parameters", "operations"):
        assert graph.to_text(view=view)
    drawn = pygraphviz.AGraph(graph.to_dot())
    assert drawn.number_of_nodes() > 0
    assert ElementTree.fromstring(graph.to_svg()).tag.endswith("svg")
    for exporter in AVAILABLE.values():
        if exporter.suffix:
            assert graph.render(tmp_path / f"graph{exporter.suffix}").stat().st_size > 0
    assert contents(graph) == before


def test_text() -> None:
    assert graph_of("tied", "loaded").to_text().splitlines()[:9] == [
        "TiedLM · input ids 1×7",
        "",
        "Module                                   Output shape  Parameters   FLOPs     %",
        "───────────────────────────────────────────────────────────────────────────────",
        "TiedLM                                   1×7×12             4,640  66.3 k   100",
        "├ embedding Embedding 12→16              1×7×16               192",
        "├ blocks Sequential                      1×7×16             4,448  63.6 k  95.9",
        "│ └ 0…1 Block ×2                         1×7×16             4,448  63.6 k  95.9",
        "│   ├ norm1 LayerNorm 16                 1×7×16                32",
    ]


# --- files -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "tied model.pt2"
    torch.export.save(program_of("tied"), path)
    return path


def test_a_file(pt2: Path) -> None:
    assert contents(fxsummary.graph(pt2)) == contents(fxsummary.graph(str(pt2))) == contents(graph_of("tied"))


def test_show(capsys: pytest.CaptureFixture[str], pt2: Path) -> None:
    code, out, err = run(capsys, "show", str(pt2))
    assert (code, out) == (0, f"{graph_of('tied')}\n")
    assert err == f"fxsummary: reading {pt2}\n"
    assert run(capsys, "show", str(pt2), "--quiet", "--depth", "1")[::2] == (0, "")


@pytest.mark.parametrize("suffix", [".svg", ".dot", ".txt"])
def test_render(capsys: pytest.CaptureFixture[str], pt2: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    assert run(capsys, "render", str(pt2), "-o", str(path), "--quiet") == (0, f"{path}\n", "")
    assert path.read_bytes() == graph_of("tied").render(tmp_path / f"again{suffix}").read_bytes()


@pytest.mark.parametrize("option", [["--input", "1x7:int64"], ["--arg", "a=1"], ["--train"]])
def test_options_that_do_not_go_with_a_file(capsys: pytest.CaptureFixture[str], pt2: Path, option: list[str]) -> None:
    code, out, err = run(capsys, "show", str(pt2), *option)
    assert (code, out) == (2, "")
    assert f"{option[0]} does not apply to" in err


def test_the_same_bytes_everywhere(pt2: Path, tmp_path: Path) -> None:
    """Whatever the working directory, the search path and the hash seed."""
    code = f"import fxsummary; print(list(fxsummary.graph({str(pt2)!r}).nodes(data=True)))"
    outputs = set()
    for seed, path in (("1", str(tmp_path)), ("2", str(Path(__file__).parent))):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=path, env=environment, capture_output=True, text=True, check=True
        )
        outputs.add(done.stdout)
    assert outputs == {f"{list(graph_of('tied').nodes(data=True))}\n"}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path: Path) -> None:
    """Rename a field inside the program, and keep the archive intact."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data.replace(b'"graph_module"', b'"graph_modules"'))


def write_zip(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "hello")


BAD_FILES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: path.unlink(), "does not exist"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
    "empty": (lambda path: path.write_bytes(b""), "it is not a zip archive, or an incomplete one"),
    "text": (lambda path: path.write_text("import this\n" * 99), "it is not a zip archive"),
    "cut": (cut, "it is not a zip archive, or an incomplete one"),
    "weights": (lambda path: torch.save({"a": torch.ones(2)}, path), "it was written by torch.save"),
    "script": (lambda path: torch.jit.script(nn.Linear(2, 2)).save(path), "it is a TorchScript file"),
    "zip": (lambda path: write_zip(path, "notes/a.txt"), "it is some other zip archive"),
    "compiled": (
        lambda path: write_zip(path, "m/data/aotinductor/model/m.so"),
        "it is a package compiled by AOTInductor",
    ),
    "spoilt": (spoil, f"torch.export.load (torch {torch.__version__}) cannot read"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_bad_files(name: str, pt2: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.pt2"
    path.write_bytes(pt2.read_bytes())
    change, message = BAD_FILES[name]
    change(path)
    with pytest.raises(ModelFileError) as caught:
        fxsummary.graph(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Write it with torch.export.save(torch.export.export(model, inputs), path)" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_bad_file_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "show", str(tmp_path / "none.pt2"))
    assert (code, out) == (2, "")
    assert "does not exist" in err


def test_a_custom_operator_that_is_not_there(tmp_path: Path) -> None:
    code = """
import torch
twice = torch.library.custom_op("absent::twice", lambda x: x * 2, mutates_args=(), schema="(Tensor x) -> Tensor")
twice.register_fake(torch.empty_like)
class Twice(torch.nn.Module):
    def forward(self, x):
        return torch.ops.absent.twice(x)
torch.export.save(torch.export.export(Twice(), (torch.ones(2),)), "twice.pt2")
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(ModelFileError, match=r"resolve torch\.ops\.absent\.twice(.|\n)*import the package") as caught:
        fxsummary.graph(tmp_path / "twice.pt2")
    assert caught.value.__cause__ is not None


def test_errors_are_what_a_reader_would_have_expected() -> None:
    assert issubclass(ModelFileError, (OSError, FxsummaryError))
    assert issubclass(ModelFileError, ValueError)


# --- wrong use ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"kwargs": {"ids": 1}}, {"input_shape": (1, 7)}, {"input_dtype": "int64"}, {"trace": "symbolic"}]
)
def test_an_exported_program_brings_its_inputs(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="an exported program has its own graph and inputs"):
        fxsummary.graph(program_of("tied"), **options)
    with pytest.raises(InputError, match="an exported program has its own graph and inputs"):
        fxsummary.graph(program_of("tied"), ids())


# --- values ------------------------------------------------------------------------------------


class TakesItem(nn.Module):
    """A number out of a tensor, checked and used."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        number = n.item()
        torch._check(number >= 0)  # type: ignore[operator]
        return self.fc(x) * number  # type: ignore[no-any-return]


def test_an_item_and_its_checks_cost_nothing() -> None:
    x, n = torch.randn(2, 4), torch.tensor(3)
    program = torch.export.export(TakesItem(), (x, n))
    for graph in (fxsummary.graph(program), fxsummary.graph(program.module(), x, n)):
        assert (graph.totals.flops, graph.totals.unknown_flops, graph.notes) == (64, (), ())
        assert graph.output_spec.shape == (2, 4)
