"""Our own small models, one feature each."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.flop_counter import register_flop_formula

from zoo.entry import Entry, Example, given

OWN: dict[str, Entry] = {}


def zoo(inputs: Callable[[], Example], **expected: Any) -> Callable[[Any], Any]:
    """Put a class without constructor arguments, or a factory, into the zoo under its own name."""

    def add(factory: Any) -> Any:
        name = expected.pop("name", factory.__name__)
        assert name not in OWN, name
        OWN[name] = Entry(name, factory, inputs, **expected)
        return factory

    return add


def randn(*shape: int, dtype: torch.dtype = torch.float32) -> Callable[[], Example]:
    """One float input."""
    return lambda: given(torch.randn(shape, dtype=dtype))


def ids(*shape: int, high: int = 10) -> Callable[[], Example]:
    """One input of ids."""
    return lambda: given(torch.randint(high, shape))


EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
CNN = run_path(str(EXAMPLES / "cnn.py"))["CNN"]
zoo(randn(1, 3, 28, 28), name="CNN")(CNN)


# --- structure ---------------------------------------------------------------------------------


@zoo(randn(2, 8))
class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc(self.norm(x))


@zoo(randn(2, 8))
class PlusItself(nn.Module):
    """``x + x`` is one edge with two slots."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        return x + x


@zoo(randn(2, 8))
class CalledTwice(nn.Module):
    """A shared module: its parameters count once, its FLOPs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.act = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc(self.act(self.fc(x))))


class _Pair(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))


@zoo(randn(2, 8))
class SharedBlock(nn.Module):
    """One block under two names, and called through both."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _Pair()
        self.again = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.first(x))


@zoo(ids(1, 5), notes=("tied.*head.weight = embedding.weight",))
class TiedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.head = nn.Linear(6, 10, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embedding(ids))


