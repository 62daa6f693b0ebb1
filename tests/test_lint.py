"""Lint: each rule finds what it is for, and published models are left in peace."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.findings import Finding
from fxsummary.review.lint import RULES, Rule
from zoo import OWN, REAL
from zoo.operators import define_torchvision_operators
from zoo.real import torchvision_model

define_torchvision_operators()


def found(model: nn.Module, *args: Any, select: str = "", **options: Any) -> list[tuple[str, str]]:
    graph = fxsummary.graph(model.eval(), *args, **options)
    return [(finding.rule, finding.path) for finding in graph.lint(select=[select] if select else ())]


class Net(nn.Module):
    """A model of what a function does with two layers and a parameter."""

    def __init__(self, forward: Callable[[Any, torch.Tensor], Any]) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.weight = nn.Parameter(torch.empty(8))
        self._forward = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self._forward(self, x)


X = torch.empty(2, 8)
IMAGE = torch.empty(1, 3, 16, 16)


def used(net: Any, x: torch.Tensor) -> torch.Tensor:
    return net.b(net.a(x) * net.weight)


def overwritten(net: Any, x: torch.Tensor) -> torch.Tensor:
    net.a(x).relu()
    return net.b(x * net.weight)


def sizes(net: Any, x: torch.Tensor) -> torch.Tensor:
    x.new_zeros(x.shape).unsqueeze(0)
    return used(net, x)


CASES: dict[str, tuple[nn.Module, list[tuple[str, str]]]] = {
    "nothing": (Net(used), []),
    "unread parameter": (Net(lambda net, x: net.b(net.a(x).relu())), [("unread-parameters", "weight")]),
    "uncalled module": (Net(lambda net, x: net.a(x) * net.weight), [("uncalled-modules", "b")]),
    "dead operations": (Net(overwritten), [("dead-operations", "relu")]),
    "dead operation": (Net(lambda net, x: (net.a(x), net.b(x * net.weight))[1]), [("dead-operations", "a")]),
    "dead sizes": (Net(sizes), []),
    "bias before batch norm": (
        nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)), [("bias-before-norm", "0")]),
    "no bias before batch norm": (nn.Sequential(nn.Linear(8, 4, bias=False), nn.BatchNorm1d(4)), []),
    "bias before layer norm": (nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)), []),
    "bias before group norm": (nn.Sequential(nn.Linear(8, 4), nn.GroupNorm(2, 4)), []),
    "activation twice": (nn.Sequential(nn.ReLU(), nn.Dropout(), nn.ReLU()), [("double-activation", "2")]),
    "softmax twice": (nn.Sequential(nn.Softmax(-1), nn.LogSoftmax(-1)), [("double-activation", "1")]),
    "mish by hand": (Net(lambda net, x: used(net, x) * torch.tanh(F.softplus(x))), []),
    "gated": (Net(lambda net, x: used(net, x).sigmoid() * x.relu()), []),
    "active dropout": (Net(lambda net, x: F.dropout(used(net, x), 0.5)), [("active-dropout", "dropout")]),
    "dropout": (Net(lambda net, x: F.dropout(used(net, x), 0.5, training=net.training)), []),
    "float64": (
        Net(lambda net, x: used(net, x) * torch.arange(8, dtype=torch.float64)), [("float64", "_tensor_constant0")]),
    "linear twice": (Net(lambda net, x: net.b(net.a(x).contiguous()) * net.weight), [("consecutive-linear", "b")]),
    "linear by function": (
        Net(lambda net, x: F.linear(F.linear(x, net.a.weight), net.b.weight) * net.weight + net.a.bias + net.b.bias),
        [("consecutive-linear", "linear_1")]),
    "linear and activation": (Net(lambda net, x: net.b(net.a(x).relu()) * net.weight), []),
    "linear and dropout": (nn.Sequential(nn.Linear(8, 8), nn.Dropout(), nn.Linear(8, 8)), []),
    "linear and residual": (Net(lambda net, x: net.b(net.a(x) + x) * net.weight), []),
    "linear read twice": (Net(lambda net, x: net.b(y := net.a(x)) * net.weight + y), []),
    "linear and reshape": (Net(lambda net, x: net.b(net.a(x).view(8, 2).T.reshape(2, 8)) * net.weight), []),
    "low rank": (nn.Sequential(nn.Linear(8, 2, bias=False), nn.Linear(2, 8)), []),
    "low rank with a narrow result": (
        nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2)), [("consecutive-linear", "1")]),
    "float32": (Net(lambda net, x: used(net, x) * torch.arange(8, dtype=torch.float32)), []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    model, expected = CASES[name]
    assert found(model, X) == expected


def test_a_dead_chain_is_told_once_with_what_it_costs() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x).relu()
        y.sum(), (net.b(y) * net.weight).mean()  # two ends
        return x.relu()

    graph = fxsummary.graph(Net(forward).eval(), X)
    (finding,) = graph.lint()
    assert finding.path == "mean"
    assert finding.message == (
        "nothing reads the result of mean (mean), so 5 operations have no effect, among them a (Linear), b (Linear)"
    )
    assert "test_lint.py:" in finding.source


@pytest.mark.parametrize(
    ("forward", "paths"),
    [
        (lambda net, x: used(net, x).softmax(-1), ["softmax"]),
        (lambda net, x: {"probabilities": used(net, x).softmax(-1).view(8, 2), "logits": x}, ["softmax"]),
        (lambda net, x: F.cross_entropy(used(net, x).softmax(-1), x.argmax(-1)), ["softmax"]),
        (lambda net, x: F.cross_entropy(used(net, x).log_softmax(-1), x.argmax(-1)), ["log_softmax"]),
        (lambda net, x: F.cross_entropy(used(net, x), x.softmax(-1)), []),  # as the target
        (lambda net, x: used(net, x).log_softmax(-1), []),
        (lambda net, x: (y := used(net, x).softmax(-1), y @ x.T)[1], []),
        (lambda net, x: (y := used(net, x).softmax(-1), y @ x.T), []),  # attention weights
    ],
)
def test_softmax_before_a_loss_is_advice(forward: Callable[[Any, torch.Tensor], Any], paths: list[str]) -> None:
    graph = fxsummary.graph(Net(forward).eval(), X)
    assert graph.lint() == ()
    findings = graph.lint(select=["softmax-before-loss"])
    assert [(each.path, each.level) for each in findings] == [(path, "notice") for path in paths]
    assert all(each.source for each in findings)


def test_findings_of_modules_have_the_line_of_forward() -> None:
    graph = fxsummary.graph(Net(lambda net, x: net.a(x)).eval(), X)
    lines = {finding.rule: finding.source for finding in graph.lint()}
    assert set(lines) == {"unread-parameters", "uncalled-modules"}
    assert all("test_lint.py:" in line for line in lines.values())


def test_bias_of_a_linear_layer_over_positions() -> None:
    """BatchNorm1d of (batch, positions, features) normalises positions: the bias has an effect."""
    assert found(nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(5)), torch.empty(2, 5, 8)) == []


def test_a_shared_layer_is_told_once() -> None:
    conv = nn.Conv2d(8, 8, 1)
    model = nn.Sequential(conv, nn.BatchNorm2d(8), conv, nn.BatchNorm2d(8))
    assert found(model, torch.empty(1, 8, 4, 4)) == [("bias-before-norm", "0")]


def test_dropout_in_train_mode_is_meant() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Linear(8, 8)).train()
    assert fxsummary.graph(model, X).lint() == ()
    model.training = False
    assert [each.rule for each in fxsummary.graph(model, X).lint()] == ["active-dropout"]


def test_a_model_of_float64_means_it() -> None:
    assert found(nn.Linear(8, 8, dtype=torch.float64), X.double()) == []
    model = nn.Sequential(nn.Linear(8, 8))
    model.register_buffer("scale", torch.ones(1, dtype=torch.float64))
    assert ("float64", "scale") in found(model, X)


class Language(nn.Module):
    def __init__(self, tie: bool) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(100, 16), nn.Linear(16, 100, bias=False)
        if tie:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(tokens))


def test_untied_weights_are_advice() -> None:
    tokens = torch.zeros(1, 4, dtype=torch.int64)
    assert found(Language(tie=False), tokens) == []
    assert found(Language(tie=False), tokens, select="untied-weights") == [("untied-weights", "head.weight")]
    assert found(Language(tie=True), tokens, select="untied-weights") == []
    untied = copy.deepcopy(Language(tie=True))
    untied.head = copy.deepcopy(untied.head)  # as it happens
    assert found(untied, tokens, select="all") == [("untied-weights", "head.weight")]


def test_channel_multiples_are_advice_and_leave_classes_alone() -> None:
    def model(width: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(width * 196, 1001))

    assert found(model(100), IMAGE) == []
    assert found(model(100), IMAGE, select="channel-multiples") == [("channel-multiples", "0")]
    assert found(model(104), IMAGE, select="channel-multiples") == []


KNOWN: dict[str, set[str]] = {
    "timm.xception41": {"double-activation"},
    "timm.hrnet_w18_small": {"bias-before-norm"},
}
"""What is true of published models: a ReLU after a ReLU, convolutions with biases before batch norms."""


@pytest.mark.parametrize("name", REAL)
def test_published_models_are_left_in_peace(name: str) -> None:
    assert {finding.rule for finding in graph_of(name).lint()} == KNOWN.get(name, set())


@pytest.mark.parametrize(
    ("name", "rules"),
    [("vgg11_bn", {"bias-before-norm"}), ("resnet18", set()), ("mobilenet_v2", set()), ("vit_b_32", set())],
)
def test_torchvision(name: str, rules: set[str]) -> None:
    graph = fxsummary.graph(torchvision_model(name).eval(), torch.empty(1, 3, 224, 224, device="meta"))
    assert {finding.rule for finding in graph.lint()} == rules


@pytest.mark.parametrize(
    "name", ["BertModel", "GPT2LMHeadModel", "LlamaForCausalLM", "T5ForConditionalGeneration", "MixtralForCausalLM"]
)
def test_transformers(name: str) -> None:
    import transformers

    model = getattr(transformers, name)
    config = model.config_class()
    for option in ("num_hidden_layers", "n_layer", "num_layers", "num_decoder_layers"):
        if hasattr(config, option):
            setattr(config, option, 2)
    with torch.device("meta"):
        made = model(config).eval()
    assert fxsummary.graph(made).lint() == ()


def test_nothing_is_said_of_what_is_not_known() -> None:
    for name, entry in OWN.items():
        if not entry.has_dataflow:
            assert graph_of(name).lint() == (), name


# --- rules -------------------------------------------------------------------------------------


def test_every_rule_says_why() -> None:
    ours = {name: rule for name, rule in RULES.items() if rule.find.__module__.startswith("fxsummary.review.")}
    assert len(ours) >= 14
    for name, rule in ours.items():
        assert name == rule.name and rule.reason.endswith("."), name
        assert len(rule.find.__doc__ or "") > 200, name


def test_silencing() -> None:
    graph = fxsummary.graph(nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU()), X)
    assert [finding.path for finding in graph.lint()] == ["1", "2"]
    assert [finding.path for finding in graph.lint(ignore=["double-activation:1"])] == ["2"]
    assert graph.lint(ignore="double-activation") == ()
    assert graph.lint(ignore=["double-activation:?"]) == ()
    with pytest.raises(UnknownNameError, match="unknown lint rule 'double'"):
        graph.lint(ignore=["double"])
    with pytest.raises(InputError, match="is not a list of rule names"):
        graph.lint(ignore=[3])


def test_a_rule_of_ones_own() -> None:
    def find(graph: fxsummary.ModelGraph) -> Iterator[Finding]:
        for _, data in graph.nodes(data=True):
            if data["label"] == "Sigmoid":
                yield Finding("no-sigmoid", f"{data['target']} is a Sigmoid", data["target"], data["source"])

    RULES.register("no-sigmoid", Rule("no-sigmoid", find, "The export has none."))
    try:
        assert found(nn.Sequential(nn.Linear(8, 8), nn.Sigmoid()), X) == [("no-sigmoid", "1")]
    finally:
        del RULES._items["no-sigmoid"]
