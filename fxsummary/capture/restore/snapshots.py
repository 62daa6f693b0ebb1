"""Copies of what a forward may change, to put back afterwards."""

from __future__ import annotations

import gc
import signal
import threading
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from operator import is_
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import modules_of
from fxsummary.capture.restore.containers import EXACT, base_of, copied, is_same, refill
from fxsummary.capture.restore.inside import Inside
from fxsummary.capture.restore.outside import Outside
from fxsummary.capture.restore.torch_state import preserved_globals
from fxsummary.capture.restore.variables import Variables


class Snapshot:
    """What a model holds, and what its code can reach beyond it, as they are now.

    Args:
        roots: further objects that forward may change, such as its arguments.
    """

    def __init__(self, model: nn.Module, roots: Sequence[object] = ()) -> None:
        inside = Inside(modules_of(model), roots)
        outside = Outside(inside)
        self._inside = _Copies(inside)
        self._outside = _Copies(outside)
        self._caches = [(cache, cache.cache_info()) for cache in outside.caches]

    @contextmanager
    def preserved(self, *, caches: bool = True) -> Iterator[None]:
        """Restore, on the way out, everything, and what `preserved_globals` restores.

        What lies outside of the model is left alone, unless it holds a proxy or a meta tensor. The values of tensors
        are not covered: no capture writes to them (`fxsummary.capture.symbolic.guard.Guard`).

        Args:
            caches: whether to clear each ``lru_cache`` that holds proxies or meta tensors; an interrupt always does.
        """
        try:
            with preserved_globals():
                yield
        except Exception:
            raise
        except BaseException:
            caches = True
            raise
        finally:
            with _without_interrupts():
                self._inside.restore()
                self._outside.restore_escaped()
                if caches:
                    self.clear_caches()

    def clear_caches(self) -> None:
        """Clear each ``lru_cache`` that has got a proxy or a meta tensor since."""
        for cache, before in self._caches:
            if cache.cache_info() != before and has_escaped(gc.get_referents(cache)):
                cache.cache_clear()


class _Copies:
    """The contents of containers and variables; almost always all is as it was, so that is checked first."""

    def __init__(self, found: Inside) -> None:
        self._empty = found.empty
        self._filled = found.containers
        self._copies = [each.copy() if type(each) in EXACT else copied(each) for each in self._filled]
        self._dicts = [each for each in self._filled if type(each) is dict]
        self._others = [(each, base_of(each)) for each in self._filled if type(each) is not dict]
        self._held = list(self._held_now())
        self._variables = found.variables
        self._values = [each.read() for each in found.variables]

    def _held_now(self) -> Iterator[Any]:
        """The keys and values of dicts, the items of other containers."""
        dicts, others = self._dicts, self._others
        keys = [*dicts, *[base.__iter__(each) for each, base in others]]
        values = [base.values(each) for each, base in others if issubclass(base, dict)]
        return chain(chain.from_iterable(keys), chain.from_iterable(map(dict.values, dicts)), *values)

    def _changed(self) -> Iterator[tuple[Any, Any]]:
        """The containers that do not hold what they held, each with its copy."""
        now = list(self._held_now())
        if len(now) != len(self._held) or not all(map(is_, now, self._held)):
            for container, copy in zip(self._filled, self._copies, strict=True):
                if not is_same(container, copy):
                    yield container, copy
        if any(self._empty):
            yield from (
                (container, {} if isinstance(container, dict) else ()) for container in self._empty if container
            )

    def _changed_variables(self) -> Iterator[tuple[Variables, dict[str, Any], dict[str, Any]]]:
        for variables, before in zip(self._variables, self._values, strict=True):
            now = variables.read()
            if not is_same(now, before):
                yield variables, before, now

    def restore(self) -> None:
        """Put everything back, in the order that it had."""
        for container, copy in self._changed():
            refill(container, copy)
        for variables, before, now in self._changed_variables():
            for name in [name for name in now if name not in before]:
                variables.delete(name)
            for name in [name for name in before if now.get(name, _ABSENT) is not before[name]]:
                variables.set(name, before[name])

    def restore_escaped(self) -> None:
        """Put back only what now holds a proxy or a meta tensor: other threads may change the rest meanwhile."""
        for container, copy in self._changed():
            if isinstance(copy, dict):
                _restore_items(container, copy)
            elif has_escaped(list(container)):
                refill(container, copy)
        for variables, before, now in self._changed_variables():
            for name, value in now.items():
                if value is not before.get(name, _ABSENT) and has_escaped([value]):
                    variables.set(name, before[name]) if name in before else variables.delete(name)


def _restore_items(container: dict[Any, Any], copy: dict[Any, Any]) -> None:
    changed = [(key, value) for key, value in dict.items(container) if value is not copy.get(key, _ABSENT)]
    for key, value in changed:
        if has_escaped([key, value]):
            if key in copy:
                container[key] = copy[key]
            else:
                del container[key]


_ABSENT = object()
_MAX_VISITED = 20_000


def has_escaped(values: Sequence[Any]) -> bool:
    """Whether these values are or hold, to any depth, a proxy of a trace or a meta tensor."""
    todo = list(values)
    seen: set[int] = set()
    while todo and len(seen) < _MAX_VISITED:
        value = todo.pop()
        kind = type(value)  # isinstance would ask the object
        if id(value) in seen or issubclass(kind, _NOT_ENTERED):
            continue
        seen.add(id(value))
        if issubclass(kind, fx.Proxy) or (issubclass(kind, torch.Tensor) and value.is_meta):
            return True
        todo += gc.get_referents(value)
    return False


_NOT_ENTERED: Any = (type, types.ModuleType, types.FunctionType, types.FrameType, types.CodeType, str, int, float)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back within, so that everything is put back; it takes effect afterwards."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    held: list[Any] = []
    handler = signal.signal(signal.SIGINT, lambda *call: held.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held and callable(handler):
            handler(*held[0])
