"""Compares receptive fields with gradients: at the middle of every module's output of published nets.

``python -m benchmarks.receptive`` prints, for each net, how many modules are right, unknown and wrong. "Less here": the
middle sees less than the size, which is the most over all positions, as if there were no edge.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

import fxsummary
from zoo.extents import averaged, expected, extent, outputs_of
from zoo.operators import define_torchvision_operators

TIMM = [
    "resnet18", "resnet50", "vgg11_bn", "densenet121", "inception_v3", "res2net50_26w_4s", "dla34", "hrnet_w18_small",
    "regnetx_002", "cspdarknet53", "repvgg_a0", "xception41",
]  # fmt: skip
TORCHVISION = ["alexnet", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5"]
MOST = 40
"""The most modules of a net that are looked at."""


def measure(model: nn.Module, size: int) -> Counter[str]:
    """Return how many modules have which verdict."""
    model = averaged(model)
    x = torch.rand(1, 3, size, size, dtype=torch.float64).add(0.5).requires_grad_()
    fields = fxsummary.graph(model, x.detach()).receptive_field()
    outputs = {path: each for path, each in outputs_of(model, x).items() if each.dim() == 4 and path in fields.last}
    verdicts: Counter[str] = Counter()
    for path, output in list(outputs.items())[:: max(1, len(outputs) // MOST)]:
        seen = next(iter(fields.at(path).values()))
        place = tuple(each // 2 for each in output.shape[2:])
        if seen is None or None in seen.stride:
            verdicts["unknown"] += 1
        else:
            true, told = extent(output, x, place), expected(seen.size, seen.stride, seen.start, seen.of, place)
            is_less = all(high - low < size for (low, high), size in zip(true, seen.size, strict=True))
            verdicts["right" if true == told else "less here" if is_less else f"wrong at {path}"] += 1
    return verdicts


def main() -> None:
    define_torchvision_operators()
    import timm
    from torchvision import models

    torch.set_num_threads(1)
    makers = {name: lambda name=name: timm.create_model(name) for name in TIMM}
    makers |= {name: lambda name=name: getattr(models, name)(weights=None) for name in TORCHVISION}
    for name, make in makers.items():
        print(f"{name:20}", dict(measure(make(), 256)), flush=True)


if __name__ == "__main__":
    main()
