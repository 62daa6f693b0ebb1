"""Capture: from a model (and example inputs) to a ``torch.fx.Graph`` with specs and FLOPs.

`fxsummary.capture.strategy` chooses how. A partial answer beats an exception; an exception is for input that is
wrong. Each strategy is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any

from torch import nn

from fxsummary.capture.inputs.example import Inputs, bind
from fxsummary.capture.results import Capture
from fxsummary.capture.strategy import capture_shapes, choose
from fxsummary.capture.subject import Leaf, Subject
from fxsummary.errors import ForwardError, InputError
from fxsummary.support.gc_pause import paused

_lock = RLock()
"""Tracing patches ``nn.Module.__call__`` for its duration, as torch.fx does: one capture at a time."""


@paused()
def capture(
    model: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_shape: Any = None,
    input_dtype: Any = None,
    trace: str = "auto",
    leaf: Leaf | None = None,
    replay: bool = True,
) -> Capture:
    """Capture a model; the arguments are those of `fxsummary.graph`.

    Raises:
        InputError: the inputs do not fit forward, or an operation refuses them.
        ForwardError: forward raised.
    """
    with _lock:
        subject = Subject(model, leaf, trace, replay, (args, kwargs))
        try:
            inputs = _given_inputs(model, args, kwargs, input_shape, input_dtype)
            if input_shape is None:
                return choose(subject, inputs)
            return capture_shapes(subject, input_shape, input_dtype)
        except (InputError, ForwardError) as error:
            from fxsummary.capture.inputs.hints import add_hints

            add_hints(error, args)
            raise


def capture_exported(program: Any, leaf: Leaf | None = None) -> Capture:
    """Capture a `torch.export.ExportedProgram`."""
    from fxsummary.capture import exported

    with _lock:
        return exported.read(program, leaf)


def is_exported(value: object) -> bool:
    """Whether a value is a `torch.export.ExportedProgram`; told without importing torch.export."""
    return any(
        kind.__name__ == "ExportedProgram" and kind.__module__.startswith("torch.") for kind in type(value).__mro__
    )


def _given_inputs(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None, input_shape: Any, input_dtype: Any
) -> Inputs | None:
    if input_dtype is not None and input_shape is None:
        raise InputError("input_dtype= goes with input_shape=, which is not given.")
    if not args and not kwargs:
        return None
    if input_shape is not None:
        raise InputError("both example inputs and input_shape= are given; pass one of them.")
    return bind(model, args, kwargs or {})


__all__ = ["Capture", "Inputs", "Leaf", "capture"]
