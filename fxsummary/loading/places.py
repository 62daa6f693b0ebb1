"""What the path in MODEL is: a captured model, a file of tensors, or a folder with a config."""

from __future__ import annotations

from pathlib import Path

CONFIG, INDEX, HUB = "config.json", "model_index.json", "hubconf.py"
"""Files of a folder: the config of one model, the parts of a pipeline, and the entries for ``torch.hub``."""

PICKLED = (".pth", ".pt", ".bin", ".ckpt")
"""Suffixes of what ``torch.save`` and ``torch.jit.save`` write."""

_TENSORS = (".safetensors", ".safetensors.index.json", *PICKLED)


def is_tensors(model: str) -> bool:
    """Whether MODEL is the path of a file of tensors, or of a TorchScript file."""
    return model.endswith(_TENSORS)


def is_captured(model: str) -> bool:
    """Whether MODEL is the path of an exported program or of a saved graph."""
    return model.endswith((".pt2", ".json")) and not is_tensors(model) and config_of(model) is None


def config_of(model: str) -> str | None:
    """Return the path of the config that MODEL is, or that is in this folder; None if there is none."""
    path = Path(model) if Path(model).name in (CONFIG, INDEX) else Path(model) / CONFIG
    return str(path) if path.is_file() else None


def file_of(model: str) -> str | None:
    """Return the file that MODEL names, or the config of the folder that it names; None for a factory."""
    return model if is_captured(model) or is_tensors(model) else config_of(model)
