"""Computes real values of nodes: runs the part of a recorded graph that produces them.

It uses the data of the example inputs and the model's own weights. If they hold no data, or if that part of the graph
costs more than `MAX_FLOPS`, it assumes values, and marks all values that depend on them.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

import torch
from torch import fx, nn

from fxsummary.capture.module_index import submodule, tensors_of
from fxsummary.capture.operations.run import method
from fxsummary.capture.operations.twins import Twins, materialize
from fxsummary.capture.recorded.budget import Budget
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.structures import load, tensors_in
from fxsummary.graph.spec import TensorSpec, leaves, map_structure

MAX_FLOPS = 500 * 10**9
"""The most FLOPs that computing one value may cost."""

MAX_BYTES = 4 * 2**30
"""The most bytes that the tensors of one computation may take."""


class NoValueError(Exception):
    """A value can be neither computed nor assumed."""


class Evaluator:
    """Computes the values of nodes, each at most once; `assumed` are the nodes that depend on assumed values."""

    def __init__(self, writer: Writer, budget: Budget | None = None) -> None:
        self.assumed: set[fx.Node] = set()
        self._writer = writer
        self._tensors = writer.tensors
        self._outcomes = writer.propagation.outcomes
        self._budget = budget
        self._copies = _Copies()
        self._values: dict[fx.Node, object] = {}
        self._parts: dict[fx.Node, object] = {}
        self._bytes = 0
        self._generator = torch.Generator().manual_seed(0)

    def value(self, node: fx.Node) -> object:
        """Return the value of a node; raises NoValueError if it can be neither computed nor assumed."""
        writers = [self._tensors.writers.get(storage, ()) for storage in self._tensors.memory.held.get(node, ())]
        if node not in self._values or not self._values.keys() >= set(chain(*writers)):
            with torch.no_grad(), off_meta():
                for each in self._needed(node):
                    try:
                        self._step(each)
                    except NoValueError:
                        raise
                    except Exception as error:  # torch's kernels raise exceptions of every kind
                        raise NoValueError(f"{each.name} cannot be computed: {error}") from error
        return self._values[node]

    def put(self, node: fx.Node, value: object) -> None:
        """Set the value of a node that was computed elsewhere; its meta tensors stay unknown."""
        kept = self._parts if any(tensor.is_meta for tensor in tensors_in(value)) else self._values
        kept[node] = value
        if not self.assumed.isdisjoint(node.all_input_nodes):
            self.assumed.add(node)

    def module(self, module: nn.Module) -> nn.Module:
        """Return a copy of a module with its real parameters, so that running it does not change the original."""
        return copy.deepcopy(module) if isinstance(module, torch.jit.ScriptModule) else self._copies.module(module)

    def attribute(self, node: fx.Node) -> torch.Tensor:
        """Return the tensor that a get_attr node names."""
        target = str(node.target)
        found: torch.Tensor | None = self._tensors.constants.get(target)
        return operator.attrgetter(target)(self._writer.model) if found is None else found

    def call(self, node: fx.Node, values: Mapping[fx.Node, object]) -> object:
        """Run the call of a node with real values."""
        args, kwargs = map_structure(_off_meta, load((node.args, node.kwargs), values))
        if node.op == "call_module":
            return self.module(submodule(self._writer.model, str(node.target)))(*args, **kwargs)
        function: Callable[..., object] = method(node.target) if isinstance(node.target, str) else node.target
        return function(*args, **kwargs)

    # --- dependencies --------------------------------------------------------------------------

    def _needed(self, node: fx.Node) -> list[fx.Node]:
        """Return the nodes to run, in order, without those that cost too much and whose results are assumed instead."""
        needed = self._closure(node, cut=False)
        if sum(self._outcomes[each].flops or 0 for each in needed) > MAX_FLOPS or any(map(self._lacks_data, needed)):
            needed = self._closure(node, cut=True)
        nbytes = sum(spec.nbytes for each in needed for spec in leaves(self._outcomes[each].value))
        if nbytes > MAX_BYTES:
            raise NoValueError(f"computing {node.name} takes {nbytes / 2**30:.0f} GiB")
        if self._budget is not None:
            self._budget.spend(nbytes)
        return sorted(needed, key=self._tensors.order.__getitem__)

    def _closure(self, node: fx.Node, *, cut: bool) -> set[fx.Node]:
        """Return the nodes that a value depends on; with ``cut``, not those behind calls whose results are assumed."""
        order, writers = self._tensors.order, self._tensors.writers
        needed: set[fx.Node] = set()
        written: dict[int, int] = {}  # the position up to which the writes to a storage were visited
        queued: set[fx.Node] = set()
        holders: dict[int, list[fx.Node]] = {}
        todo = [(node, len(order))]
        while todo:
            current, before = todo.pop()
            self._take_part(current)
            if current not in needed and current not in self._values:
                needed.add(current)
                is_costly = current.op.startswith("call") and self._outcomes[current].flops != 0
                if not (cut and (is_costly or self._reads_no_data(current))):
                    todo.extend((each, order[current]) for each in current.all_input_nodes)
            for storage in self._tensors.memory.held.get(current, ()):
                if written.get(storage, -1) >= before:
                    continue
                written[storage] = before
                for writer in writers.get(storage, ()):  # and the nodes that read before it
                    if order[writer] < before and writer not in queued and writer not in self._values:
                        queued.add(writer)
                        holders = holders or self._tensors.holders()
                        users = [user for holder in holders[storage] for user in holder.users]
                        readers = [user for user in users if order.get(user, order[writer]) < order[writer]]
                        new = [each for each in (writer, *readers) if each not in needed and each not in self._values]
                        todo.extend((each, order[each]) for each in new)
        return needed

    def _take_part(self, node: fx.Node) -> None:
        """Take an element from a result that is known only in part, such as the sizes in packed data."""
        whole = node.args[0] if node.target in (operator.getitem, getattr) else None
        if not self._parts or not isinstance(whole, fx.Node) or node in self._values or node in self._parts:
            return
        if len(node.all_input_nodes) > 1:  # the key is a tensor
            return
        self._take_part(whole)
        if whole in self._parts:
            take: Callable[..., object] = getattr if node.target is getattr else operator.getitem
            self.put(node, take(self._parts[whole], node.args[1]))

    def _reads_no_data(self, node: fx.Node) -> bool:
        """Whether weights of a call hold no data; assuming its result is cheaper than assuming weights."""
        outcome = self._outcomes[node]
        if outcome.writes or not all("float" in spec.dtype for spec in leaves(outcome.value)):
            return False
        weights = [each for each in node.all_input_nodes if each.op == "get_attr"]
        return any(map(self._lacks_data, [node] if node.op == "call_module" else weights))

    def _lacks_data(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return any(tensor.is_meta for tensor in tensors_of(submodule(self._writer.model, str(node.target))))
        tensor = self._held(node)
        return not node.op.startswith("call") and (tensor is None or tensor.is_meta)

    def _held(self, node: fx.Node) -> torch.Tensor | None:
        """Return the user's tensor behind a placeholder or get_attr node, if there is one."""
        return self.attribute(node) if node.op == "get_attr" else self._writer.inputs.get(node)

    # --- values --------------------------------------------------------------------------------

    def _step(self, node: fx.Node) -> None:
        lacks_data, held = self._lacks_data(node), self._held(node)
        missing = any(each not in self._values for each in node.all_input_nodes)
        is_assumed = missing or self._reads_no_data(node) if node.op.startswith("call") else lacks_data
        if is_assumed or lacks_data or not self.assumed.isdisjoint(node.all_input_nodes):
            self.assumed.add(node)
        if is_assumed:
            self._values[node] = map_structure(
                lambda each: self._assume(each, node) if isinstance(each, TensorSpec) else each,
                self._outcomes[node].value,
            )
        elif held is not None:
            is_written = any(self._tensors.writers.get(each) for each in self._tensors.memory.held.get(node, ()))
            self._values[node] = held.detach().clone() if is_written else held.detach()
        else:
            self._values[node] = self.call(node, self._values)

    def _assume(self, spec: TensorSpec, node: fx.Node) -> torch.Tensor:
        """Return random numbers; zeros for integers, which may be indices; ones for masks and single integers.

        A single integer may be a divisor, such as a size. A "masked" mask has every second element set.
        """
        name = str(node.target) if node.op == "placeholder" else ""
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
        values = torch.randn(spec.shape, generator=self._generator) * (0.02 if node.op == "get_attr" else 1.0)
        return values.to(dtype)


class _Copies(Twins):
    """Copies of modules with their real parameters and copies of their buffers."""

    def _new_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_meta:
            values = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)) * 0.02
            return nn.Parameter(values.to(tensor.dtype), requires_grad=False)
        return tensor if isinstance(tensor, nn.Parameter) else tensor.detach().clone()

    def _value(self, value: object) -> object:
        return value if isinstance(value, torch.ScriptObject) else super()._value(value)


def off_meta() -> AbstractContextManager[object]:
    """Create tensors on the CPU inside the context if the user is inside ``torch.device("meta")``."""
    return torch.device("cpu") if torch.empty(0).is_meta else nullcontext()


def _off_meta(value: object) -> object:
    """Return the CPU for the meta device, and a tensor for a spec."""
    if type(value) is TensorSpec:
        return materialize(value, torch.device("cpu"))
    return torch.device("cpu") if isinstance(value, torch.device) and value.type == "meta" else value
