"""What is replaced in torch while a recording runs, and put back after it.

Each replacement looks for the recorder of its own thread and leaves all other threads alone.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import torch
from torch import nn

from fxsummary.capture.operations.flops import uncounted
from fxsummary.capture.recorded.transforms import Transform
from fxsummary.capture.structures import NESTED
from fxsummary.capture.torch_internals import WRAPPED_FUNCTIONS


class Recording(Protocol):
    """What the replacements need of a recorder."""

    @property
    def is_listening(self) -> bool: ...
    def module_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def whole_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def unseen(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def function_applied(self, function: Any, args: tuple[Any, ...], result: Any) -> None: ...
    def transform_call(self, transform: Transform, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...


_active = threading.local()


def current() -> Recording | None:
    """The recorder of this thread, if it is recording what is called now."""
    recorder: Recording | None = getattr(_active, "recorder", None)
    return recorder if recorder is not None and recorder.is_listening else None


@contextmanager
def installed(recorder: Recording) -> Iterator[None]:
    """Replace what a recording must see."""
    with ExitStack() as stack:
        for patch in (_module_calls, _transforms, _applied, _empty_masks, _nested, _compilers, _wrapped_functions):
            patch(stack)
        outer = getattr(_active, "recorder", None)
        _active.recorder = recorder
        stack.callback(setattr, _active, "recorder", outer)
        yield


def _replace(stack: ExitStack, owner: Any, name: str, replacement: Any) -> None:
    original = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, replacement)
    stack.callback(setattr, owner, name, original)


def _module_calls(stack: ExitStack) -> None:
    original = nn.Module.__call__

    def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        return original(module, *args, **kwargs) if recorder is None else recorder.module_call(module, args, kwargs)

    _replace(stack, nn.Module, "__call__", call)


def _transforms(stack: ExitStack) -> None:
    """``vmap`` and ``grad`` of torch.func: one operation each."""
    for place, name, is_map in (
        ("torch._functorch.apis", "vmap_impl", True),
        ("torch._functorch.eager_transforms", "grad_impl", False),
        ("torch._functorch.eager_transforms", "grad_and_value_impl", False),
    ):
        owner = importlib.import_module(place)
        if hasattr(owner, name):
            _replace(stack, owner, name, _transform(getattr(owner, name), name.removesuffix("_impl"), is_map))
    owner = importlib.import_module("torch._functorch.eager_transforms")
    if hasattr(owner, "_vjp_with_argnums") and hasattr(owner, "_jvp_with_argnums"):
        _replace(stack, owner, "_vjp_with_argnums", _vjp(owner._vjp_with_argnums))
        _replace(stack, owner, "_jvp_with_argnums", _jvp(owner._jvp_with_argnums))


def _transform(original: Callable[..., Any], name: str, is_map: bool) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(function: Any, *settings: Any, **options: Any) -> Any:
        recorder = current()
        if recorder is None:
            return original(function, *settings, **options)
        if is_map:
            fixed, args, kwargs = settings[:4], settings[4:], options
        else:
            fixed, args, kwargs = settings[:-2], settings[-2], {**settings[-1], **options}

        def implementation(inner: Any, *values: Any, **named: Any) -> Any:
            return original(inner, *fixed, *values, **named) if is_map else original(inner, *fixed, values, named)

        return recorder.transform_call(Transform(name, implementation, function), args, kwargs)

    return call


def _vjp(original: Callable[..., Any]) -> Callable[..., Any]:
    """``vjp``, and so ``jacrev``: one operation for the function, and one each time its derivative is asked for."""

    @functools.wraps(original)
    def call(function: Any, *primals: Any, **options: Any) -> Any:
        recorder = current()
        if recorder is None:
            return original(function, *primals, **options)

        def forward(inner: Any, *values: Any) -> Any:
            value, _, *aux = original(inner, *values, **options)
            return (value, *aux)

        def backward(inner: Any, values: Any, cotangents: Any) -> Any:
            with uncounted():  # the function has run
                _, derivative, *_ = original(inner, *values, **options)
            return derivative(cotangents)

        def derivative(cotangents: Any, **_: Any) -> Any:
            recorder = current()
            if recorder is None:
                return backward(function, primals, cotangents)
            return recorder.transform_call(Transform("vjp", backward, function), (primals, cotangents), {})

        value, *aux = recorder.transform_call(Transform("vjp", forward, function), primals, {})
        return (value, derivative, *aux)

    return call


def _jvp(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(function: Any, primals: Any, tangents: Any, *settings: Any, **options: Any) -> Any:
        recorder = current()
        if recorder is None:
            return original(function, primals, tangents, *settings, **options)

        def implementation(inner: Any, values: Any, directions: Any) -> Any:
            return original(inner, values, directions, *settings, **options)

        return recorder.transform_call(Transform("jvp", implementation, function), (primals, tangents), {})

    return call


def _applied(stack: ExitStack) -> None:
    """Functions that bring their own backward pass; what they call is recorded as it is."""
    original: Any = vars(torch.autograd.Function)["apply"]

    def apply(function: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        result = original.__get__(None, function)(*args, **kwargs)
        if recorder is not None:
            recorder.function_applied(function, args, result)
        return result

    _replace(stack, torch.autograd.Function, "apply", classmethod(apply))


def _empty_masks(stack: ExitStack) -> None:
    """The mask that ``flex_attention`` makes where it is given none is no operation of the model's."""
    owner = sys.modules.get("torch.nn.attention.flex_attention")
    original = getattr(owner, "_create_empty_block_mask", None)
    if original is None:
        return

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = current()
        return original(*args, **kwargs) if recorder is None else recorder.unseen(original, args, kwargs)

    _replace(stack, owner, "_create_empty_block_mask", call)


def _nested(stack: ExitStack) -> None:
    """Nested tensors, which end a recording, are not made: torch keeps what they are made of in a global."""
    for name in ("nested_tensor", "as_nested_tensor", "nested_tensor_from_jagged"):
        original = getattr(torch.nested, name, None)
        if original is not None:
            _replace(stack, torch.nested, name, _refused(original))


def _refused(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if current() is None:
            return original(*args, **kwargs)
        raise NotImplementedError(NESTED)

    return call


def _compilers(stack: ExitStack) -> None:
    """Functions that torch.compile wraps, now or before, run as they were written."""
    compile_function = torch.compile

    @functools.wraps(compile_function)
    def as_it_is(model: Any = None, **options: Any) -> Any:
        if current() is None:
            return compile_function(model, **options)
        return model if model is not None else lambda function: function

    _replace(stack, torch, "compile", as_it_is)
    if "torch._dynamo" in sys.modules:
        stack.enter_context(torch.compiler.set_stance("force_eager"))
    utils: Any = importlib.import_module("torch._higher_order_ops.utils")
    original = getattr(utils, "_hop_compile_and_call", None)
    if original is not None:

        def call(function: Any, args: Any, kwargs: Any = None) -> Any:
            if current() is None:
                return original(function, args, kwargs)
            return function(*args, **(kwargs or {}))

        _replace(stack, utils, "_hop_compile_and_call", call)


def _wrapped_functions(stack: ExitStack) -> None:
    """Functions wrapped by ``torch.fx.wrap`` are one operation, as in symbolic tracing."""
    for (_, name), namespace in list(WRAPPED_FUNCTIONS.items()):
        original = namespace.get(name)
        if callable(original):
            namespace[name] = _whole(original)
            stack.callback(namespace.__setitem__, name, original)


def _whole(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = current()
        return original(*args, **kwargs) if recorder is None else recorder.whole_call(original, args, kwargs)

    return call
