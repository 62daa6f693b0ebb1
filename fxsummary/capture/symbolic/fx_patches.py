"""What torch.fx replaces while it traces, replaced for a tracer of ours: calls of modules, attributes, functions."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn

from fxsummary.capture.torch_internals import MODULE_CALL, MODULE_GETATTR, autowrapped, fx_tracing, wrapped_function


class Tracer(Protocol):
    """What the replacements need of a tracer."""

    def call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def attribute(self, tensor: torch.Tensor) -> Any: ...


class Functions:
    """Makes functions of ``math`` one operation, in the modules of Python that a forward was written in."""

    def __init__(self, patcher: Any, wanted: set[int]) -> None:
        self._patcher = patcher
        self._wanted = wanted
        self._seen: set[int] = set()

    def wrap(self, forward: Any) -> None:
        """Replace what a function sees of them as global names."""
        namespace = getattr(forward, "__globals__", None)
        if namespace is None or id(namespace) in self._seen:
            return
        self._seen.add(id(namespace))
        self.wrap_in(namespace)

    def wrap_in(self, namespace: dict[str, Any]) -> None:
        """Replace them in a namespace."""
        for name, value in [item for item in namespace.items() if id(item[1]) in self._wanted]:
            if not name.startswith("_"):
                self._patcher.patch(namespace, name, wrapped_function(value))


@contextmanager
def traced(tracer: Tracer) -> Iterator[Functions]:
    """Show the tracer what is called in this thread; other threads are left alone."""
    with fx_tracing() as patcher:
        _patch_modules(patcher, tracer)
        functions = Functions(patcher, autowrapped(tracer))
        functions.wrap_in(vars(math))
        yield functions


def _patch_modules(patcher: Any, tracer: Tracer) -> None:
    original_call, original_getattr = MODULE_CALL, MODULE_GETATTR
    thread = threading.get_ident()

    @functools.wraps(original_call)
    def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            return original_call(module, *args, **kwargs)
        return tracer.call(module, args, kwargs)

    @functools.wraps(original_getattr)
    def attribute(module: nn.Module, name: str) -> Any:
        value = original_getattr(module, name)
        if isinstance(value, torch.Tensor) and threading.get_ident() == thread:
            return tracer.attribute(value)
        return value

    patcher.patch_method(nn.Module, "__getattr__", attribute, deduplicate=False)
    patcher.patch_method(nn.Module, "__call__", call, deduplicate=False)
