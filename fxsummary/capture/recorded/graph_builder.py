"""Writes the FX graph of a recording: its nodes, their specs, and the order of in-place writes."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture import source
from fxsummary.capture.autograd_internals import saved_tensors_are_hooked
from fxsummary.capture.nodes import AFTER, AUTOCAST, HOOKED, NO_GRAD, SOURCE, STACK, new_node
from fxsummary.capture.operations import autocast
from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.run import Target
from fxsummary.capture.operations.twins import Twins, materialize, spec_of
from fxsummary.capture.recorded import torch_calls
from fxsummary.capture.recorded.tensor_origins import Tensors, Tracked
from fxsummary.capture.results import Propagation
from fxsummary.capture.structures import (
    ATOMS,
    Args,
    Kwargs,
    is_plain,
    map_values,
    structure_of,
    tensors_in,
    values_of,
    walk,
)  # fmt: skip
from fxsummary.capture.torch_internals import without_dispatch_modes, without_torch_function
from fxsummary.graph.records import Returned
from fxsummary.graph.spec import TensorSpec

Stack = dict[str, tuple[str, type]]
"""The module calls that are running: path and class by key."""


@dataclass(frozen=True)
class Call:
    """A call to record.

    Attributes:
        op, target: opcode and target of its node.
        callee: what to run: a module, a function, or the name of a method.
        specs, nodes: its positional and keyword arguments, with a spec or a node for each tensor.
        given: the tensors among the arguments, in order.
    """

    op: str
    target: fx.node.Target
    callee: Target
    specs: tuple[Any, Any]
    nodes: tuple[Any, Any]
    given: list[Tracked]


class Writer:
    """Writes the graph of a recording.

    Attributes:
        device: the device that tensors claim to be on.
        propagation: specs and FLOPs by node.
        inputs: the user's input tensors by placeholder; there is none for an input given as a spec.
        items: the nodes of elements of results, by the result's node and the key.
        calls: number of calls of each module so far, by path.
        stack: the module calls that are running.
        returned: for each finished module call, by its key in the stack: its stack entry, and what it returned.
        taken: for each module call, by its key: its stack entry, and the nodes of the tensors among its arguments.
        outermost: the frame at which the search for a source line ends.
    """

    def __init__(self, model: nn.Module, device: str) -> None:
        self.model = model
        self.device = device
        self.graph = fx.Graph()
        self.propagation = Propagation()
        self.inputs: dict[fx.Node, torch.Tensor] = {}
        self.tensors = Tensors(model, device)
        self.items: dict[tuple[object, object], fx.Node] = {}
        self.calls: dict[str, int] = {}
        self.stack: Stack = {}
        self.returned: dict[str, tuple[tuple[str, type], Returned]] = {}
        self.taken: dict[str, tuple[tuple[str, type], tuple[fx.Node, ...]]] = {}
        self.outermost: FrameType | None = None

    def source(self) -> str:
        """Return ``file:line`` of the model's code that is running now."""
        return source.caller(self.outermost)

    @contextmanager
    def inside(self, path: str, kind: type) -> Iterator[str]:
        """Keep a module call on the stack inside the context; yields its key."""
        calls = self.calls.get(path, 0)
        self.calls[path] = calls + 1
        key = f"{path}@{calls}" if calls else path
        outer, self.stack = self.stack, {**self.stack, key: (path, kind)}  # a new dict, because nodes keep the old one
        try:
            yield key
        finally:
            self.stack = outer

    def note_taken(self, key: str, given: object) -> None:
        """Note the tensors among the arguments of a module call."""
        tracked = [self.tensors.get(each) for each in tensors_in(given)]
        nodes = [each.node or each.origin[0] for each in tracked if each is not None and each.origin is not None]
        self.taken[key] = self.stack[key], tuple(dict.fromkeys(nodes))

    def note_returned(self, key: str, result: object) -> None:
        """Note the result of a module call."""
        assumed: list[bool] = []

        def spec(value: object, _: int) -> TensorSpec | None:
            if not isinstance(value, torch.Tensor):
                return None
            tracked = self.tensors.get(value)
            assumed.append(tracked is not None and tracked.assumed)
            return spec_of(value, self.device) if tracked is None else tracked.spec

        with without_torch_function():
            outputs = values_of(result, spec)
        self.returned[key] = self.stack[key], Returned(outputs, any(assumed))

    def placeholder(self, name: str, given: torch.Tensor | TensorSpec) -> torch.Tensor:
        """Write a placeholder, and return the meta tensor that forward gets for it."""
        node = self._new_node("placeholder", name, (), {})
        if isinstance(given, torch.Tensor):
            self.inputs[node] = given
            twin = Twins().tensor(given).detach().requires_grad_(given.requires_grad)
        else:
            twin = materialize(given)
        spec = spec_of(given if isinstance(given, torch.Tensor) else twin, self.device)
        tracked = self.tensors.add(twin, (node, ()), spec)
        self.propagation.outcomes[node] = Outcome(spec)
        self.tensors.note(node, tracked.storage)
        return twin

    def output(self, result: object) -> None:
        """Write the output node for the result of forward."""
        specs, nodes = self._argument(structure_of(result), [])
        node = self.graph.create_node("output", "output", (nodes,), {})
        node.meta[STACK], node.meta[SOURCE] = {}, ""
        self.tensors.order[node] = len(self.tensors.order)
        self.propagation.outcomes[node] = Outcome(specs)

    def node_of(self, tracked: Tracked) -> fx.Node:
        """Return the node of a tensor; write it first if the tensor is an attribute or an element of a result."""
        if tracked.node is not None:
            return tracked.node
        if tracked.origin is None:
            node = self._new_node("get_attr", tracked.attribute, (), {})
        else:
            node, place = tracked.origin
            for get, key in place:
                if (node, key) not in self.items:
                    self.items[node, key] = self._new_node("call_function", get, (node, key), {})
                node = self.items[node, key]
        tracked.node = node
        self.propagation.outcomes.setdefault(node, Outcome(tracked.spec))
        self.tensors.note(node, tracked.storage)
        return node

    def call(self, callee: Target, args: Args, kwargs: Kwargs, path: str | None = None) -> Call:
        """Read the arguments of a call; ``path`` is the module path if ``callee`` is a module."""
        op = "call_module" if path is not None else "call_method" if isinstance(callee, str) else "call_function"
        target = callee if path is None else path
        place = torch_calls.SPEC_ONLY.get(target)
        asked = args[place] if place is not None and len(args) > place else None
        if place is not None and isinstance(asked, torch.Tensor) and not self.tensors.of(asked).is_ours:
            args = (*args[:place], self.tensors.of(asked).spec, *args[place + 1 :])  # the attribute itself is not read
        given: list[Tracked] = []
        specs, nodes = self._argument((tuple(args), dict(kwargs)), given)
        return Call(op, target, callee, specs, nodes, given)

    def write(self, call: Call, outcome: Outcome) -> fx.Node:
        """Write the node of a call. Only this node is inside a leaf module; the nodes of its arguments are not."""
        is_module = call.op == "call_module" and call.target
        with self.inside(str(call.target), type(call.callee)) if is_module else nullcontext():
            node = self._new_node(call.op, call.target, *call.nodes)
        node.meta[AUTOCAST] = autocast.active(self.device)
        if not torch.is_grad_enabled():
            node.meta[NO_GRAD] = True
        elif saved_tensors_are_hooked():
            node.meta[HOOKED] = True
        self.propagation.outcomes[node] = outcome
        # a node depends on writes through an alias, though no argument comes from them
        seen = [each.storage for each in call.given if each.version < self.tensors.version(each.storage)]
        if seen:
            last = dict.fromkeys([self.tensors.writers[each][-1] for each in seen])
            node.meta[AFTER] = tuple([each for each in last if each not in node.all_input_nodes])
        return node

    def result(self, node: fx.Node, call: Call, raw: object = None) -> object:
        """Return the result of a call as meta tensors with nodes; ``raw`` if specs cannot describe it."""
        outcome = self.propagation.outcomes[node]
        with without_dispatch_modes(), without_torch_function():
            value = self.tensors.rebuild(outcome, node, call.given) if raw is None else raw
            self.tensors.track(value, node)
        for index in outcome.writes:
            self.tensors.write(node, call.given[index].storage)
        for tensor in (value,) if type(value) is torch.Tensor else tensors_in(value):
            tracked = self.tensors.of(tensor)
            tracked.assumed = outcome.assumed
            self.tensors.note(node, tracked.storage)
            tracked.version = self.tensors.version(tracked.storage)
        return value

    def change(self, call: Call, spec: TensorSpec) -> None:
        """Write the node of a call that turns its first argument into another tensor."""
        node, tracked = self.write(call, Outcome(spec, writes=(0,), aliases=(Alias(0),))), call.given[0]
        tracked.spec = spec
        tracked.set_node(node)
        self.tensors.write(node, tracked.storage)
        tracked.version = self.tensors.version(tracked.storage)

    def _new_node(self, op: str, target: Any, args: Args, kwargs: Kwargs) -> fx.Node:
        node = new_node(self.graph, op, target, args, kwargs)
        node.meta[STACK] = self.stack
        node.meta[SOURCE] = self.source()
        self.tensors.order[node] = len(self.tensors.order)
        if self.is_element(node):
            whole: Any = args[0]
            self.propagation.outcomes[node] = Outcome(target(self.propagation.outcomes[whole].value, args[1]))
        return node

    def is_element(self, node: fx.Node) -> bool:
        """Whether a node takes an element from a result that is not a tensor."""
        if node.target not in (operator.getitem, getattr) or not isinstance(node.args[0], fx.Node):
            return False
        return type(self.propagation.outcomes[node.args[0]].value) is not TensorSpec

    def _argument(self, value: object, given: list[Tracked]) -> tuple[Any, Any]:
        """Return an argument with specs and with nodes for its tensors, and add these to ``given``."""
        kind = type(value)
        if kind in ATOMS:
            return value, value
        if isinstance(value, torch.Tensor):
            tracked = self.tensors.of(value)
            node = self.node_of(tracked)
            given.append(tracked)
            return tracked.spec, node
        if isinstance(value, (tuple, list)) and (kind is tuple or kind is list):
            pairs = [self._argument(item, given) for item in value]
            return kind([spec for spec, _ in pairs]), kind([node for _, node in pairs])
        if isinstance(value, dict) and kind is dict:
            specs, nodes = self._argument(list(value.values()), given)
            return dict(zip(value, specs, strict=True)), dict(zip(value, nodes, strict=True))
        if isinstance(value, slice):
            specs, nodes = self._argument((value.start, value.stop, value.step), given)
            return slice(*specs), slice(*nodes)
        if isinstance(value, (type, nn.Module)) or callable(value):
            return value, value
        return self._object_argument(value, given)

    def _object_argument(self, value: object, given: list[Tracked]) -> tuple[Any, Any]:
        """Write a node that assembles an object from its tensors, if it has any."""
        nodes: list[object] = []

        def to_spec(item: object) -> object:
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


def has_tensor(value: object) -> bool:
    """Whether a result contains tensors or specs."""
    return any(
        isinstance(each, (torch.Tensor, TensorSpec))
        or (not is_plain(each) and any(map(has_tensor, getattr(each, "__dict__", {}).values())))
        for each in walk(value)
    )
