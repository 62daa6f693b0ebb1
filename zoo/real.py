"""Published models of timm and torchvision, without weights, on the meta device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.entry import Entry, Example, given
from zoo.operators import define_torchvision_operators


def timm_model(name: str) -> nn.Module:
    """A model of timm on the meta device."""
    define_torchvision_operators()
    import timm

    with torch.device("meta"):
        return timm.create_model(name, pretrained=False)


def torchvision_model(name: str, **options: Any) -> nn.Module:
    """A model of torchvision on the meta device."""
    define_torchvision_operators()
    import torchvision

    try:
        with torch.device("meta"):
            return torchvision.models.get_model(name, weights=None, **options)
    except NotImplementedError:  # regnet computes its widths with tensors
        with torch.device("cpu"):
            return torchvision.models.get_model(name, weights=None, **options).to("meta")


def image(size: int) -> Callable[[], Example]:
    """One image on the meta device."""
    return lambda: given(torch.empty(1, 3, size, size, device="meta"))


TIMM = {
    "resnet18": 224,
    "vit_tiny_patch16_224": 224,
    "convnext_atto": 224,
    "efficientnet_b0": 224,
    "mobilenetv3_small_100": 224,
    "mobilenetv4_conv_small": 224,
    "densenet121": 224,
    "regnety_002": 224,
    "swin_tiny_patch4_window7_224": 224,
    "swinv2_tiny_window8_256": 256,
    "deit_tiny_patch16_224": 224,
    "mixer_s32_224": 224,
    "resmlp_12_224": 224,
    "res2net50_26w_4s": 224,
    "resnext50_32x4d": 224,
    "seresnet50": 224,
    "dpn68": 224,
    "inception_v3": 299,
    "inception_resnet_v2": 299,
    "xception41": 299,
    "hrnet_w18_small": 224,
    "ghostnet_100": 224,
    "poolformer_s12": 224,
    "coat_tiny": 224,
    "levit_128s": 224,
    "nfnet_f0": 192,
    "maxvit_tiny_rw_224": 224,
    "beit_base_patch16_224": 224,
    "eva02_tiny_patch14_224": 224,
    "cait_xxs24_224": 224,
    "repvgg_a0": 224,
    "cspresnet50": 256,
    "halonet26t": 256,
    "pvt_v2_b0": 224,
    "sequencer2d_s": 224,
    "tresnet_m": 224,
}
"""Image size by name, of those that torch.fx can trace."""

TIMM_RECORDED = {"vgg11": 224, "mobilevit_xxs": 256, "crossvit_tiny_240": 240, "convit_tiny": 224, "nest_tiny": 224}
"""Those that it cannot, and that are recorded: their control flow depends on shapes."""

TORCHVISION = {
    "resnet50": 224,
    "vit_b_16": 224,
    "swin_t": 224,
    "convnext_tiny": 224,
    "googlenet": 224,
    "densenet121": 224,
    "efficientnet_b0": 224,
    "mobilenet_v3_small": 224,
    "regnet_y_400mf": 224,
    "shufflenet_v2_x1_0": 224,
    "squeezenet1_0": 224,
    "maxvit_t": 224,
    "alexnet": 224,
    "vgg11": 224,
    "inception_v3": 299,
    "mnasnet0_5": 224,
}
"""Image size by name of torchvision's classifiers."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": False, "aux_logits": False},
    "inception_v3": {"init_weights": False, "aux_logits": False},
}
TORCHVISION_DENSE = {"fcn_resnet50": 224, "lraspp_mobilenet_v3_large": 224}
"""Segmentation models: they return dicts."""

REAL: dict[str, Entry] = {}

for _name, _size in TIMM.items():
    REAL[f"timm.{_name}"] = Entry(f"timm.{_name}", partial(timm_model, _name), image(_size), real=True)
for _name, _size in TIMM_RECORDED.items():
    REAL[f"timm.{_name}"] = Entry(
        f"timm.{_name}",
        partial(timm_model, _name),
        image(_size),
        captured_by="recorded",
        notes=(r"symbolic tracing stopped at \S*timm/\S+\.py:\d+: ",),
        real=True,
    )
for _name, _size in TORCHVISION.items():
    _build = partial(torchvision_model, _name, **_OPTIONS.get(_name, {}))
    REAL[f"torchvision.{_name}"] = Entry(f"torchvision.{_name}", _build, image(_size), real=True)
for _name, _size in TORCHVISION_DENSE.items():
    _build = partial(torchvision_model, _name, weights_backbone=None)
    REAL[f"torchvision.{_name}"] = Entry(f"torchvision.{_name}", _build, image(_size), real=True)
