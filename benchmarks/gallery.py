"""Draw published models into docs/gallery, one SVG each, and write its index.

Run it with ``python -m benchmarks.gallery [NAME ...] [--out FOLDER] [--page PAGE ...]``. The models are made on the
meta device from their default configurations; nothing is downloaded. It prints the figures of each picture.
"""

from __future__ import annotations

import argparse
import inspect
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.operators import define_torchvision_operators

define_torchvision_operators()

import torch
from torch import nn

import fxsummary
from benchmarks import figures
from fxsummary.exporters.svg import to_svg

FOLDER = Path(__file__).parent.parent / "docs" / "gallery"
Case = tuple[nn.Module, tuple[Any, ...]]
Row = tuple[str, str, figures.Figures, float]


@dataclass(frozen=True)
class Entry:
    """A model of the gallery: its name, one line on it, and what makes it with its inputs."""

    title: str
    text: str
    make: Callable[[], Case]


class CNN(nn.Module):
    """Two convolutions, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(64 * 7 * 7, 128), nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


class TwoBranchUNet(nn.Module):
    """Encoders for colour and depth, one decoder with skips from both."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64)) -> None:
        super().__init__()
        self.enc_a = nn.ModuleList(_double(i, o) for i, o in zip((3, *widths[:-1]), widths, strict=True))
        self.enc_b = nn.ModuleList(_double(i, o) for i, o in zip((1, *widths[:-1]), widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        channels = 2 * widths[-1]
        self.mid = _double(channels, channels)
        self.up, self.dec = nn.ModuleList(), nn.ModuleList()
        for width in reversed(widths):
            self.up.append(nn.ConvTranspose2d(channels, width, 2, stride=2))
            self.dec.append(_double(3 * width, width))
            channels = width
        self.head = nn.Conv2d(channels, 2, 1)

    def forward(self, rgb: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
        skips = []
        for a, b in zip(self.enc_a, self.enc_b, strict=True):
            rgb, depth = a(rgb), b(depth)
            skips.append((rgb, depth))
            rgb, depth = self.pool(rgb), self.pool(depth)
        x = self.mid(torch.cat([rgb, depth], 1))
        for up, dec, (a, b) in zip(self.up, self.dec, reversed(skips), strict=True):
            x = dec(torch.cat([up(x), a, b], 1))
        return self.head(x)


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers = [(nn.Conv2d(i, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()) for i in (inputs, outputs)]
    return nn.Sequential(*(layer for three in layers for layer in three))


class LSTMClassifier(nn.Module):
    """Embedding, two bidirectional layers, and the last states of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20_000, 128)
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True, bidirectional=True, dropout=0.3)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(512, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        return self.classifier(self.dropout(torch.cat([hidden[-2], hidden[-1]], 1)))


def image(size: int = 224) -> torch.Tensor:
    """One picture."""
    return torch.empty(1, 3, size, size)


def tokens(length: int = 128) -> torch.Tensor:
    """One sentence."""
    return torch.ones(1, length, dtype=torch.long)


def vision(name: str, size: int = 224, **options: Any) -> Callable[[], Case]:
    """A model of torchvision."""

    def make() -> Case:
        from torchvision import models

        return getattr(models, name)(**options), (image(size),)

    return make


def language(model: str, inputs: Callable[[], tuple[Any, ...]] = lambda: (tokens(),)) -> Callable[[], Case]:
    """A model of transformers in its default configuration."""

    def make() -> Case:
        import transformers

        kind = getattr(transformers, model)
        return kind(kind.config_class()), inputs()

    return make


def detr() -> Case:
    """With a ResNet-50 of transformers as backbone."""
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    backbone = ResNetConfig(out_features=["stage4"])
    config = DetrConfig(use_timm_backbone=False, backbone_config=backbone, use_pretrained_backbone=False, backbone=None)
    return DetrForObjectDetection(config), (image(800),)


def diffusion() -> Case:
    """The U-Net of Stable Diffusion's size."""
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
    return model, (torch.empty(1, 4, 64, 64), torch.empty(1), torch.empty(1, 77, 768))


GALLERY: dict[str, Entry] = {
    "cnn": Entry("Small CNN", "up to 16 operations are drawn as cards.", lambda: (CNN(), (torch.empty(1, 1, 28, 28),))),
    "lstm": Entry("LSTM classifier", "a recurrent module is one operation.", lambda: (LSTMClassifier(), (tokens(64),))),
    "unet": Entry(
        "Two-branch U-Net",
        "skips from both encoders lead into the decoder beside them.",
        lambda: (TwoBranchUNet(), (torch.empty(1, 3, 64, 64), torch.empty(1, 1, 64, 64))),
    ),
    "resnet18": Entry("ResNet-18", "chains are tables; norm and activation are chips.", vision("resnet18")),
    "resnet50": Entry("ResNet-50", "repeated blocks are drawn once with ×N.", vision("resnet50")),
    "densenet121": Entry("DenseNet-121", "repeated concatenations are chained.", vision("densenet121")),
    "googlenet": Entry(
        "GoogLeNet", "four branches side by side.", vision("googlenet", init_weights=False, aux_logits=False)
    ),
    "inception_v3": Entry("Inception v3", "branches within branches.", vision("inception_v3", 299, init_weights=False)),
    "efficientnet_b0": Entry("EfficientNet-B0", "squeeze and excitation in each block.", vision("efficientnet_b0")),
    "convnext_tiny": Entry("ConvNeXt-T", "layer scales are dashed pills.", vision("convnext_tiny")),
    "vit_b_16": Entry("ViT-B/16", "one of twelve equal layers.", vision("vit_b_16")),
    "swin_t": Entry("Swin-T", "pairs of blocks repeat together.", vision("swin_t")),
    "bert": Entry("BERT", "encoder.", language("BertModel")),
    "gpt2": Entry("GPT-2", "decoder; what is returned as cache says → output.", language("GPT2LMHeadModel")),
    "llama": Entry("Llama 7B", "rotary embeddings are one row.", language("LlamaForCausalLM")),
    "mixtral": Entry("Mixtral 8x7B", "a router and its experts.", language("MixtralForCausalLM")),
    "t5": Entry(
        "T5",
        "encoder and decoder side by side.",
        language("T5ForConditionalGeneration", lambda: (tokens(), None, tokens(32))),
    ),
    "whisper": Entry(
        "Whisper",
        "speech to text.",
        language("WhisperForConditionalGeneration", lambda: (torch.empty(1, 80, 3000), None, tokens(32))),
    ),
    "clip": Entry("CLIP", "two towers.", language("CLIPModel", lambda: (tokens(77), image()))),
    "mamba": Entry("Mamba", "39,408 operations: the loop over time is one row.", language("MambaForCausalLM")),
    "detr": Entry("DETR", "a convolutional backbone, encoder, decoder.", detr),
    "unet_sd": Entry("U-Net of Stable Diffusion", "values that many blocks read are shown by name.", diffusion),
}


PAGES = ("screen", "column")


def main() -> None:
    """Draw the models named, or all of them and the page that shows them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(GALLERY)}")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    parser.add_argument("--page", nargs="+", default=PAGES, help="page formats")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    given.out.mkdir(parents=True, exist_ok=True)
    print(f"{'model':16} {'operations':>10} {'page':6} {figures.HEADER} {'s':>6}")
    rows = [row for name in given.names or GALLERY for row in draw(name, given.page, given.out)]
    if not given.names and given.out == FOLDER:
        (FOLDER / "README.md").write_text(index(rows), encoding="utf-8")


def draw(name: str, pages: Sequence[str], folder: Path) -> Iterator[Row]:
    """Draw a model on each page; print and yield the figures, and the seconds of `to_svg`."""
    with torch.device("meta"):
        model, inputs = GALLERY[name].make()
    graph = fxsummary.graph(model.eval(), *inputs)
    takes_pages = "page" in inspect.signature(to_svg).parameters
    for page in pages if takes_pages else ["screen"]:
        start = time.process_time()
        svg = graph.to_svg(page=page) if takes_pages else graph.to_svg()
        seconds = time.process_time() - start
        (folder / file_of(name, page)).write_text(svg, encoding="utf-8")
        found = figures.figures(svg)
        print(f"{name:16} {len(graph):10,} {page:6} {figures.row(found)} {seconds:6.2f}", flush=True)
        yield name, page, found, seconds


def file_of(name: str, page: str) -> str:
    """Return the name of the file of a picture."""
    return f"{name}.svg" if page == PAGES[0] else f"{name}_{page}.svg"


def index(rows: Sequence[Row]) -> str:
    """Return the page that shows all pictures."""
    lines = ["# Gallery", "", '`g.render("model.svg")` with default settings; `make gallery` draws them anew.', ""]
    for name, entry in GALLERY.items():
        lines += [f"## {entry.title}", "", f"{entry.text[0].upper()}{entry.text[1:]}", ""]
        lines += [f"[![{entry.title}]({name}.svg)]({name}.svg)", ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
