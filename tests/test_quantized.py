"""Quantized weights: elements of the weights that they represent, bytes of what is stored, FLOPs of the product."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao import quantization
from torch.ao.quantization import quantize_fx

import fxsummary
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.saved import loads
from zoo.operators import define_torchvision_operators

define_torchvision_operators()
pytestmark = pytest.mark.filterwarnings("ignore")


class Float(nn.Module):
    """The model before quantization."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.act, self.down = nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.act(self.up(x)))


ELEMENTS, FLOPS = 2 * 64 * 128 + 128 + 64, 2 * 2 * 4 * 64 * 128


def graph_of(model: nn.Module, *shape: int, dtype: torch.dtype = torch.float32) -> ModelGraph:
    return fxsummary.graph(model, torch.randn(shape or (4, 64)).to(dtype))


def check(graph: ModelGraph, parameters: int, nbytes: int, flops: int) -> None:
    totals = graph.totals
    assert (totals.parameters, totals.unknown_parameters) == (parameters, ())
    assert totals.parameter_bytes == sum(totals.bytes_by_dtype.values()) == nbytes
    assert (totals.flops, totals.unknown_flops) == (flops, ())
    nodes = [data for _, data in graph.nodes(data=True)]
    assert sum(data["parameters"] for data in nodes) + totals.unread_parameters == parameters
    assert graph.memory is not None
    assert graph.memory.weights == nbytes
    assert loads(graph.to_json()).totals == totals


# --- torch.ao --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, size", [(torch.qint8, 1), (torch.float16, 2)])
@pytest.mark.parametrize("trace", ["auto", "record"])
def test_dynamic_linear(dtype: torch.dtype, size: int, trace: str) -> None:
    model = quantization.quantize_dynamic(Float(), {nn.Linear}, dtype=dtype)
    graph = fxsummary.graph(model, torch.randn(4, 64), trace=trace)
    check(graph, ELEMENTS, size * 2 * 64 * 128 + 4 * (128 + 64), FLOPS)
    assert graph.nodes["up"]["shape"] == (4, 128)
    assert graph.nodes["up"]["parameter_names"] == (
        "up._packed_params._packed_params.weight",
        "up._packed_params._packed_params.bias",
    )
    assert graph.memory is not None and graph.memory.unknown  # what the kernels hold is not known


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.gru, self.cell = nn.GRU(32, 16, batch_first=True), nn.LSTMCell(16, 4)

    def forward(self, x: Tensor) -> Any:
        y, (h, _) = self.lstm(x)
        y, last = self.gru(y)
        return y, h, self.cell(last[0])


def test_dynamic_recurrent_layers() -> None:
    weights = 2 * (4 * 16 * (8 + 16)) + 2 * (4 * 16 * (32 + 16)), 3 * 16 * (32 + 16), 4 * 4 * (16 + 4)
    biases = 2 * (2 * 2 * 4 * 16 + 3 * 16 + 4 * 4)
    model = quantization.quantize_dynamic(Recurrent(), {nn.LSTM, nn.GRU, nn.LSTMCell}, dtype=torch.qint8)
    graph = graph_of(model, 2, 5, 8)
    flops = 2 * 2 * 5 * (weights[0] + weights[1]) + 2 * 2 * weights[2]
    check(graph, sum(weights) + biases, sum(weights) + 4 * biases, flops)
    expected = [tuple(each.shape) for each in _tensors(model(torch.randn(2, 5, 8)))]
    assert [each.shape for each in _leaves(graph.output_spec)] == expected


def _tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [each for item in value for each in _tensors(item)]


def _leaves(value: Any) -> list[Any]:
    return [each for item in value for each in _leaves(item)] if isinstance(value, (tuple, list)) else [value]


class Image(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.norm, self.act = nn.Conv2d(4, 8, 3, groups=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.pool, self.fc = nn.AdaptiveAvgPool2d(2), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.norm(self.conv(self.quant(x)))))
        return self.dequant(self.fc(x.flatten(1)))


IMAGE = 8 * 2 * 9 + 8 + 32 * 10 + 10, 2 * 2 * 8 * 64 * 2 * 9 + 2 * 2 * 320


def _image_bytes() -> int:
    weights, rows = 8 * 2 * 9 + 320, 8 + 10
    return weights + rows * (4 + 8 + 8)  # a bias in float32, a scale in float64 and a zero point in int64 for each row


def _eager() -> nn.Module:
    model = Image().eval()
    model.qconfig = quantization.get_default_qconfig("x86")
    model = quantization.prepare(quantization.fuse_modules(model, [["conv", "norm", "act"]]))
    model(torch.randn(2, 4, 8, 8))
    return quantization.convert(model)


