"""Each kernel of ours against torch's own on meta, which stays the truth; and what a fresh process does not import."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from kernels import Compared, spec
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.flop_counter import flop_registry, register_flop_formula

import fxsummary
from fxsummary.capture.operations import kernels, memo
from fxsummary.capture.operations.kernels import KERNELS
from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.run import Operations, RefusedError
from fxsummary.graph.spec import TensorSpec
from zoo import ZOO

# --- torch's database of operators ---------------------------------------------------------------

LAYOUTS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x,
    lambda x: _turned(_turned(x).contiguous()),
    lambda x: x.to(memory_format=torch.channels_last) if x.dim() == 4 else x,
    lambda x: _with_strides(x, [2 * step for step in x.stride()]),  # with gaps
    lambda x: _with_strides(x, [step if dim else 0 for dim, step in enumerate(x.stride())]),  # expanded
    lambda x: _with_strides(x, [7 if size == 1 else step for size, step in zip(x.shape, x.stride(), strict=True)]),
]
SAMPLES = 6
"""Samples of each operator and dtype, each in all layouts."""

NEVER_SAMPLED: dict[str, Callable[[Tensor], Any]] = {
    "clamp": lambda x: (x.clamp(0, 1), x.clamp_min(0), torch.clamp_max(x, 1)),
    "clamp_": lambda x: (x.clamp_(0, 1), x.clamp_min_(0), torch.clamp_max_(x, 1)),
    "relu_": lambda x: (F.relu_(x), F.hardswish(x, inplace=True), F.relu6(x, inplace=True)),
    "lt.Scalar": lambda x: (x < 0, x <= 0, x > 0, x >= 0, x == 0, x != 0),
    "pow.Scalar": lambda x: (2**x, x**2),
    "div.Scalar": lambda x: (torch.ops.aten.div.Scalar(x, 2), torch.rsub(x, 2), x % 2),
    "arange": lambda x: (torch.arange(5), torch.arange(2, 7), torch.arange(0, 1, 0.3), torch.arange(3.0)),
    "zeros_like": lambda x: (torch.zeros_like(x), torch.empty_like(x), torch.full_like(x, 1.0)),
    "rand": lambda x: (torch.rand(2, 3), torch.rand_like(x), torch.randn(2, dtype=torch.float64), torch.randn_like(x)),
    "scatter_.value": lambda x: x.scatter_(0, torch.empty(1, 2, dtype=torch.int64, device="meta"), 1.0),
    "im2col": lambda x: F.unfold(x.new_empty(2, 3, 6, 6), 2, stride=2),
    "col2im": lambda x: F.fold(x.new_empty(2, 12, 9), (6, 6), 2, stride=2),
    "_prelu_kernel": lambda x: F.prelu(x, x.new_empty(1)),
    "native_dropout": lambda x: torch.native_dropout(x, 0.5, True),
    "_upsample_nearest_exact2d": lambda x: F.interpolate(x[None, None], size=(5, 5), mode="nearest-exact"),
    "_weight_norm_interface": lambda x: torch._weight_norm(x, x.new_empty(3, 1), 0),
}
"""Calls of the operators that the database has no samples of on these layouts."""


def _turned(x: Tensor) -> Tensor:
    return x.permute(tuple(reversed(range(x.dim()))))


def empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


UNDIVIDED: list[tuple[Any, tuple[Any, ...]]] = [
    *[
        (kind(4, 5, layers, batch_first=first, bidirectional=twice, bias=twice, device="meta"), (empty(3, 2, 4),))
        for kind, layers in itertools.product((nn.LSTM, nn.GRU, nn.RNN), (1, 2))
        for first, twice in itertools.product((False, True), repeat=2)
    ],
    (nn.RNN(4, 5, nonlinearity="relu", device="meta"), (empty(3, 2, 4),)),
    (nn.RNN(4, 5, 2, nonlinearity="relu", device="meta"), (empty(1, 2, 4),)),
    (nn.LSTM(4, 5, 2, proj_size=3, device="meta"), (empty(3, 2, 4),)),
    (nn.LSTM(4, 5, 2, dropout=0.5, device="meta"), (empty(3, 2, 4),)),
    (nn.LSTM(4, 5, device="meta"), (empty(3, 4),)),
    *[
        (nn.Linear(4, 5, bias=bias, device="meta"), (empty(*shape),))
        for shape in ((4,), (3, 4), (3, 2, 4), (1, 4), (2, 1, 3, 4), (0, 4), (3, 5))
        for bias in (False, True)
    ],
    *[
        (partial(F.scaled_dot_product_attention, **options), (empty(*q), empty(*k), empty(*v)))
        for options in ({}, {"is_causal": True}, {"enable_gqa": True}, {"attn_mask": empty(5, 7)}, {"dropout_p": 0.5})
        for q, k, v in (
            ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8)), ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 6)),
            ((2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8)), ((4, 5, 8), (4, 7, 8), (4, 7, 8)), ((5, 8), (7, 8), (7, 8)),
            ((1, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8)), ((2, 4, 1, 8), (2, 4, 1, 8), (2, 4, 1, 8)),
        )
    ],
]  # fmt: skip
"""Calls in which a mode sees the whole operator below autograd."""


def _with_strides(x: Tensor, strides: list[int]) -> Tensor:
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device="meta")


def on_meta(value: Any) -> Any:
    return value.detach().to("meta") if isinstance(value, Tensor) else value


def in_layout(layout: Callable[[Tensor], Tensor], value: Any) -> Any:
    def change(leaf: Any) -> Any:
        return layout(leaf) if isinstance(leaf, Tensor) and leaf.layout is torch.strided else leaf

    return tree_map(change, value)


def samples(operator: Any) -> Iterator[tuple[Any, Any, Any]]:
    for error in operator.error_inputs("cpu") if operator.error_inputs_func else ():
        sample = error.sample_input
        yield tree_map(on_meta, (sample.input, sample.args, sample.kwargs))
    for dtype in {torch.float32, torch.bfloat16, torch.int64, torch.bool} & operator.dtypes:
        for number, sample in enumerate(operator.sample_inputs("cpu", dtype)):
            if number == SAMPLES:
                break
            first, args, kwargs = tree_map(on_meta, (sample.input, sample.args, sample.kwargs))
            for layout in LAYOUTS:
                yield in_layout(layout, (first, args, kwargs))
                yield in_layout(layout, first), args, kwargs


def without_data(sample: Any) -> str:
    """What a kernel sees of a sample, as text: more than half of the samples are the same in several layouts."""
    leaves, structure = tree_flatten(sample)
    return repr((structure, [layout_of(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]))


def layout_of(x: Tensor) -> tuple[Any, ...]:
    in_memory = (x.stride(), x.storage_offset()) if x.layout is torch.strided else id(x)
    return x.shape, in_memory, x.dtype, x.layout


@pytest.fixture(scope="module")
def compared() -> Compared:
    """All operators of the database whose name or alias a kernel has, run by torch's kernels and by ours."""
    pytest.importorskip("expecttest", reason="torch's operator database needs it: pip install expecttest")
    from torch.testing._internal import common_utils
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo import core

    ours = {name.removeprefix("aten::").partition(".")[0].strip("_") for name in KERNELS}
    mode, seen = Compared(), set()
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        for module in (common_utils, core):  # it looks for a unittest in every frame and all modules, which is slow
            patch.setattr(module, "extract_test_fn", lambda: None)
        for operator in op_db:
            name = operator.name.rpartition(".")[2]
            if name.strip("_") in ours or operator.aten_name in ours or name in COMPOSITES:
                for sample in samples(operator):
                    call = operator.name, operator.variant_test_name, without_data(sample)
                    if call not in seen:
                        seen.add(call)
                        run_sample(mode, operator, *sample)
        for layout, (module, arguments) in itertools.product(LAYOUTS, UNDIVIDED):
            with torch._C._AutoDispatchBelowAutograd():
                run_sample(mode, module, *in_layout(layout, (arguments[0], arguments[1:])), {})
        for layout, call, shape in itertools.product(LAYOUTS, NEVER_SAMPLED.values(), ((3, 4), (3, 1), (3, 2))):
            run_sample(mode, call, layout(torch.empty(shape, device="meta")), (), {})
    return mode


