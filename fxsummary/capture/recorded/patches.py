"""Replaces functions of torch during a recording, and restores them afterwards.

A replacement affects only the thread of the recording.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from fxsummary.capture.recorded.calls import Calls
from fxsummary.capture.recorded.higher_order import TRANSFORMS, Answer
from fxsummary.capture.recorded.torch_calls import Function
from fxsummary.capture.structures import NESTED, Args, Kwargs
from fxsummary.capture.torch_internals import WRAPPED_FUNCTIONS, compiled_call, is_in_transform, transforms

_active = threading.local()


def _current() -> Calls | None:
    """Return the recording of this thread; None if its calls are not recorded now."""
    calls: Calls | None = getattr(_active, "calls", None)
    return None if calls is None or calls.quiet else calls


@contextmanager
def installed(calls: Calls) -> Iterator[None]:
    """Replace the functions that the modes of a recording do not see."""
    with ExitStack() as stack:
        replace = functools.partial(_replace, stack)
        replace(nn.Module, "__call__", lambda now, _, args, kwargs: now.module_call(args[0], args[1:], kwargs))
        for kind, answer in TRANSFORMS.items():
            for owner, name in transforms(kind):
                replace(owner, name, answer)
        _replace_applied(stack)
        # the mask that flex_attention makes if it gets none is not part of the model
        replace(sys.modules.get("torch.nn.attention.flex_attention"), "_create_empty_block_mask", Calls.unseen)
        for name in ("nested_tensor", "as_nested_tensor", "nested_tensor_from_jagged"):
            replace(torch.nested, name, _refuse)
        replace(torch, "compile", _without_compiling)
        replace(compiled_call(), "_hop_compile_and_call", lambda _, __, args, kwargs: _call_plainly(*args, **kwargs))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for (_, name), namespace in list(WRAPPED_FUNCTIONS.items()):  # as in symbolic tracing
            original = namespace.get(name)
            if callable(original):
                namespace[name] = _patched(original, Calls.whole_call)
                stack.callback(namespace.__setitem__, name, original)
        stack.callback(setattr, _active, "calls", getattr(_active, "calls", None))
        _active.calls = calls
        stack.callback(setattr, calls, "quiet", 1)  # functions of this recording may be called after it
        yield


def _patched(original: Function, answer: Answer) -> Function:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        calls = _current()
        return original(*args, **kwargs) if calls is None else answer(calls, original, args, kwargs)

    return call


def _replace(stack: ExitStack, owner: Any, name: str, answer: Answer) -> None:
    original = vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)
    if original is not None:
        setattr(owner, name, _patched(original, answer))
        stack.callback(setattr, owner, name, original)


def _replace_applied(stack: ExitStack) -> None:
    """Note each call of a `torch.autograd.Function`, because it has its own backward pass."""
    original: Any = vars(torch.autograd.Function)["apply"]

    def apply(function: Any, *args: Any, **kwargs: Any) -> Any:
        calls = _current()
        result = original.__get__(None, function)(*args, **kwargs)
        if calls is not None and torch.is_grad_enabled() and not is_in_transform():
            calls.unseen(calls.derivatives.applied, (function, args, result), {})
        return result

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment]
    stack.callback(setattr, torch.autograd.Function, "apply", original)


def _refuse(*_: Any) -> None:
    """Stop before torch makes a nested tensor, because torch keeps its parts in a global."""
    raise NotImplementedError(NESTED)


def _without_compiling(_: Calls, __: Function, args: Args, kwargs: Kwargs) -> Any:
    """Answer ``torch.compile``: return the model, or a decorator that returns it."""
    model = args[0] if args else kwargs.get("model")
    return model if model is not None else lambda function: function


def _call_plainly(function: Function, args: Any, kwargs: Any = None) -> Any:
    return function(*args, **(kwargs or {}))