def _fx() -> nn.Module:
    example = (torch.randn(2, 4, 8, 8),)
    model = quantize_fx.prepare_fx(Image().eval(), quantization.get_default_qconfig_mapping("x86"), example)
    model(*example)
    return quantize_fx.convert_fx(model)


@pytest.mark.parametrize("make", [_eager, _fx])
def test_static_quantization(make: Callable[[], nn.Module]) -> None:
    model = make()
    before = {name: repr(value) for name, value in model.state_dict().items()}
    graph = graph_of(model, 2, 4, 8, 8)
    check(graph, IMAGE[0], _image_bytes(), IMAGE[1])
    assert graph.output_spec.shape == (2, 10)
    assert "quint8" in {data["dtype"] for _, data in graph.nodes(data=True)}
    assert {name: repr(value) for name, value in model.state_dict().items()} == before


def test_quantized_tensors_as_parameters() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            by_row = torch.quantize_per_channel(
                torch.randn(32, 64), torch.rand(32), torch.zeros(32).long(), 0, torch.qint8
            )
            self.weight = nn.Parameter(by_row, requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x, self.weight.dequantize())

    check(graph_of(Net()), 32 * 64, 32 * 64 + 32 * 16, 2 * 4 * 32 * 64)


# --- tensor subclasses -----------------------------------------------------------------------------


class Halves(Tensor):
    """A weight of 4 bits: two elements in a byte, and a scale for each row."""

    @staticmethod
    def __new__(cls, data: Tensor, scale: Tensor) -> Any:
        shape = (data.shape[0], 2 * data.shape[1])
        return Tensor._make_wrapper_subclass(cls, shape, dtype=scale.dtype, device=data.device)

    def __init__(self, data: Tensor, scale: Tensor) -> None:
        self.packed, self.scale = data, scale

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["packed", "scale"], None

    @staticmethod
    def __tensor_unflatten__(inner: Any, meta: Any, size: Any, stride: Any) -> Tensor:
        return Halves(inner["packed"], inner["scale"])  # type: ignore[no-any-return]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return Halves(args[0].packed, args[0].scale)
        raise NotImplementedError(str(func))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_subclass_is_stored_as_its_inner_tensors(device: str) -> None:
    model = nn.Sequential(nn.Linear(64, 32, bias=False), nn.Linear(32, 8)).to(device)
    inner = torch.zeros(32, 32, dtype=torch.uint8, device=device), torch.ones(32, 1, device=device)
    model[0].weight = nn.Parameter(Halves(*inner), requires_grad=False)
    graph = fxsummary.graph(model, torch.empty(4, 64, device=device))
    check(graph, 32 * 64 + 32 * 8 + 8, 32 * 32 + 4 * 32 + 4 * (32 * 8 + 8), 2 * 4 * (64 * 32 + 32 * 8))
    assert graph.totals.trainable_parameters == 32 * 8 + 8
    assert graph.memory is not None and graph.memory.unknown == ("_0",)  # it may unpack its weight


def test_a_subclass_that_does_not_show_what_it_holds_is_unknown() -> None:
    class Hidden(Tensor):
        @staticmethod
        def __new__(cls) -> Any:
            return Tensor._make_wrapper_subclass(cls, (32, 64), dtype=torch.float32, device="cpu")

        @classmethod
        def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return Hidden()

    model = nn.Sequential(nn.Linear(64, 32))
    model[0].weight = nn.Parameter(Hidden(), requires_grad=False)
    totals = graph_of(model).totals
    assert (totals.unknown_parameters, totals.flops) == (("0",), 2 * 4 * 64 * 32)


# --- layers with packed tensors --------------------------------------------------------------------


