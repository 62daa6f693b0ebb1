"""The random states, the state of autocast, and the switch of torch that a capture turns."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def preserved_globals() -> Iterator[None]:
    """Restore random states and autocast, and switch off the fused attention path that hides its operations.

    An interrupt inside ``torch.autocast.__enter__`` leaves autocast on: Python calls ``__exit__`` only after it.
    """
    random_state, autocast = _random_state(), _autocast_state()
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
        _restore_random(random_state)
        if _autocast_state() != autocast:
            _restore_autocast(autocast)


_DEVICES = ("cpu", "cuda")


def _autocast_state() -> tuple[Any, ...]:
    torch.autocast_increment_nesting()
    return (
        torch.autocast_decrement_nesting(),
        torch.is_autocast_cache_enabled(),
        *[(torch.is_autocast_enabled(each), torch.get_autocast_dtype(each)) for each in _DEVICES],
    )


def _restore_autocast(state: tuple[Any, ...]) -> None:
    nesting, is_caching, *devices = state
    while _autocast_state()[0] > nesting:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
    torch.set_autocast_cache_enabled(is_caching)
    for each, (is_enabled, dtype) in zip(_DEVICES, devices, strict=True):
        torch.set_autocast_enabled(each, is_enabled)
        torch.set_autocast_dtype(each, dtype)


def _random_state() -> tuple[Any, ...]:
    numpy_random = sys.modules.get("numpy.random")
    return (
        torch.get_rng_state(),
        torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None,
        random.getstate(),
        None if numpy_random is None else numpy_random.get_state(),
    )


def _restore_random(state: tuple[Any, ...]) -> None:
    cpu, cuda, python, numpy_state = state
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)
    random.setstate(python)
    if numpy_state is not None:
        sys.modules["numpy.random"].set_state(numpy_state)
