"""Counts the FLOPs and the living storages of a training step."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from fxsummary.capture.autograd_internals import running_backward, sequence_number
from fxsummary.capture.operations.flop_count import FlopCount, Traits, formula, traits_of

LOSS, BACKWARD = "loss", "backward"


@cache
def prepare() -> None:
    """Let torch import its kernels in Python, because frames of these imports keep the tensors of the first call."""
    torch.ops.aten.div.Scalar(torch.empty((), device="meta").expand(2), 2)


class Watch(FlopCount):
    """Counts the FLOPs and the living storages of a step, and notes where the peak is.

    Attributes:
        place: the operation that is running: its position, or `LOSS` or `BACKWARD`.
        peak: most bytes so far.
        at: the value of `place` at the peak, and the number of the running node of autograd.
    """

    def __init__(self) -> None:
        super().__init__((), on_meta=True)
        self.place: int | str = 0
        self.peak = 0
        self.at: tuple[int | str, int] = (0, 0)
        self._last = 0

    @property
    def live(self) -> int:
        """The bytes of the storages that live now."""
        return self._storages.live

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        traits = traits_of(func)
        if not traits.is_plain or formula(func._overloadpacket) is not None:
            return super().__torch_dispatch__(func, types, args, kwargs)
        result = self._call(func, traits, args, kwargs or {})
        if not traits.is_view:
            self._hold(func, traits, args, kwargs, result)
        return result

    def _hold(self, func: Any, traits: Traits, args: Any, kwargs: Any, result: object) -> None:
        storages = self._storages
        storages.add(self._new(traits, args, kwargs, result))
        if storages.live > self.peak:
            self.peak = storages.live
            if self.place == BACKWARD:
                node = running_backward()
                number = 0 if node is None else sequence_number(node)
                self._last = number if number < _NO_NUMBER else self._last
            self.at = self.place, self._last


_NO_NUMBER = 2**62
"""Nodes of autograd that accumulate gradients have numbers above this one."""