COMPOSITES = {
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "batch_norm", "layer_norm", "group_norm", "matmul",
    "max_pool2d", "max_pool3d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "softmax",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "interpolate", "upsample_nearest", "scaled_dot_product_attention",
    "__getitem__", "log_softmax", "std", "var", "relu6", "norm", "leaky_relu", "masked_fill", "where", "unfold", "fold",
    "logsigmoid", "prelu",
}  # fmt: skip
"""Operators that are put together from those that have kernels."""


def run_sample(mode: Compared, operator: Any, first: Any, args: Any, kwargs: Any) -> None:
    for call in (operator, getattr(operator, "inplace_variant", None)):
        if call is not None:
            try:
                with mode, torch.no_grad():
                    call(first, *args, **kwargs)
            except Exception:  # meta refuses some samples; whether ours does too is noted in the mode
                continue


def test_no_kernel_differs_from_torchs(compared: Compared) -> None:
    assert not compared.wrong, "\n".join(str(wrong)[:300] for wrong in compared.wrong[:40])


REFUSED_BY_TORCH = {"aten::_grouped_mm"}
"""Kernels for what torch's own kernel refuses on meta."""


@pytest.mark.parametrize("name", sorted(KERNELS.keys() - REFUSED_BY_TORCH))
def test_kernel_is_compared_with_torchs(name: str, compared: Compared) -> None:
    """Every kernel answers for several samples or layouts that differ; one that always declines is no kernel."""
    assert compared.answered[name] >= 4


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_of_an_operator(name: str) -> None:
    packet, _, overload = name.removeprefix("aten::").partition(".")
    assert hasattr(getattr(torch.ops.aten, packet), overload or "default")


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [
        ((6, 3), (4, 3, 5), (6, 5)),
        ((6, 3), (3, 5), (4, 6, 5)),
        ((4, 6, 3), (3, 5), (6, 5)),
        ((4, 6, 3), (4, 3, 5), (4, 6, 5)),
    ],
    ids=["rows", "inner", "columns", "batch"],
)
def test_grouped_product(left: tuple[int, ...], right: tuple[int, ...], result: tuple[int, ...]) -> None:
    outcome = Operations("cpu").run(torch._grouped_mm, (spec(*left), spec(*right)), {"offs": spec(4, dtype="int32")})
    assert outcome.value.shape == result


