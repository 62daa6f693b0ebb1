"""Values on demand: the part of a recorded graph that yields a value, run for real.

Values come from the example inputs where they have data and from the model's own weights; where they have
none (on meta), or where the part costs more than `MAX_FLOPS`, values are assumed, and whatever rests on
them is marked so.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import submodule, tensors_of
from fxsummary.capture.operations.run import Outcome
from fxsummary.capture.operations.twins import Twins, materialize
from fxsummary.capture.recorded.budget import Budget
from fxsummary.capture.recorded.memory import Writes
from fxsummary.capture.recorded.tensor_origins import element
from fxsummary.capture.structures import load, tensors_in
from fxsummary.graph.spec import TensorSpec, leaves, map_structure

MAX_FLOPS = 500 * 10**9
"""A part of the graph that costs more than this is not computed."""

MAX_BYTES = 4 * 2**30
"""Nor is one whose tensors take more than this."""


class NoValueError(Exception):
    """A value cannot be had."""


class Evaluator:
    """Computes values of nodes, each at most once.

    Args:
        outcomes: specs and FLOPs of the nodes so far; grows with the recording.
        given: the input tensors by placeholder node; those without data may be missing.
        constants: tensors by get_attr target.
        writes: who writes what; grows with the recording.
        budget: how much may be computed; None for any amount.
    """

    def __init__(
        self,
        model: nn.Module,
        outcomes: Mapping[fx.Node, Outcome],
        given: Mapping[fx.Node, torch.Tensor],
        constants: Mapping[str, torch.Tensor],
        writes: Writes,
        budget: Budget | None = None,
    ) -> None:
        self._model = model
        self._budget = budget
        self._outcomes = outcomes
        self._given = given
        self._constants = constants
        self._writes = writes
        self._copies = _Copies()
        self._values: dict[fx.Node, Any] = {}
        self._parts: dict[fx.Node, Any] = {}
        self._assumed: set[fx.Node] = set()
        self._bytes = 0
        self._generator = torch.Generator().manual_seed(0)

    def value(self, node: fx.Node) -> Any:
        """The value of a node.

        Raises:
            NoValueError: it cannot be computed.
        """
        if node not in self._values or self._written_since(node):
            self._run(self._needed(node))
        return self._values[node]

    def _take_part(self, node: fx.Node) -> None:
        """An element of a result that is known though the rest of that is not, such as the sizes of packed data."""
        whole = node.args[0] if node.target in (operator.getitem, getattr) else None
        if not self._parts or not isinstance(whole, fx.Node) or node in self._values or node in self._parts:
            return
        if len(node.all_input_nodes) > 1:  # the place is a tensor
            return
        self._take_part(whole)
        if whole in self._parts:
            self.put(node, element(self._parts[whole], node.args[1]), whole in self._assumed)

    def is_assumed(self, node: fx.Node) -> bool:
        """Whether its value rests on values that were assumed."""
        return node in self._assumed

    def rests_on_assumed(self, node: fx.Node) -> bool:
        """Whether a call has assumed values among its arguments."""
        return any(each in self._assumed for each in node.all_input_nodes)

    def put(self, node: fx.Node, value: Any, assumed: bool) -> None:
        """The value of a node that was computed elsewhere; what is on meta in it is not known."""
        kept = self._parts if any(tensor.is_meta for tensor in tensors_in(value)) else self._values
        kept[node] = value
        if assumed:
            self._assumed.add(node)

    def load(self, argument: Any) -> Any:
        """An argument with the values of its nodes."""
        for node in _nodes_in(argument):
            self.value(node)
        return load(argument, self._values)

    def module(self, module: nn.Module) -> nn.Module:
        """A module to run for real: with the real parameters, and copies of what running it may change."""
        if isinstance(module, torch.jit.ScriptModule):
            return copy.deepcopy(module)
        return self._copies.module(module)

    def _written_since(self, node: fx.Node) -> bool:
        return any(
            writer not in self._values
            for storage in self._writes.storages_of(node)
            for writer in self._writes.writers.get(storage, ())
        )

    def _needed(self, node: fx.Node) -> list[fx.Node]:
        """The nodes to run, in order; what costs too much is left out and will be assumed."""
        needed = self._closure(node, cut=False)
        flops = sum(self._outcomes[each].flops or 0 for each in needed if each in self._outcomes)
        if flops > MAX_FLOPS or any(self._lacks_data(each) for each in needed):
            needed = self._closure(node, cut=True)
        nbytes = sum(spec.nbytes for each in needed for spec in self._specs(each))
        if nbytes > MAX_BYTES:
            raise NoValueError(f"the value of {node.name} takes {nbytes / 2**30:.0f} GiB to compute")
        if self._budget is not None:
            self._budget.spend(nbytes)
        return sorted(needed, key=self._writes.order.__getitem__)

    def _closure(self, node: fx.Node, *, cut: bool) -> set[fx.Node]:
        """What a value rests on; each node, memory and write is looked at once."""
        order, writes = self._writes.order, self._writes.writers
        needed: set[fx.Node] = set()
        written: dict[int, int] = {}  # up to which position the writes to a memory are known
        queued: set[fx.Node] = set()
        holders = _Holders(self._writes)
        todo = [(node, len(order))]
        while todo:
            current, before = todo.pop()
            self._take_part(current)
            if current not in needed and current not in self._values:
                needed.add(current)
                if not (cut and (self._is_costly(current) or self._reads_no_data(current))):
                    todo.extend((each, order[current]) for each in current.all_input_nodes)
            for storage in self._writes.storages_of(current):
                if written.get(storage, -1) >= before:
                    continue
                written[storage] = before
                for writer in writes.get(storage, ()):  # in place, and what reads before it
                    if order[writer] < before and writer not in queued and writer not in self._values:
                        queued.add(writer)
                        readers = self._readers(holders[storage], order[writer])
                        new = [each for each in (writer, *readers) if each not in needed and each not in self._values]
                        todo.extend((each, order[each]) for each in new)
        return needed

    def _readers(self, holders: Iterable[fx.Node], before: int) -> list[fx.Node]:
        order = self._writes.order
        return [user for node in holders for user in node.users if order.get(user, before) < before]

    def _is_costly(self, node: fx.Node) -> bool:
        outcome = self._outcomes.get(node)
        return outcome is not None and node.op.startswith("call") and outcome.flops != 0

    def _reads_no_data(self, node: fx.Node) -> bool:
        """Whether a call has weights without data: its result is assumed, which is cheaper than to assume those."""
        outcome = self._outcomes.get(node)
        if outcome is None or outcome.writes or not all("float" in spec.dtype for spec in leaves(outcome.value)):
            return False
        weights = (
            [node] if node.op == "call_module" else [each for each in node.all_input_nodes if each.op == "get_attr"]
        )
        return any(map(self._lacks_data, weights))

    def _lacks_data(self, node: fx.Node) -> bool:
        if node.op == "placeholder":
            tensor = self._given.get(node)
            return tensor is None or tensor.is_meta
        if node.op == "call_module":
            module = submodule(self._model, str(node.target))
            return any(tensor.is_meta for tensor in tensors_of(module))
        return node.op == "get_attr" and self.attribute(node).is_meta

    def _specs(self, node: fx.Node) -> list[TensorSpec]:
        outcome = self._outcomes.get(node)
        return [] if outcome is None else list(leaves(outcome.value))

    def _run(self, nodes: list[fx.Node]) -> None:
        with torch.no_grad(), off_meta():
            for node in nodes:
                try:
                    self._step(node)
                except NoValueError:
                    raise
                except Exception as error:  # torch's kernels raise of every kind
                    raise NoValueError(f"{node.name} cannot be computed: {error}") from error

    def _step(self, node: fx.Node) -> None:
        missing = [each for each in node.all_input_nodes if each not in self._values]
        if node.op == "placeholder":
            self._values[node] = self._input(node)
        elif node.op == "get_attr":
            self._values[node] = self._constant(node)
        elif missing or self._reads_no_data(node):
            self._values[node] = self._assume_result(node)
        else:
            if self.rests_on_assumed(node) or self._lacks_data(node):
                self._assumed.add(node)
            self._values[node] = self._call(node)

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = _off_meta(load((node.args, node.kwargs), self._values))
        if node.op == "call_module":
            return self.module(submodule(self._model, str(node.target)))(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]

    def _input(self, node: fx.Node) -> torch.Tensor:
        if self._lacks_data(node):
            self._assumed.add(node)
            return self._assume(self._outcomes[node].value, str(node.target))
        return self._own(node, self._given[node])

    def _constant(self, node: fx.Node) -> torch.Tensor:
        tensor = self.attribute(node)
        if tensor.is_meta:
            self._assumed.add(node)
            return self._assume(self._outcomes[node].value, "", 0.02)
        return self._own(node, tensor)

    def _own(self, node: fx.Node, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor itself, or a copy if the graph writes it."""
        is_written = any(self._writes.writers.get(each) for each in self._writes.storages_of(node))
        return tensor.detach().clone() if is_written else tensor.detach()

    def attribute(self, node: fx.Node) -> torch.Tensor:
        """The tensor that a get_attr node names."""
        value: Any = self._constants.get(str(node.target))
        if value is None:
            value = self._model
            for name in str(node.target).split("."):
                value = getattr(value, name)
        return value  # type: ignore[no-any-return]

    def _assume_result(self, node: fx.Node) -> Any:
        self._assumed.add(node)
        return map_structure(
            lambda value: self._assume(value, "") if isinstance(value, TensorSpec) else value,
            self._outcomes[node].value,
        )

    def _assume(self, spec: TensorSpec, name: str, deviation: float = 1.0) -> torch.Tensor:
        """Normally distributed numbers; zeros for integers, which may be indices; ones for masks and single integers.

        A single integer may be a size or a step, by which something is divided. A mask of what is "masked" leaves
        some of it.
        """
        dtype = getattr(torch, spec.dtype)
        self._bytes += spec.nbytes
        if self._bytes > MAX_BYTES:
            raise NoValueError(f"its tensors ({spec} and others) are too large to assume values for")
        if dtype is torch.bool and "masked" in name:
            return torch.arange(spec.numel).reshape(spec.shape) % 2 == 1
        if dtype is torch.bool or ("mask" in name and not dtype.is_floating_point and len(spec.shape) > 1):
            return torch.ones(spec.shape, dtype=dtype)
        if not dtype.is_floating_point:
            return torch.zeros(spec.shape, dtype=dtype) if spec.shape else torch.ones((), dtype=dtype)
        values = torch.randn(spec.shape, generator=self._generator) * deviation
        return values.to(dtype)


