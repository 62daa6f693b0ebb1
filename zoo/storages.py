"""The truth about memory: the bytes of the storages that exist during a real run."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as modules
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Return the tensors in nested values."""
    return [each for each in tree_leaves(value) if isinstance(each, torch.Tensor)]


class Storages(TorchDispatchMode):
    """Counts the storages that are made while it is active.

    Args:
        outside: tensors whose storages do not count: parameters, buffers, inputs.
        model: the model that runs, to name the module at the peak.

    Attributes:
        live: bytes of the storages that exist now.
        peak: the most bytes so far.
        operator: the ATen operator at the peak.
        module: path of the innermost module that ran then.
    """

    def __init__(self, outside: Iterable[torch.Tensor], model: nn.Module) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.operator = self.module = ""
        self._outside = [each.untyped_storage() for each in outside if each.layout is torch.strided]
        self._known: dict[int, Any] = {id(each): None for each in self._outside}
        self._paths = {id(each): path for path, each in model.named_modules()}
        self._stack: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tensors_in(result):
            if each.layout is torch.strided:
                self._see(each.untyped_storage())
        if self.live > self.peak:
            self.peak, self.operator, self.module = self.live, str(func), self._stack[-1] if self._stack else ""
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            if self._known[key] is not None and self._known[key][1] != size:  # resized
                self.live += size - self._known[key][1]
                self._known[key] = self._known[key][0], size
            return
        self._known[key] = weakref.ref(storage, lambda _: self._gone(key)), size
        self.live += size

    def _gone(self, key: int) -> None:
        self.live -= self._known.pop(key)[1]

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Follow which module runs, inside the context."""

        def enter(module: nn.Module, _: Any) -> None:
            self._stack.append(self._paths.get(id(module), ""))

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


def run(model: nn.Module, args: Any, kwargs: Any, gradients: bool = False) -> tuple[Storages, Any]:
    """Run a model under a count of its storages; return the count and the result."""
    constants = [each for module in model.modules() for each in tensors_in(list(vars(module).values()))]
    outside = [*model.parameters(), *model.buffers(), *constants, *tensors_in((args, dict(kwargs)))]
    count = Storages(outside, model)
    with torch.set_grad_enabled(gradients), count.naming(), count:
        result = model(*args, **kwargs)
    return count, result