# --- the zoo -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_kernels_over_the_zoo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every operator that a model calls has the result that torch's kernel gives."""
    answer, mode = kernels.answer, Compared()

    def both(func: Any, args: Any, kwargs: Any) -> Any:
        known = func._name in KERNELS if hasattr(func, "_name") else False
        return mode.__torch_dispatch__(func, (), args, kwargs) if known else answer(func, args, kwargs)

    monkeypatch.setattr(kernels, "answer", both)
    memo.clear()
    entry = ZOO[name]
    example = entry.inputs()
    fxsummary.graph(entry.model(), *example.args, kwargs=example.kwargs or None)
    assert mode.wrong == []


# --- operations --------------------------------------------------------------------------------


def outcome(target: Any, *args: Any, **kwargs: Any) -> Outcome:
    operations = Operations("cpu")
    return operations._observe(target, args, kwargs, operations.twins, None)[0]


def check(target: Any, *args: Any, **kwargs: Any) -> Outcome:
    """The outcome of an operation, which is the same without our kernels."""
    ours = outcome(target, *args, **kwargs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "KERNELS", {})
        theirs = outcome(target, *args, **kwargs)
    assert ours == theirs and repr(ours) == repr(theirs)
    return ours


X, MEMORY = spec(2, 5, 8), spec(2, 3, 8)
TURNED = spec(2, 5, 8, stride=(8, 16, 1))

ATTENTIONS: dict[str, tuple[nn.Module, tuple[Any, ...], dict[str, Any]]] = {
    "self": (nn.MultiheadAttention(8, 2, batch_first=True), (X, X, X), {}),
    "steps first": (nn.MultiheadAttention(8, 2), (X, X, X), {"need_weights": False}),
    "turned": (nn.MultiheadAttention(8, 2), (TURNED, TURNED, TURNED), {}),
    "cross": (nn.MultiheadAttention(8, 2, batch_first=True), (X, MEMORY, MEMORY), {"average_attn_weights": False}),
    "other widths": (nn.MultiheadAttention(8, 2, kdim=6, vdim=4), (X, spec(3, 5, 6), spec(3, 5, 4)), {}),
    "more keys": (nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True), (X, X, X), {}),
    "without bias": (nn.MultiheadAttention(8, 2, bias=False, dropout=0.1).train(), (X, X, X), {}),
    "unbatched": (nn.MultiheadAttention(8, 2), (spec(5, 8), spec(5, 8), spec(5, 8)), {}),
    "mask": (nn.MultiheadAttention(8, 2, batch_first=True), (X, X, X), {"attn_mask": spec(5, 5, dtype="bool")}),
    "padding": (
        nn.MultiheadAttention(8, 2, batch_first=True), (X, X, X), {"key_padding_mask": spec(2, 5, dtype="bool")},
    ),
    "encoder layer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), (X,), {}),
    "encoder layer in training": (nn.TransformerEncoderLayer(8, 2, 16, norm_first=True), (X,), {}),
    "decoder layer": (nn.TransformerDecoderLayer(8, 2, 16).eval(), (X, X), {"tgt_mask": spec(2, 2)}),
    "transformer": (nn.Transformer(8, 2, 1, 2, 16, batch_first=True).eval(), (X, MEMORY), {}),
}  # fmt: skip