class Packed(nn.Module):
    """A layer in the layout of GPTQ: 4 bits, eight elements in an int32, scales and zero points by group of rows."""

    def __init__(self, in_features: int, out_features: int, group: int = 32) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        groups = in_features // group
        self.register_buffer("qweight", torch.zeros(in_features // 8, out_features, dtype=torch.int32))
        self.register_buffer("qzeros", torch.zeros(groups, out_features // 8, dtype=torch.int32))
        self.register_buffer("scales", torch.zeros(groups, out_features, dtype=torch.float16))
        self.register_buffer("shifts", torch.arange(0, 32, 4, dtype=torch.int32))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        weight = ((self.qweight[:, None] >> self.shifts[:, None]) & 15).flatten(0, 1)
        zeros = ((self.qzeros[..., None] >> self.shifts) & 15).flatten(1)
        scaled = (weight.unflatten(0, (len(self.scales), -1)) - zeros[:, None]) * self.scales[:, None]
        return x @ scaled.flatten(0, 1).to(x.dtype) + self.bias


def test_a_layer_that_declares_its_size_represents_a_weight_of_that_size() -> None:
    graph = graph_of(nn.Sequential(Packed(64, 128), nn.ReLU()))
    stored = 4 * 8 * 128 + 4 * 2 * 16 + 2 * 2 * 128 + 4 * 8
    check(graph, 64 * 128 + 128, stored + 4 * 128, 2 * 4 * 64 * 128)
    infos = {each.name: each for each in graph.modules["0"].parameters}
    assert infos["0.qweight"].spec is not None and infos["0.qweight"].spec.shape == (128, 64)
    assert {name for name, each in infos.items() if each.part_of} == {"0.qzeros", "0.scales", "0.shifts"}
    assert graph.totals.buffers == 0


def test_indices_beside_a_float_weight_are_no_packed_weight() -> None:
    class Indexed(nn.Linear):
        def __init__(self) -> None:
            super().__init__(64, 8)
            self.register_buffer("index", torch.arange(64))

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x[:, self.index])

    totals = graph_of(nn.Sequential(Indexed())).totals
    assert (totals.parameters, totals.buffers, totals.buffer_bytes) == (64 * 8 + 8, 1, 64 * 8)


def test_what_does_not_show_its_weights_is_unknown() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    model[0].engine = torch.classes.profiling._ScriptProfile()
    graph = graph_of(model, 2, 4)
    assert graph.totals.unknown_parameters == ("0",)
    assert graph.nodes["_0"]["parameters"] is None
    assert graph.memory is not None and graph.memory.weights is None


# --- libraries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig", "Float8WeightOnlyConfig"]
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_torchao(name: str, device: str) -> None:
    api = pytest.importorskip("torchao.quantization")
    model = Float().to(torch.bfloat16)
    api.quantize_(model, getattr(api, name)())
    names = ("qdata", "scale", "zero_point")
    found = [getattr(layer.weight, each, None) for layer in (model.up, model.down) for each in names]
    inner = [each for each in found if each is not None]
    nbytes = sum(each.nbytes for each in inner) + 2 * (128 + 64)
    graph = fxsummary.graph(model.to(device), torch.empty(4, 64, dtype=torch.bfloat16, device=device))
    check(graph, ELEMENTS, nbytes, FLOPS)


@pytest.mark.parametrize("is_nested", [False, True])
def test_four_bits_of_bitsandbytes(is_nested: bool) -> None:
    bnb = pytest.importorskip("bitsandbytes")
    layer = bnb.nn.Linear4bit(256, 512, quant_type="nf4", compress_statistics=is_nested).to("cpu")
    blocks = 256 * 512 // 64
    scales = blocks + 4 * (blocks // 256) + 4 * 256 + 4 if is_nested else 4 * blocks
    check(graph_of(layer, 4, 256), 256 * 512 + 512, 256 * 512 // 2 + scales + 4 * 16 + 4 * 512, 2 * 4 * 256 * 512)


def test_eight_bits_of_bitsandbytes() -> None:
    bnb = pytest.importorskip("bitsandbytes")
    layer = bnb.nn.Linear8bitLt(256, 512, has_fp16_weights=False).to("cpu")
    check(graph_of(layer, 4, 256), 256 * 512 + 512, 256 * 512 + 4 * 512 + 4 * 512, 2 * 4 * 256 * 512)


# --- operators -------------------------------------------------------------------------------------


def test_products_with_packed_weights_have_formulas() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor, weight: Tensor, scales: Tensor) -> Any:
            integers = torch._int_mm(x.to(torch.int8), weight.T)
            return integers, torch._weight_int8pack_mm(x, weight, scales)

    inputs = torch.randn(32, 64).bfloat16(), torch.zeros(16, 64, dtype=torch.int8), torch.ones(16).bfloat16()
    totals = fxsummary.graph(Net(), *inputs).totals
    assert (totals.flops, totals.unknown_flops) == (2 * 2 * 32 * 64 * 16, ())


def test_the_kernels_return_what_the_real_operators_return() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = quantization.quantize_dynamic(nn.Sequential(nn.LSTM(8, 4)), {nn.LSTM}, dtype=torch.qint8)[0]
    x, h = torch.randn(3, 2, 8), torch.zeros(1, 2, 4)
    for args in ((x,), (x, (h, h))):
        real, told = _tensors(model(*args)), _leaves(fxsummary.graph(model, *args).output_spec)
        assert [(tuple(each.shape), each.stride()) for each in real] == [(each.shape, each.stride) for each in told]
