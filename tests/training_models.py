"""Models to train, by name, with their inputs: each has one feature that matters for what is saved for backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.operators import define_torchvision_operators

define_torchvision_operators()  # before transformers imports torchvision
import torchvision  # noqa: E402
import transformers  # noqa: E402


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(Residual(), Residual()), nn.Linear(16, 4)
        self.body.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class LoRA(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base, self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 2), nn.Linear(2, 16)
        self.dropout = nn.Dropout(0.1)
        self.base.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.base(x) + 2 * self.b(self.a(self.dropout(x))))


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm, self.conv2 = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv1(x)), inplace=True)
        y = self.conv2(x)
        y += x
        return y.mul_(2).relu_()


class Views(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return ((q @ k.transpose(-1, -2)).softmax(-1) @ v)[:, 0]


class Cut(nn.Module):
    """Detached, under no_grad, dropped, and kept in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(4)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second, third, last = self.layers
        x = first(x).tanh()
        with torch.no_grad():
            target = second(x).tanh() * 3
        unused = third(x).tanh()
        more = unused.exp()
        found = [x, x.detach() * target]
        del unused, more
        return last(torch.cat(found, 1)).sigmoid(), found[0]


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x * x).exp() + 1

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * 2 * ctx.saved_tensors[0]


class WithFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(Square.apply(self.linear(x)))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.body, self.head = nn.Embedding(50, 16), Residual(), nn.Linear(16, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.body(self.embedding(x))))


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.second(self.first(x)[mask]).tanh()


class Loss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 10)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.linear(x), labels)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(16, 32, 2, batch_first=True), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0])


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 32, 4, 4), nn.Linear(32, 10)
        self.token, self.positions = nn.Parameter(torch.zeros(1, 1, 32)), nn.Parameter(torch.zeros(1, 17, 32))
        layers = [nn.TransformerEncoderLayer(32, 4, 64, 0.1, "gelu", True, True) for _ in range(3)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.layers(x)[:, 0])


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(72, 10),
    )


def other_layers() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=4), nn.GroupNorm(2, 8), nn.SiLU(), nn.ConvTranspose2d(8, 4, 2, 2), nn.Mish(),
        nn.Upsample(scale_factor=2), nn.AvgPool2d(2), nn.Hardswish(), nn.PReLU(), nn.Flatten(),
        nn.utils.parametrizations.weight_norm(nn.Linear(576, 8)), nn.LogSoftmax(-1),
    )  # fmt: skip


def resnet() -> nn.Module:
    return torchvision.models.resnet18(num_classes=10)


_TINY = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "vocab_size": 50,
}  # fmt: skip


def library(name: str, config: str, **options: Any) -> Callable[[], nn.Module]:
    """A model of transformers with a tiny config."""
    return lambda: getattr(transformers, name)(getattr(transformers, config)(**options))


def floats(*shape: int) -> Callable[[], tuple[Any, ...]]:
    return lambda: (torch.randn(shape),)


def tokens(*names: str) -> Callable[[], dict[str, Tensor]]:
    return lambda: {name: torch.randint(0, 50, (2, 12)) for name in names}


_ids = tokens("input_ids")
_mask = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 1, 1, 0]]).bool()
_llama = {**_TINY, "use_cache": False}

MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]] = {
    "cnn": (cnn, floats(2, 3, 8, 8)),
    "cnn in eval mode": (lambda: cnn().eval(), floats(2, 3, 8, 8)),
    "other layers": (other_layers, floats(2, 4, 8, 8)),
    "resnet18": (resnet, floats(2, 3, 64, 64)),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), floats(2, 5, 16)),
    "vit": (ViT, floats(2, 3, 16, 16)),
    "vit in eval mode": (lambda: ViT().eval(), floats(2, 3, 16, 16)),
    "bert": (library("BertModel", "BertConfig", **_TINY), _ids),
    "gpt2": (library("GPT2LMHeadModel", "GPT2Config", n_embd=32, n_layer=3, n_head=4, vocab_size=50), _ids),
    "llama": (library("LlamaForCausalLM", "LlamaConfig", **_TINY), _ids),
    "llama with labels": (library("LlamaForCausalLM", "LlamaConfig", **_llama), tokens("input_ids", "labels")),
    "t5": (
        library("T5ForConditionalGeneration", "T5Config", d_model=32, d_kv=8, d_ff=64, num_layers=2, vocab_size=50),
        tokens("input_ids", "decoder_input_ids"),
    ),
    "mixtral": (library("MixtralForCausalLM", "MixtralConfig", num_local_experts=4, **_TINY), _ids),
    "bloom": (library("BloomForCausalLM", "BloomConfig", hidden_size=32, n_layer=2, n_head=4, vocab_size=50), _ids),
    "frozen": (Frozen, floats(2, 5, 16)),
    "lora": (lambda: nn.Sequential(LoRA(), LoRA(), LoRA()), floats(2, 5, 16)),
    "in place": (InPlace, floats(2, 3, 8, 8)),
    "views": (Views, floats(2, 5, 16)),
    "cut": (Cut, floats(2, 5, 16)),
    "function": (WithFunction, floats(2, 5, 16)),
    "tied": (Tied, lambda: (torch.randint(0, 50, (2, 12)),)),
    "masked": (Masked, lambda: (torch.randn(2, 5, 16), _mask)),
    "loss": (Loss, lambda: (torch.randn(2, 16), torch.tensor([1, 2]))),
    "input with gradient": (lambda: nn.Linear(16, 1), lambda: (torch.randn(2, 16, requires_grad=True),)),
}


def model_and_inputs(name: str) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """Return a model with positional and keyword arguments."""
    torch.manual_seed(0)
    build, inputs = MODELS[name]
    model, given = build(), inputs()
    return (model, (), given) if isinstance(given, dict) else (model, given, {})
