"""Global state that a capture preserves: random states, autocast, and torch's fused attention switch."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def preserved_globals() -> Iterator[None]:
    """Restore random states and autocast on exit; meanwhile, disable fused attention, which hides its operations.

    Autocast needs this because Python does not call ``__exit__`` after an interrupt in ``torch.autocast.__enter__``.
    """
    random_states, autocast = [(set_state, get_state()) for get_state, set_state in _generators()], _autocast_state()
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
        for set_state, state in random_states:
            set_state(state)
        if _autocast_state() != autocast:
            _restore_autocast(*autocast)


def _generators() -> Iterator[tuple[Any, Any]]:
    """Yield functions that read and set the state of each global random number generator in use."""
    yield torch.get_rng_state, torch.set_rng_state
    yield random.getstate, random.setstate
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        yield torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all
    if "numpy.random" in sys.modules:
        yield sys.modules["numpy.random"].get_state, sys.modules["numpy.random"].set_state


_DEVICES = ("cpu", "cuda")


def _autocast_state() -> tuple[Any, ...]:
    torch.autocast_increment_nesting()
    return (
        torch.autocast_decrement_nesting(),
        torch.is_autocast_cache_enabled(),
        *[(torch.is_autocast_enabled(each), torch.get_autocast_dtype(each)) for each in _DEVICES],
    )


def _restore_autocast(nesting: int, is_caching: bool, *devices: tuple[bool, torch.dtype]) -> None:
    while _autocast_state()[0] > nesting:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
    torch.set_autocast_cache_enabled(is_caching)
    for each, (is_enabled, dtype) in zip(_DEVICES, devices, strict=True):
        torch.set_autocast_enabled(each, is_enabled)
        torch.set_autocast_dtype(each, dtype)
