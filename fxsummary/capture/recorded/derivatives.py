"""Records the derivatives that forward takes: each is one operation, the backward pass of the graph so far.

The part of the graph that leads to the outputs runs again with gradients, on meta, or with real data if a value is
needed. Only the FLOPs of the backward pass count.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from fxsummary.capture.module_index import submodule, tensors_of
from fxsummary.capture.nodes import AFTER, APPLIED, NO_GRAD, REQUIRES_GRAD
from fxsummary.capture.operations.flop_count import FlopCount
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import callee_of
from fxsummary.capture.operations.twins import META, Twins, materialize, spec_of
from fxsummary.capture.recorded.data_dependence import Demand
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.capture.structures import load, map_values, on_meta, tensors_in, walk
from fxsummary.capture.torch_internals import without_torch_function
from fxsummary.graph.spec import TensorSpec

Gradients = tuple[Tensor | None, ...]


class Derivatives:
    """Answers the calls that take derivatives.

    Attributes:
        handlers: the answers, by the function that is called.
        marked: the tensors of the recording that require gradients.
    """

    def __init__(self, demand: Demand) -> None:
        self.handlers: dict[Callable[..., Any], Callable[..., Any]] = {
            torch.autograd.grad: self._grad,
            torch.autograd.backward: self._backward,
            Tensor.backward: lambda tensor, gradient=None, *_, **named: self._backward(tensor, gradient, **named),
            Tensor.grad.__get__: self._grad_of,  # type: ignore[union-attr]
            Tensor.requires_grad.__get__: self._requires_grad,  # type: ignore[attr-defined]
        }
        self.writer = demand.writer
        self.evaluator = demand.evaluator
        self.marked: list[Tracked] = []
        self._demand = demand
        self._grads: dict[int, Tensor] = {}

    def mark(self, tensor: Tensor) -> None:
        """Note whether a tensor of the recording requires gradients."""
        tracked = self.writer.tensors.of(tensor)
        self.marked = [each for each in self.marked if each is not tracked] + [tracked] * tensor.requires_grad
        self.writer.node_of(tracked).meta[REQUIRES_GRAD] = tensor.requires_grad

    def forget(self, tensor: Tensor) -> None:
        """Answer ``tensor.grad = None``."""
        self._grads.pop(id(tensor), None)

    def applied(self, function: Any, args: tuple[Any, ...], result: object) -> None:
        """Note on the results of a `torch.autograd.Function` that it computes their backward pass."""
        self._demand.asked += 1  # so that its block is not copied
        call = partial(function, *map_values(lambda item: self._node(item) if isinstance(item, Tensor) else item, args))
        for place, tensor in enumerate(tensors_in(result)):
            node = self._node(tensor)
            if node not in _nodes_in(call.args):
                node.meta.setdefault(APPLIED, (call, place))

    def _node(self, tensor: Tensor) -> fx.Node:
        return self.writer.node_of(self.writer.tensors.of(tensor))

    def clear(self) -> None:
        self.marked.clear()
        self._grads.clear()

    # --- calls ---------------------------------------------------------------------------------

    def _grad(self, outputs: object, inputs: object, grad_outputs: object = None, **options: Any) -> Gradients:
        return self._derive(Derivative("grad", options), outputs, _listed(inputs), grad_outputs)

    def _backward(
        self, tensors: object, gradients: object = None, *_: object, inputs: object = None, **__: Any
    ) -> None:
        leaves = _listed(inputs) or [each.tensor for each in self.marked] + _trainable(self.writer.model)
        grads = self._derive(Derivative("backward", {"allow_unused": True}), tensors, leaves, gradients)
        self._grads.update((id(leaf), grad) for leaf, grad in zip(leaves, grads, strict=True) if grad is not None)

    def _grad_of(self, tensor: Tensor) -> Tensor | None:
        found = self._grads.get(id(tensor))
        return tensor.grad if found is None else found

    def _requires_grad(self, tensor: Tensor) -> bool:
        tracked = self.writer.tensors.of(tensor) if self.marked else None
        if tracked is None or not tracked.is_ours or tensor.requires_grad:
            return tensor.requires_grad
        node = self.writer.node_of(tracked)
        return node in _Run(self, [node], []).leading and not tracked.spec.is_index

    def _derive(self, target: Derivative, outputs: object, leaves: list[Tensor], gradients: object) -> Gradients:
        """Record a derivative; returns one gradient for each leaf, None if it has none."""
        self._demand.asked += 1  # so that its block is not copied
        tensors = self.writer.tensors
        ours = [each for each in leaves if tensors.is_ours(each)]
        call = self.writer.call(target, (_listed(outputs), ours, _listed(gradients)), {})
        target.nodes = roots, inputs, weights = call.nodes[0]
        target.leaves = [None if tensors.is_ours(each) else each for each in leaves]
        target.run = lambda real: _Run(self, [*roots, *filter(None, weights)], inputs, real=real).forward()
        count = FlopCount()
        try:
            run = target.run(False)
            with without_torch_function(), count:
                found = target.derive(run)
            specs = [None if each is None else spec_of(each, self.writer.device) for each in found]
            flops, unknown = None if count.unknown else count.flops, tuple(dict.fromkeys(count.unknown))
        except Exception:  # of any kind: results of data-dependent operations have no gradient on meta
            specs, flops, unknown = [None] * len(leaves), None, (f"the derivative at {self.writer.source()}",)
        if not target.options.get("allow_unused"):
            specs = [spec or tensors.of(leaf).spec for spec, leaf in zip(specs, leaves, strict=True)]
        outcome = self._demand.marked(Outcome(tuple(specs), flops, unknown, workspace=None), call)
        result: Any = self.writer.result(self.writer.write(call, outcome), call)
        return tuple(result)


class Derivative:
    """A call of ``autograd.grad`` or ``backward``; takes the outputs, the inputs, and the gradients of the outputs.

    Attributes:
        nodes: the nodes of the outputs, of the inputs that the recording made, and of the outputs' gradients.
        leaves: the inputs: parameters, or None for the next input that the recording made.
        run: runs the part of the graph that leads to the outputs, with real values (True) or on meta.
    """

    nodes: tuple[Any, Any, Any]
    leaves: list[Tensor | None]
    run: Callable[[bool], _Run]

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.__name__ = self.__qualname__ = name
        self.__module__ = "torch.autograd"
        self.options = options

    def derive(self, run: _Run) -> Gradients:
        """Return the gradients in a graph that has run."""
        outputs, inputs, gradients = load(self.nodes, run.values)
        rest = iter(inputs)
        leaves = [next(rest) if leaf is None else run.tensor(leaf) for leaf in self.leaves]
        with torch.enable_grad():
            return torch.autograd.grad(outputs, leaves, gradients or None, **self.options)

    def __call__(self, *_: object) -> Gradients:
        return tuple([None if each is None else each.detach() for each in self.derive(self.run(True))])


class _Run:
    """Runs the part of a recorded graph that leads to some nodes, with gradients.

    Args:
        roots: the nodes that it leads to.
        cut: the nodes that it starts at; their values become leaves of autograd.
        real: whether to run with real values rather than on meta.

    Attributes:
        values: the values of the nodes that have run.
        leading: the nodes whose values have gradients.
    """

    def __init__(self, owner: Derivatives, roots: list[fx.Node], cut: list[fx.Node], *, real: bool = False) -> None:
        self.leading: set[fx.Node] = set()
        self.values: dict[fx.Node, Any] = {}
        self._writer = owner.writer
        self._evaluator = owner.evaluator
        self._real = real
        self._twins = Twins()
        self._applied: dict[partial[Any], list[Tensor]] = {}
        self._cut = frozenset(cut)
        needed: set[fx.Node] = set()
        todo = [*roots, *cut]
        while todo:
            node = todo.pop()
            if node not in needed:
                needed.add(node)
                todo += () if node in self._cut else _sources(node)
        self._nodes = sorted(needed, key=self._writer.tensors.order.__getitem__)
        derived = [each for node in self._nodes if isinstance(node.target, Derivative) for each in node.target.nodes[1]]
        self._starts = {*cut, *map(self._writer.node_of, owner.marked), *derived}
        for node in self._nodes:
            if node in self._starts or self._has_gradients(node):
                self.leading.add(node)

    def forward(self) -> _Run:
        with without_torch_function(), torch.enable_grad():
            for node in self._nodes:
                value = self._value(node)
                if node in self._starts and not value.requires_grad:
                    value = value.detach().clone().requires_grad_()
                self.values[node] = value
        return self

    def tensor(self, tensor: Tensor) -> Tensor:
        """Return a parameter, or its meta twin."""
        return tensor if self._real else self._twins.tensor(tensor)

    def _has_gradients(self, node: fx.Node) -> bool:
        if APPLIED in node.meta:
            return not self.leading.isdisjoint(_sources(node))
        if node.meta.get(NO_GRAD) or node.target == "detach":
            return False
        if node.op == "get_attr":
            return self._evaluator.attribute(node).requires_grad
        if node.op == "call_module" and _trainable(submodule(self._writer.model, str(node.target))):
            return True
        return not self.leading.isdisjoint(node.all_input_nodes)

    def _value(self, node: fx.Node) -> Any:
        if node.op == "get_attr":
            return self.tensor(self._evaluator.attribute(node))
        if node not in self.leading or node in self._cut or node.op == "placeholder":
            if self._real:
                return self._evaluator.value(node)
            spec = self._writer.propagation.outcomes[node].value
            return map_values(lambda item: materialize(item) if type(item) is TensorSpec else item, spec)
        if isinstance(node.target, Derivative):
            return node.target.derive(self)
        if APPLIED in node.meta:
            call, place = node.meta[APPLIED]
            if call not in self._applied:
                with nullcontext() if self._real else torch.device(META):
                    result = call.func.apply(*load(call.args, self.values))
                self._applied[call] = list(tensors_in(result))
            return self._applied[call][place]
        with torch.no_grad() if node.meta.get(NO_GRAD) else nullcontext():
            return self._evaluator.call(node, self.values) if self._real else self._call(node)

    def _call(self, node: fx.Node) -> Any:
        target: Any = submodule(self._writer.model, str(node.target)) if node.op == "call_module" else node.target
        function, mode = callee_of(target, self._twins)
        args, kwargs = on_meta(target, *load((node.args, node.kwargs), self.values))
        with mode, torch.device(META):
            return function(*args, **kwargs)


def _sources(node: fx.Node) -> list[fx.Node]:
    """Return the nodes that a node is computed from."""
    if APPLIED in node.meta:
        return _nodes_in(node.meta[APPLIED][0].args)
    return [*node.all_input_nodes, *node.meta.get(AFTER, ())]


def _nodes_in(value: object) -> list[fx.Node]:
    return [each for each in walk(value) if isinstance(each, fx.Node)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [] if value is None else [value]


def _trainable(module: nn.Module) -> list[Tensor]:
    """Return the parameters that require gradients, each once."""
    return list(dict.fromkeys([tensor for tensor in tensors_of(module) if tensor.requires_grad]))
