"""Print the summaries of published models into docs/summaries.md, behind the prose, which is written by hand.

Run it with ``python -m benchmarks.summaries``. The models are made on the meta device from their default
configurations; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import fxsummary
from benchmarks.gallery_sequences import Attending, mixture
from benchmarks.sweep.libraries import built, load
from fxsummary import ModelGraph

PAGE = Path(__file__).parent.parent / "docs" / "summaries.md"
HEADING = "\n## Published models\n"
"""Everything from this heading on is printed."""
WIDTHS = (80, 120)


def published(library: str, name: str) -> Callable[[], ModelGraph]:
    """A model class of a library, with inferred inputs."""

    def graph() -> ModelGraph:
        load(library, name)
        return fxsummary.graph(built(library, name))

    return graph


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
    "A mixture of eight experts": lambda: fxsummary.graph(*mixture()),
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
