"""Models that no library has, for the gallery and the summaries: of sequences, points and graphs."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class LSTMClassifier(nn.Module):
    """Embedding, two bidirectional layers, and the last states of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20_000, 128)
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True, bidirectional=True, dropout=0.3)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(512, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        return self.classifier(self.dropout(torch.cat([hidden[-2], hidden[-1]], 1)))


class Transformer(nn.Module):
    """The Transformer of 2017: embeddings, six layers on either side, and logits."""

    def __init__(self, words: int = 37_000, width: int = 512) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.positions = nn.Parameter(torch.zeros(1, 512, width))
        self.transformer = nn.Transformer(width, batch_first=True)
        self.out = nn.Linear(width, words)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        source, target = (self.embedding(each) + self.positions[:, : each.shape[1]] for each in (source, target))
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.out(self.transformer(source, target, tgt_mask=mask, tgt_is_causal=True))


class Attending(nn.Module):
    """A sequence-to-sequence model: an LSTM encoder, and 128 steps of an LSTM cell that attends to it."""

    def __init__(self, words: int = 1000, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.encoder = nn.LSTM(width, width, batch_first=True)
        self.cell = nn.LSTMCell(2 * width, width)
        self.out = nn.Linear(2 * width, words)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory, (hidden, cell) = self.encoder(self.embedding(source))
        hidden, cell, words, outputs = hidden[0], cell[0], self.embedding(target), []
        for step in range(128):
            context = ((memory @ hidden[:, :, None]).softmax(1) * memory).sum(1)
            hidden, cell = self.cell(torch.cat([words[:, step], context], -1), (hidden, cell))
            outputs.append(self.out(torch.cat([hidden, context], -1)))
        return torch.stack(outputs, 1)


class Experts(nn.Module):
    """A mixture of eight experts, each called with the tokens that are routed to it."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.gate = nn.Linear(width, 8)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)) for _ in range(8)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2)
        result = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            token, rank = (chosen == number).nonzero(as_tuple=True)
            result[token] += expert(x[token]) * weights[token, rank, None]
        return result


def mixture() -> tuple[nn.Module, Tensor]:
    """Return the experts and their input on the CPU, because the tokens' values choose the experts: always the same."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(0)
        return Experts(), torch.randn(64, 32)


class GRULoop(nn.Module):
    """A loop over time in Python: one cell, 128 steps."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.cell, self.out = nn.GRUCell(64, width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(x.shape[0], self.cell.hidden_size)
        for step in range(128):
            state = self.cell(x[:, step], state)
        return self.out(state)


class NeRF(nn.Module):
    """Eight layers over an encoded position, which enters again at the fifth; colour depends on the direction too."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        inputs = [63, *[width] * 3, width + 63, *[width] * 3]
        self.layers = nn.ModuleList(nn.Linear(each, width) for each in inputs)
        self.density, self.feature = nn.Linear(width, 1), nn.Linear(width, width)
        self.view, self.colour = nn.Linear(width + 27, width // 2), nn.Linear(width // 2, 3)

    @staticmethod
    def encode(x: Tensor, count: int) -> Tensor:
        waves = [wave(2.0**power * x) for power in range(count) for wave in (torch.sin, torch.cos)]
        return torch.cat([x, *waves], -1)

    def forward(self, position: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        encoded = x = self.encode(position, 10)
        for number, layer in enumerate(self.layers):
            x = torch.relu(layer(torch.cat([x, encoded], -1) if number == 4 else x))
        seen = torch.cat([self.feature(x), self.encode(direction, 4)], -1)
        return torch.sigmoid(self.colour(torch.relu(self.view(seen)))), torch.relu(self.density(x))


def _shared(*widths: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Sequential(nn.Conv1d(i, o, 1), nn.BatchNorm1d(o), nn.ReLU()) for i, o in pairwise(widths))
    )


class Alignment(nn.Module):
    """PointNet's T-Net: a matrix for the points, from the points."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.points = width, _shared(width, 64, 128, 1024)
        self.matrix = nn.Sequential(nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU())
        self.out = nn.Linear(256, width * width)

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.out(self.matrix(self.points(x).amax(2))).unflatten(1, (self.width, self.width))
        return (matrix + torch.eye(self.width, device=x.device)) @ x


class PointNet(nn.Module):
    """Points and features are aligned, a maximum over points, a classifier."""

    def __init__(self, classes: int = 40) -> None:
        super().__init__()
        self.align_points, self.local = Alignment(3), _shared(3, 64, 64)
        self.align_features, self.whole = Alignment(64), _shared(64, 64, 128, 1024)
        self.head = nn.Sequential(nn.Linear(1024, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, classes))

    def forward(self, points: Tensor) -> Tensor:
        features = self.align_features(self.local(self.align_points(points)))
        return self.head(self.whole(features).amax(2))


class GraphLayer(nn.Module):
    """Messages along edges, summed at their targets; a GRU cell updates the nodes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())
        self.update = nn.GRUCell(width, width)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        source, target = edges
        messages = self.message(torch.cat([x[source], x[target]], -1))
        return self.update(torch.zeros_like(x).index_add(0, target, messages), x)


class GNN(nn.Module):
    """Message passing in four layers, and a mean over the nodes."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Linear(16, width)
        self.layers = nn.ModuleList(GraphLayer(width) for _ in range(4))
        self.head = nn.Linear(width, 1)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        x = self.embedding(nodes)
        for layer in self.layers:
            x = layer(x, edges)
        return self.head(x.mean(0))
