"""Makes a model on the meta device where that is possible, so that weights take no memory and no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _Constants(TorchFunctionMode):
    """Keeps the values of numbers that a model's code spells out, such as a stride in a buffer."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func is torch.tensor and isinstance(args[0] if args else given.get("data"), (int, float)):
            given["device"] = "cpu"
        return func(*args, **given)


def on_meta(make: Callable[[], Any]) -> Any:
    """Return what ``make`` returns under ``torch.device("meta")``."""
    try:
        with torch.device("meta"), _Constants():
            return make()
    except NotImplementedError:  # a constant lends its device to other tensors, which have no data
        with torch.device("meta"):
            return make()


def made(make: Callable[[], Any], progress: Callable[[str], None] = lambda text: None) -> Any:
    """Return what ``make`` returns: made on the meta device, or with weights if that raises."""
    try:
        return on_meta(make)
    except Exception as error:  # any factory may need real tensors
        progress(f"not on the meta device ({type(error).__name__}); building with weights")
        return make()
