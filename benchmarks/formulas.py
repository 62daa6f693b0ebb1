"""Compares formulas with fresh captures at sizes that no formula was made from (``make formulas``).

For each model it makes formulas, then captures at three more sizes, one ten times as large as those that the formulas
were made at, or as large as forward accepts. Every formula, in total and per module, must give the captured number.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import fxsummary
from benchmarks import forks
from fxsummary.analysis.formulas.observe import Observer
from fxsummary.analysis.formulas.sizes import Named, Sizes, inferred
from fxsummary.capture.operations import memo
from fxsummary.graph.formulas import Formulas
from zoo.operators import define_torchvision_operators

define_torchvision_operators()
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
_SECONDS, _GIB = 120.0, 16.0
_ROUNDS, _CAPTURES = 3, 5
"""The time of formulas and of a capture is the least of so many rounds; in each, a capture is made so many times."""


def _timm(name: str, **options: Any) -> nn.Module:
    import timm

    return timm.create_model(name, **options)


def _torchvision(name: str) -> nn.Module:
    import torchvision

    model: nn.Module = getattr(torchvision.models, name)()
    return model


def _transformers(name: str, config: str, **options: Any) -> nn.Module:
    import transformers

    return getattr(transformers, name)(getattr(transformers, config)(**options))


def _diffusers(name: str, **options: Any) -> nn.Module:
    import diffusers

    return getattr(diffusers, name)(**options)


class _Tagger(nn.Module):
    """An embedding, a recurrent layer in both directions, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 64)
        self.lstm = nn.LSTM(64, 128, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(256, 20)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embedding(input_ids))[0])


class _Mixer(nn.Module):
    """Attention written out over the positions of an image, between strided and transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 32, 3, stride=4, padding=1)
        self.qkv = nn.Linear(32, 96)
        self.up = nn.ConvTranspose2d(32, 3, 4, stride=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(x)
        batch, channels, height, width = x.shape
        query, key, value = self.qkv(x.flatten(2).transpose(1, 2)).chunk(3, dim=-1)
        mixed = (query @ key.transpose(1, 2)).softmax(-1) @ value
        return self.up(mixed.transpose(1, 2).reshape(batch, channels, height, width))


class _Valid(nn.Module):
    """Convolutions without padding and odd strides."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 5, stride=3), nn.ReLU(), nn.Conv2d(8, 16, 4, stride=2), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).mean((2, 3))


_TEXT = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8, "vocab_size": 8000}
_LLM = {**_TEXT, "intermediate_size": 688, "num_key_value_heads": 4}
_UNET = {"block_out_channels": (32, 64), "layers_per_block": 1, "norm_num_groups": 8}

_VISION = """
    resnet50 resnet18d seresnet50 resnext50_32x4d densenet121 mobilenetv2_100 mobilenetv3_large_100 efficientnet_b0
    convnext_tiny regnety_008 inception_v3 xception41 dla34 hrnet_w18_small ghostnet_100 nfnet_l0
    vit_base_patch16_224 deit_tiny_patch16_224 swin_tiny_patch4_window7_224 mixer_s16_224 poolformer_s12
    coat_tiny pvt_v2_b0 maxvit_tiny_tf_224
"""

MODELS: dict[str, Callable[[], nn.Module]] = {
    **{f"timm.{name}": partial(_timm, name) for name in _VISION.split()},
    "timm.vit_small dynamic": partial(_timm, "vit_small_patch16_224", dynamic_img_size=True),
    **{
        f"torchvision.{name}": partial(_torchvision, name)
        for name in ("resnet50", "vgg16", "swin_t", "vit_b_16", "googlenet", "shufflenet_v2_x1_0", "mnasnet1_0")
    },
    "BERT": partial(_transformers, "BertModel", "BertConfig", num_hidden_layers=4),
    "RoBERTa": partial(_transformers, "RobertaForMaskedLM", "RobertaConfig", **_TEXT),
    "DistilBERT": partial(_transformers, "DistilBertModel", "DistilBertConfig", n_layers=4),
    "ALBERT": partial(_transformers, "AlbertModel", "AlbertConfig", **_TEXT),
    "DeBERTa v2": partial(_transformers, "DebertaV2Model", "DebertaV2Config", **_TEXT),
    "Longformer": partial(_transformers, "LongformerModel", "LongformerConfig", attention_window=64, **_TEXT),
    "GPT-2": partial(_transformers, "GPT2LMHeadModel", "GPT2Config", n_layer=4),
    "Llama": partial(_transformers, "LlamaForCausalLM", "LlamaConfig", **_LLM),
    "Qwen2": partial(_transformers, "Qwen2ForCausalLM", "Qwen2Config", **_LLM),
    "Gemma 2, window": partial(
        _transformers, "Gemma2ForCausalLM", "Gemma2Config", head_dim=32, sliding_window=512, **_LLM
    ),
    "Mistral, window": partial(_transformers, "MistralForCausalLM", "MistralConfig", sliding_window=700, **_LLM),
    "Mixtral": partial(_transformers, "MixtralForCausalLM", "MixtralConfig", num_local_experts=4, **_LLM),
    "Mamba": partial(
        _transformers, "MambaForCausalLM", "MambaConfig", hidden_size=64, num_hidden_layers=2, vocab_size=1000
    ),
    "T5": partial(_transformers, "T5ForConditionalGeneration", "T5Config", num_layers=2),
    "BART": partial(
        _transformers, "BartForConditionalGeneration", "BartConfig", d_model=256, encoder_layers=2, decoder_layers=2
    ),
    "Whisper": partial(_transformers, "WhisperForConditionalGeneration", "WhisperConfig"),
    "ViT": partial(_transformers, "ViTModel", "ViTConfig", num_hidden_layers=4),
    "SegFormer": partial(_transformers, "SegformerForSemanticSegmentation", "SegformerConfig"),
    "Wav2Vec2": partial(_transformers, "Wav2Vec2Model", "Wav2Vec2Config", num_hidden_layers=2),
    "UNet2D": partial(
        _diffusers, "UNet2DModel", sample_size=64, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), **_UNET,
    ),
    "UNet2DCondition": partial(
        _diffusers, "UNet2DConditionModel", sample_size=32, cross_attention_dim=64,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **_UNET,
    ),
    "own LSTM tagger": _Tagger, "own attention over an image": _Mixer, "own odd strides": _Valid,
}  # fmt: skip
"""Models of all families, built on the meta device."""


