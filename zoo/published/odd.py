"""Odd models of our own: what published ones rarely do, and users do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from zoo.entry import Entry, Example, given


class DictInput(nn.Module):
    """A dict goes in, a dict comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 8, 3)
        self.text = nn.Embedding(50, 8)
        self.head = nn.Linear(16, 4)

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        image = self.image(batch["image"]).mean((2, 3))
        text = self.text(batch["text"]).mean(1)
        return {"logits": self.head(torch.cat([image, text], 1)), "image": image}


class PackedLSTM(nn.Module):
    """Lengths on the CPU pack a batch for an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 12)
        self.rnn = nn.LSTM(12, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        padded, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        return self.head(padded[:, 0])


class PackedInput(nn.Module):
    """A packed sequence is the input itself."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(6, 8)

    def forward(self, sequence: PackedSequence) -> torch.Tensor:
        return self.rnn(sequence)[1]


class HaltingLoop(nn.Module):
    """Runs until a value says that it is enough."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = 0
        while x.norm() > 1e-3 and steps < 4:
            x = torch.tanh(self.step(x))
            steps += 1
        return x


class Pyramid(nn.Module):
    """A list of features, of any number of levels."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(3 if i == 0 else 8, 8, 3, stride=2, padding=1) for i in range(3))

    def forward(self, *images: torch.Tensor) -> list[torch.Tensor]:
        features = []
        for image in images:
            for level in self.levels:
                image = level(image).relu()
                features.append(image)
        return features


class InPlace(nn.Module):
    """Writes into its own intermediate results, through views too."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        y.relu_().add_(x)
        y[:, 0] = 0
        y[:, 1:3].mul_(2)
        out = torch.zeros_like(y)
        out[:, ::2] += self.b(y)[:, ::2]
        return out


@dataclass
class Detection:
    """What `DataclassOutput` returns."""

    boxes: torch.Tensor
    scores: torch.Tensor
    masks: torch.Tensor | None = None


class DataclassOutput(nn.Module):
    """A dataclass comes out, with a part left out."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 8, 3, stride=2)
        self.boxes, self.scores = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 2, 1)

    def forward(self, image: torch.Tensor) -> Detection:
        features = self.backbone(image).relu()
        return Detection(self.boxes(features).flatten(2), self.scores(features).flatten(2).softmax(1))


class LoopedExperts(nn.Module):
    """A mixture of experts: a Python loop, and nonzero to find the tokens of each."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(16, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, place = (chosen == number).nonzero(as_tuple=True)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(x[rows]) * weights[rows, place, None])
        return out


class Checkpointed(nn.Module):
    """Blocks under torch.utils.checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = x + checkpoint(block, x, use_reentrant=False)
        return x


class _Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return x * torch.sigmoid(x) @ weight

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        return gradient @ weight.T, x.T @ gradient


class CustomFunction(nn.Module):
    """An autograd.Function of the user's with a matrix product inside."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Swish.apply(x, self.weight)


class Vmapped(nn.Module):
    """vmap over a function that closes over parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.func.vmap(lambda w, v: torch.tanh(v @ w))(self.weight, x)


class Ensemble(nn.Module):
    """functional_call with stacked parameters, under vmap."""

    def __init__(self) -> None:
        super().__init__()
        self.members = nn.ModuleList(nn.Linear(8, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stacked, _ = torch.func.stack_module_state(list(self.members))
        template = self.members[0]
        return torch.func.vmap(lambda p: torch.func.functional_call(template, p, (x,)))(stacked)


class Recurrence(nn.Module):
    """A cell stepped over time by hand, hidden state in a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(6, 8)
        self.gru = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, Any]:
        outputs = []
        for moment in x.unbind(1):
            state = self.cell(moment, state)
            outputs.append(state[0])
        return self.gru(torch.stack(outputs, 1))[0], state


class EncoderDecoder(nn.Module):
    """nn.Transformer with masks made on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 16)
        self.transformer = nn.Transformer(16, 4, 2, 2, 32, batch_first=True)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        hidden = self.transformer(
            self.embedding(source), self.embedding(target), tgt_mask=mask, src_key_padding_mask=source == 0
        )
        return F.linear(hidden, self.embedding.weight)


class Counter(nn.Module):
    """A buffer that forward changes, an attribute that it sets, and dropout that it forces."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.last = self.fc(F.dropout(x, training=True))
        return self.last * self.calls


class Matrices(nn.Module):
    """The forms of a matrix product: mv, dot, addbmm, einsum, bilinear, tensordot, outer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 8))

    def forward(self, x: torch.Tensor, v: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            "mv": self.weight @ v,
            "dot": v @ v,
            "addmv": torch.addmv(torch.ones(6), self.weight, v),
            "addbmm": torch.addbmm(torch.ones(3, 3), x, x.mT),
            "einsum": torch.einsum("bij,kj->bik", x, self.weight),
            "tensordot": torch.tensordot(x, self.weight, dims=([2], [1])),
        }


def _packed() -> Example:
    return given(pack_padded_sequence(torch.rand(5, 3, 6), torch.tensor([5, 3, 2])))


_TABLE: dict[type[nn.Module], Callable[[], Example]] = {
    DictInput: lambda: given({"image": torch.rand(2, 3, 16, 16), "text": torch.randint(0, 50, (2, 7))}),
    PackedLSTM: lambda: given(torch.randint(0, 50, (3, 9)), torch.tensor([4, 9, 2])),
    PackedInput: _packed,
    HaltingLoop: lambda: given(torch.rand(2, 8)),
    Pyramid: lambda: given(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 48, 32)),
    InPlace: lambda: given(torch.rand(2, 8)),
    DataclassOutput: lambda: given(torch.rand(1, 3, 16, 16)),
    LoopedExperts: lambda: given(torch.rand(10, 16)),
    Checkpointed: lambda: given(torch.rand(2, 8)),
    CustomFunction: lambda: given(torch.rand(2, 8)),
    Vmapped: lambda: given(torch.rand(5, 2, 8)),
    Ensemble: lambda: given(torch.rand(2, 8)),
    Recurrence: lambda: given(torch.rand(2, 5, 6), (torch.zeros(2, 8), torch.zeros(2, 8))),
    EncoderDecoder: lambda: given(source=torch.randint(1, 40, (2, 7)), target=torch.randint(1, 40, (2, 5))),
    Counter: lambda: given(torch.rand(2, 8)),
    Matrices: lambda: given(torch.rand(4, 3, 8), torch.rand(8)),
}
"""Inputs by model."""

ENTRIES = [Entry(f"own/{kind.__name__}", kind, inputs) for kind, inputs in _TABLE.items()]
