"""Print the summaries of published models into docs/summaries.md, behind the prose, which is written by hand.

Run it with ``python -m benchmarks.summaries``. The models are made on the meta device from their default
configurations; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import fxsummary
from benchmarks.sweep.libraries import built, load
from fxsummary import ModelGraph

PAGE = Path(__file__).parent.parent / "docs" / "summaries.md"
HEADING = "\n## Published models\n"
"""Everything from this heading on is printed."""
WIDTHS = (80, 120)


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


def published(library: str, name: str) -> Callable[[], ModelGraph]:
    """A model class of a library, with inferred inputs."""

    def graph() -> ModelGraph:
        load(library, name)
        return fxsummary.graph(built(library, name))

    return graph


def mixture() -> ModelGraph:
    """The experts with the same weights and tokens each time, because the weights choose the experts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return fxsummary.graph(Experts(), torch.randn(64, 32))


def _tokens(*lengths: int) -> list[Tensor]:
    return [torch.zeros(1, length, dtype=torch.int64) for length in lengths]


TRANSFORMERS = (
    "GptOssForCausalLM", "Gemma3nTextModel", "CwmForCausalLM", "MiMoV2FlashModel", "ExaoneMoeModel",
    "DeepseekV3ForCausalLM", "DeepseekV4Model", "RwkvModel", "ZambaForCausalLM", "RecurrentGemmaModel",
    "MixtralForCausalLM", "DetrForObjectDetection",
)  # fmt: skip
MODELS: dict[str, Callable[[], ModelGraph]] = {
    **{name: published("transformers", name) for name in TRANSFORMERS},
    **{name: published("torchvision", name) for name in ("densenet121", "efficientnet_b0", "swin_t")},
    "UNet2DConditionModel": published("diffusers", "UNet2DConditionModel"),
    "A sequence-to-sequence LSTM": lambda: fxsummary.graph(Attending(), *_tokens(20, 128)),
    "A mixture of eight experts": mixture,
}


def main() -> None:
    """Write the section, and print how long each summary is."""
    widths = " and ".join(map(str, WIDTHS))
    parts = [
        f"{HEADING}\n{len(MODELS)} models in their default configurations, at {widths} columns; "
        "`make gallery` prints them here."
    ]
    for title, make in MODELS.items():
        graph = make()
        parts.append(f"### {title}")
        for width in WIDTHS:
            text = graph.to_text(width=width)
            parts.append(f"```text\n{text}\n```")
            print(f"{title}: {len(graph):,} operations, {text.count(chr(10)) + 1} lines at {width} columns", flush=True)
    prose = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    PAGE.write_text(prose + "\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
