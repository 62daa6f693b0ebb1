"""Patches during tracing, as in torch.fx: module calls, module attributes and wrapped functions go to our tracer."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fxsummary.capture.torch_internals import MODULE_CALL, MODULE_GETATTR, autowrapped, fx_tracing, wrapped_function

if TYPE_CHECKING:
    from fxsummary.capture.symbolic.tracer import SymbolicTracer


@contextmanager
def traced(tracer: SymbolicTracer) -> Iterator[Callable[[dict[str, object]], None]]:
    """Redirect module calls and attributes in this thread to the tracer; other threads are not affected.

    Yields a function that wraps the ``math`` functions in a namespace as single operations.
    """
    with fx_tracing() as patcher:
        _patch_modules(patcher, tracer)
        original: Any = vars(torch.autograd.Function)["apply"]
        torch.autograd.Function.apply = classmethod(_noting_apply(tracer, original))  # type: ignore[assignment]
        wanted, seen = autowrapped(tracer), set[int]()

        def wrap(namespace: dict[str, object]) -> None:
            if id(namespace) in seen:
                return
            seen.add(id(namespace))
            for name, value in [item for item in namespace.items() if id(item[1]) in wanted]:
                if not name.startswith("_"):
                    patcher.patch(namespace, name, wrapped_function(value))

        wrap(vars(math))
        try:
            yield wrap
        finally:
            torch.autograd.Function.apply = original  # type: ignore[method-assign]


def _patch_modules(patcher: Any, tracer: SymbolicTracer) -> None:
    original_call, original_getattr = MODULE_CALL, MODULE_GETATTR
    thread = threading.get_ident()

    @functools.wraps(original_call)
    def call(module: nn.Module, /, *args: object, **kwargs: object) -> object:
        if threading.get_ident() != thread:
            return original_call(module, *args, **kwargs)
        return tracer.call(module, args, kwargs)

    @functools.wraps(original_getattr)
    def attribute(module: nn.Module, name: str) -> object:
        value = original_getattr(module, name)
        if isinstance(value, torch.Tensor) and threading.get_ident() == thread:
            return tracer.attribute(value)
        return value

    patcher.patch_method(nn.Module, "__getattr__", attribute, deduplicate=False)
    patcher.patch_method(nn.Module, "__call__", call, deduplicate=False)


def _noting_apply(tracer: SymbolicTracer, original: Any) -> Callable[..., Any]:
    """Return ``Function.apply`` of torch.autograd that also tells the tracer, because such calls have a derivative."""
    thread = threading.get_ident()

    def apply(function: Any, *args: Any, **kwargs: Any) -> Any:
        result = original.__get__(None, function)(*args, **kwargs)
        if threading.get_ident() == thread and torch.is_grad_enabled():
            tracer.note_applied(function, args, result)
        return result

    return apply
