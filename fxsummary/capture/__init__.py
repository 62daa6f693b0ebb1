"""Capture: from a model (and example inputs) to a ``torch.fx.Graph`` with specs and FLOPs.

`fxsummary.capture.strategy` chooses how. Exceptions are for wrong input; anything else gives at least a partial graph.
Each strategy is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any

from torch import nn

from fxsummary.capture import notes
from fxsummary.capture.inputs.example import Inputs, bind
from fxsummary.capture.results import Capture
from fxsummary.capture.strategy import capture_shapes, choose
from fxsummary.capture.subject import Leaf, Subject
from fxsummary.errors import ForwardError, InputError
from fxsummary.support.gc_pause import paused

_lock = RLock()
"""Allows one capture at a time, because tracing patches ``nn.Module.__call__``, as torch.fx does."""


@paused()
def capture(
    model: nn.Module,
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    *,
    input_shape: object = None,
    input_dtype: object = None,
    trace: str = "auto",
    leaf: Leaf | None = None,
    replay: bool = True,
) -> Capture:
    """Capture a model; the arguments are those of `fxsummary.graph`.

    Raises:
        InputError: the inputs do not fit forward, or an operation rejects them.
        ForwardError: forward raised.
    """
    with _lock:
        subject = Subject(model, leaf, trace, replay, (args, kwargs))
        try:
            if input_shape is None and input_dtype is None:
                return choose(subject, bind(model, args, kwargs or {}) if args or kwargs else None)
            if input_shape is None:
                raise InputError("input_dtype= needs input_shape=: pass both.")
            if args or kwargs:
                raise InputError("got both example inputs and input_shape=: pass one of them.")
            return capture_shapes(subject, input_shape, input_dtype)
        except (InputError, ForwardError) as error:
            notes.add_hints(error, args)
            raise


def result_of(model: nn.Module, kwargs: Mapping[str, object]) -> Any:
    """Return what forward returns for inputs, as it is, with new meta tensors in it.

    It runs as in a recording: nothing of the model changes.
    """
    from fxsummary.capture.recorded import recorder

    with _lock:
        return recorder.result_of(Subject(model, None, "record", True, ((), kwargs)), bind(model, (), kwargs))


def capture_exported(program: Any, leaf: Leaf | None = None) -> Capture:
    """Capture a `torch.export.ExportedProgram`."""
    from fxsummary.capture import exported

    with _lock:
        return exported.read(program, leaf)


def is_exported(value: object) -> bool:
    """Whether a value is a `torch.export.ExportedProgram`; checked without importing torch.export."""
    return any(
        kind.__name__ == "ExportedProgram" and kind.__module__.startswith("torch.") for kind in type(value).__mro__
    )


__all__ = ["Capture", "Inputs", "Leaf", "capture"]
