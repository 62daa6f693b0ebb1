"""Published models with small configs, and odd ones of our own; ``make zoo`` finds an independent truth for each."""

from __future__ import annotations

from functools import cache

from zoo.entry import Entry
from zoo.published import (
    diffusers,
    monai,
    odd,
    segmentation,
    timm,
    transformers_multimodal,
    transformers_text,
    transformers_vision,
)

_FAMILIES = (
    odd,
    timm,
    transformers_text,
    transformers_vision,
    transformers_multimodal,
    diffusers,
    segmentation,
    monai,
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
