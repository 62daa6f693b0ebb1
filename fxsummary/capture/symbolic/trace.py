"""Symbolic capture: a `torch.fx.Tracer` that keeps what it passes, and builds no GraphModule."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from fxsummary.capture import source
from fxsummary.capture.inputs.example import Inputs, model_device
from fxsummary.capture.inputs.placeholders import copy_object, is_shared
from fxsummary.capture.restore import preserved
from fxsummary.capture.restore.escaped import remove
from fxsummary.capture.restore.write_guard import WriteGuard
from fxsummary.capture.symbolic.tracer import Leaf, SymbolicTracer, default_leaf
from fxsummary.graph.spec import TensorSpec, map_structure


@dataclass
class Trace:
    """A traced FX graph with what is needed to read it.

    Attributes:
        graph: its nodes carry `STACK` and `SOURCE` in their meta.
        constants: tensors that are no parameter or buffer, by the get_attr target that refers to them.
        skipped_hooks: paths of modules with hooks that were not run.
        given: the input tensors by placeholder, where a recording was given them.
        returned: for each call of a module that was entered, by its key in the stack, its entry there and what it
            returned: `Returned`, or, of a symbolic trace, a structure of nodes.
    """

    graph: fx.Graph
    constants: dict[str, torch.Tensor] = field(default_factory=dict)
    skipped_hooks: list[str] = field(default_factory=list)
    given: dict[fx.Node, torch.Tensor] = field(default_factory=dict)
    returned: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


class TraceStoppedError(Exception):
    """Symbolic tracing cannot go on; ``__cause__`` is why, `partial` how far it got."""

    def __init__(self, reason: str, source: str, partial: Trace | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source
        self.partial = partial


def trace(model: nn.Module, inputs: Inputs | None, leaf: Leaf | None = None) -> Trace:
    """Trace forward symbolically. Parameters of forward that have no input keep their default.

    Args:
        inputs: which arguments are tensors; None: every parameter without a default is one.
        leaf: further modules not to enter.

    Raises:
        TraceStoppedError: forward does something that cannot be done with symbolic values.
    """
    if default_leaf(model) or (leaf is not None and leaf(model, "")):
        return _one_operation(model, inputs)
    if inputs is not None:
        inputs = replace(inputs, arguments=map_structure(_copied, dict(inputs.arguments)))
    tracer = SymbolicTracer(model, inputs, leaf, model_device(model))
    stopped = None
    with preserved(model):
        try:
            with torch.no_grad(), WriteGuard():
                graph = copy_context().run(tracer.run)  # context variables that forward sets stay in the copy
        except Exception as error:  # whatever forward does with a Proxy
            where, function = source.of_traceback(error.__traceback__)
            stopped = TraceStoppedError(_reason(error, function), where, Trace(tracer.graph))
        constants = {name: tensor for tensor, name in tracer.tensor_attrs.items() if isinstance(tensor, torch.Tensor)}
    if escaped := tracer.escaped():
        remove(escaped)
        stopped = stopped or TraceStoppedError("forward keeps a traced value outside of the model", "")
    if stopped is not None:
        raise stopped
    return Trace(graph, constants, tracer.skipped_hooks, returned=tracer.returned)


def _one_operation(model: nn.Module, inputs: Inputs | None) -> Trace:
    """The graph of a model that is itself a leaf, such as an ``nn.LSTM``."""
    tracer = SymbolicTracer(model, inputs, None, model_device(model))
    args, kwargs = tracer.placeholders()
    name = type_before_parametrizations(model).__name__.lower()
    call = tracer.create_node("call_module", "", tracer.create_arg(args), tracer.create_arg(kwargs), name)
    tracer.create_node("output", "output", (call,), {})
    tracer.note_hooks(model, "")
    return Trace(tracer.graph, skipped_hooks=tracer.skipped_hooks)


def _copied(argument: Any) -> Any:
    """A copy of an object that forward may change; its tensors would meet tracing as they are, and run for real."""
    if isinstance(argument, TensorSpec) or is_shared(argument):
        return argument

    def refuse(tensor: torch.Tensor) -> Any:
        raise TraceStoppedError(f"an input is a {type(argument).__name__}, and tracing cannot see its tensors", "")

    try:
        return copy_object(argument, refuse)
    except TraceStoppedError:
        raise
    except Exception as error:  # the object's own code
        raise TraceStoppedError(f"an input is a {type(argument).__name__}, which cannot be copied", "") from error


def _reason(error: BaseException, function: str) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    for pattern, plain in _PLAIN_REASONS:
        if pattern in first:
            first = plain
            break
    return f"{first} (in {function})" if function else first


_PLAIN_REASONS = (
    ("symbolically traced variables cannot be used as inputs to control flow", "control flow depends on a tensor"),
    ("Proxy object cannot be iterated", "a tensor is iterated or unpacked"),
    ("'len' is not supported in symbolic tracing", "len() of a tensor is taken"),
    ("We cannot vmap over non-Tensor arguments", "torch.vmap takes no symbolic values"),
    ("Thing passed to transform API must be Tensor", "transforms of torch.func take no symbolic values"),
    ("'Proxy' object does not support item assignment", "elements of a tensor are assigned"),
)
