"""Models of segmentation_models_pytorch, without pretrained encoders."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.entry import Entry, Example, given

_TABLE: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "Unet": ("Unet", "resnet18", 128, {}),
    "Unet-attention-classifier": (
        "Unet",
        "mobilenet_v2",
        128,
        {"decoder_attention_type": "scse", "aux_params": {"classes": 4}},
    ),
    "UnetPlusPlus": ("UnetPlusPlus", "resnet18", 96, {}),
    "MAnet": ("MAnet", "resnet18", 96, {}),
    "Linknet": ("Linknet", "efficientnet-b0", 128, {}),
    "FPN": ("FPN", "timm-regnetx_002", 128, {}),
    "PSPNet": ("PSPNet", "resnet18", 128, {}),
    "PAN": ("PAN", "resnet18", 128, {}),
    "DeepLabV3": ("DeepLabV3", "resnet18", 128, {}),
    "DeepLabV3Plus": ("DeepLabV3Plus", "tu-mobilenetv3_small_100", 128, {}),
    "UPerNet": ("UPerNet", "resnet18", 128, {}),
    "Segformer": ("Segformer", "mit_b0", 128, {}),
    "DPT": ("DPT", "tu-vit_tiny_patch16_224", 224, {"dynamic_img_size": True}),
}
"""Class, encoder, image size and options by name."""


def _build(kind: str, encoder: str, **options: Any) -> nn.Module:
    import segmentation_models_pytorch

    return getattr(segmentation_models_pytorch, kind)(encoder_name=encoder, encoder_weights=None, classes=3, **options)


def _image(size: int) -> Example:
    return given(torch.rand(1, 3, size, size))


ENTRIES = [
    Entry(
        f"segmentation/{name}",
        partial(_build, kind, encoder, **options),
        partial(_image, size),
        "segmentation_models_pytorch",
    )
    for name, (kind, encoder, size, options) in _TABLE.items()
]
