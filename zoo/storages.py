"""The truth about memory: the bytes of the storages that live while a model really runs on the CPU."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Storages(TorchDispatchMode):
    """Counts the bytes of the storages that operators make inside the context.

    Args:
        outside: tensors that do not count.

    Attributes:
        live: bytes now.
        peak: most bytes so far; at: the operator that made them.
    """

    def __init__(self, outside: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.at = ""
        self._outside = {each.untyped_storage()._cdata: each.untyped_storage() for each in outside}
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            self._see(tensor.untyped_storage())
        if self.live > self.peak:
            self.peak, self.at = self.live, str(func)
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._outside:
            return
        reference, before = self._known.get(key, (None, 0))
        self._known[key] = reference or weakref.ref(storage, partial(self._gone, key)), storage.nbytes()
        self.live += storage.nbytes() - before

    def _gone(self, key: int, _: object) -> None:
        self.live -= self._known.pop(key)[1]


class RealStep(NamedTuple):
    """The bytes of a training step that really ran.

    Attributes:
        at_end: at the end of forward: what is saved for backward, and the outputs.
        peak: most bytes of activations and gradients at one time.
        at: the operator at the peak.
    """

    at_end: int
    peak: int
    at: str


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested values."""
    for each in tree_leaves(value):
        if isinstance(each, Tensor):
            yield each
        elif hasattr(each, "__dict__") and not isinstance(each, (type, nn.Module)) and not callable(each):
            yield from tensors_in(list(vars(each).values()))


def real_step(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    forward: Callable[..., Any] | None = None,
) -> RealStep:
    """Run forward, a loss and backward: the first output if it is one number, or else the mean of its squares.

    Args:
        forward: what to call instead of the model.
    """
    kwargs = dict(kwargs or {})
    model.zero_grad(set_to_none=True)
    given = list(tensors_in((args, kwargs)))
    for tensor in given:
        tensor.grad = None
    outside = [*model.parameters(), *model.buffers(), *given]
    with Storages(outside) as storages:
        output = (forward or model)(*args, **kwargs)
        at_end = storages.live
        first = next((each for each in tensors_in(output) if each.requires_grad), None)
        if first is not None:
            loss_of(first).backward()
        del first
        result = RealStep(at_end, storages.peak, storages.at)
    model.zero_grad(set_to_none=True)
    return result


def loss_of(output: Tensor) -> Tensor:
    """Return the output if it is one number, or else the mean of its squares in float32."""
    if output.numel() == 1:
        return output
    numbers = output.float()
    return (numbers * numbers).mean()
