"""Inputs that are inferred when none are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from graphs import shapes_of
from torch import Tensor, nn

import fxsummary
from fxsummary.errors import ForwardError, InputError
from zoo import OWN, REAL
from zoo.own import CNN
from zoo.real import TIMM, TORCHVISION


class LeNet(nn.Module):
    def __init__(self, features: int = 400) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(features, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.tanh(self.conv1(x)))
        x = self.pool(torch.tanh(self.conv2(x)))
        return self.fc2(torch.tanh(self.fc1(torch.flatten(x, 1))))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 16)
        self.encoder = nn.LSTM(16, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(ids))[0])


class OddSize(nn.Module):
    """Its linear layer fits images of one size only, which is not among the usual ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.fc = nn.Linear(2 * 75 * 75, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).flatten(1))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(4, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(x, self.kernel)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.numbers = nn.Linear(6, 4)

    def forward(self, ids: Tensor, numbers: Tensor) -> Tensor:
        return self.words(ids).mean(1) + self.numbers(numbers)


EXPECTED: dict[str, tuple[Callable[[], nn.Module], dict[str, tuple[tuple[int, ...], str]]]] = {
    "small CNN": (CNN, {"x": ((1, 3, 28, 28), "float32")}),
    "LeNet at 28": (lambda: LeNet(400), {"x": ((1, 1, 28, 28), "float32")}),
    "LeNet of 1998": (lambda: _lenet_32(), {"x": ((1, 1, 32, 32), "float32")}),
    "odd size": (OddSize, {"x": ((1, 3, 77, 77), "float32")}),
    "functional": (Functional, {"x": ((1, 3, 224, 224), "float32")}),
    "linear": (lambda: nn.Sequential(nn.Linear(8, 4)), {"input": ((1, 8), "float32")}),
    "bfloat16": (lambda: nn.Sequential(nn.Linear(8, 4)).bfloat16(), {"input": ((1, 8), "bfloat16")}),
    "tokens": (Tokens, {"ids": ((1, 128), "int64")}),
    "two inputs": (TwoInputs, {"ids": ((1, 128), "int64"), "numbers": ((1, 6), "float32")}),
}


def _lenet_32() -> nn.Module:
    model = LeNet(400)
    model.conv1 = nn.Conv2d(1, 6, 5)
    return model


@pytest.mark.parametrize("name", EXPECTED)
def test_input_is_inferred(name: str) -> None:
    factory, expected = EXPECTED[name]
    graph = fxsummary.graph(factory())
    assert {key: shapes_of(spec) for key, spec in graph.inputs.items()} == expected
    assert graph.inputs_inferred
    said = ", ".join(f"{key} {'×'.join(map(str, shape))}" for key, (shape, _) in expected.items())
    assert f"input inferred: {said}" in graph.notes
    assert f"input inferred: {said}" in str(graph)
    assert graph.totals.flops


@pytest.mark.parametrize("name", [f"torchvision.{name}" for name in TORCHVISION] + [f"timm.{name}" for name in TIMM])
def test_classifiers_accept_what_is_inferred(name: str) -> None:
    model = REAL[name].model()
    graph = fxsummary.graph(model)
    assert graph.inputs_inferred
    assert graph.totals.flops and not graph.totals.unknown_flops
    (spec,) = graph.inputs.values()
    assert spec is not None
    with torch.device("meta"):
        output = model(torch.empty(spec.shape, dtype=getattr(torch, spec.dtype), device="meta"))
    assert shapes_of(graph.output_spec) == shapes_of(output)
    assert spec.shape[:2] == (1, 3)


@pytest.mark.parametrize(
    "name", ["LSTM", "GRU", "BidirectionalLSTM", "RecurrentHead", "SelfAttention", "transformer_encoder"]
)
def test_sequence_models_accept_what_is_inferred(name: str) -> None:
    model = OWN[name].model()
    graph = fxsummary.graph(model)
    (spec,) = graph.inputs.values()
    assert graph.inputs_inferred and spec is not None
    assert shapes_of(graph.output_spec) == shapes_of(model(torch.zeros(spec.shape)))
    assert graph.totals.flops


def test_what_cannot_be_inferred_is_said_and_not_made_up() -> None:
    graph = fxsummary.graph(OWN["NoParameters"].model())
    assert not graph.inputs_inferred
    assert any("could not be inferred" in note and "input_shape=" in note for note in graph.notes)
    assert graph.totals.flops in (None, 0)
    assert graph.output_spec is None
    assert graph.inputs == {"x": None}


def test_unknown_shapes_are_question_marks() -> None:
    class Gate(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return a @ b

    graph = fxsummary.graph(Gate())
    assert graph.totals.flops is None
    assert graph.totals.macs is None
    assert graph.nodes["matmul"]["flops"] is None
    assert "?" in str(graph)


def test_given_inputs_are_not_said_to_be_inferred() -> None:
    graph = fxsummary.graph(CNN(), torch.empty(2, 3, 28, 28))
    assert not graph.inputs_inferred
    assert not any("inferred" in note for note in graph.notes)
    assert "inferred" not in str(graph)


def test_input_shape_takes_the_dtype_that_the_reader_wants() -> None:
    assert fxsummary.graph(Tokens(), input_shape=(2, 7)).inputs["ids"].dtype == "int64"
    assert fxsummary.graph(nn.Linear(8, 4).half(), input_shape=(2, 8)).totals.flops == 2 * 2 * 8 * 4
    assert fxsummary.graph(CNN(), input_shape=(2, 3, 28, 28)).inputs["x"].dtype == "float32"


def test_input_shapes_of_several_inputs() -> None:
    graph = fxsummary.graph(TwoInputs(), input_shape=[(2, 7), (2, 6)])
    assert {key: shapes_of(spec) for key, spec in graph.inputs.items()} == {
        "ids": ((2, 7), "int64"),
        "numbers": ((2, 6), "float32"),
    }


class Masked(nn.Module):
    """Reads ids and a mask, by their values if it is to be recorded."""

    def __init__(self, recorded: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 16)
        self.recorded = recorded

    def forward(self, input_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.recorded and input_ids.sum() > 10**6:
            return input_ids
        embedded = self.embedding(input_ids)
        return embedded if mask is None else embedded * mask[..., None]


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    ("shapes", "dtypes", "expected"),
    [
        ({"input_ids": (2, 12)}, None, {"input_ids": "int64"}),
        ({"mask": (2, 12), "input_ids": (2, 12)}, None, {"input_ids": "int64", "mask": "float32"}),
        ({"mask": (2, 12), "input_ids": (2, 12)}, {"mask": "bool"}, {"input_ids": "int64", "mask": "bool"}),
        ({"input_ids": (2, 12)}, {"input_ids": torch.int32}, {"input_ids": "int32"}),
        ([(2, 12), (2, 12)], [None, "bool"], {"input_ids": "int64", "mask": "bool"}),
    ],
)
def test_shapes_by_name_take_the_dtypes_that_their_readers_want(
    recorded: bool, shapes: Any, dtypes: Any, expected: dict[str, str]
) -> None:
    graph = fxsummary.graph(Masked(recorded), input_shape=shapes, input_dtype=dtypes)
    assert {name: shapes_of(spec) for name, spec in graph.inputs.items()} == {
        name: ((2, 12), dtype) for name, dtype in expected.items()
    }


@pytest.mark.parametrize("recorded", [False, True])
def test_a_dtype_that_is_given_is_not_replaced(recorded: bool) -> None:
    shapes = {"input_ids": (2, 12), "mask": (2, 12)}
    with pytest.raises((InputError, ForwardError), match="indices of an embedding"):
        fxsummary.graph(Masked(recorded), input_shape=shapes, input_dtype={"input_ids": "float32"})


@pytest.mark.parametrize("dtype", [torch.int32, "int32", "torch.int32"])
def test_input_dtype(dtype: object) -> None:
    assert fxsummary.graph(Tokens(), input_shape=(2, 7), input_dtype=dtype).inputs["ids"].dtype == "int32"
