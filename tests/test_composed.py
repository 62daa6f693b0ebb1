"""Outcomes of Python code put together from rules, against the kernels, which stay the truth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kernels import of_kernel, spec
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import flop_registry, register_flop_formula

from fxsummary.capture.operations import rules
from fxsummary.capture.operations.composed import composed
from fxsummary.capture.operations.outcome import Alias
from fxsummary.capture.operations.run import Operations, RefusedError
from fxsummary.graph.spec import TensorSpec


def check(target: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether rules answered for all calls; what came of it is what the kernels say."""
    answer = composed(target, args, kwargs, "cpu")
    if answer is None:
        return False
    assert answer == of_kernel(target, args, kwargs), (target, args, kwargs)
    return True


# --- modules -----------------------------------------------------------------------------------

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
    assert check(module, *args) or rules.by_rule(module, args, {}, "cpu") == of_kernel(module, *args)


COMPUTED: dict[str, Callable[[], nn.Module]] = {
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(8, 3)),
    "weight_norm by hook": lambda: torch.nn.utils.weight_norm(nn.Linear(8, 3)),
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.Linear(8, 3)).eval(),
    "two": lambda: parametrizations.weight_norm(parametrizations.weight_norm(nn.Linear(8, 3)), "bias"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMPUTED)
def test_weights_that_are_computed(name: str) -> None:
    assert check(COMPUTED[name](), X)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name: str) -> None:
    module, args, kwargs = ATTENTIONS[name]
    assert check(module, *args, **kwargs)


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
    assert check(module, X)
    assert module.calls == 0


WITHOUT_KERNELS = [
    "RNN", "RecurrentCells", "weight_norm", "weight_norm_by_hook", "spectral_norm", "SelfAttention",
    "transformer_encoder", "transformer", "MatrixProducts",
]  # fmt: skip


def test_compiler_and_sympy_are_not_imported() -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import fxsummary
from zoo import OWN
for name in {WITHOUT_KERNELS}:
    entry = OWN[name]
    example = entry.inputs()
    fxsummary.graph(entry.model(), *example.args, kwargs=example.kwargs or None)
    found = [each for each in ("torch._dynamo", "sympy") if each in sys.modules]
    assert not found, (name, found)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


# --- functions ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize("function", [one_of_each, in_place, of_its_own, asks])
@pytest.mark.parametrize("x", [X, TURNED, spec(2, 5, 8, dtype="bfloat16")], ids=str)
def test_function(function: Callable[..., Any], x: TensorSpec) -> None:
    assert check(function, x, spec(2, 5, 8))


def test_views_and_writes_are_traced_to_the_arguments() -> None:
    outcome = composed(in_place, (X, spec(2, 5, 8)), {}, "cpu")
    assert outcome is not None
    assert outcome.aliases == (Alias(0, 8),) and outcome.writes == (0, 1)


def reads_a_value(x: Tensor) -> Tensor:
    return x + 1 if x.sum() > 0 else x


def calls_aten(x: Tensor) -> Tensor:
    y: Tensor = torch.ops.aten.relu(x)
    return y


def sets_data(x: Tensor) -> Tensor:
    x.data = x + 1
    return x


def maps(x: Tensor) -> Tensor:
    y: Tensor = torch.vmap(lambda row: row + 1)(x)
    return y


def casts(x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return x @ x.transpose(-1, -2)


def swallows(x: Tensor) -> Tensor:
    try:
        return torch.ops.aten.relu(x)  # type: ignore[no-any-return]
    except:  # noqa: E722
        return x[0]


def fails(x: Tensor) -> Tensor:
    raise ValueError("it does")


def of_another_kind(x: Tensor) -> Any:
    return {x + 1}


@pytest.mark.parametrize(
    "function", [reads_a_value, calls_aten, sets_data, maps, casts, swallows, fails, of_another_kind]
)
def test_what_is_left_to_the_kernels(function: Callable[..., Any]) -> None:
    assert composed(function, (X,), {}, "cpu") is None


def test_error_is_that_of_torch() -> None:
    with pytest.raises(RefusedError, match="embedding dimension of 6"):
        Operations("cpu").run(nn.MultiheadAttention(6, 2), (X, X, X), {})
    with pytest.raises(RefusedError, match="it does"):
        Operations("cpu").run(fails, (X,), {})


def test_formula_of_the_user_counts() -> None:
    attention = nn.MultiheadAttention(8, 2)
    register_flop_formula(torch.ops.aten.relu)(lambda shape, **_: 7)
    try:
        assert composed(attention, (X, X, X), {}, "cpu") is None
    finally:
        flop_registry.pop(torch.ops.aten.relu)
    assert composed(attention, (X, X, X), {}, "cpu") is not None
