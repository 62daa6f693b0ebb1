"""The models that the benchmarks look at, by name, with their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from zoo.operators import define_torchvision_operators

define_torchvision_operators()


@dataclass(frozen=True)
class Case:
    """A model in evaluation mode and what its forward is given."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def resnet50() -> Case:
    """1×3×224×224."""
    from torchvision.models import resnet50

    return Case(resnet50().eval(), (torch.empty(1, 3, 224, 224),))


def vit() -> Case:
    """1×3×224×224."""
    from torchvision.models import vit_b_16

    return Case(vit_b_16().eval(), (torch.empty(1, 3, 224, 224),))


def swin() -> Case:
    """1×3×224×224."""
    from torchvision.models import swin_t

    return Case(swin_t().eval(), (torch.empty(1, 3, 224, 224),))


def bert() -> Case:
    """1×128 tokens."""
    from transformers import BertConfig, BertModel

    return Case(BertModel(BertConfig()).eval(), (torch.ones(1, 128, dtype=torch.long),))


def gpt2() -> Case:
    """1×128 tokens."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return Case(GPT2LMHeadModel(GPT2Config()).eval(), (torch.ones(1, 128, dtype=torch.long),))


def unet() -> Case:
    """The U-Net of Stable Diffusion, 1×4×32×32 with 77 tokens of text; its weights are zeros, 3.4 GB."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        model = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8).eval()
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return Case(model, (torch.zeros(1, 4, 32, 32), torch.zeros(1), torch.zeros(1, 77, 768)))


def llama(
    layers: int, hidden: int = 16384, heads: int = 128, intermediate: int = 53248, vocabulary: int = 128256
) -> Case:
    """A Llama of this shape, by default that of 405 billion parameters, on meta; 1×2048 tokens, no cache."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=8 if layers > 32 or hidden > 4096 else heads,
        intermediate_size=intermediate,
        vocab_size=vocabulary,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config).eval()
        return Case(model, (torch.ones(1, 2048, dtype=torch.long),), {"use_cache": False})


class Chain(nn.Module):
    """Operations one after the other."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.length // 2):
            x = torch.relu(x + 1)
        return x


MODELS: dict[str, Callable[[], Case]] = {
    "ResNet-50": resnet50,
    "ViT-B/16": vit,
    "Swin-T": swin,
    "BERT-base": bert,
    "GPT-2": gpt2,
    "UNet": unet,
}
"""Published models of common size."""

LLAMAS: dict[str, Callable[[], Case]] = {
    "Llama 7B, 32 layers": lambda: llama(32, 4096, 32, 11008, 32000),
    "Llama 70B, 80 layers": lambda: llama(80, 8192, 64, 28672, 32000),
    "Llama 405B width, 12 layers": lambda: llama(12),
    "Llama 405B, 126 layers": lambda: llama(126),
}
"""Shapes of Llama on meta."""
