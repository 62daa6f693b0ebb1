"""The models of each library by name, and how to build one in its default configuration on the meta device."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from zoo.operators import define_torchvision_operators


@dataclass(frozen=True)
class Library:
    """The models of a library.

    Attributes:
        names: lists what `build` builds; imports the library.
        build: makes one model.
        what: the models in words.
        load: imports what a model needs, once for all processes.
    """

    names: Callable[[], list[str]]
    build: Callable[[str], nn.Module]
    what: str
    load: Callable[[str], Any] = lambda name: None


class _Constants(TorchFunctionMode):
    """Numbers that the code of a model spells out, such as the stride of a layer in a buffer, keep their values."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func is torch.tensor and isinstance(args[0] if args else given.get("data"), (int, float)):
            given["device"] = "cpu"
        return func(*args, **given)


def built(library: str, name: str) -> nn.Module:
    """A model in eval mode on the meta device, with gradients off."""
    try:
        with torch.device("meta"), _Constants():
            model = LIBRARIES[library].build(name)
    except NotImplementedError:  # a constant lends its device to other tensors, which have no data
        with torch.device("meta"):
            model = LIBRARIES[library].build(name)
    for parameter in model.parameters():
        if not parameter.is_meta:
            return model.to("meta").eval().requires_grad_(False)
    return model.eval().requires_grad_(False)


def _transformers_types() -> dict[str, str]:
    """The type of the config for each class that an auto mapping names."""
    define_torchvision_operators()
    from transformers.models.auto import modeling_auto

    mappings = [value for key, value in vars(modeling_auto).items() if key.endswith("_MAPPING_NAMES")]
    pairs = [
        pair for mapping in mappings if mapping is not modeling_auto.CONFIG_MAPPING_NAMES for pair in mapping.items()
    ]
    found: dict[str, str] = {}
    for model_type, names in pairs:
        for name in [names] if isinstance(names, str) else names:
            found.setdefault(name, model_type)
    return found


def _transformers(name: str) -> nn.Module:
    import transformers

    kind = getattr(transformers, name)
    config = getattr(kind, "config_class", None) or transformers.CONFIG_MAPPING[_transformers_types()[name]]
    model: nn.Module = kind(config())
    return model


def _transformers_load(name: str) -> None:
    import transformers

    with suppress(Exception):  # told where the model is built
        getattr(transformers, name)


def _timm_names() -> list[str]:
    define_torchvision_operators()
    import timm

    return list(timm.list_models())


def _timm(name: str) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(name, pretrained=False)
    return model


def _torchvision_names() -> list[str]:
    define_torchvision_operators()
    import torchvision

    _implement_nms()
    return list(torchvision.models.list_models())


def _implement_nms() -> None:
    """Non-maximum suppression in Python, where the compiled part of torchvision does not load: detectors end in it."""
    from torchvision import extension
    from torchvision.ops import boxes

    if extension._has_ops():
        return

    def nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        order, kept = scores.argsort(descending=True), []
        while order.numel():
            kept.append(order[0])
            order = order[1:][boxes.box_iou(dets[order[:1]], dets[order[1:]])[0] <= iou_threshold]
        return torch.stack(kept) if kept else order

    _libraries.append(torch.library.Library("torchvision", "IMPL"))
    _libraries[-1].impl("nms", nms, "CPU")
    boxes._assert_has_ops = lambda: None


_libraries: list[torch.library.Library] = []
"""A Library must stay alive for its kernels to stay."""


def _torchvision(name: str) -> nn.Module:
    import torchvision

    options = inspect.signature(torchvision.models.get_model_builder(name)).parameters
    no_weights: dict[str, Any] = {option: None for option in options if option.startswith("weights")}
    model: nn.Module = torchvision.models.get_model(name, **no_weights)
    return model


def _diffusers_names() -> list[str]:
    define_torchvision_operators()
    import diffusers

    kinds = {name: getattr(diffusers, name, None) for name in dir(diffusers)}
    return [
        name
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, diffusers.ModelMixin) and kind is not diffusers.ModelMixin
    ]


def _diffusers(name: str) -> nn.Module:
    import diffusers

    model: nn.Module = getattr(diffusers, name)()
    return model


LIBRARIES = {
    "transformers": Library(
        lambda: list(_transformers_types()),
        _transformers,
        "every model class that the auto mappings name",
        _transformers_load,
    ),
    "timm": Library(_timm_names, _timm, "`timm.list_models()`"),
    "torchvision": Library(_torchvision_names, _torchvision, "`torchvision.models.list_models()`"),
    "diffusers": Library(_diffusers_names, _diffusers, "every `ModelMixin`"),
}
