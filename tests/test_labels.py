"""The vocabulary of labels: every name has one kind, and the families hold what they are named for."""

from __future__ import annotations

import operator

import pytest
import torch
from graphs import graph_of
from torch import nn

import fxsummary
from fxsummary.drawing.labels import chip_text
from fxsummary.graph import labels
from fxsummary.graph.labels import KINDS, base, is_batch_norm, is_drop, is_instance_norm, kind_of, operator_of
from zoo import ZOO

FAMILIES = {
    name: value
    for name, value in vars(labels).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, frozenset) and name not in ("PRODUCTS", "FREE")
}
ATTRIBUTES = ("TENSOR_ATTRIBUTES",)
"""Families that are asked for as Python spells them."""


def test_no_name_has_two_kinds() -> None:
    names = [name for members in labels._BY_KIND.values() for name in members]
    assert len(names) == len(set(names))
    assert labels._BY_KIND.keys() <= {*KINDS}


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - ATTRIBUTES))
def test_families_hold_base_names(family: str) -> None:
    assert all(name == base(name) for name in FAMILIES[family])


@pytest.mark.parametrize(
    "family, kind",
    [("VIEWS", "reshape"), ("CASTS", "reshape"), ("DROPS", "reshape"), ("IDENTITIES", "reshape"), ("PARTS", "reshape"),
     ("JOINS", "arithmetic"), ("OPERATORS", "arithmetic")],
)  # fmt: skip
def test_families_are_of_one_kind(family: str, kind: str) -> None:
    assert {kind_of("call_function", name) for name in FAMILIES[family]} == {kind}


def test_a_cast_and_a_view_that_keep_the_shape_keep_the_value() -> None:
    x = torch.arange(6.0).view(2, 3)
    for name in labels.RESHAPES | labels.CASTS:
        other = {"unsqueeze": (0,), "unflatten": (1, (3,)), "flatten": ()}.get(name)
        arguments = (x,) if name.endswith("_as") else (x.dtype,) if name in ("to", "type") else (2, 3)
        if name in ("float", "half", "bfloat16", "double", "squeeze"):
            arguments = ()
        result = getattr(x, name)(*(arguments if other is None else other))
        assert result.double().flatten().tolist() == x.flatten().tolist(), name


def test_permutations_move_elements_though_the_shape_is_the_same() -> None:
    x = torch.arange(4.0).view(2, 2)
    arguments = {"permute": (1, 0), "t": (), "mt": ()}
    for name in labels.PERMUTATIONS:
        value = x.mT if name == "mt" else getattr(x, name)(*arguments.get(name, (0, 1)))
        assert value.tolist() == [[0, 2], [1, 3]], name


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "matmul", "pow", "and_", "neg"])
def test_an_operator_has_one_kind_however_it_is_spelled(name: str) -> None:
    plain = name.rstrip("_")
    spelled = [name, f"i{plain}", f"__{plain}__", f"__r{plain}__"]
    kinds = {label: kind_of("call_function", label) for label in spelled if hasattr(torch.Tensor, label)}
    assert hasattr(operator, name) and len(set(kinds.values())) <= 1, kinds


@pytest.mark.parametrize("name", ["Stack", "Split", "Index", "Cat", "View", "To", "Chunk", "Repeat"])
def test_a_module_of_yours_is_not_the_function_of_its_name(name: str) -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.one(x) + self.two(y)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Layer(), Layer()

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x, y), y)

    Layer.__name__ = name
    picture = fxsummary.graph(Net(), torch.empty(2, 4), torch.empty(2, 4)).to_svg(depth=1)
    assert f">{name}<" in picture and ">3 ops<" in picture
    assert not any(base(name) in family for family in FAMILIES.values())


def test_names_that_look_alike_are_told_apart() -> None:
    assert [operator_of(name) for name in ("rand", "isin", "addmm", "ior", "radd")] == ["", "", "", "or", ""]
    assert kind_of("call_function", "rand") == "other"
    assert kind_of("call_function", "convert_element_type") == "reshape"
    assert kind_of("call_function", "upsample_bilinear") == "pool"
    assert kind_of("get_attr", "conv") == "parameter"


LAYERS = {
    "convolution": (nn.Conv2d, nn.ConvTranspose3d, nn.LazyConv1d),
    "linear": (nn.Linear, nn.Bilinear, nn.LazyLinear),
    "attention": (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.Transformer),
    "norm": (nn.BatchNorm2d, nn.SyncBatchNorm, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.LocalResponseNorm),
    "pool": (nn.MaxPool2d, nn.AdaptiveAvgPool1d, nn.LPPool2d, nn.Upsample, nn.PixelShuffle),
    "embedding": (nn.Embedding, nn.EmbeddingBag),
    "recurrent": (nn.LSTM, nn.GRUCell, nn.RNN),
    "activation": (nn.ReLU, nn.GELU, nn.Softmax, nn.LogSoftmax, nn.Hardswish, nn.LeakyReLU, nn.Softplus),
    "reshape": (nn.Flatten, nn.Identity, nn.Dropout2d, nn.ZeroPad2d, nn.ChannelShuffle, nn.FeatureAlphaDropout),
}


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_layers_of_torch_have_their_kind(kind: str) -> None:
    assert {kind_of("call_module", layer.__name__) for layer in LAYERS[kind]} == {kind}


def test_every_activation_of_torch_is_one() -> None:
    names = [name for name in nn.modules.activation.__all__ if name != "MultiheadAttention"]
    assert {name for name in names if kind_of("call_module", name) != "activation"} == set()


def test_norms_that_fold_into_a_convolution() -> None:
    batch = [name for name in dir(nn) if "BatchNorm" in name] + ["batch_norm", "BatchNormAct2d", "FrozenBatchNorm2d"]
    assert all(map(is_batch_norm, batch)) and not any(map(is_instance_norm, batch))
    instance = [name for name in dir(nn) if "InstanceNorm" in name] + ["instance_norm"]
    assert all(map(is_instance_norm, instance)) and not any(map(is_batch_norm, instance))
    assert not any(is_batch_norm(name) or is_instance_norm(name) for name in ("LayerNorm", "GroupNorm", "layer_norm"))


def test_chips_of_norms() -> None:
    names = "BatchNorm2d", "batch_norm", "BatchNormAct2d", "InstanceNorm1d", "ReLU"
    assert [chip_text({"label": name}) for name in names] == ["BN", "BN", "BN·Act", "IN", "ReLU"]


def test_whatever_drops_is_a_drop() -> None:
    assert all(map(is_drop, [*labels.DROPS, "DropBlock2d", "StochasticDepth", "feature_dropout_"]))
    assert not is_drop("Linear")


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if not entry.real])
def test_calls_of_the_zoo_have_a_known_kind(name: str) -> None:
    unknown = {
        data["label"]
        for _, data in graph_of(name).nodes(data=True)
        if data["kind"] == "other" and hasattr(nn, data["label"]) and data["op"] == "call_module"
    }
    assert unknown <= {"Sequential", "Module"}
