"""The operators of torchvision, for wheels whose compiled part does not load beside this torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_libraries: list[torch.library.Library] = []
"""A Library must stay alive for its operators to stay defined."""


def define_torchvision_operators() -> None:
    """Define the two operators that torchvision wants at import, where they are not defined already."""
    if _libraries or _compiled_part_loads() or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    libraries = [] if spec is None or spec.origin is None else list(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)
