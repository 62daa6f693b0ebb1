"""Private parts of torch's dispatcher and of autograd, as in `torch_internals`: what a training step needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any

import torch


@contextmanager
def intercepted(kernels: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Answer ATen calls with other functions, above autograd, as autocast does.

    Calls that such a function makes to ATen inside `uninterrupted` go to torch.
    Lost without it: training with the attention, the dropout and the casts of a given device.

    Args:
        kernels: functions by operator and overload, as in ``linear`` or ``softmax.int``.
    """
    with _one_interception:
        rest, own = torch.library.Library("_", "IMPL", _UNUSED_KEY), torch.library.Library("aten", "IMPL", _UNUSED_KEY)
        try:
            rest.fallback(torch.library.fallthrough_kernel)
            for name, kernel in kernels.items():
                own.impl(name, kernel)
            with _InterceptionState(True):
                yield
        finally:
            own._destroy()
            rest._destroy()


_one_interception = Lock()
"""Allows one interception at a time, because functions are registered for the whole process."""

_UNUSED_KEY = "AutocastPrivateUse1"
"""A dispatch key above autograd that belongs to no built-in device."""


class _InterceptionState:
    """Turns interception on or off inside the context."""

    _key: Any = getattr(torch._C.DispatchKey, _UNUSED_KEY)

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on

    def __enter__(self) -> None:
        dispatch: Any = torch._C
        self._included = dispatch._dispatch_tls_is_dispatch_key_included(self._key)
        self._excluded = dispatch._dispatch_tls_is_dispatch_key_excluded(self._key)
        dispatch._dispatch_tls_set_dispatch_key_included(self._key, self._is_on)
        dispatch._dispatch_tls_set_dispatch_key_excluded(self._key, not self._is_on)

    def __exit__(self, *_: object) -> None:
        dispatch: Any = torch._C
        dispatch._dispatch_tls_set_dispatch_key_included(self._key, self._included)
        dispatch._dispatch_tls_set_dispatch_key_excluded(self._key, self._excluded)


def uninterrupted() -> AbstractContextManager[None]:
    """Return a context in which ATen calls are not intercepted. Lost without it: as `intercepted`."""
    return _InterceptionState(False)


def sequence_number(function: Any = None) -> int:
    """Return the number that the next node of autograd gets, or that of a node; nodes made later have higher ones.

    Lost without it: which operation of a backward pass holds the most memory.
    """
    return int(torch._C._autograd._get_sequence_nr() if function is None else function._sequence_nr())


def running_backward() -> Any:
    """Return the node of autograd whose backward pass is running. Lost without it: as `sequence_number`."""
    return torch._C._current_autograd_node()


def saved_tensors_are_hooked() -> bool:
    """Whether hooks for saved tensors are active. Lost without it: refusing models that checkpoint their blocks."""
    return torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
