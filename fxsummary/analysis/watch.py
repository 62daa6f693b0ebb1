"""Counts the FLOPs and the living storages of a training step."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch

from fxsummary.capture.autograd_internals import running_backward, sequence_number
from fxsummary.capture.operations.flop_count import FlopCount, costs_nothing
from fxsummary.capture.structures import tensors_in
from fxsummary.capture.torch_internals import OpOverload, is_composite, storage_of

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
        kind = _kind(func)
        if not (kind.is_plain and kind.is_free):
            return super().__torch_dispatch__(func, types, args, kwargs)
        result = self._call(func, args, kwargs or {})
        if not kind.is_view or func is torch.ops.aten.lift_fresh.default:  # which ends `torch.tensor`
            self._hold(func, args, kwargs, result)
        return result

    def _hold(self, func: Any, args: Any, kwargs: Any, result: object) -> None:
        new = [result] if isinstance(result, torch.Tensor) else list(tensors_in(result))
        if _kind(func).may_share:
            given = set(map(storage_of, tensors_in((args, kwargs))))
            new = [each for each in new if storage_of(each) not in given]
        storages = self._storages
        storages.add([each for each in new if each.layout is torch.strided])
        if storages.live > self.peak:
            self.peak = storages.live
            if self.place == BACKWARD:
                node = running_backward()
                number = 0 if node is None else sequence_number(node)
                self._last = number if number < _NO_NUMBER else self._last
            self.at = self.place, self._last


_NO_NUMBER = 2**62
"""Nodes of autograd that accumulate gradients have numbers above this one."""


class _Kind(NamedTuple):
    """What is known of an operator: whether it is one kernel, has no FLOPs, is a view, may return given memory."""

    is_plain: bool
    is_free: bool
    is_view: bool
    may_share: bool


@lru_cache(maxsize=1024)
def _kind(func: Any) -> _Kind:
    is_plain = isinstance(func, OpOverload) and func.namespace == "aten" and not is_composite(func)
    if not is_plain:
        return _Kind(False, False, False, True)
    shares = any(each.alias_info for each in func._schema.returns)
    return _Kind(True, costs_nothing(func), func.is_view, shares)
