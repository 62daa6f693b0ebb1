"""What is replaced in torch while a recording runs, and put back after it.

Each replacement looks for the recording of its own thread and leaves all other threads alone.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.flop_count import uncounted
from fxsummary.capture.recorded.calls import Calls
from fxsummary.capture.recorded.transforms import Transform
from fxsummary.capture.structures import NESTED
from fxsummary.capture.torch_internals import WRAPPED_FUNCTIONS, compiled_call, transforms

Function = Callable[..., Any]
Seen = Callable[[Calls, Function, tuple[Any, ...], dict[str, Any]], Any]
"""What a recording does for a call: it gets itself, the function, and the arguments."""

_active = threading.local()


def _current() -> Calls | None:
    """The recording of this thread, if it records what is called now."""
    calls: Calls | None = getattr(_active, "calls", None)
    return calls if calls is not None and calls.is_listening else None


@contextmanager
def installed(calls: Calls) -> Iterator[None]:
    """Replace what a recording must see."""
    with ExitStack() as stack:
        replace = functools.partial(_replace, stack)
        replace(nn.Module, "__call__", lambda now, _, args, kwargs: now.module_call(args[0], args[1:], kwargs))
        for owner, name, seen in ((*each, seen) for kind, seen in _TRANSFORMS.items() for each in transforms(kind)):
            replace(owner, name, seen)
        _replace_applied(stack)
        # the mask that flex_attention makes if it is given none is no operation of the model's
        replace(sys.modules.get("torch.nn.attention.flex_attention"), "_create_empty_block_mask", Calls.unseen)
        for name in ("nested_tensor", "as_nested_tensor", "nested_tensor_from_jagged"):
            replace(torch.nested, name, _refuse)
        replace(torch, "compile", _as_it_is)
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
        yield


def _patched(original: Function, seen: Seen) -> Function:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        calls = _current()
        return original(*args, **kwargs) if calls is None else seen(calls, original, args, kwargs)

    return call


def _replace(stack: ExitStack, owner: Any, name: str, seen: Seen) -> None:
    original = vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)
    if original is not None:
        setattr(owner, name, _patched(original, seen))
        stack.callback(setattr, owner, name, original)


def _replace_applied(stack: ExitStack) -> None:
    """Functions that bring their own backward pass; what they call is recorded as it is."""
    original: Any = vars(torch.autograd.Function)["apply"]

    def apply(function: Any, *args: Any, **kwargs: Any) -> Any:
        calls = _current()
        result = original.__get__(None, function)(*args, **kwargs)
        if calls is not None:
            calls.function_applied(function, args, result)
        return result

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment]
    stack.callback(setattr, torch.autograd.Function, "apply", original)


def _refuse(*_: Any) -> None:
    """Nested tensors, which end a recording, are not made: torch keeps what they are made of in a global."""
    raise NotImplementedError(NESTED)


def _as_it_is(_: Calls, __: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What ``torch.compile`` wraps runs as it was written."""
    model = args[0] if args else kwargs.get("model")
    return model if model is not None else lambda function: function


def _call_plainly(function: Function, args: Any, kwargs: Any = None) -> Any:
    return function(*args, **(kwargs or {}))


# --- transforms of torch.func ----------------------------------------------------------------------


def _map(calls: Calls, original: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``vmap``, whose settings come before the arguments."""
    function, fixed, args = args[0], args[1:5], args[5:]
    transform = Transform("vmap", lambda inner, *values, **named: original(inner, *fixed, *values, **named), function)
    return calls.higher_order.transform(transform, args, kwargs)


def _grad(calls: Calls, original: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``grad`` and ``grad_and_value``, whose settings come before the arguments, these in a tuple and a dict."""
    function, *fixed, args, named = args
    name = original.__name__.removesuffix("_impl")
    transform = Transform(name, lambda inner, *values, **given: original(inner, *fixed, values, given), function)
    return calls.higher_order.transform(transform, args, {**named, **kwargs})


def _vjp(calls: Calls, original: Function, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``vjp``, and so ``jacrev``: one operation for the function, and one each time its derivative is asked for."""
    function, *primals = args

    def forward(inner: Any, *values: Any) -> Any:
        value, _, *aux = original(inner, *values, **options)
        return (value, *aux)

    def backward(inner: Any, values: Any, cotangents: Any) -> Any:
        with uncounted():  # the function has run
            _, derivative, *_ = original(inner, *values, **options)
        return derivative(cotangents)

    def derivative(cotangents: Any, **_: Any) -> Any:
        calls = _current()
        if calls is None:
            return backward(function, tuple(primals), cotangents)
        transform = Transform("vjp", backward, function)
        return calls.higher_order.transform(transform, (tuple(primals), cotangents), {})

    value, *aux = calls.higher_order.transform(Transform("vjp", forward, function), tuple(primals), {})
    return (value, derivative, *aux)


def _jvp(calls: Calls, original: Function, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    function, primals, tangents, *settings = args
    transform = Transform("jvp", lambda inner, *given: original(inner, *given, *settings, **options), function)
    return calls.higher_order.transform(transform, (primals, tangents), {})


_TRANSFORMS: dict[str, Seen] = {"vmap": _map, "grad": _grad, "vjp": _vjp, "jvp": _jvp}
