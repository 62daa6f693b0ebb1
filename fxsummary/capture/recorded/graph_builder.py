"""The FX graph of a recording while it is written: nodes, what they yield, and what is written in place."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture import source
from fxsummary.capture.nodes import AFTER, AUTOCAST, LIKE, NO_GRAD, SOURCE, STACK, new_node
from fxsummary.capture.operations import autocast
from fxsummary.capture.operations.run import Outcome
from fxsummary.capture.operations.twins import Twins, spec_of
from fxsummary.capture.recorded import torch_calls
from fxsummary.capture.recorded.memory import Writes
from fxsummary.capture.recorded.tensor_origins import Tensors, Tracked, element
from fxsummary.capture.results import Propagation
from fxsummary.capture.structures import ATOMS, is_plain, map_values, structure_of, tensors_in, values_of
from fxsummary.capture.torch_internals import without_dispatch_modes, without_torch_function
from fxsummary.graph.records import Returned
from fxsummary.graph.spec import TensorSpec, map_structure


@dataclass
class Call:
    """One call to be recorded.

    Attributes:
        op, target: those of its node.
        callee: what runs: a module, a function, or a method by name.
        specs: positional and named arguments with specs for tensors.
        nodes: the same with nodes.
        given: the tensors among the arguments, in order.
    """

    op: str
    target: Any
    callee: Any
    specs: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    nodes: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    given: list[Tracked] = field(default_factory=list)


class Writer:
    """Writes the graph.

    Args:
        device: the device that tensors claim to be on.

    Attributes:
        propagation: specs and FLOPs by node.
        inputs: the input tensors by placeholder, where they were given.
        calls: how often each module was called, by path.
        stack: the calls of modules that are running.
        returned: the entry in the stack of each call that has ended, and what it returned, by key in the stack.
        versions: how often each memory was written in place.
    """

    def __init__(self, model: nn.Module, device: str) -> None:
        self.graph = fx.Graph()
        self.propagation = Propagation()
        self.inputs: dict[fx.Node, torch.Tensor] = {}
        self.tensors = Tensors(model, device)
        self.writes = Writes()
        self._device = device
        self.versions: dict[int, int] = {}
        self.calls: dict[str, int] = {}
        self.stack: dict[str, Any] = {}
        self.returned: dict[str, tuple[Any, Returned]] = {}
        self._stack_now: dict[str, Any] | None = None
        self._outermost: FrameType | None = None

    # --- places --------------------------------------------------------------------------------

    def start(self, outermost: FrameType) -> None:
        """Source lines are looked for in the frames inside of this one."""
        self._outermost = outermost

    def source(self) -> str:
        """``file:line`` of what the model's code is doing now."""
        return source.caller(self._outermost)

    def enter(self, path: str, kind: type[nn.Module]) -> tuple[str, Any]:
        """A module is called; what is returned goes to `leave`."""
        calls = self.calls.get(path, 0)
        self.calls[path] = calls + 1
        key = f"{path}@{calls}" if calls else path
        self.stack[key] = (path, kind)
        outer, self._stack_now = self._stack_now, None
        return key, outer

    def leave(self, entered: tuple[str, Any]) -> None:
        """The module's call ends."""
        key, self._stack_now = entered
        self.stack.pop(key, None)

    def note_returned(self, entered: tuple[str, Any], result: Any) -> Any:
        """Remember what the call of a module returned; returns it."""
        assumed = False

        def spec(value: Any, _: int) -> Any:
            nonlocal assumed
            if not isinstance(value, torch.Tensor):
                return None
            tracked = self.tensors.get(value)
            assumed = assumed or (tracked is not None and tracked.assumed)
            return spec_of(value, self._device) if tracked is None else tracked.spec

        with without_torch_function():
            outputs = values_of(result, spec)
        self.returned[entered[0]] = self.stack[entered[0]], Returned(outputs, assumed)
        return result

    # --- nodes ---------------------------------------------------------------------------------

    def placeholder(self, name: str, given: torch.Tensor | TensorSpec) -> torch.Tensor:
        """The meta tensor that forward gets for an input."""
        node = self._new_node("placeholder", name, (), {})
        if isinstance(given, torch.Tensor):
            self.inputs[node] = given
            twin = Twins().tensor(given).detach().requires_grad_(given.requires_grad)
        else:
            twin = Twins().of_spec(given)
        is_sparse = isinstance(given, torch.Tensor) and given.layout is not torch.strided
        tracked = self.tensors.add(twin, (node, ()), spec_of(given, self._device) if is_sparse else None)  # type: ignore[arg-type]
        self.writes.note(node, tracked.storage)
        self.propagation.outcomes[node] = Outcome(tracked.spec)
        return twin

    def output(self, result: Any) -> None:
        """The end of the graph: what forward returned."""
        structure = structure_of(result)
        nodes = map_structure(lambda item: self._if_tensor(item, self.node_of), structure)
        specs = map_structure(lambda item: self._if_tensor(item, lambda tracked: tracked.spec), structure)
        node = self.graph.create_node("output", "output", (nodes,), {})
        node.meta[STACK], node.meta[SOURCE] = {}, ""
        self.writes.nodes.append(node)
        self.propagation.outcomes[node] = Outcome(specs)

    def _if_tensor(self, value: Any, function: Any) -> Any:
        return function(self.tensors.of(value)) if isinstance(value, torch.Tensor) else value

    def node_of(self, tracked: Tracked) -> fx.Node:
        """The node that a tensor comes from."""
        if tracked.is_made:
            return self.tensors.node(tracked, self._new_node)
        node = self.tensors.node(tracked, self._new_node)
        if node not in self.propagation.outcomes:
            self.propagation.outcomes[node] = Outcome(tracked.spec)
        self.writes.note(node, tracked.storage)
        return node

    def call(self, op: str, target: Any, callee: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """A call with its arguments read; its node is not written yet."""
        call = Call(op, target, callee)
        place = torch_calls.SPEC_ONLY.get(target)
        if place is not None and len(args) > place and isinstance(args[place], torch.Tensor):
            args = (*args[:place], self._spec_if_attribute(args[place]), *args[place + 1 :])
        specs, nodes = zip(
            self._argument(tuple(args), call.given), self._argument(dict(kwargs), call.given), strict=True
        )
        call.specs, call.nodes = specs, nodes
        return call

    def _spec_if_attribute(self, tensor: torch.Tensor) -> Any:
        """A parameter or buffer that is only asked for its dtype or shape is not read."""
        tracked = self.tensors.of(tensor)
        return tensor if tracked.is_ours else tracked.spec

    def write(self, call: Call, outcome: Outcome) -> fx.Node:
        """Write the node of a call; of what a leaf module's call takes and gives only this node lies inside of it."""
        entered = self.enter(call.target, type(call.callee)) if call.op == "call_module" and call.target else None
        node = self._new_node(call.op, call.target, *call.nodes)
        if entered is not None:
            self.leave(entered)
        node.meta[AUTOCAST] = autocast.active(self._device)
        if not torch.is_grad_enabled():
            node.meta[NO_GRAD] = True
        self.propagation.outcomes[node] = outcome
        if self.versions:
            self._note_order(node, call.given)
        return node

    def result(self, node: fx.Node, call: Call, raw: Any = None) -> Any:
        """The result of a call as meta tensors, each with its node.

        Args:
            raw: the result itself, where it is of a kind that specs cannot stand for.
        """
        outcome = self.propagation.outcomes[node]
        with without_dispatch_modes(), without_torch_function():
            value = self.tensors.rebuild(outcome, node, call.given) if raw is None else raw
            if raw is not None:
                self.tensors.track(raw, node)
        for tensor in (value,) if type(value) is torch.Tensor else tensors_in(value):
            tracked = self.tensors.of(tensor)
            tracked.assumed = outcome.assumed
            self.writes.note(node, tracked.storage)
            tracked.version = self.versions.get(tracked.storage, 0)
        for index in outcome.writes:
            self._note_write(node, call.given[index], value)
        return value

    def changed(self, call: Call, node: fx.Node, spec: TensorSpec) -> None:
        """The first argument of a call is another tensor after it."""
        tracked = call.given[0]
        tracked.spec = spec
        tracked.set_node(node)
        self._note_write(node, tracked, tracked.tensor)

    def _new_node(self, op: str, target: Any, args: Any, kwargs: Any) -> fx.Node:
        node = new_node(self.graph, op, target, args, kwargs)
        if self._stack_now is None:
            self._stack_now = dict(self.stack)
        node.meta[STACK] = self._stack_now
        node.meta[SOURCE] = self.source()
        self.writes.nodes.append(node)
        if target in (operator.getitem, getattr) and isinstance(args[0], fx.Node):
            whole = self.propagation.outcomes[args[0]].value
            if type(whole) is not TensorSpec:  # an element of a result of several
                self.propagation.outcomes[node] = Outcome(element(whole, args[1]))
        return node

    # --- copies --------------------------------------------------------------------------------

    def node_like(self, prototype: fx.Node, tracked: Tracked, stack: Any) -> fx.Node:
        """The node of an attribute or an element of a result, made where a copy needs it."""
        outer, self._stack_now = self._stack_now, stack
        node = self.node_of(tracked)
        self._stack_now = outer
        node.meta[SOURCE], node.meta[LIKE] = prototype.meta[SOURCE], prototype
        return node

    # --- arguments -----------------------------------------------------------------------------

    def _argument(self, value: Any, given: list[Tracked]) -> tuple[Any, Any]:
        """An argument with specs and with nodes for its tensors, which are added to ``given``."""
        kind = type(value)
        if kind in ATOMS:
            return value, value
        if isinstance(value, torch.Tensor):
            tracked = self.tensors.of(value)
            node = self.node_of(tracked)
            given.append(tracked)
            return tracked.spec, node
        if kind is tuple or kind is list:
            pairs = [self._argument(item, given) for item in value]
            return kind([spec for spec, _ in pairs]), kind([node for _, node in pairs])
        if kind is dict:
            pairs = [self._argument(item, given) for item in value.values()]
            return (
                dict(zip(value, [spec for spec, _ in pairs], strict=True)),
                dict(zip(value, [node for _, node in pairs], strict=True)),
            )
        if kind is slice:
            pairs = [self._argument(item, given) for item in (value.start, value.stop, value.step)]
            return slice(*[spec for spec, _ in pairs]), slice(*[node for _, node in pairs])
        if isinstance(value, (type, nn.Module)) or callable(value):
            return value, value
        return self._object_argument(value, given)

    def _object_argument(self, value: Any, given: list[Tracked]) -> tuple[Any, Any]:
        """An object with tensors in it is assembled of them by a node of its own."""
        nodes: list[Any] = []

        def to_spec(item: Any) -> Any:
            if not isinstance(item, torch.Tensor):
                return item
            spec, node = self._argument(item, given)
            nodes.append(node)
            return spec

        specs = map_values(to_spec, value)
        if not nodes:
            return specs, value
        node = self._new_node("call_function", torch_calls.Assemble(value), tuple(nodes), {})
        self.propagation.outcomes[node] = Outcome(specs)
        return specs, node

    # --- writes in place -----------------------------------------------------------------------

    def _note_write(self, node: fx.Node, written: Tracked, value: Any) -> None:
        storage = written.storage
        self.writes.writers.setdefault(storage, []).append(node)
        self.writes.note(node, storage)
        self.versions[storage] = self.versions.get(storage, 0) + 1
        if isinstance(value, torch.Tensor) and self.tensors.of(value) is written:
            written.version = self.versions[storage]

    def _note_order(self, node: fx.Node, given: list[Tracked]) -> None:
        """Writes through an alias that this node sees, though no argument comes from them."""
        after = [
            self.writes.writers[each.storage][-1] for each in given if each.version < self.versions.get(each.storage, 0)
        ]
        if after:
            node.meta[AFTER] = tuple(dict.fromkeys(each for each in after if each not in node.all_input_nodes))


def has_tensor(value: Any) -> bool:
    """Whether there are tensors, or specs, in a result."""
    if isinstance(value, (torch.Tensor, TensorSpec)):
        return True
    if isinstance(value, (tuple, list)):
        return any(map(has_tensor, value))
    if isinstance(value, Mapping):
        return any(map(has_tensor, value.values()))
    return not is_plain(value) and hasattr(value, "__dict__") and any(map(has_tensor, vars(value).values()))