@zoo(randn(2, 8))
class BareParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.weight = nn.Parameter(torch.randn(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.scale) @ self.weight


@zoo(randn(2, 8))
class DictOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> dict[str, Any]:
        y = self.fc(x)
        return {"logits": y, "extra": [y.softmax(-1), (x, 3, None)]}


class Scores(NamedTuple):
    logits: Tensor
    hidden: Tensor


@zoo(randn(2, 8))
class NamedTupleOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Scores:
        return Scores(self.fc(x), x)


@dataclass
class Result:
    logits: Tensor
    hidden: Tensor | None = None


@zoo(randn(2, 8))
class DataclassOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Result:
        return Result(logits=self.fc(x))


@zoo(randn(2, 8))
class TupleOutput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, where = self.fc(x).max(dim=1)
        return values, where


@zoo(lambda: given(input_ids=torch.randint(10, (1, 5)), attention_mask=torch.ones(1, 5)))
class KeywordInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.fc = nn.Linear(6, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        hidden = self.embedding(input_ids)
        if attention_mask is not None:
            hidden = hidden * attention_mask.unsqueeze(-1)
        return self.fc(hidden)


class _Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.mask_fc = nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            x = x * self.mask_fc(mask)
        return self.fc(x)


zoo(lambda: given(torch.randn(2, 8), None), name="OptionalNone", unread=64, notes=("64 parameters are never read",))(
    _Masked
)
zoo(lambda: given(torch.randn(2, 8), mask=torch.ones(2, 8)), name="OptionalGiven")(_Masked)


@zoo(lambda: given([torch.randn(2, 8), torch.randn(2, 8)], {"c": torch.randn(2, 8), "d": (torch.randn(2, 8),)}))
class NestedInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, items: list[Tensor], named: dict[str, Any]) -> Tensor:
        return self.fc(items[0] + items[1] + named["c"] + named["d"][0])


@zoo(lambda: given(torch.randn(2, 8), 3))
class NumberInput(nn.Module):
    """An argument that is no tensor stays what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor, times: int) -> Tensor:
        for _ in range(times):
            x = self.fc(x)
        return x


@zoo(lambda: given(torch.randn(2, 8), torch.randn(2, 8), torch.randn(2, 8)))
class VariadicInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(24, 4)

    def forward(self, *parts: Tensor) -> Tensor:
        return self.fc(torch.cat(parts, dim=1))


@zoo(lambda: given())
class NoInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.randn(1, 8))
        self.fc = nn.Linear(8, 4)

    def forward(self) -> Tensor:
        return self.fc(self.latent)


@zoo(randn(2, 8))
class NoParameters(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu().sum(dim=1)


@zoo(randn(2, 8))
def frozen_part() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4))
    model[0].requires_grad_(False)
    return model


@zoo(randn(2, 8))
class Buffers(nn.Module):
    """One buffer that is saved, one that is not, one that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("mask", torch.ones(4, dtype=torch.bool), persistent=False)
        self.register_buffer("unused", torch.zeros(3, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x - self.mean) * self.mask


@zoo(ids(2, 5))
class SeveralDtypes(nn.Module):
    """int64 ids, a bfloat16 part, a float32 part."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8, dtype=torch.bfloat16)
        self.low = nn.Linear(8, 8, dtype=torch.bfloat16)
        self.high = nn.Linear(8, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.high(self.low(self.embedding(ids)).float())


@zoo(randn(2, 8))
class Autocast(nn.Module):
    """Part of it runs in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.fc(x)


@zoo(
    randn(2, 8),
    captured_by="recorded",
    flops=2 * 2 * 8 * 4,
    notes=(r"symbolic tracing stopped at \S*own\.py:\d+: control flow depends on a tensor \(in forward\)",),
)
class ControlFlowOnValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("offset", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            x = -x
        return self.fc(x) * self.scale + self.offset


@zoo(randn(2, 8), unread=36, notes=("36 parameters are never read in this forward: slow.weight, slow.bias",))
class ControlFlowOnFlag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fast = nn.Linear(8, 4)
        self.slow = nn.Linear(8, 4)
        self.use_fast = True

    def forward(self, x: Tensor) -> Tensor:
        return self.fast(x) if self.use_fast else self.slow(x)


@zoo(randn(2, 8), unread=40 + 7, notes=("47 parameters are never read",))
class Unused(nn.Module):
    """A submodule and a parameter that forward never reads."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.spare = nn.Linear(7, 5)
        self.spare_scale = nn.Parameter(torch.ones(7))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class _HalfUsed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.spare = nn.Linear(8, 2)
        self.register_buffer("spare_mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x).relu()


@zoo(randn(2, 8), unread=2 * 18, notes=("36 parameters are never read",))
def unused_in_blocks() -> nn.Module:
    return nn.Sequential(_HalfUsed(), _HalfUsed())


@zoo(randn(2, 8))
def nested_sequential() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 8))), nn.Sequential(nn.Identity())
    )


@zoo(randn(2, 8))
class Containers(nn.Module):
    """ModuleList, ModuleDict, ParameterList and ParameterDict."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
        self.heads = nn.ModuleDict({"a": nn.Linear(8, 2), "b": nn.Linear(8, 3)})
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(8)) for _ in range(2)])
        self.named = nn.ParameterDict({"shift": nn.Parameter(torch.zeros(8))})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        for layer in self.layers:
            x = layer(x)
        x = x * self.scales[0] * self.scales[1] + self.named["shift"]
        return {name: head(x) for name, head in self.heads.items()}


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = _Pair(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(x))


@zoo(randn(1, 4, 16))
def twelve_blocks() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 16), *[_Block(16) for _ in range(12)], nn.LayerNorm(16))


@zoo(randn(1, 4, 16))
def alternating_blocks() -> nn.Module:
    pairs = [(_Block(16), nn.Sequential(nn.Linear(16, 16), nn.Tanh())) for _ in range(6)]
    return nn.Sequential(*[block for pair in pairs for block in pair])