def measure(name: str, send: Callable[[dict[str, Any]], None]) -> None:
    """Send how the formulas of a model compare with fresh captures, and how long they take."""
    try:
        with torch.device("meta"):
            model = MODELS[name]().eval()
    except (NotImplementedError, RuntimeError):
        model = MODELS[name]().eval()
    fxsummary.graph(model)  # imports what the model needs
    ones, times = [], []
    for _ in range(_ROUNDS):
        each = [_timed(lambda: fxsummary.graph(model)) for _ in range(_CAPTURES)]
        ones.append(sum(one for one, _ in each) / _CAPTURES)
        seconds, found = _timed(lambda: fxsummary.formulas(model))
        times.append(seconds)
    captured, seconds = each[0][1], min(times)
    send({"capture": min(ones)})
    text = {quantity: str(found[quantity]) for quantity in found.table}
    send({"seconds": seconds, "captures": found.captures, "text": text, "sizes": "×".join(found.names)})
    send(_compared(found, Observer(model, _named(found, inferred(captured)), {})))


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds that a call takes with an empty memo and without garbage of others, and its result."""
    memo.clear()
    gc.collect()
    start = time.process_time()
    result = call()
    return round(time.process_time() - start, 4), result


def _named(found: Formulas, named: Named) -> Named:
    return Named(found.inputs, {name: named.start[name] for name in found.names}, named.roles, named.dtypes)


def _compared(found: Formulas, observer: Observer) -> dict[str, Any]:
    counts = {"right": 0, "none": sum(not each.pieces for table in found.table.values() for each in table.values())}
    wrong: list[str] = []
    points = []
    for sizes in _fresh(found):
        seen = observer.at(sizes)
        if seen is None:
            continue
        points.append("×".join(map(str, sizes.values())))
        for (quantity, path), number in seen.values.items():
            formula = found.table[quantity].get(path)
            if formula is None or all(piece.refusal(sizes) for piece in formula.pieces):
                continue
            if formula(**sizes) == number:
                counts["right"] += 1
            else:
                wrong.append(f"{quantity} of {path or 'the model'} at {points[-1]}: {formula(**sizes)}, is {number}")
        if len(points) == 3:
            break
    return {**counts, "wrong": len(wrong), "examples": wrong[:5], "points": points}


def _fresh(found: Formulas) -> Iterator[Sizes]:
    """Yield sizes that no formula was made from: ten times as large, then smaller ones if forward refuses those."""
    ranges = {each.name: each for each in found["flops"].pieces[0].ranges} if found["flops"].pieces else {}
    for batch, times in ((11, 10.0), (6, 1.4), (9, 2.2), (13, 3.7), (8, 1.7), (8, 1.2), (6, 1.1), (9, 0.7)):
        sizes = {}
        for place, (name, size) in enumerate(found.base.items()):
            step = ranges[name].step if name in ranges else 1
            wanted = batch if size == 1 else int(size * (times + 0.13 * place))
            sizes[name] = wanted - (wanted - size) % step
        yield sizes


def report(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the comparison as Markdown."""
    lines = ["| model | FLOPs | sizes checked | equal | wrong | no formula | captures | time in captures |",
             "|:--|:--|:--|--:|--:|--:|--:|--:|"]  # fmt: skip
    for row in rows:
        if "right" not in row:
            lines.append(f"| {row['name']} | {row.get('died', '?')} | | | | | | |")
            continue
        cells = [
            row["name"],
            row["text"]["flops"][:110],
            ", ".join(row["points"]),
            row["right"],
            row["wrong"],
            row["none"],
        ]
        lines.append(f"| {' | '.join(map(str, cells))} | {row['captures']} | {row['seconds'] / row['capture']:.1f} |")
    done = [row for row in rows if "right" in row]
    sums = {key: sum(row[key] for row in done) for key in ("right", "wrong", "none")}
    slowest = max((row["seconds"] / row["capture"] for row in done), default=0.0)
    said = f"{len(done)} models: {sums['right']} values equal, {sums['wrong']} wrong, {sums['none']} without a formula"
    lines += ["", f"{said}; the slowest took the time of {slowest:.1f} captures."]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the models, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="a part of the names of the models")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/formulas.json"))
    options = parser.parse_args(arguments)
    forks.prepare()
    fxsummary.formulas(nn.Linear(1, 1))
    names = [name for name in MODELS if options.name in name]
    rows = []
    for row in forks.run(measure, names, options.jobs, _SECONDS, _GIB):
        rows.append(row)
        print({key: value for key, value in row.items() if key != "text"}, flush=True)
    rows.sort(key=lambda row: names.index(row["name"]))
    print(report(rows))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
