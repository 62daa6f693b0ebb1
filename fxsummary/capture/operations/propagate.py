"""Computes specs and FLOPs of every node of an FX graph, as ShapeProp does, but on specs and with a memo."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import submodule
from fxsummary.capture.nodes import AUTOCAST, SPEC
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError
from fxsummary.capture.operations.twins import NoTwinError, spec_of
from fxsummary.capture.results import Propagation, Trace
from fxsummary.capture.structures import ATOMS, UNKNOWN, has_unknown, load
from fxsummary.graph.spec import TensorSpec


class OperationError(Exception):
    """An operation rejects its inputs; ``__cause__`` is torch's exception.

    Attributes:
        node: the FX node.
        arguments: its positional arguments as specs and literals.
    """

    def __init__(self, node: fx.Node, arguments: tuple[Any, ...]) -> None:
        super().__init__(node.name)
        self.node = node
        self.arguments = arguments


def propagate(
    model: nn.Module, trace: Trace, device: str, inputs: Mapping[str, TensorSpec] | None = None
) -> Propagation:
    """Run the graph on specs, inside `Snapshot.preserved`.

    Args:
        device: the device that tensors claim to be on.
        inputs: specs by placeholder target, instead of those in the placeholders' meta.

    Raises:
        OperationError: an operation rejects its inputs.
    """
    run = _Run(model, trace, device, inputs or {})
    with torch.no_grad():
        for node in trace.graph.nodes:
            run.step(node)
    return run.result


class _Run:
    def __init__(self, model: nn.Module, trace: Trace, device: str, inputs: Mapping[str, TensorSpec]) -> None:
        self.result = Propagation()
        self._model = model
        self._constants = trace.constants
        self._inputs = inputs
        self._values: dict[fx.Node, object] = {}
        self._has_unknown = False
        self._operations = Operations(device)
        self.result.signatures = self._operations.signatures

    def step(self, node: fx.Node) -> None:
        outcome = self._outcome(node)
        self._values[node] = outcome.value
        if node.op == "call_method" and node.target in _CHANGES_SHAPE and isinstance(node.args[0], fx.Node):
            self._values[node.args[0]] = outcome.value
        if outcome.value is UNKNOWN:
            self._has_unknown = True
        self.result.outcomes[node] = outcome

    def _outcome(self, node: fx.Node) -> Outcome:
        op, target = node.op, node.target
        if op == "placeholder":
            spec = self._inputs.get(str(target)) or node.meta.get(SPEC)
            return Outcome(UNKNOWN if spec is None else spec)
        if op == "get_attr":
            return Outcome(self._attribute(str(target)))
        args, kwargs = self._load(node.args), self._load(node.kwargs)
        if op == "output":
            return Outcome(args[0])
        if self._has_unknown and (has_unknown(args) or has_unknown(kwargs)):
            return Outcome(UNKNOWN, None)
        try:
            callee = submodule(self._model, str(target)) if op == "call_module" else target
            return self._operations.run(callee, args, kwargs, node.meta.get(AUTOCAST))
        except NoDataError as error:
            self.result.stopped.append((node, str(error)))
            return Outcome(UNKNOWN, None)
        except RefusedError as error:
            raise OperationError(node, args) from error.__cause__

    def _load(self, argument: Any) -> Any:
        """Do the same as `load`, but faster for most arguments."""
        kind = type(argument)
        if kind is fx.Node:
            return self._values[argument]
        if kind is tuple:
            return tuple([self._load(item) for item in argument])
        return argument if kind in ATOMS else load(argument, self._values)

    def _attribute(self, target: str) -> object:
        value = self._constants.get(target)
        if value is None:
            value = operator.attrgetter(target)(self._model)
        try:
            is_strided = isinstance(value, torch.Tensor) and value.layout is torch.strided
            value = self._operations.twins.tensor(value) if is_strided else value
        except NoTwinError:
            return UNKNOWN
        return spec_of(value, self._operations.device) if isinstance(value, torch.Tensor) else value


_CHANGES_SHAPE = frozenset({"unsqueeze_", "squeeze_", "t_", "transpose_", "swapaxes_", "swapdims_", "resize_"})