class _Holders(dict[int, list[fx.Node]]):
    """The nodes that yield or write each memory; looked up once, where it is asked for."""

    def __init__(self, writes: Writes) -> None:
        super().__init__()
        self._writes = writes

    def __missing__(self, storage: int) -> list[fx.Node]:
        for node, storages in self._writes.storages.items():
            for each in storages:
                self.setdefault(each, []).append(node)
        return self.setdefault(storage, [])


class _Copies(Twins):
    """Modules with their real parameters, and copies of their buffers."""

    def _new_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_meta:
            values = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)) * 0.02
            return nn.Parameter(values.to(tensor.dtype), requires_grad=False)
        return tensor if isinstance(tensor, nn.Parameter) else tensor.detach().clone()

    def _value(self, value: Any) -> Any:
        return value if isinstance(value, torch.ScriptObject) else super()._value(value)


def off_meta() -> AbstractContextManager[object]:
    """What a ``with torch.device("meta")`` around all would make without data is made on the CPU."""
    return torch.device("cpu") if torch.empty(0).is_meta else nullcontext()


def _nodes_in(argument: Any) -> list[fx.Node]:
    nodes: list[fx.Node] = []
    fx.map_arg(argument, lambda node: nodes.append(node) or node)  # type: ignore[func-returns-value]
    return nodes


def _off_meta(structure: Any) -> Any:
    """The same with the CPU where meta is asked for, and a tensor where only its spec is known."""

    def real(value: Any) -> Any:
        if type(value) is TensorSpec:
            return materialize(value, torch.device("cpu"))
        return torch.device("cpu") if isinstance(value, torch.device) and value.type == "meta" else value

    return map_structure(real, structure)
