"""Put everything back that tracing a forward may have touched: modules, random state, torch's globals."""

from __future__ import annotations

import functools
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from operator import is_
from types import FunctionType
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from fxsummary.capture.members import modules_of

_CONTAINERS = (dict, OrderedDict, list, set, deque)


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Restore, on the way out, the attributes of every module, and what `preserved_globals` restores.

    Attributes that forward assigns (and the lists and dicts that it fills) are put back; the values of
    tensors are not the matter of this function: `WriteGuard` refuses to change them.
    """
    held = _kept.get(id(model)) or _snapshots(model)
    if id(model) in _kept:
        _kept[id(model)] = held
    try:
        with preserved_globals():
            yield
    finally:
        held.restore()


_kept: dict[int, _Snapshots | None] = {}


@contextmanager
def state_kept(model: nn.Module) -> Iterator[None]:
    """Within, `preserved` looks at the modules of this model once, however often it is entered."""
    _kept[id(model)] = None
    try:
        yield
    finally:
        _kept.pop(id(model), None)


def _snapshots(model: nn.Module) -> _Snapshots:
    modules = modules_of(model)
    hooked = [module for module in modules if module._forward_hooks or module._forward_pre_hooks]
    return _Snapshots([*map(vars, modules), *[owned for module in hooked for owned in _held_by_hooks(module)]])


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


def _held_by_hooks(module: nn.Module) -> Iterator[dict[str, Any]]:
    """What the user's forward hooks may fill: attributes of their objects, their closures and globals."""
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for hook in hooks.values():
            yield from _held_by(hook)


def _held_by(hook: Any) -> Iterator[dict[str, Any]]:
    if isinstance(hook, functools.partial):
        yield from _held_by(hook.func)
        yield {str(index): value for index, value in enumerate((*hook.args, *hook.keywords.values()))}
        return
    owner = getattr(hook, "__self__", hook)
    if hasattr(owner, "__dict__") and not isinstance(owner, (nn.Module, FunctionType)):
        yield vars(owner)
    function = getattr(hook, "__func__", hook)
    if isinstance(function, FunctionType):
        code, namespace = function.__code__, function.__globals__
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        yield {
            **{name: namespace[name] for name in code.co_names if name in namespace},
            **{name: cell.cell_contents for name, cell in cells if _is_filled(cell)},
        }


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (it raises where there is nothing)
    except ValueError:
        return False
    return True


class _Snapshots:
    """The attributes of objects, and what the containers among them hold.

    Almost always all is as it was, so that is found out first for all together.
    """

    def __init__(self, attributes: Sequence[dict[str, Any]]) -> None:
        containers = [value for each in attributes for value in each.values() if type(value) in _CONTAINERS]
        self._empty = [value for value in containers if not value]
        self._filled = [*attributes, *[value for value in containers if value]]
        self._copies = [value.copy() for value in self._filled]
        self._lengths = list(map(len, self._filled))
        self._held = list(_held_in(self._filled))

    def restore(self) -> None:
        """Put all back, in the order that it had."""
        filled = self._filled
        if list(map(len, filled)) != self._lengths or not all(map(is_, _held_in(filled), self._held)):
            for container, copy in zip(filled, self._copies, strict=True):
                if not _is_same(container, copy):
                    _refill(container, copy)
        if any(self._empty):
            for container in self._empty:
                container.clear()


def _held_in(containers: Sequence[Any]) -> Iterator[Any]:
    """The keys and values of dicts, the items of others."""
    dicts = [each for each in containers if isinstance(each, dict)]
    others = [each for each in containers if not isinstance(each, dict)]
    return chain(chain.from_iterable(dicts), chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(others))


def _refill(container: Any, copy: Any) -> None:
    container.clear()
    if isinstance(container, (dict, set)):
        container.update(copy)
    else:
        container.extend(copy)


def _is_same(container: Any, copy: Any) -> bool:
    """Whether a container holds the very objects that its copy holds, in the same order."""
    if len(container) != len(copy):
        return False
    if isinstance(copy, dict):
        return all(map(is_, container.values(), copy.values())) and all(map(is_, container, copy))
    return container == copy if isinstance(copy, set) else all(map(is_, container, copy))


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


class WriteGuard(TorchDispatchMode):
    """Refuses in-place writes to the model's own tensors: tracing runs what does not meet a Proxy for real."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._model = model
        self._storages: set[int] | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args):  # noqa: B905 (defaults are left out)
                if argument.alias_info is not None and argument.alias_info.is_write and self._owns(value):
                    raise RuntimeError(f"forward writes into a tensor of the model ({func})")
        return func(*args, **(kwargs or {}))

    def _owns(self, value: Any) -> bool:
        if self._storages is None:
            self._storages = {
                _storage(tensor)
                for module in modules_of(self._model)
                for values in (module._parameters, module._buffers, vars(module))
                for tensor in values.values()
                if isinstance(tensor, torch.Tensor)
            }
        return isinstance(value, torch.Tensor) and _storage(value) in self._storages


def _storage(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):
        return id(tensor)
