"""Dtypes inside ``torch.autocast``: kernels on meta do not know of it, so operations run on fake tensors there.

A fake tensor claims to be on the real device, so that torch's own lists of what to cast apply to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import torch

from fxsummary.capture import torch_internals
from fxsummary.capture.operations.twins import dtype_name

Casting = tuple[str, str]
"""The device type and dtype that autocast is using."""


def active(device: str) -> Casting | None:
    """What autocast does now to tensors on this device; None where it is off.

    On ``meta``, which may stand for any device, the first for which autocast is on counts.
    """
    for each in _kinds(device):
        if torch.is_autocast_enabled(each):
            return each, dtype_name(torch.get_autocast_dtype(each))
    return None


@cache
def _kinds(device: str) -> tuple[str, ...]:
    kind = torch.device(device).type
    return ("cpu", "cuda") if kind == "meta" else (kind,)


def enter(casting: Casting | None) -> AbstractContextManager[object]:
    """The state of autocast as it was when an operation was met."""
    if casting is None:
        return nullcontext()
    device, dtype = casting
    return torch.autocast(device, dtype=getattr(torch, dtype), cache_enabled=False)


@contextmanager
def fake_tensors(casting: Casting) -> Iterator[torch.device]:
    """Fake tensors are made within; yields the device that autocast is on, to make them on."""
    with torch_internals.fake_tensors():
        yield torch.device(casting[0])
