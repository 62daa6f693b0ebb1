"""The truth about memory: the bytes of the storages that live while a model really runs on the CPU."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint


class Storages(TorchDispatchMode):
    """Counts the bytes of the storages that operators make inside the context.

    Args:
        outside: tensors that do not count: parameters, buffers, inputs.

    Attributes:
        live: bytes now.
        peak: the most bytes so far.
        operator: the ATen operator at the peak.
        module: path of the innermost module that ran then, inside of `naming`.
    """

    def __init__(self, outside: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.operator = self.module = ""
        dense = [each for each in outside if each.layout is torch.strided]
        self._outside = {each.untyped_storage()._cdata: each.untyped_storage() for each in dense}
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._stack: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            if tensor.layout is torch.strided:
                self._see(tensor.untyped_storage())
        if self.live > self.peak:
            self.peak, self.operator, self.module = self.live, str(func), self._stack[-1] if self._stack else ""
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

    @contextmanager
    def naming(self, model: nn.Module) -> Iterator[None]:
        """Follow which module runs, inside the context."""
        paths = {id(each): path for path, each in model.named_modules()}

        def enter(module: nn.Module, _: Any) -> None:
            self._stack.append(paths.get(id(module), ""))

        def leave(*_: Any) -> None:
            self._stack.pop()

        handles = [
            modules.register_module_forward_pre_hook(enter),
            modules.register_module_forward_hook(leave, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


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


def _state(model: nn.Module) -> list[Tensor]:
    """Return the parameters, buffers and other tensors that the modules of a model hold."""
    constants = [each for module in model.modules() for each in tensors_in(list(vars(module).values()))]
    return [*model.parameters(), *model.buffers(), *constants]


def real_forward(model: nn.Module, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Storages:
    """Run forward without gradients under a count of its storages, and return the count."""
    storages = Storages([*_state(model), *tensors_in((args, dict(kwargs or {})))])
    with torch.no_grad(), storages.naming(model), storages:
        model(*args, **dict(kwargs or {}))
    return storages


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
    with Storages([*_state(model), *given]) as storages:
        output = (forward or model)(*args, **kwargs)
        at_end = storages.live
        first = next((each for each in tensors_in(output) if each.requires_grad), None)
        if first is not None:
            loss_of(first).backward()
        del first
        result = RealStep(at_end, storages.peak, storages.operator)
    model.zero_grad(set_to_none=True)
    return result


def loss_of(output: Tensor) -> Tensor:
    """Return the output if it is one number, or else the mean of its squares in float32."""
    if output.numel() == 1:
        return output
    numbers = output.float()
    return (numbers * numbers).mean()


def checkpoint_blocks(model: nn.Module, pattern: str, kind: str) -> None:
    """Checkpoint the modules of a class whose path fits a pattern, in which ``*`` is a number."""
    expression = re.compile(re.escape(pattern).replace(r"\*", r"\d+"))
    for path, module in model.named_modules():
        if expression.fullmatch(path) and type(module).__name__ == kind:
            module.forward = partial(_checkpointed, module.forward)


def _checkpointed(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