@zoo(randn(1, 4, 16))
def nested_repeats() -> nn.Module:
    return nn.Sequential(*[nn.Sequential(*[_Block(16) for _ in range(3)]) for _ in range(4)])


@zoo(randn(1, 4))
class TwoThousandOperations(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(1000):
            x = (x + 1).relu()
        return x


@zoo(randn(2, 8), captured_by="recorded", notes=("forward computes a product that does not depend on an input",))
class ConstantProduct(nn.Module):
    """A product of tensors that forward makes costs FLOPs too, and tracing cannot see it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + torch.arange(8.0) @ torch.ones(8, 8)


@zoo(randn(2, 8))
class WritesInPlace(nn.Module):
    """Tensors that are written in place, read under their old names and through views."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        self.relu(y)
        view = y.view(-1)
        view.mul_(2)
        total = y.sum()
        y.add_(total)
        return y + view.view(2, 8)


@zoo(randn(2, 8), captured_by="recorded", notes=("forward writes a traced value into a tensor that it made",))
class FillsWhatItMade(nn.Module):
    """Tracing takes what forward makes for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        made, other = torch.zeros(2, 8), torch.zeros(2, 8)
        made.add_(x)
        torch.mul(x, 2, out=other)
        return self.fc(made * other)


@zoo(randn(2, 8))
class DeepCopies(nn.Module):
    """A copy of a structure with tensors in it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        copied = copy.deepcopy({"x": [x]})
        return self.fc(copied["x"][0])


@zoo(randn(2, 8), captured_by="recorded", notes=("forward makes a parameter",))
class MakesParameter(nn.Module):
    """A parameter that is there only while forward runs."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        self.bias = nn.Parameter(torch.zeros(8))
        return self.fc(x) + self.bias


# --- recurrent ---------------------------------------------------------------------------------


def _recurrent(name: str, factory: Callable[[], nn.Module], inputs: Callable[[], Example], flops: int) -> None:
    zoo(inputs, name=name, flops=flops)(factory)


# One step of a gated cell is W_ih·x and W_hh·h for each gate: 2·gates·H·(I + H) FLOPs, gates 4 for LSTM, 3 for
# GRU, 1 for RNN; times T·B steps. FlopCounterMode sees the same on meta, and nothing on CPU.
_recurrent("LSTM", lambda: nn.LSTM(6, 4), randn(5, 2, 6), 5 * 2 * 2 * 4 * 4 * (6 + 4))
_recurrent("GRU", lambda: nn.GRU(6, 4, batch_first=True), randn(2, 5, 6), 5 * 2 * 2 * 3 * 4 * (6 + 4))
_recurrent("RNN", lambda: nn.RNN(6, 4), randn(5, 2, 6), 5 * 2 * 2 * 1 * 4 * (6 + 4))
# Two directions, and a second layer that reads both of them: I + H, then 2·H + H.
_recurrent(
    "BidirectionalLSTM",
    lambda: nn.LSTM(6, 4, num_layers=2, bidirectional=True, batch_first=True),
    randn(2, 5, 6),
    5 * 2 * 2 * 2 * 4 * 4 * ((6 + 4) + (8 + 4)),
)
# With a projection to P, the hidden state has P features, and each step costs P·H more.
_recurrent("ProjectedLSTM", lambda: nn.LSTM(6, 4, proj_size=3), randn(5, 2, 6), 5 * 2 * 2 * (4 * 4 * (6 + 3) + 3 * 4))


class _RecurrentHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(6, 4, batch_first=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        sequence, state = self.rnn(x)
        return self.fc(sequence[:, -1]) + self.fc(state[0])


_recurrent("RecurrentHead", _RecurrentHead, randn(2, 5, 6), 5 * 2 * 2 * 3 * 4 * 10 + 2 * (2 * 2 * 4 * 2))


class _Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTMCell(6, 4)
        self.gru = nn.GRUCell(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.lstm(x)
        return self.gru(x, hidden)


_recurrent("RecurrentCells", _Cells, randn(2, 6), 2 * 2 * (4 + 3) * 4 * (6 + 4))


@zoo(
    lambda: given(torch.randn(2, 5, 6), torch.tensor([5, 3])),
    captured_by="recorded",
    flops=(5 + 3) * 2 * 16 * (6 + 4),
    notes=("symbolic tracing stopped",),
)
class PackedLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True)
        output, _ = self.lstm(packed)
        return pad_packed_sequence(output, batch_first=True)[0]


# --- weights in other forms --------------------------------------------------------------------


@zoo(randn(1, 3, 8, 8))
class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.LazyConv2d(4, 3)
        self.norm = nn.LazyBatchNorm2d()
        self.fc = nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(x)).flatten(1))


@zoo(randn(1, 3, 8, 8))
def weight_norm() -> nn.Module:
    return nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(), parametrizations.weight_norm(nn.Linear(144, 5))
    )


@zoo(randn(1, 3, 8, 8))
def weight_norm_by_hook() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(torch.nn.utils.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU())


# The layer itself, and sigma = u · (W v) on the way to its weight: a matrix-vector product and a dot product.
@zoo(randn(2, 8), flops=2 * 2 * 8 * 4 + 2 * 8 * 4 + 2 * 4)
def spectral_norm() -> nn.Module:
    return nn.Sequential(parametrizations.spectral_norm(nn.Linear(8, 4)), nn.ReLU())


@zoo(randn(2, 16), packed=True)
def opaque_weights() -> nn.Module:
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU())
    model[1].engine = torch.classes.profiling._ScriptProfile()  # an object that does not show what is in it
    return model


@zoo(randn(2, 16), packed=True, flops=2 * 2 * 16 * 8 + 2 * 2 * 8 * 4)
def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


class _WithScript(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.scripted = torch.jit.script(nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.scripted(self.fc(x))


@zoo(randn(2, 8), flops=2 * 2 * 8 * 8 + 2 * 2 * 8 * 4)
def script_module_child() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _WithScript()


# --- attention ---------------------------------------------------------------------------------


@zoo(randn(2, 5, 8))
class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.attention(x, x, x)


@zoo(randn(2, 5, 8), captured_by="recorded", notes=("control flow depends on a tensor",))
def transformer_encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.LayerNorm(8))


@zoo(
    lambda: given(torch.randn(2, 5, 8), torch.randn(2, 3, 8)),
    captured_by="recorded",
    notes=("control flow depends on a tensor",),
)
def transformer() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Transformer(8, 2, 1, 1, 16, batch_first=True)


# Scores: 2·B·H·L·S·E, values: the same again. FlopCounterMode on meta counts it; the CPU flash kernel it does not.
@zoo(lambda: given(*[torch.randn(2, 4, 5, 8) for _ in range(3)]), flops=2 * (2 * 2 * 4 * 5 * 5 * 8))
class ScaledDotProduct(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


# Four query heads over two heads of keys and values cost as much as four over four.
@zoo(
    lambda: given(torch.randn(2, 4, 5, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)),
    flops=2 * (2 * 2 * 4 * 5 * 5 * 8),
)
class GroupedQuery(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


@zoo(lambda: given(torch.randn(2, 3, 4), torch.randn(2, 4, 5)))
class MatrixProducts(nn.Module):
    """The same product in four forms."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        first = torch.einsum("bij,bjk->bik", a, b)
        return first + a @ b + torch.bmm(a, b) + torch.matmul(a, b)


# mv: 2·m·k; dot: 2·k; outer (ger has no formula in FlopCounterMode) m·n products. FlopCounterMode counts none of these.
@zoo(lambda: given(torch.randn(3, 4), torch.randn(4)), flops=2 * 3 * 4 + 2 * 4 + 2 * 3 * 4)
class VectorProducts(nn.Module):
    def forward(self, matrix: Tensor, vector: Tensor) -> Tensor:
        return torch.mv(matrix, vector) + torch.dot(vector, vector) + matrix @ vector


# --- convolutions ------------------------------------------------------------------------------


@zoo(randn(2, 4, 8, 8))
class FunctionalConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(6, 4, 3, 3))
        self.bias = nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, self.bias, padding=1)


