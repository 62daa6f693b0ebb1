"""Counts the FLOPs and the living storages of a training step."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from typing import Any

import torch

from fxsummary.capture.autograd_internals import running_backward, sequence_number
from fxsummary.capture.operations.flop_count import FlopCount, is_paused
from fxsummary.capture.operations.traits import Traits, formula, traits_of
from fxsummary.capture.operations.twins import dtype_name
from fxsummary.capture.structures import tensors_in
from fxsummary.capture.torch_internals import OpOverload
from fxsummary.graph.step_time import Work

aten = torch.ops.aten
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
        work: number of calls by what they compute and move.
        at: the value of `place` at the peak, and the number of the running node of autograd.
    """

    def __init__(self) -> None:
        super().__init__((), on_meta=True)
        self.place: int | str = 0
        self.peak = 0
        self.at: tuple[int | str, int] = (0, 0)
        self.work: Counter[Work] = Counter()
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
            self._hold(func, traits, args, kwargs, result, 0)
        return result

    def _hold(self, func: Any, traits: Traits, args: Any, kwargs: Any, result: object, flops: int) -> None:
        storages, new = self._storages, self._new(traits, args, kwargs, result)
        storages.add(new)
        if not is_paused():
            self.work[self._work(func, traits, [args, kwargs], new, flops)] += 1
        if storages.live > self.peak:
            self.peak = storages.live
            if self.place == BACKWARD:
                node = running_backward()
                number = 0 if node is None else sequence_number(node)
                self._last = number if number < _NO_NUMBER else self._last
            self.at = self.place, self._last

    def _work(self, func: Any, traits: Traits, given: list[Any], new: list[torch.Tensor], flops: int) -> Work:
        """Return what a call computes and moves."""
        packet = func._overloadpacket if isinstance(func, OpOverload) else None
        args = given[0][1:] if packet in _OVERWRITING or packet in _LOOK_UPS else given
        read = sum(map(_accessed, {id(each): each for each in tensors_in(args)}.values()))
        changed = [each for place in traits.written for each in tensors_in(given[0][place : place + 1])]
        written = sum(map(_accessed, [*new, *changed]))
        read += written if packet in _LOOK_UPS else 0
        dtype = dtype_name((new or changed)[0].dtype) if new or changed else ""
        return Work(dtype, packet in _CONVOLUTIONS, self.place == BACKWARD, flops, read + written)


def _accessed(tensor: torch.Tensor) -> int:
    """Return the bytes that reading a tensor touches: dimensions with stride 0 count once."""
    steps = zip(tensor.shape, tensor.stride(), strict=True) if tensor.layout is torch.strided else ()
    return math.prod([size for size, step in steps if step or not size]) * tensor.itemsize


_OVERWRITING = frozenset({aten.copy_, aten.fill_, aten.zero_})
"""Operators that do not read their first argument."""
_LOOK_UPS = frozenset({aten.embedding, aten.index, aten.index_select, aten.gather})
"""Operators that read of their first argument only what they return."""
_CONVOLUTIONS = frozenset({aten.convolution, aten.convolution_backward})

_NO_NUMBER = 2**62
"""Nodes of autograd that accumulate gradients have numbers above this one."""
