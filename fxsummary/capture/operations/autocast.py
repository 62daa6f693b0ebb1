"""The state of ``torch.autocast``. Kernels on meta ignore it, so operations under it run on fake tensors.

A fake tensor claims to be on the real device, so that torch's own lists of what to cast apply.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from fxsummary.capture.operations.twins import dtype_name

Casting = tuple[str, str]
"""The device type and dtype that autocast is using."""


def active(device: str) -> Casting | None:
    """Return what autocast now does to tensors on this device; None if it is off.

    Tensors on ``meta`` may represent any device, so the first device for which autocast is on decides.
    """
    for kind in _kinds(device):
        if torch.is_autocast_enabled(kind):
            return kind, dtype_name(torch.get_autocast_dtype(kind))
    return None


@cache
def _kinds(device: str) -> tuple[str, ...]:
    kind = torch.device(device).type
    return ("cpu", "cuda") if kind == "meta" else (kind,)


def enter(casting: Casting | None) -> AbstractContextManager[object]:
    """Enter the state of autocast in which an operation was called."""
    if casting is None:
        return nullcontext()
    device, dtype = casting
    return torch.autocast(device, dtype=getattr(torch, dtype), cache_enabled=False)
