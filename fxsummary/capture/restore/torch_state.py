"""The random states, and the switch of torch that a capture turns."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def preserved_globals() -> Iterator[None]:
    """Restore the random states, and switch off the fused attention path that hides its operations."""
    random_state = _random_state()
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
        _restore_random(random_state)


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
