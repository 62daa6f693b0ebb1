"""The models that the benchmarks look at, by name, and their input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

_operators = torch.library.Library("torchvision", "DEF")
"""torchvision's wheel for this torch has no operators of its own; these two are looked up on import."""
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def image_models() -> dict[str, Callable[[], nn.Module]]:
    """Builders of classifiers that take 1×3×224×224."""
    from torchvision import models

    return {
        "ResNet-50": models.resnet50,
        "ViT-B/16": models.vit_b_16,
        "EfficientNet-B0": models.efficientnet_b0,
    }
