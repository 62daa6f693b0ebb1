"""All entries of the zoo, by name."""

from __future__ import annotations

from functools import cache

from benchmarks.zoo import (
    diffusers_models,
    monai_models,
    own_models,
    segmentation_models,
    timm_models,
    transformers_multimodal,
    transformers_text,
    transformers_vision,
)
from benchmarks.zoo.entry import Entry

_FAMILIES = (
    own_models,
    timm_models,
    transformers_text,
    transformers_vision,
    transformers_multimodal,
    diffusers_models,
    segmentation_models,
    monai_models,
)


@cache
def entries() -> dict[str, Entry]:
    """Every entry by name, in the order of the families; no library is imported for it."""
    found: dict[str, Entry] = {}
    for family in _FAMILIES:
        for entry in family.ENTRIES:
            if entry.name in found:
                raise ValueError(f"two entries are called {entry.name!r}")
            found[entry.name] = entry
    return found
