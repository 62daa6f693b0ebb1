"""Runs forward once on a meta twin, to see whether it raises and to materialize lazy modules."""

from __future__ import annotations

from collections.abc import Iterable
from traceback import walk_tb

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

from fxsummary.capture import source
from fxsummary.capture.inputs.example import Inputs, describe, forward_signature
from fxsummary.capture.module_index import first_paths, modules_by_path, tensors_in_modules
from fxsummary.capture.operations.twins import META, Twins
from fxsummary.capture.structures import is_limit_of_meta
from fxsummary.capture.subject import Subject
from fxsummary.errors import ForwardError


def has_lazy(modules: Iterable[nn.Module]) -> bool:
    """Whether any parameter or buffer gets its shape only from the first input."""
    return any(issubclass(kind, UninitializedTensorMixin) for kind in set(map(type, tensors_in_modules(modules))))


def run(subject: Subject, inputs: Inputs) -> nn.Module:
    """Run forward on a meta twin of the model, as far as it gets without tensor values.

    The model itself does not change.

    Returns:
        The twin, in which the lazy modules that ran are materialized.

    Raises:
        ForwardError: forward raised.
        NoTwinError: no twin can be made.
    """
    twin = Twins().module(subject.model)
    try:
        with subject.snapshot.preserved(), torch.no_grad(), torch.device(META):
            inputs.on_meta(twin, forward_signature(twin))
    except Exception as error:  # forward is the user's code
        if not is_limit_of_meta(error):
            raise error_of(twin, inputs, error) from error
    return twin


def error_of(model: nn.Module, inputs: Inputs, error: Exception) -> ForwardError:
    """Return the error to raise for an exception that the forward of ``model`` raised."""
    paths = first_paths(modules_by_path(model))
    owners = [frame.f_locals.get("self") for frame, _ in walk_tb(error.__traceback__)]
    inside = [(paths[id(each)], type(each).__name__) for each in owners if id(each) in paths]
    path, kind = inside[-1] if inside else ("", "")
    where, _ = source.of_traceback(error.__traceback__)
    place = f"in {path!r} ({kind})" if path else f"in {type(model).__name__} itself"
    return ForwardError(
        f"forward of {type(model).__name__} raised {type(error).__name__}: {error}\n"
        f"  {place}{f', at {where}' if where else ''}, with inputs {describe(inputs)}.\n"
        "  fxsummary ran forward on tensors without data. If the model itself accepts these inputs, show the module\n"
        "  as one operation with leaf=; otherwise pass inputs that it accepts.",
        module=path,
        source=where,
    )
