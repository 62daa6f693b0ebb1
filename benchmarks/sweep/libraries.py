"""The libraries of the sweep: registers those that fxsummary does not know, and readies what all of them need.

``fxsummary table --import benchmarks.sweep.libraries 'diffusers:*'`` works too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from torch import nn

import zoo.ready  # noqa: F401  # torchvision can be imported
from fxsummary.loading.libraries import LIBRARIES, Library
from fxsummary.loading.on_meta import on_meta
from zoo.operators import implement_nms

WHAT = {
    "transformers": "every model class that the auto mappings name",
    "timm": "`timm.list_models()`",
    "torchvision": "`torchvision.models.list_models()`",
    "diffusers": "every `ModelMixin`",
}
"""The libraries of the sweep, and their models in words."""


def built(library: str, name: str) -> nn.Module:
    """A model in eval mode on the meta device, with gradients off."""
    model: nn.Module = on_meta(lambda: LIBRARIES[library].build(name))
    if any(not parameter.is_meta for parameter in model.parameters()):
        model = model.to("meta")
    return model.eval().requires_grad_(False)


def load(library: str, name: str) -> None:
    """Import what a model needs, so that building it takes no more than that."""
    if library == "torchvision":
        implement_nms()
    with suppress(Exception):  # told where the model is built
        getattr(__import__(library), name)


def _transformers_types() -> dict[str, str]:
    """The type of the config for each class that an auto mapping names."""
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


def _diffusers_names() -> list[str]:
    import diffusers

    kinds: dict[str, Any] = {name: getattr(diffusers, name, None) for name in dir(diffusers)}
    return [
        name
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, diffusers.ModelMixin) and kind is not diffusers.ModelMixin
    ]


def _diffusers(name: str) -> nn.Module:
    import diffusers

    model: nn.Module = getattr(diffusers, name)()
    return model


LIBRARIES.register("transformers", Library(_transformers_types, _transformers))
LIBRARIES.register("diffusers", Library(_diffusers_names, _diffusers))
