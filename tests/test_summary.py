"""`fxsummary.summary` takes the calls that are made of ``torchinfo.summary``, and counts every parameter once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import fxsummary
from fxsummary.analysis.summary import COLUMNS, Summary
from fxsummary.errors import InputError, UnknownNameError


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 5), nn.Conv2d(8, 4, 5)
        self.drop, self.head = nn.Dropout2d(), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(nn.functional.max_pool2d(self.first(x), 2)).relu()
        return self.head(nn.functional.max_pool2d(self.drop(x), 2).flatten(1))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(30, 5), nn.Linear(30, 5)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.left(x) + self.right(y.float())


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.encoder, self.head = nn.Embedding(20, 30), nn.LSTM(30, 12, 2), nn.Linear(12, 20)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> Any:
        x = self.embedding(x)
        packed = x if lengths is None else nn.utils.rnn.pack_padded_sequence(x, lengths)
        out, state = self.encoder(packed)
        return state[0] if lengths is not None else self.head(out)


class Nested(nn.Module):
    """It takes a dict with numbers as keys, and a plain number."""

    def forward(self, x: dict[int, Any], scale: int) -> torch.Tensor:
        return scale * (x[1] + x[2][0])


class Choice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"conv": nn.Conv2d(4, 4, 3), "pool": nn.MaxPool2d(3)})

    def forward(self, x: torch.Tensor, layer: str, times: Any = None) -> dict[str, torch.Tensor]:
        return {"out": self.layers[layer](x)}


class Held(nn.Module):
    """A parameter of its own, a frozen one, one that nothing reads, and a layer that is called several times."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4), requires_grad=False)
        self.unread, self.layer = nn.ParameterList([nn.Parameter(torch.ones(3))]), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = self.layer(x).relu_()
        return x @ self.weight + self.bias


def pruned() -> nn.Module:
    model = Convolutions()
    for module in (model.first, model.head):
        prune.l1_unstructured(module, "weight", 0.5)
    return model


IMAGE, ROW, NUMBERS = torch.zeros(2, 1, 28, 28), torch.zeros(1, 30), torch.zeros(1, 30, dtype=torch.int64)
ITEMS = {1: torch.zeros(10, 1), 2: [torch.zeros(10, 1)]}
CALLS: list[tuple[Callable[[], nn.Module], dict[str, Any]]] = [
    (Convolutions, {}),
    (Convolutions, {"input_size": (2, 1, 28, 28)}),
    (Convolutions, {"input_size": (1, 28, 28), "batch_dim": 0}),
    (Convolutions, {"input_size": [2, 1, 28, 28], "device": "cpu", "cache_forward_pass": True}),
    (Convolutions, {"input_data": IMAGE, "depth": 1, "col_names": list(COLUMNS), "col_width": 20}),
    (Convolutions, {"input_data": [IMAGE], "mode": "train", "verbose": 2, "device": torch.device("cpu")}),
    (Convolutions, {"input_size": (2, 1, 28, 28), "row_settings": ("depth", "var_names"), "verbose": 0}),
    (pruned, {"input_size": (2, 1, 28, 28)}),
    (TwoInputs, {"input_size": [(1, 30), (1, 30)], "dtypes": [torch.FloatTensor, torch.LongTensor]}),
    (TwoInputs, {"input_size": [(30,), [30]], "batch_dim": 0, "dtypes": [torch.float, torch.long]}),
    (TwoInputs, {"input_data": {"x": ROW, "y": NUMBERS}}),
    (TwoInputs, {"input_data": (ROW, NUMBERS)}),
    (TwoInputs, {"input_data": ROW, "y": NUMBERS}),
    (Recurrent, {"input_size": (100,), "dtypes": [torch.long], "batch_dim": 1}),
    (Recurrent, {"input_size": (5, 2), "dtypes": [torch.long], "col_names": ("kernel_size", "mult_adds")}),
    (Recurrent, {"input_data": NUMBERS[0].view(10, 3), "lengths": torch.tensor([10, 8, 4])}),
    (Nested, {"input_data": {"x": ITEMS, "scale": 5}}),
    (Nested, {"input_data": {"x": ITEMS}, "scale": 5}),
    (Nested, {"input_data": [ITEMS], "scale": 5}),
    (Choice, {"input_data": torch.zeros(1, 4, 9, 9), "layer": "conv"}),
    (Choice, {"input_size": (1, 4, 9, 9), "layer": "pool", "times": "many"}),
    (Held, {"input_size": (2, 4), "row_settings": ["hide_recursive_layers", "ascii_only"]}),
    (Held, {"input_size": ((2, 4),), "col_names": ("params_percent", "trainable", "input_size")}),
    (lambda: torch.jit.script(nn.Sequential(nn.Linear(8, 4), nn.ReLU())), {"input_data": torch.zeros(1, 8)}),
    (lambda: nn.Conv2d(16, 32, 3, groups=4), {"input_size": (7, 16, 9, 9), "col_names": ("groups", "num_params")}),
    (nn.ModuleList, {}),
]


