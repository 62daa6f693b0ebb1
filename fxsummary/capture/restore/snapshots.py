"""Snapshots of everything that forward may change, to restore it afterwards."""

from __future__ import annotations

import gc
import signal
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.restore.holders import Variables, base_of, copied, is_same, of_dict, refill
from fxsummary.capture.restore.reach import Found, Reach
from fxsummary.capture.restore.torch_state import preserved_globals


class Snapshot:
    """The current state of a model and of everything that its code can reach.

    Args:
        modules: all modules of the model.
        roots: further objects that forward may change, such as its arguments.
    """

    def __init__(self, modules: Sequence[nn.Module], roots: Sequence[object] = ()) -> None:
        reach = Reach(modules, roots)
        self._inside, self._outside = _Copies(reach.inside), _Copies(reach.outside)
        self._caches = [(cache, cache.cache_info()) for cache in reach.caches]

    @contextmanager
    def preserved(self, *, caches: bool = True) -> Iterator[None]:
        """Restore everything on exit, including the globals of `preserved_globals`.

        Objects outside the model are restored only if they hold a proxy or a meta tensor. Tensor values are not
        covered, because no capture writes to them (`fxsummary.capture.symbolic.guard.Guard`).

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
                self._outside.restore(only_escaped=True)
                if caches:
                    self.clear_caches()

    def clear_caches(self) -> None:
        """Clear each ``lru_cache`` that has received a proxy or a meta tensor since the snapshot."""
        for cache, before in self._caches:
            if cache.cache_info() != before and has_escaped(gc.get_referents(cache)):
                cache.cache_clear()


class _Copies:
    """Copies of the contents of containers and variables; empty containers need no copy."""

    def __init__(self, found: Found) -> None:
        self._empty = found.empty
        self._filled: list[tuple[Any, Any]] = [(each, copied(each)) for each in found.containers]
        self._variables = found.variables
        self._values = [each.read() for each in found.variables]

    def restore(self, only_escaped: bool = False) -> None:
        """Restore all contents, in their original order.

        Args:
            only_escaped: restore only what now holds a proxy or a meta tensor; other threads may change the rest.
        """
        changed = [(container, copy) for container, copy in self._filled if not is_same(container, copy)]
        for container, copy in [*changed, *[(each, base_of(each)()) for each in self._empty if each]]:
            if only_escaped and isinstance(copy, dict):
                _put_back(of_dict(container), copy, only_escaped)
            elif not only_escaped or has_escaped(list(container)):
                refill(container, copy)
        for variables, before in zip(self._variables, self._values, strict=True):
            if not is_same(variables.read(), before):
                _put_back(variables, before, only_escaped)


def _put_back(variables: Variables, before: Mapping[Any, object], only_escaped: bool) -> None:
    now = variables.read()
    changed = [name for name in {**now, **before} if now.get(name, _ABSENT) is not before.get(name, _ABSENT)]
    for name in changed:
        if only_escaped and not has_escaped([name, now.get(name)]):
            continue
        if name in before:
            variables.set(name, before[name])
        else:
            variables.delete(name)


_ABSENT = object()
_MAX_VISITED = 20_000


def has_escaped(values: Sequence[Any]) -> bool:
    """Whether these values are or contain, at any depth, a proxy or a meta tensor."""
    todo = list(values)
    seen: set[int] = set()
    while todo and len(seen) < _MAX_VISITED:
        value = todo.pop()
        kind = type(value)  # isinstance may run the object's code
        if id(value) in seen or issubclass(kind, _NOT_ENTERED):
            continue
        seen.add(id(value))
        if issubclass(kind, fx.Proxy) or (issubclass(kind, torch.Tensor) and value.is_meta):
            return True
        todo += gc.get_referents(value)
    return False


_NOT_ENTERED: tuple[type, ...] = (
    type, types.ModuleType, types.FunctionType, types.FrameType, types.CodeType, str, int, float,
)  # fmt: skip


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Delay Ctrl-C until the end of the context, so that everything is restored first."""
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
