"""Specs and FLOPs of every node of an FX graph: a ShapeProp on meta twins, with a memo.

Values on the way are specs and literals, never tensors; a tensor (on meta) is made only where an
operation is met for the first time in the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx, nn
from torch.utils.flop_counter import flop_registry

from fxsummary.capture import autocast, memo
from fxsummary.capture.rules import by_rule
from fxsummary.capture.state import preserved_globals
from fxsummary.capture.symbolic import AUTOCAST, SPEC, Trace
from fxsummary.capture.twins import META, NoTwinError, Twins, spec_of
from fxsummary.capture.values import (
    TO_DEVICE,
    UNKNOWN,
    has_spec,
    has_unknown,
    is_limit_of_meta,
    is_sparse,
    map_values,
    on_meta,
    to_meta,
)
from fxsummary.formulas import FlopCount
from fxsummary.spec import TensorSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one operation yields.

    Attributes:
        value: its result, `TensorSpec` for tensors; `UNKNOWN` where it could not be computed.
        flops: FLOPs of the matrix-product family; None where they could not be counted.
        unknown: operators called whose FLOPs are not known.
    """

    value: Any
    flops: int | None = 0
    unknown: tuple[str, ...] = ()


@dataclass
class Propagation:
    """Outcomes by node, and the first reason why outcomes are not known, if any."""

    outcomes: dict[fx.Node, Outcome] = field(default_factory=dict)
    stopped: list[tuple[fx.Node, str]] = field(default_factory=list)

    @property
    def output(self) -> Any:
        """Value of the output node."""
        return next(reversed(self.outcomes.values())).value