@pytest.mark.parametrize(("make", "arguments"), CALLS)
def test_a_call_as_of_torchinfo_counts_each_parameter_once(
    make: Callable[[], nn.Module], arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        model = make()
    modes = [module.training for module in model.modules()]
    found = fxsummary.summary(model, **arguments)
    held = list(model.parameters())
    assert found.total_params == sum(each.numel() for each in held)
    assert found.trainable_params == sum(each.numel() for each in held if each.requires_grad)
    assert found.total_param_bytes == sum(each.numel() * each.element_size() for each in held)
    assert str(found) == repr(found) and found.graph.name in str(found)
    assert [module.training for module in model.modules()] == modes
    assert capsys.readouterr().out == ""


def test_the_arguments_have_the_order_of_torchinfo() -> None:
    torchinfo = pytest.importorskip("torchinfo")
    from inspect import signature

    assert list(signature(fxsummary.summary).parameters) == list(signature(torchinfo.summary).parameters)


def test_the_parameters_are_those_that_torchinfo_finds() -> None:
    torchinfo = pytest.importorskip("torchinfo")
    for model, size in ((Convolutions(), (2, 1, 28, 28)), (Held(), (2, 4))):
        ours, theirs = fxsummary.summary(model, size), torchinfo.summary(model, size, verbose=0)
        assert (ours.total_params, ours.trainable_params) == (theirs.total_params, theirs.trainable_params)


def heading(found: Summary) -> list[str]:
    return [title for title in found.text.splitlines()[2].split("  ") if title]


def test_columns_are_those_that_are_asked_for() -> None:
    names = ("kernel_size", "input_size", "output_size", "num_params", "params_percent", "mult_adds", "trainable")
    found = fxsummary.summary(Convolutions(), (2, 1, 28, 28), col_names=names)
    titles = ["Module", "Kernel", "Input shape", "Output shape", "Parameters", "Parameters %", "MACs", "Trainable"]
    assert [title.strip() for title in heading(found)] == titles
    default = fxsummary.summary(Convolutions(), (2, 1, 28, 28))
    assert [title.strip() for title in heading(default)] == ["Module", "Output shape", "Parameters", "FLOPs", "%"]


def test_depth_and_width_are_followed() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.ReLU())
    shallow, deep = (fxsummary.summary(model, (1, 4), depth=depth).text for depth in (1, 2))
    assert "Linear" not in shallow.partition("Parameters 20")[0] and "Linear" in deep
    wide = fxsummary.summary(Convolutions(), (2, 1, 28, 28), col_width=60).text
    assert max(map(len, wide.splitlines())) <= 40 + 4 * 60


def test_totals_say_what_they_count() -> None:
    found = fxsummary.summary(nn.Sequential(nn.Linear(8, 4), nn.Flatten(), nn.ReLU()), (2, 8))
    assert found.total_mult_adds == 2 * 8 * 4 and found.total_output_bytes == 2 * (2 * 4 * 4)  # a view adds nothing
    nothing = fxsummary.summary(nn.ModuleList([nn.Linear(2, 2)]))
    assert nothing.total_mult_adds is None and nothing.total_output_bytes is None


def test_the_mode_is_eval_unless_train_is_asked_for() -> None:
    model = Convolutions().train()
    evaluated, trained = (fxsummary.summary(model, (2, 1, 28, 28), mode=mode).graph for mode in (None, "train"))
    assert not evaluated.modules["drop"].training and trained.modules["drop"].training and model.drop.training


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"col_names": ("colour",)}, UnknownNameError, "unknown column 'colour'. Known: input_size, output_size"),
        ({"row_settings": ("colour",)}, UnknownNameError, "unknown row setting 'colour'. Known: depth"),
        ({"input_size": (1, 1, 28, 28), "input_data": IMAGE}, InputError, "not both"),
        ({"input_size": 28}, InputError, "input_size=28"),
        ({"input_size": (1, -1, 28, 28)}, InputError, "sizes must be integers of 0 or more"),
        ({"col_width": 0}, InputError, "col_width=0"),
        ({"mode": "test"}, InputError, "mode='test'"),
        ({"verbose": 3}, InputError, "verbose=3"),
        ({"input_size": (1, 3, 28, 28)}, InputError, ""),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], error: type[Exception], says: str) -> None:
    model = Convolutions().train()
    with pytest.raises(error) as raised:
        fxsummary.summary(model, **arguments)
    assert says in str(raised.value) and model.drop.training
