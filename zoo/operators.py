"""The operators of torchvision, for wheels whose compiled part does not load beside this torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_libraries: list[torch.library.Library] = []
"""A Library must stay alive for its operators to stay defined."""

_implemented: list[torch.library.Library] = []


def define_torchvision_operators() -> None:
    """Define the two operators that torchvision wants at import, where they are not defined already."""
    if _libraries or _compiled_part_loads() or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def implement_nms() -> None:
    """Define non-maximum suppression in Python, where the compiled part does not load: detectors end in it."""
    from torchvision import extension
    from torchvision.ops import boxes

    if extension._has_ops() or _implemented:
        return

    def nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        order, kept = scores.argsort(descending=True), []
        while order.numel():
            kept.append(order[0])
            order = order[1:][boxes.box_iou(dets[order[:1]], dets[order[1:]])[0] <= iou_threshold]
        return torch.stack(kept) if kept else order

    _implemented.append(torch.library.Library("torchvision", "IMPL"))
    _implemented[-1].impl("nms", nms, "CPU")
    boxes._assert_has_ops = lambda: None


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    libraries = [] if spec is None or spec.origin is None else list(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)
