"""Global state that a capture preserves: random states, autocast, and torch's fused attention switch."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch


@contextmanager
def preserved_globals() -> Iterator[None]:
    """Restore global state on exit; meanwhile, disable fused attention, which hides its operations.

    Autocast needs this because Python does not call ``__exit__`` after an interrupt in ``torch.autocast.__enter__``.
    """
    before = [(write, read()) for read, write in _settings()]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        for write, value in before:
            write(value)


def _settings() -> Iterator[tuple[Any, Any]]:
    """Yield functions that read and set each global state."""
    yield torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled
    yield torch.get_rng_state, torch.set_rng_state
    yield random.getstate, random.setstate
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        yield torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all
    if "numpy.random" in sys.modules:
        yield sys.modules["numpy.random"].get_state, sys.modules["numpy.random"].set_state
    yield _autocast_nesting, _leave_autocast
    yield torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled
    for device in ("cpu", "cuda"):
        yield partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device)
        yield partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device)


def _autocast_nesting() -> int:
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


def _leave_autocast(nesting: int) -> None:
    while _autocast_nesting() > nesting:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
