"""Layers with packed weights, in the layouts of published quantizers: elements, bytes and FLOPs, or unknown."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fxsummary
from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.recorded.recorder import result_of
from fxsummary.capture.subject import Subject
from fxsummary.errors import ForwardError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import Totals
from fxsummary.graph.saved import loads
from fxsummary.graph.spec import TensorSpec
from zoo.operators import define_torchvision_operators

define_torchvision_operators()
pytestmark = pytest.mark.filterwarnings("ignore")

IN, OUT, ROWS = 128, 64, 4
PRODUCT = 2 * ROWS * IN * OUT


def graph_of(layer: nn.Module, dtype: torch.dtype = torch.float32) -> ModelGraph:
    return fxsummary.graph(nn.Sequential(layer), torch.randn(ROWS, IN).to(dtype))


def tree_of(module: nn.Module) -> Totals:
    """Return the totals of a module whose forward needs a kernel that is not installed here."""
    return fxsummary.graph(nn.ModuleList([module])).totals


def nbytes_of(module: nn.Module) -> int:
    return sum(each.nbytes for each in (*module.parameters(), *module.buffers()))


def check(graph: ModelGraph, parameters: int, nbytes: int, flops: int | None) -> None:
    totals = graph.totals
    assert (totals.parameters, totals.unknown_parameters) == (parameters, ())
    assert totals.parameter_bytes + totals.buffer_bytes == nbytes
    assert totals.flops == flops and bool(totals.unknown_flops) == (flops is None)
    assert loads(graph.to_json()).totals == totals


# --- layers of transformers, which need no other package -------------------------------------------


def _bitnet() -> nn.Module:
    module = pytest.importorskip("transformers.integrations.bitnet")
    return module.BitLinear(IN, OUT, bias=False, dtype=torch.float32)  # type: ignore[no-any-return]


def _gemma(bits: int) -> nn.Module:
    module = pytest.importorskip("transformers.integrations.gemma_quant")
    return module.QuantizedLinear(IN, OUT, num_bits=bits)  # type: ignore[no-any-return]


def _compressed_tensors() -> nn.Module:
    module = pytest.importorskip("transformers.integrations.compressed_tensors")
    return module.CompressedTensorsFP8Linear(IN, OUT)  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [_bitnet, *[lambda bits=n: _gemma(bits) for n in (2, 4, 8)], _compressed_tensors])
def test_layers_that_run_here(make: Callable[[], nn.Module]) -> None:
    layer = make()
    is_half = "FP8" in type(layer).__name__
    check(graph_of(layer, torch.bfloat16 if is_half else torch.float32), IN * OUT, nbytes_of(layer), PRODUCT)


def _fp8(static: bool) -> nn.Module:
    module = pytest.importorskip("transformers.integrations.finegrained_fp8")
    return module.FP8Linear(IN, OUT, (64, 64), "static" if static else "dynamic")  # type: ignore[no-any-return]


def _metal() -> nn.Module:
    module = pytest.importorskip("transformers.integrations.metal_quantization")
    return module.MetalLinear(IN, OUT, group_size=64)  # type: ignore[no-any-return]


def _higgs() -> nn.Module:
    module = pytest.importorskip("transformers.integrations.higgs")
    return module.HiggsLinear(IN, OUT, 4, bias=False, dtype=torch.float16, group_size=64)  # type: ignore[no-any-return]


def _fbgemm() -> nn.Module:
    module = pytest.importorskip("transformers.integrations.fbgemm_fp8")
    return module.FbgemmFp8Linear(IN, OUT, False)  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [lambda: _fp8(False), lambda: _fp8(True), _metal, _higgs, _fbgemm])
def test_layers_whose_kernels_are_not_here(make: Callable[[], nn.Module]) -> None:
    layer = make()
    totals = tree_of(layer)
    assert (totals.parameters, totals.unknown_parameters) == (IN * OUT, ())
    assert (totals.parameter_bytes, totals.flops) == (nbytes_of(layer), None)


@pytest.mark.parametrize("make", [lambda: _fp8(False), lambda: _fp8(True), _metal, _higgs, _fbgemm])
def test_such_a_layer_is_shown_as_a_linear_layer(make: Callable[[], nn.Module]) -> None:
    layer = make()
    first, last = nn.Linear(IN, IN, bias=False), nn.Linear(OUT, IN, bias=False)
    graph = fxsummary.graph(nn.Sequential(first, layer, nn.ReLU(), last, layer), torch.randn(2, ROWS, IN))
    totals = graph.totals
    assert (totals.parameters, totals.unknown_parameters) == (IN * IN + 2 * IN * OUT, ())
    assert totals.flops == 2 * (2 * ROWS * IN * IN + 3 * PRODUCT) and len(totals.assumed_flops) == 3
    shapes = [each["outputs"].shape for _, each in graph.nodes(data=True) if each["op"] == "call_module"]
    assert shapes[-1] == (2, ROWS, OUT)
    (note,) = [each for each in graph.notes if "does not run here" in each]
    assert type(layer).__name__ in note
    assert fxsummary.formulas(nn.Sequential(first, layer), input_shape=("B", IN))["flops"](B=3) == 2 * 3 * (
        IN * IN + IN * OUT
    )
    training = graph.training()
    assert training.unknown and training.is_assumed and training.forward_flops == totals.flops
    assert loads(graph.to_json()).totals == totals


def test_what_forward_returns_is_known_without_the_kernel() -> None:
    result = result_of(Subject(nn.Sequential(_higgs())), Inputs({"input": TensorSpec((ROWS, IN), "float32")}))
    assert (result.shape, result.device.type) == ((ROWS, OUT), "meta")


@pytest.mark.slow
def test_an_error_of_a_hook_of_such_a_layer_is_raised() -> None:
    layer = _higgs()
    layer.register_forward_pre_hook(lambda module, args: args[0].no_such_attribute)
    with pytest.raises(ForwardError, match="no_such_attribute"):
        fxsummary.graph(nn.Sequential(layer), torch.randn(ROWS, IN))


def test_inputs_that_such_a_layer_does_not_take_are_rejected() -> None:
    with pytest.raises(ForwardError, match="HiggsLinear"):
        fxsummary.graph(nn.Sequential(_higgs()), torch.randn(ROWS, IN + 1))


# --- experts, which do not declare the size of their weights ---------------------------------------

EXPERTS = SimpleNamespace(
    hidden_size=64, intermediate_size=32, num_local_experts=4, hidden_act="silu", swiglu_limit=None
)
WEIGHTS = 4 * (2 * 32 * 64 + 32 * 64)


@pytest.mark.parametrize("scheme", ["dynamic", "static"])
def test_experts_of_one_byte_floats(scheme: str) -> None:
    module = pytest.importorskip("transformers.integrations.finegrained_fp8")
    experts = module.FP8Experts(EXPERTS, (16, 16), scheme)
    totals = tree_of(experts)
    assert (totals.parameters, totals.unknown_parameters) == (WEIGHTS, ())
    assert totals.parameter_bytes == nbytes_of(experts)


def test_experts_of_fbgemm() -> None:
    module = pytest.importorskip("transformers.integrations.fbgemm_fp8")
    experts = module.FbgemmFp8Llama4TextExperts(EXPERTS)
    totals = tree_of(experts)
    assert (totals.parameters, totals.unknown_parameters) == (WEIGHTS, ())
    assert totals.parameter_bytes + totals.buffer_bytes == nbytes_of(experts)


def _four_bits() -> nn.Module:
    module = pytest.importorskip("transformers.integrations.finegrained_fp8")
    return module.FP8Experts(EXPERTS, (16, 16), expert_dtype="fp4")  # type: ignore[no-any-return]


def _mxfp4() -> nn.Module:
    return pytest.importorskip("transformers.integrations.mxfp4").Mxfp4GptOssExperts(EXPERTS)  # type: ignore[no-any-return]


@pytest.mark.parametrize("make", [_four_bits, _mxfp4])
def test_experts_of_packed_integers_are_unknown_but_their_bytes_are_not(make: Callable[[], nn.Module]) -> None:
    experts = make()
    graph = fxsummary.graph(nn.ModuleList([experts]))
    totals = graph.totals
    assert totals.unknown_parameters
    assert totals.parameters <= WEIGHTS + sum(
        each.numel() for name, each in experts.named_parameters() if "bias" in name
    )
    assert totals.parameter_bytes == nbytes_of(experts)
    assert "≥" in str(graph)
    assert loads(graph.to_json()).totals == totals


def test_the_graph_ends_at_experts_whose_kernel_is_not_here() -> None:
    experts = _mxfp4()
    routing = torch.zeros(ROWS, 4)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.experts = nn.Linear(64, 64, bias=False), experts

        def forward(self, x: Tensor) -> Any:
            return self.experts(self.first(x), routing, routing)

    graph = fxsummary.graph(Model(), torch.randn(ROWS, 64))
    assert (graph.totals.flops, graph.totals.unknown_flops) == (2 * ROWS * 64 * 64, ("the rest of forward",))
    (note,) = [each for each in graph.notes if "recording stopped" in each]
    assert "Mxfp4GptOssExperts does not run here" in note and "Pass other inputs" not in note


# --- layouts ---------------------------------------------------------------------------------------


class Layer(nn.Module):
    """A layer that declares its size and multiplies by a weight that it does not store."""

    def __init__(self) -> None:
        super().__init__()
        self.in_features, self.out_features = IN, OUT

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight())

    def weight(self) -> Tensor:
        raise NotImplementedError


def frozen(*shape: int, dtype: torch.dtype = torch.float32) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape, dtype=dtype), requires_grad=False)


class Codebook(Layer):
    """Indices into a codebook that is larger than the weight: fewer than one bit for each element, as in AQLM."""

    def __init__(self, group: int = 16) -> None:
        super().__init__()
        self.codes, self.codebook = frozen(OUT, IN // group, dtype=torch.uint8), frozen(256, group)
        self.scales = frozen(OUT, 1)

    def weight(self) -> Tensor:
        return self.codebook[self.codes.long()].flatten(1) * self.scales


def test_indices_into_a_codebook() -> None:
    layer = Codebook()
    check(graph_of(layer), IN * OUT, nbytes_of(layer), PRODUCT)


class Submodule(Layer):
    """Indices into a codebook in a submodule, as in VPTQ."""

    def __init__(self) -> None:
        super().__init__()
        self.codes, self.centroids = frozen(OUT, IN // 4, dtype=torch.int16), nn.Embedding(256, 4)

    def weight(self) -> Tensor:
        return self.centroids(self.codes.long()).flatten(1)


def test_matrices_in_submodules_may_represent_the_same_weight() -> None:
    layer = Submodule()
    totals = graph_of(layer).totals
    assert (totals.parameters, totals.parameter_bytes, totals.flops) == (IN * OUT, nbytes_of(layer), PRODUCT)
    assert totals.unknown_parameters


class Unregistered(Layer):
    """Scales in a dict, and a bias that is no parameter, as in HQQ."""

    def __init__(self, bias: Tensor | None) -> None:
        super().__init__()
        self.packed = frozen(OUT, IN, dtype=torch.int8)
        self.bias, self.meta = bias, {"scale": torch.ones(OUT, 1), "shape": (OUT, IN)}

    def weight(self) -> Tensor:
        scale: Any = self.meta["scale"]
        return self.packed * scale


def test_scales_in_a_dict_are_stored() -> None:
    check(graph_of(Unregistered(None)), IN * OUT, IN * OUT + 4 * OUT, PRODUCT)


def test_a_bias_that_is_no_parameter_is_unknown() -> None:
    totals = graph_of(Unregistered(torch.zeros(OUT))).totals
    assert (totals.parameters, totals.unknown_parameters) == (IN * OUT, ("0.bias",))
    assert totals.parameter_bytes == IN * OUT + 4 * OUT + 4 * OUT


def test_a_bias_that_is_a_buffer_is_a_parameter() -> None:
    layer = Codebook()
    layer.register_buffer("bias", torch.zeros(OUT))
    totals = graph_of(layer).totals
    assert (totals.parameters, totals.parameter_bytes, totals.buffers) == (IN * OUT + OUT, nbytes_of(layer), 0)


@pytest.mark.parametrize("declares", [True, False])
def test_a_weight_that_is_no_parameter_is_unknown(declares: bool) -> None:
    """Tensors in plain attributes; only a layer that has attributes for its size is known to have a weight."""
    layer = Layer()
    if not declares:
        layer.in_features = layer.out_features = None  # type: ignore[assignment]
    layer.packed, layer.meta = torch.zeros(OUT, IN, dtype=torch.int8), {"scale": torch.ones(OUT, 1)}
    layer.weight = lambda: layer.packed * layer.meta["scale"]  # type: ignore[method-assign]
    totals = graph_of(layer).totals
    assert (totals.parameters, totals.unknown_parameters) == (0, ("0.packed",))
    assert (totals.parameter_bytes, totals.flops) == (IN * OUT + 4 * OUT, PRODUCT)
    assert "stored packed" in graph_of(layer).to_text()


def test_a_float_weight_beside_integers_is_no_packed_weight() -> None:
    """Quantization is only simulated: the layer has what its parameters say."""
    layer = nn.Linear(IN, OUT)
    layer.zero_points = frozen(OUT, 1, dtype=torch.int8)
    totals = graph_of(layer).totals
    assert (totals.parameters, totals.unknown_parameters) == (IN * OUT + OUT + OUT, ())


# --- packages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_hqq(bits: int) -> None:
    quantize = pytest.importorskip("hqq.core.quantize")
    config = quantize.BaseQuantizeConfig(nbits=bits, group_size=64)
    layer = quantize.HQQLinear(nn.Linear(IN, OUT, bias=False), config, compute_dtype=torch.float32, device="cpu")
    scales = sum(each.nbytes for each in layer.meta.values() if isinstance(each, Tensor))
    check(graph_of(layer), IN * OUT, layer.W_q.nbytes + scales, PRODUCT)


@pytest.mark.parametrize("activations", [None, "qint8"])
@pytest.mark.parametrize("weights", ["qint8", "qint4", "qint2", "qfloat8"])
def test_quanto(weights: str, activations: str | None) -> None:
    quanto = pytest.importorskip("optimum.quanto")
    model = nn.Sequential(nn.Linear(IN, OUT))
    quanto.quantize(model, weights=getattr(quanto, weights), activations=activations and getattr(quanto, activations))
    quanto.freeze(model)
    totals = fxsummary.graph(model, torch.randn(ROWS, IN)).totals
    assert (totals.parameters, totals.unknown_parameters) == (IN * OUT + OUT, ())
    assert (totals.flops, totals.unknown_flops) == (PRODUCT, ())
    bits = {"qint4": 4, "qint2": 2}.get(weights, 8)
    assert IN * OUT * bits // 8 < totals.parameter_bytes < IN * OUT * bits // 8 + 4 * OUT * 8


def test_aqlm() -> None:
    aqlm = pytest.importorskip("aqlm")
    layer = aqlm.QuantizedLinear(IN, OUT, 8, 1, 1, 16, bias=False, dtype=torch.float32)
    check(graph_of(layer), IN * OUT, nbytes_of(layer), PRODUCT)