@zoo(randn(2, 8, 9, 9))
def convolutions_2d() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(8, 6, 3, stride=2, output_padding=1),
        nn.Conv2d(6, 12, 3, groups=3, padding="same"),
        nn.Conv2d(12, 12, 3, groups=12, dilation=2),
        nn.Conv2d(12, 4, 1, bias=False),
    )


@zoo(randn(2, 3, 20))
def convolutions_1d() -> nn.Module:
    return nn.Sequential(nn.Conv1d(3, 4, 5, stride=2), nn.ConvTranspose1d(4, 2, 4, groups=2))


@zoo(randn(1, 2, 6, 7, 8))
def convolutions_3d() -> nn.Module:
    return nn.Sequential(nn.Conv3d(2, 4, (1, 3, 3)), nn.ConvTranspose3d(4, 2, 2, stride=2))


class NamedConv(nn.Conv2d):
    """A user's subclass with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.weight, self.bias)


@zoo(randn(1, 3, 8, 8))
def conv_subclass() -> nn.Module:
    return nn.Sequential(NamedConv(3, 4, 3), nn.ReLU())


# --- what forward does -------------------------------------------------------------------------


@zoo(
    randn(5, 3), captured_by="recorded", flops=2 * (2 * 5 * (3 * 16 + 16)), notes=("forward takes a derivative",)
)  # fmt: skip
class Forces(nn.Module):
    """A derivative inside of forward."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 1))

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        positions = positions.detach().requires_grad_(True)
        with torch.enable_grad():
            energy = self.net(positions).sum()
            return energy, -torch.autograd.grad(energy, positions, create_graph=True)[0]


