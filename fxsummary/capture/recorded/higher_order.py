"""Answers calls that take functions: transforms of torch.func, and operators such as ``cond``, ``flex_attention``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from fxsummary.capture.operations.flop_count import uncounted
from fxsummary.capture.operations.run import NoDataError, RefusedError
from fxsummary.capture.operations.traits import formula
from fxsummary.capture.recorded.torch_calls import Function
from fxsummary.capture.recorded.transforms import Transform
from fxsummary.capture.structures import Args, Kwargs, map_values
from fxsummary.capture.torch_internals import in_python, is_in_transform, without_modes

if TYPE_CHECKING:
    from fxsummary.capture.recorded.calls import Calls


Answer = Callable[["Calls", Function, Args, Kwargs], Any]
"""Answers a call: takes the recording, the original function, and the arguments."""


def operator(calls: Calls, function: Any, args: Args, kwargs: Kwargs) -> Any:
    """Answer a call of a higher-order operator.

    ``cond`` and ``while_loop`` follow the values. An operator with a formula, such as ``flex_attention``, is one
    operation. Any other operator shows the calls that it makes.
    """
    name = function.name() if callable(function.name) else function.name
    with calls.functions:
        if name == "cond" and len(args) == 4:
            condition, if_true, if_false, operands = args
            return (if_true if bool(condition) else if_false)(*operands)
        if name == "while_loop" and len(args) >= 3:
            return _loop(*args)
    written_out = in_python(function)
    if written_out is not None and formula(function) is None:
        with without_modes(), calls.functions:
            return written_out(*args, **kwargs)
    whole = Transform(
        name,
        lambda inner: function(*inner, **kwargs),
        args,
        is_input=calls.writer.tensors.is_named,
        reading=written_out and (lambda inner: written_out(*inner, **kwargs)),
    )
    return _record(calls, whole, (), {})


def _loop(condition: Any, body: Any, carried: Args, more: Args = (), *_: Any) -> Args:
    while bool(condition(*carried, *more)):
        carried = tuple(body(*carried, *more))
    return carried


def _record(calls: Calls, transform: Transform, args: Args, kwargs: Kwargs) -> Any:
    """Record a transform as one operation; a transform inside another is part of it."""
    if is_in_transform():
        return transform(transform.take_captured(), *args, **kwargs)
    if transform.of_modules:
        calls.unseen(_find_reads, (calls, transform, args, kwargs), {})
    return calls.operation(transform, (transform.take_captured(), *args), kwargs)


def _find_reads(calls: Calls, transform: Transform, args: Args, kwargs: Kwargs) -> None:
    """Run a transform once on meta, to see which parameters it reads."""

    def spec(value: object) -> object:
        return calls.writer.tensors.of(value).spec if isinstance(value, torch.Tensor) else value

    specs = map_values(spec, (tuple(transform.captured.values()), *args)), map_values(spec, kwargs)
    with suppress(NoDataError, RefusedError):
        calls.operations.run(transform.read, *specs)


# --- transforms of torch.func ----------------------------------------------------------------------


def _vmap(calls: Calls, original: Function, args: Args, kwargs: Kwargs) -> Any:
    """Answer ``vmap``, whose settings precede the arguments."""
    function, fixed, args = args[0], args[1:5], args[5:]
    transform = Transform("vmap", lambda inner, *values, **named: original(inner, *fixed, *values, **named), function)
    return _record(calls, transform, args, kwargs)


def _grad(calls: Calls, original: Function, args: Args, kwargs: Kwargs) -> Any:
    """Answer ``grad`` or ``grad_and_value``, whose settings precede a tuple and a dict of arguments."""
    function, *fixed, args, named = args
    name = original.__name__.removesuffix("_impl")
    transform = Transform(name, lambda inner, *values, **given: original(inner, *fixed, values, given), function)
    return _record(calls, transform, args, {**named, **kwargs})


def _vjp(calls: Calls, original: Function, args: Args, options: Kwargs) -> Any:
    """Answer ``vjp`` and ``jacrev``: one operation for the function, and one for each call of its derivative."""
    function, *primals = args

    def forward(inner: Any, *values: Any) -> Any:
        value, _, *aux = original(inner, *values, **options)
        return (value, *aux)

    def backward(inner: Any, values: Any, cotangents: Any) -> Any:
        with uncounted():  # the function has run
            _, derivative, *_ = original(inner, *values, **options)
        return derivative(cotangents)

    def derivative(cotangents: Any, **_: Any) -> Any:
        if calls.quiet:
            return backward(function, tuple(primals), cotangents)
        return _record(calls, Transform("vjp", backward, function), (tuple(primals), cotangents), {})

    value, *aux = _record(calls, Transform("vjp", forward, function), tuple(primals), {})
    return (value, derivative, *aux)


def _jvp(calls: Calls, original: Function, args: Args, options: Kwargs) -> Any:
    function, primals, tangents, *settings = args
    transform = Transform("jvp", lambda inner, *given: original(inner, *given, *settings, **options), function)
    return _record(calls, transform, (primals, tangents), {})


TRANSFORMS: dict[str, Answer] = {"vmap": _vmap, "grad": _grad, "vjp": _vjp, "jvp": _jvp}
"""How to answer the transforms of torch.func, by kind (see `torch_internals.transforms`)."""