RECURRENT: dict[str, tuple[nn.Module, tuple[Any, ...]]] = {
    "RNN": (nn.RNN(8, 4), (X,)),
    "LSTM with states": (nn.LSTM(8, 4), (X, (spec(1, 5, 4), spec(1, 5, 4)))),
    "LSTM with projections": (
        nn.LSTM(8, 4, 2, proj_size=3, batch_first=True), (X, (spec(2, 2, 3), spec(2, 2, 4))),
    ),
    "GRU, unbatched": (nn.GRU(8, 4, bidirectional=True), (spec(5, 8),)),
    "LSTM, unbatched": (nn.LSTM(8, 4, bias=False), (spec(5, 8),)),
    "RNNCell": (nn.RNNCell(8, 4, nonlinearity="relu"), (spec(2, 8),)),
    "LSTMCell": (nn.LSTMCell(8, 4), (spec(2, 8), (spec(2, 4), spec(2, 4)))),
    "GRUCell": (nn.GRUCell(8, 4, bias=False), (spec(2, 8), spec(2, 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent(name: str) -> None:
    module, args = RECURRENT[name]
    check(module, *args)


COMPUTED: dict[str, Callable[[], nn.Module]] = {
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(8, 3)),
    "weight_norm by hook": lambda: torch.nn.utils.weight_norm(nn.Linear(8, 3)),
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.Linear(8, 3)).eval(),
    "two": lambda: parametrizations.weight_norm(parametrizations.weight_norm(nn.Linear(8, 3)), "bias"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMPUTED)
def test_weights_that_are_computed(name: str) -> None:
    check(COMPUTED[name](), X)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name: str) -> None:
    module, args, kwargs = ATTENTIONS[name]
    check(module, *args, **kwargs)


def test_module_stays_as_it_was() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.linear = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            y: Tensor = self.linear(x)
            return y

    module = Counts()
    check(module, X)
    assert module.calls == 0


def one_of_each(x: Tensor, other: Tensor) -> tuple[Any, ...]:
    """Operators, reflected ones, methods, properties, views of views, several results."""
    view = x.transpose(0, 1)[1:]
    first, second = (1 - x / 2).chunk(2, dim=-1)
    return x, view, view[0], [first, second], {"sum": x.sum() + other.mean()}, 3, x.shape, x.unflatten(-1, (2, 4))


def in_place(x: Tensor, other: Tensor) -> Tensor:
    other.mul_(2)
    part = x[:, 1]
    part += 1
    return part


def of_its_own(x: Tensor, other: Tensor) -> Tensor:
    made = torch.zeros(2, 5, 8, device=x.device) + x.new_zeros(8)
    made += other
    return F.relu(made, inplace=True)


def asks(x: Tensor, other: Tensor) -> Tensor:
    if x.dim() == 3 and x.is_floating_point() and len(x) == 2 and x.device == other.device and x.is_contiguous():
        x = x.reshape(x.size(0), -1).to(other.dtype)
    return x


def other_ways(x: Tensor, other: Tensor) -> Any:
    """Operators of ``torch.ops``, ``vmap``, autocast, a swapped ``data``."""
    mapped = torch.vmap(lambda row: row + 1)(x)
    with torch.autocast("cpu", torch.bfloat16):
        product = other @ other.transpose(-1, -2)
    x.data = torch.ops.aten.relu(mapped)
    return x, mapped, product


@pytest.mark.parametrize("function", [one_of_each, in_place, of_its_own, asks, other_ways])
@pytest.mark.parametrize("x", [X, TURNED, spec(2, 5, 8, dtype="bfloat16")], ids=str)
def test_function(function: Callable[..., Any], x: TensorSpec) -> None:
    check(function, x, spec(2, 5, 8))


def test_views_and_writes_are_traced_to_the_arguments() -> None:
    result = check(in_place, X, spec(2, 5, 8))
    assert result.aliases == (Alias(0, 8),) and result.writes == (0, 1)


def makes_tensors(x: Tensor) -> tuple[Tensor, ...]:
    """Constants and new tensors, which lie on the device of the model whatever device is named."""
    constant = torch.tensor([1.0, 2.0]) + torch.as_tensor(3)
    return x + torch.zeros(8), x[..., :2] * constant, torch.arange(5, device="cpu"), x.cpu() + 1, torch.Tensor(2, 3)


def test_tensors_made_inside_are_on_meta_too() -> None:
    values = outcome(makes_tensors, X).value
    assert [value.shape for value in values] == [(2, 5, 8), (2, 5, 2), (5,), (2, 5, 8), (2, 3)]
    assert {value.device for value in values} == {"cpu"}


def of_numbers(x: Tensor) -> Tensor:
    """Operators on numbers alone, whose result has a value."""
    return x[: int(torch.div(5, 2, rounding_mode="floor"))] + torch.add(1, 2) + torch.maximum(x[0, 0, 0], x[0, 0, 1])


def test_operators_on_numbers_have_a_value() -> None:
    assert check(of_numbers, X).value.shape == (2, 5, 8)


def fails(x: Tensor) -> Tensor:
    raise ValueError("it does")


def test_error_is_that_of_torch() -> None:
    with pytest.raises(RefusedError, match="embedding dimension of 6"):
        Operations("cpu").run(nn.MultiheadAttention(6, 2), (X, X, X), {})
    with pytest.raises(RefusedError, match="it does"):
        Operations("cpu").run(fails, (X,), {})


# --- formulas ----------------------------------------------------------------------------------


def test_formula_of_the_user_counts() -> None:
    register_flop_formula(torch.ops.aten.relu)(lambda shape, **_: 7)
    try:
        assert Operations("cpu").run(F.relu, (spec(2, 3),), {}).flops == 7
    finally:
        flop_registry.pop(torch.ops.aten.relu)


def test_formula_that_wants_tensors_gets_them() -> None:
    register_flop_formula(torch.ops.aten.relu, get_raw=True)(lambda x, out_val: x.numel() + out_val.numel())
    try:
        assert Operations("cpu").run(F.relu, (spec(2, 3),), {}).flops == 12
    finally:
        flop_registry.pop(torch.ops.aten.relu)


def test_formula_that_is_replaced_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept under the formula that was there before is not taken."""
    call: tuple[Any, ...] = (torch.mm, (spec(2, 3), spec(3, 5)), {})
    assert Operations("cpu").run(*call).flops == 60
    for flops in (7, 8):
        monkeypatch.setitem(flop_registry, torch.ops.aten.mm, lambda *_, flops=flops, **__: flops)
        assert Operations("cpu").run(*call).flops == flops
    monkeypatch.undo()
    assert Operations("cpu").run(*call).flops == 60


def test_autocast() -> None:
    outcome = Operations("cpu").run(nn.Linear(3, 4), (spec(2, 3),), {}, ("cpu", "bfloat16"))
    assert outcome.value.dtype == "bfloat16"


# --- a fresh process ---------------------------------------------------------------------------

MODELS = '''
import sys, torch
from torch import nn
from torch.nn import functional as F

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
                                  nn.MaxPool2d(3, 2, 1))
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8))
        self.pool, self.head = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        y = self.block(x)
        y += x
        return self.head(torch.flatten(self.pool(F.relu(y)), 1))

class Attention(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal, self.qkv, self.out, self.drop = causal, nn.Linear(16, 48), nn.Linear(16, 16), nn.Dropout(0.1)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x).split(16, dim=2)
        q, k, v = (t.view(*t.shape[:-1], 4, 4).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.drop(self.out(y.transpose(1, 2).reshape(*x.shape)))

class Gelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(0.79788 * (x + 0.044715 * torch.pow(x, 3.0))))

class Language(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal, self.words, self.places = causal, nn.Embedding(50, 16), nn.Embedding(12, 16)
        self.norm1, self.norm2, self.attention = nn.LayerNorm(16), nn.LayerNorm(16), Attention(causal)
        self.mlp = nn.Sequential(nn.Linear(16, 32), Gelu() if causal else nn.GELU(), nn.Linear(32, 16))

    def forward(self, ids, mask=None):
        if mask is not None:
            mask = (1.0 - mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
        x = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device).unsqueeze(0))
        x = x + self.attention(self.norm1(x), mask)
        x = x + self.mlp(self.norm2(x))
        return (x @ self.words.weight.t())[:, -1] if self.causal else torch.tanh(x[:, 0])

import fxsummary
ids = torch.zeros(1, 12, dtype=torch.int64)
runs = {"resnet": (Residual(), (torch.empty(1, 3, 32, 32),)), "bert": (Language(False), (ids, torch.ones_like(ids))),
        "gpt2": (Language(True), (ids,))}
'''  # fmt: skip


ON_KERNELS = [
    "RNN", "RecurrentCells", "weight_norm", "weight_norm_by_hook", "spectral_norm", "SelfAttention",
    "transformer_encoder", "transformer", "MatrixProducts",
]  # fmt: skip


def in_fresh_process(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@cache
def imported_by() -> dict[str, list[str]]:
    """What was imported after each capture of `MODELS` and of `ON_KERNELS`, one after the other in one process."""
    program = f"""{MODELS}
import json, sys, warnings
sys.path.insert(0, {str(Path(__file__).parent)!r})
warnings.simplefilter("ignore")
from fxsummary.capture.operations import memo
from zoo import OWN

found = {{}}
def look(case, model, example, **options):
    memo.clear()
    fxsummary.graph(model, *example, **options).to_text()
    found[case] = [each for each in ("torch._dynamo", "sympy") if each in sys.modules]

for name, (model, inputs) in runs.items():
    for way in ("auto", "record"):
        look(f"{{name}}-{{way}}", model.eval(), inputs, trace=way)
for name in {ON_KERNELS}:
    example = OWN[name].inputs()
    look(name, OWN[name].model(), example.args, kwargs=example.kwargs or None)
print(json.dumps(found))
"""
    found: dict[str, list[str]] = json.loads(in_fresh_process(program).splitlines()[-1])
    return found


@pytest.mark.parametrize("case", [f"{name}-{way}" for name in ("resnet", "bert", "gpt2") for way in ("auto", "record")])
def test_compiler_and_sympy_are_not_imported(case: str) -> None:
    assert imported_by()[case] == []


def test_import_and_help_leave_torch_alone() -> None:
    program = """
import sys, fxsummary
from fxsummary.cli import main
assert not {"torch", "networkx"} & set(sys.modules)
try:
    main(["--help"])
except SystemExit:
    pass
assert not {"torch", "networkx"} & set(sys.modules)
"""
    assert "usage: fxsummary" in in_fresh_process(program)


@pytest.mark.parametrize("case", ON_KERNELS)
def test_compiler_and_sympy_are_not_imported_for_python_code(case: str) -> None:
    assert imported_by()[case] == []


# --- where meta differs from a CPU -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_lies_in_memory_as_on_a_cpu(dtype: torch.dtype, masked: bool) -> None:
    q, k, v = (torch.randn(2, 5, 4, 8, dtype=dtype).transpose(1, 2) for _ in range(3))
    mask = torch.zeros(5, 5, dtype=dtype) if masked else None
    for queries in (
        q,
        q.contiguous(),
        torch.randn(2, 5, 96, dtype=dtype).split(32, 2)[1].view(2, 5, 4, 8).transpose(1, 2),
    ):
        real = F.scaled_dot_product_attention(queries, k, v, mask)
        on_meta = [None if each is None else each.to("meta") for each in (queries, k, v, mask)]
        ours = kernels.answer(torch.ops.aten.scaled_dot_product_attention.default, tuple(on_meta), {})
        assert (ours.shape, ours.stride(), ours.dtype) == (real.shape, real.stride(), real.dtype)


@pytest.mark.parametrize("training", [False, True])
def test_batch_norms_have_statistics_as_on_a_cpu(training: bool) -> None:
    def arguments(device: str) -> tuple[Any, ...]:
        x, *rest = (torch.ones(*shape, device=device) for shape in ((2, 3, 4), (3,), (3,), (3,), (3,)))
        return x, *rest, training, 0.1, 1e-5

    real = torch.ops.aten.native_batch_norm(*arguments("cpu"))
    ours = kernels.answer(torch.ops.aten.native_batch_norm.default, arguments("meta"), {})
    assert [each.shape for each in ours] == [each.shape for each in real]