@zoo(randn(5, 4), captured_by="recorded", flops=2 * 5 * (12 + 6), notes=("torch.vmap takes no symbolic values",))
class ReadsInVmap(nn.Module):
    """Parameters read inside of a function transform."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.weight = nn.Linear(4, 3), nn.Parameter(torch.randn(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.vmap(lambda row: self.fc(row) @ self.weight)(x)


@zoo(
    ids(2, 7), captured_by="recorded", flops=2 * 3 * 14 * (4 * 256 + 2 * 7 * 16 + 2 * 512) + 2 * 2 * 16 * 5,
    notes=("control flow depends on a tensor",),
)  # fmt: skip
class TransformerClassifier(nn.Module):
    """Layers of ``torch.nn`` that are made of others."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 3)
        self.head = nn.Linear(16, 5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(ids)).mean(1))


# --- state -------------------------------------------------------------------------------------


@zoo(randn(4, 3, 8, 8), train=True, notes=("dropout is active.*: 3",))
def batch_norm_in_training() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))


@zoo(randn(2, 8), captured_by="recorded")
def hooked() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    model.seen = []
    model[0].register_forward_hook(lambda module, args, output: model.seen.append(tuple(output.shape)))
    model[0].register_forward_pre_hook(lambda module, args: model.seen.append("before"))
    return model


