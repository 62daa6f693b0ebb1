"""Models of monai: volumes and slices."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.entry import Entry, Example, given

_TABLE: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "UNet": (
        "UNet",
        (1, 1, 32, 32, 32),
        {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": (8, 16, 32), "strides": (2, 2)},
    ),
    "UNETR": (
        "UNETR",
        (1, 1, 32, 32, 32),
        {"in_channels": 1, "out_channels": 2, "img_size": 32, "hidden_size": 48, "mlp_dim": 96, "num_heads": 4},
    ),
    "SwinUNETR": ("SwinUNETR", (1, 1, 64, 64, 64), {"in_channels": 1, "out_channels": 2, "feature_size": 12}),
    "SegResNet": ("SegResNet", (1, 1, 32, 32, 32), {"init_filters": 8}),
    "DynUNet": (
        "DynUNet",
        (1, 1, 32, 32, 32),
        {
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 2,
            "kernel_size": (3, 3, 3),
            "strides": (1, 2, 2),
            "upsample_kernel_size": (2, 2),
            "filters": (8, 16, 32),
        },
    ),
    "AttentionUnet": (
        "AttentionUnet",
        (1, 1, 64, 64),
        {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": (8, 16, 32), "strides": (2, 2)},
    ),
    "VNet": ("VNet", (1, 1, 32, 32, 32), {}),
    "DenseNet121": ("DenseNet121", (1, 1, 64, 64), {"spatial_dims": 2, "in_channels": 1, "out_channels": 3}),
}
"""Class, input shape and options by name."""


def _build(kind: str, **options: Any) -> nn.Module:
    from monai.networks import nets

    return getattr(nets, kind)(**options)


def _volume(shape: tuple[int, ...]) -> Example:
    return given(torch.rand(shape))


ENTRIES = [
    Entry(f"monai/{name}", partial(_build, kind, **options), partial(_volume, shape), "monai")
    for name, (kind, shape, options) in _TABLE.items()
]