class OperationError(Exception):
    """An operation refuses its inputs; ``__cause__`` is torch's exception.

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
    """Run the graph on specs.

    Args:
        device: the device that tensors claim to be on.
        inputs: spec by placeholder target, where the placeholders do not carry them.

    Raises:
        OperationError: an operation refuses its inputs.
    """
    run = _Run(model, trace, device, inputs or {})
    with preserved_globals(), torch.inference_mode(), torch.device(META):
        for node in trace.graph.nodes:
            run.step(node)
    return run.result


class _Run:
    def __init__(self, model: nn.Module, trace: Trace, device: str, inputs: Mapping[str, TensorSpec]) -> None:
        self.result = Propagation()
        self._model = model
        self._constants = trace.constants
        self._device = device
        self._inputs = inputs
        self._values: dict[fx.Node, Any] = {}
        self._modules: dict[str, nn.Module] = dict(model.named_modules(remove_duplicate=False))
        self._signatures: dict[str, Any] = {}
        self._twins = Twins()

    def step(self, node: fx.Node) -> None:
        outcome = self._outcome(node)
        self._values[node] = outcome.value
        if node.op == "call_method" and node.target in _CHANGES_SHAPE and isinstance(node.args[0], fx.Node):
            self._values[node.args[0]] = outcome.value
        self.result.outcomes[node] = outcome

    def _outcome(self, node: fx.Node) -> Outcome:
        if node.op == "placeholder":
            spec = self._inputs.get(node.target) or node.meta.get(SPEC)  # type: ignore[arg-type]
            return Outcome(UNKNOWN if spec is None else spec)
        if node.op == "get_attr":
            return Outcome(self._attribute(str(node.target)))
        if node.op == "output":
            return Outcome(self._load(node.args[0]))
        args = self._load(node.args)
        kwargs = self._load(node.kwargs)
        if has_unknown(args) or has_unknown(kwargs):
            return Outcome(UNKNOWN, None)
        if has_spec((args, kwargs), is_sparse):
            return self._give_up(node, "sparse tensors have no counterpart on meta")
        if node.op != "call_module":
            args, kwargs = on_meta(node.target, args, kwargs)
        if not has_spec(args) and not has_spec(kwargs) and node.op != "call_module":
            return self._compute(node, args, kwargs)
        casting = node.meta.get(AUTOCAST)
        if casting is not None:
            return self._under_autocast(node, args, kwargs, casting)
        return self._known(node, args, kwargs)

    def _under_autocast(self, node: fx.Node, args: Any, kwargs: Any, dtype: str) -> Outcome:
        if autocast.is_cast(self._target(node)):
            outcome = self._known(node, autocast.cast(args, "float32"), autocast.cast(kwargs, "float32"))
            return replace(outcome, value=autocast.cast(outcome.value, dtype))
        try:
            return self._known(node, args, kwargs)
        except OperationError:
            return self._known(node, autocast.cast(args, "float32"), autocast.cast(kwargs, "float32"))

    def _known(self, node: fx.Node, args: Any, kwargs: Any) -> Outcome:
        """The outcome from the memo, or computed."""
        try:
            key = self._target_key(node), self._device, len(flop_registry), memo.key_of(args), memo.key_of(kwargs)
        except (memo.NoKeyError, TypeError):
            return self._compute(node, args, kwargs)
        outcome = memo.get(key)
        if outcome is None:
            outcome = self._compute(node, args, kwargs)
            if outcome.value is not UNKNOWN:
                memo.put(key, outcome)
        return outcome  # type: ignore[no-any-return]

    def _load(self, argument: Any) -> Any:
        kind = type(argument)
        if kind is fx.Node:
            return self._values[argument]
        if isinstance(argument, tuple):
            return tuple([self._load(item) for item in argument])
        if isinstance(argument, list):
            return [self._load(item) for item in argument]
        if isinstance(argument, dict):
            return {key: self._load(item) for key, item in argument.items()}
        if kind is slice:
            return slice(self._load(argument.start), self._load(argument.stop), self._load(argument.step))
        return argument

    def _attribute(self, target: str) -> Any:
        value: Any = self._constants.get(target)
        if value is None:
            value = self._model
            for name in target.split("."):
                value = getattr(value, name)
        if not isinstance(value, torch.Tensor):
            return value
        try:
            return spec_of(self._twins.tensor(value), self._device)
        except NoTwinError:
            return UNKNOWN

    def _target_key(self, node: fx.Node) -> Any:
        if node.op == "call_method":
            return "method", node.target
        if node.op == "call_function":
            return memo.key_of(node.target)
        target = str(node.target)
        key = self._signatures.get(target)
        if key is None:
            try:
                key = memo.module_signature(self._modules[target])
            except memo.NoKeyError as error:
                key = error
            self._signatures[target] = key
        if isinstance(key, memo.NoKeyError):
            raise key
        return key

    def _compute(self, node: fx.Node, args: Any, kwargs: Any) -> Outcome:
        known = by_rule(self._target(node), args, kwargs)
        if known is not None:
            return Outcome(known)
        try:
            function = self._function(node)
        except NoTwinError as error:
            return self._give_up(node, str(error))
        count = FlopCount()
        try:
            meta_args, meta_kwargs = map_values(to_meta, args), map_values(to_meta, kwargs)
            with count:
                value = function(*meta_args, **meta_kwargs)
        except Exception as error:  # torch's kernels raise of every kind
            if is_limit_of_meta(error):
                return self._give_up(node, str(error).strip().partition("\n")[0])
            raise OperationError(node, args) from error
        return Outcome(map_values(self._to_spec, value), count.flops, tuple(dict.fromkeys(count.unknown)))

    def _target(self, node: fx.Node) -> Any:
        return self._modules[str(node.target)] if node.op == "call_module" else node.target

    def _function(self, node: fx.Node) -> Callable[..., Any]:
        if node.op == "call_function":
            return node.target  # type: ignore[return-value]
        if node.op == "call_method":
            return _method(str(node.target))
        return self._twins.module(self._modules[str(node.target)])

    def _give_up(self, node: fx.Node, reason: str) -> Outcome:
        self.result.stopped.append((node, reason))
        return Outcome(UNKNOWN, None)

    def _to_spec(self, value: Any) -> Any:
        return spec_of(value, self._device) if isinstance(value, torch.Tensor) else value


def _method(name: str) -> Callable[..., Any]:
    if name in TO_DEVICE:
        return torch.Tensor.detach

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, name)(*args, **kwargs)

    return call


_CHANGES_SHAPE = frozenset({"unsqueeze_", "squeeze_", "t_", "transpose_", "swapaxes_", "swapdims_", "resize_"})