@zoo(randn(2, 8))
class AssignsInForward(nn.Module):
    """Assigns attributes, fills lists and dicts, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.history: list[Tensor] = []
        self.cache: dict[str, Tensor] = {}
        self.calls = 0
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = self.fc(x)
        self.history.append(self.last)
        self.cache["last"] = self.last
        self.new_attribute = self.last
        return self.last


@zoo(randn(2, 8))
class WritesItsBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        self.mean.mul_(0.9).add_(y.mean(0), alpha=0.1)
        return y - self.mean


_PROXY_AS_BUFFER = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 13)
"""Older ones refuse to assign the buffer while tracing symbolically, and the model is recorded."""


@zoo(
    randn(2, 8),
    captured_by="symbolic" if _PROXY_AS_BUFFER else "recorded",
    notes=() if _PROXY_AS_BUFFER else ("symbolic tracing stopped",),
)
class CountsInItsBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        return self.fc(x)


@zoo(randn(2, 8))
class DrawsRandomNumbers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn(8) + random.random()
        return self.fc(x + noise + torch.rand_like(x))


@zoo(lambda: given(torch.empty(1, 3, 8, 8, device="meta")))
def on_meta() -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))


# --- custom operators --------------------------------------------------------------------------


@torch.library.custom_op("zoo::counted_mm", mutates_args=())
def counted_mm(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


@torch.library.custom_op("zoo::uncounted_mm", mutates_args=())
def uncounted_mm(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


@counted_mm.register_fake
@uncounted_mm.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[1])


@register_flop_formula(torch.ops.zoo.counted_mm)
def _counted_mm_flops(a: tuple[int, ...], b: tuple[int, ...], out_shape: Any = None, **_: Any) -> int:
    return 2 * a[0] * a[1] * b[1]


@zoo(randn(2, 8), flops=2 * 2 * 8 * 4)
class CustomOperator(nn.Module):
    """A custom operator whose formula the user has registered with torch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.zoo.counted_mm(x, self.weight)


@zoo(
    randn(2, 8),
    flops=2 * 2 * 4 * 4,
    lower_bound=True,
    notes=("FLOPs are a lower bound: no formula for zoo.uncounted_mm",),
)
class CustomOperatorWithoutFormula(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 4))
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.ops.zoo.uncounted_mm(x, self.weight))


# --- hostile names -----------------------------------------------------------------------------

HOSTILE = {
    "quotes": "a\"b'c`d",
    "angles": "<b>bold</b> & <br/>",
    "html": "<<TABLE><TR><TD>x</TD></TR></TABLE>>",
    "pipe": "a|b{c}|<port>d",
    "backslash": "a\\nb\\l\\G\\",
    "newline": "a\nb\r\nc\td",
    "cdata": "a]]>b<![CDATA[c",
    "script": "</script><script>alert(1)</script>",
    "comment": "-->x<!--/*y*/",
    "right_to_left": "a\u202eb\u2067c\u200fd",
    "long": "x" * 10_000,
    "control": "a\x01\x1b[31mb\x7f\x9b",
    "null": "a\x00b",
    "surrogate": "a\ud800b\uffff",
    "call_suffix": "fc@1",
    "percent": "100%s %d %% %(x)s",
    "braces": "{0} {x} {{}} ${HOME} #{1}",
    "wide": "层归一化 e\u0301 👩‍👩‍👧",
    "empty_looking": " ",
    "keyword": "graph",
    "edge_arrow": "a -> b; c -- d",
}
"""Names that somebody's format will stumble over."""


def _as_class_name(name: str) -> str:
    """The name without what Python does not take in the name of a class."""
    return name.replace("\x00", "").encode("utf-8", "ignore").decode()


def hostile(name: str) -> nn.Module:
    """A model that uses a name as class, module, parameter, buffer, and key of its inputs and outputs."""

    def forward(self: Any, x: dict[str, Tensor]) -> dict[str, Tensor]:
        inner = getattr(self, name)
        y = getattr(inner, name)(x[name])
        y = y * self._parameters[f"p{name}"] + self._buffers[f"b{name}"]
        return {name: y}

    kind = type(_as_class_name(name), (nn.Module,), {"forward": forward, "__module__": __name__})
    model, inner = kind(), type(_as_class_name(name), (nn.Module,), {"__module__": __name__})()
    inner.add_module(name, nn.Linear(4, 4))
    model.add_module(name, inner)
    model.register_parameter(f"p{name}", nn.Parameter(torch.ones(4)))
    model.register_buffer(f"b{name}", torch.zeros(4))
    return model


for _key, _name in HOSTILE.items():
    zoo(lambda n=_name: given({n: torch.randn(2, 4)}), name=f"hostile_{_key}")(lambda n=_name: hostile(n))
