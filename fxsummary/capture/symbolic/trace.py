"""Traces the forward of a model symbolically, without building a GraphModule."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import replace

import torch
from torch.nn.utils.parametrize import type_before_parametrizations

from fxsummary.capture import source
from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.inputs.placeholders import copy_object, is_shared
from fxsummary.capture.restore.escaped import remove
from fxsummary.capture.results import Refusal, Trace
from fxsummary.capture.subject import Subject
from fxsummary.capture.symbolic.guard import Guard
from fxsummary.capture.symbolic.tracer import SymbolicTracer
from fxsummary.graph.spec import TensorSpec, map_structure


class _NotCopiedError(Exception):
    """An argument cannot be copied, so forward would change the user's object."""


def trace(subject: Subject, inputs: Inputs | None) -> Trace | Refusal:
    """Trace forward symbolically. Arguments of forward without an input keep their default.

    Args:
        inputs: which arguments are tensors; if None, every argument without a default is one.
    """
    if subject.is_leaf(subject.model, ""):
        return _one_operation(subject, inputs)
    try:
        if inputs is not None:
            inputs = replace(inputs, arguments=map_structure(_copied, dict(inputs.arguments)))
    except _NotCopiedError as error:
        return _refusal(str(error), "")
    tracer, guard = SymbolicTracer(subject, inputs), Guard()
    refusal = None
    with subject.snapshot.preserved():
        try:
            with torch.set_grad_enabled(torch.is_grad_enabled()), guard:
                graph = copy_context().run(tracer.run)  # context variables that forward sets stay in the copy
        except Exception as error:  # forward may do anything with a Proxy
            where, function = source.of_traceback(error.__traceback__)
            refusal = _refusal(_reason(error, function), where, Trace(tracer.graph))
        constants = {name: tensor for tensor, name in tracer.tensor_attrs.items() if isinstance(tensor, torch.Tensor)}
    made = frozenset(name for name, tensor in constants.items() if guard.has_made(tensor))
    if escaped := tracer.escaped():
        remove(escaped)
        refusal = refusal or _refusal("forward keeps a traced value outside of the model", "")
    return refusal or Trace(
        graph,
        constants,
        tracer.skipped_hooks,
        returned=tracer.returned,
        taken=tracer.taken,
        deaths=tracer.deaths,
        made=made,
    )


def _refusal(reason: str, where: str, partial: Trace | None = None) -> Refusal:
    return Refusal(f"symbolic tracing stopped{source.at(where)}: {reason}", partial)


def _one_operation(subject: Subject, inputs: Inputs | None) -> Trace:
    """Return the graph of a model that is itself a leaf, such as an ``nn.LSTM``."""
    tracer, model = SymbolicTracer(subject, inputs), subject.model
    args, kwargs = tracer.placeholders()
    name = type_before_parametrizations(model).__name__.lower()
    call = tracer.create_node("call_module", "", tracer.create_arg(args), tracer.create_arg(kwargs), name)
    tracer.create_node("output", "output", (call,), {})
    tracer.note_hooks(model, "")
    return Trace(tracer.graph, skipped_hooks=tracer.skipped_hooks)


def _copied(argument: object) -> object:
    """Copy an object that forward may change; refuse one that holds tensors, which tracing cannot see."""
    if isinstance(argument, TensorSpec) or is_shared(argument):
        return argument

    def refuse(tensor: torch.Tensor) -> object:
        raise _NotCopiedError(f"an input is a {type(argument).__name__}, and tracing cannot see its tensors")

    try:
        return copy_object(argument, refuse)
    except _NotCopiedError:
        raise
    except Exception as error:  # raised by the object's own code
        raise _NotCopiedError(f"an input is a {type(argument).__name__}, which cannot be copied") from error


def _reason(error: BaseException, function: str) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    first = next((plain for pattern, plain in _PLAIN_REASONS if pattern in first), first)
    return f"{first} (in {function})" if function else first


_PLAIN_REASONS = (
    ("symbolically traced variables cannot be used as inputs to control flow", "control flow depends on a tensor"),
    ("Proxy object cannot be iterated", "a tensor is iterated or unpacked"),
    ("'len' is not supported in symbolic tracing", "len() of a tensor is taken"),
    ("We cannot vmap over non-Tensor arguments", "torch.vmap takes no symbolic values"),
    ("Thing passed to transform API must be Tensor", "transforms of torch.func take no symbolic values"),
    ("'Proxy' object does not support item assignment", "elements of a tensor are assigned"),
)
