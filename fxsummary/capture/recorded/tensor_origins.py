"""The tensors of a recording: the node that each comes from, and the storage that it shares with others."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import constants, modules_by_path, tensor_names
from fxsummary.capture.operations.outcome import Alias, Outcome
from fxsummary.capture.operations.twins import Twins, materialize, spec_of
from fxsummary.capture.recorded.stop import StopRecording
from fxsummary.capture.results import Storages
from fxsummary.capture.structures import NESTED, is_plain
from fxsummary.capture.torch_internals import storage_of
from fxsummary.graph.spec import TensorSpec, map_structure

Place = tuple[tuple[Callable[..., Any], object], ...]
"""The steps that lead to an element of a result: `operator.getitem` or `getattr`, with a key."""

Origin = tuple[fx.Node, Place]
"""The node that returns a tensor, and the place of the tensor in its result."""


@dataclass(eq=False, slots=True)
class Tracked:
    """A tensor, and where its value comes from.

    Attributes:
        reference: returns the tensor; None if the model's code has let go of it. Weak if the recording made it.
        spec: its spec, on the device that it claims to be on.
        storage: a number that is equal for tensors that share memory.
        version: how often its storage had been written when its node was written.
        assumed: whether its shape depends on assumed values.
        attribute: the name of a parameter, buffer or constant; "" if the recording made it.
        origin: the node and place that it comes from; None for attributes.
        node: its own node; None for an attribute or an element of a result until an operation reads it.
    """

    reference: Callable[[], torch.Tensor | None]
    spec: TensorSpec
    storage: int
    attribute: str = ""
    origin: Origin | None = None
    node: fx.Node | None = None
    version: int = 0
    assumed: bool = False

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor, which the model's code must hold."""
        found = self.reference()
        assert found is not None
        return found

    @property
    def is_ours(self) -> bool:
        """Whether the recording made it; False for parameters, buffers and constants."""
        return not self.attribute

    def set_node(self, node: fx.Node) -> None:
        """Set the node after an in-place write."""
        self.node = node
        if not self.attribute:
            self.origin = node, ()


class Tensors:
    """The tensors that a recording has met, and the nodes that return or write their storage.

    Attributes:
        constants: tensors that are neither parameters nor buffers, by the get_attr target that refers to them.
        order: the position of each node.
        memory: the storages of the nodes.
        writers: the nodes that write to a storage in place, by its number.
        made: all tensors that it tracked, in order.
    """

    def __init__(self, model: nn.Module, device: str) -> None:
        self.constants: dict[str, torch.Tensor] = {}
        self.order: dict[fx.Node, int] = {}
        self.memory = Storages()
        self.writers: dict[int, list[fx.Node]] = {}
        self.made: list[Tracked] = []
        self.new_storage = count().__next__
        self._model = model
        self._device = device
        self._twins = Twins()
        self._attributes = tensor_names(modules_by_path(model))
        self._known: dict[int, Tracked] = {}
        self._by_storage: dict[int, Tracked] = {}
        self._storages: dict[int, int] = {}
        self._references: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def get(self, tensor: torch.Tensor) -> Tracked | None:
        """Return the tracked tensor; None if the recording has not met it."""
        known = self._known.get(id(tensor))
        return known if known is not None and (known.attribute or known.reference() is tensor) else None

    def of(self, tensor: torch.Tensor) -> Tracked:
        """Return the tracked tensor; one that is new here is an attribute, an alias or a constant."""
        known = self._known.get(id(tensor))
        if known is not None and (known.attribute or known.reference() is tensor):  # an id may be used again
            return known
        return self._first_met(tensor)

    def is_named(self, tensor: torch.Tensor) -> bool:
        """Whether the recording has met a tensor, or it is an attribute of the model."""
        return self.get(tensor) is not None or self._attribute_name(tensor) is not None

    def is_ours(self, tensor: torch.Tensor) -> bool:
        """Whether the recording made a tensor; any other must not change."""
        known = self.get(tensor)
        return known is not None and known.is_ours

    def data_of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return ``tensor.data`` of an attribute, tracked as the same value under the same name."""
        data, tracked = tensor.data, self.of(tensor)
        self._add_alias(data, tracked).spec = tracked.spec
        return data

    def clear(self) -> None:
        """Forget the tensors, but not what is known of their memory."""
        for forgotten in (self.made, self._known, self._by_storage, self._references):
            forgotten.clear()
        self._twins = Twins()

    def add(self, tensor: torch.Tensor, source: str | Origin, spec: TensorSpec | None = None) -> Tracked:
        """Track a new tensor; ``source`` is the name of an attribute, or the node and place that it comes from."""
        if tensor.is_nested:
            raise NotImplementedError(NESTED)
        is_ours = not isinstance(source, str)
        reference = weakref.ref(tensor) if is_ours else lambda: tensor
        tracked = Tracked(reference, spec or spec_of(tensor, self._device), self._number(tensor, is_ours))
        if isinstance(source, str):
            tracked.attribute = source
        else:
            tracked.origin, tracked.node = source, None if source[1] else source[0]
        self._keep(tensor, tracked)
        return tracked

    def _keep(self, tensor: torch.Tensor, tracked: Tracked) -> None:
        self._known[id(tensor)] = self._by_storage[tracked.storage] = tracked
        self.made.append(tracked)

    def _number(self, tensor: torch.Tensor, is_ours: bool, number: int | None = None) -> int:
        """Return the number of a tensor's storage; if it is new, watch when it is freed.

        Args:
            number: the number of a new storage; by default an unused one.
        """
        key = storage_of(tensor)
        known = self._storages.get(key)
        if known is not None:
            return known
        number = self._storages[key] = self.new_storage() if number is None else number
        if is_ours and key != id(tensor):
            storage = tensor.untyped_storage()
            self.memory.nbytes.setdefault(number, storage.nbytes())
            self._references[key] = weakref.ref(storage, lambda _: self._freed(key))
        return number

    def _freed(self, key: int) -> None:
        """Note after which node a storage was freed; another may get its address."""
        number = self._storages.pop(key)
        if self._references.pop(key, None) is not None and self.order:
            self.memory.deaths[number] = next(reversed(self.order))

    def revived(self, tracked: Tracked) -> torch.Tensor:
        """Return the tensor of a copy or of a tensor that was released; makes a new one if it has none."""
        tensor = tracked.reference()
        if tensor is None:
            tensor = materialize(tracked.spec)
            tracked.reference = weakref.ref(tensor)
            self._number(tensor, True, tracked.storage)
            self.memory.deaths.pop(tracked.storage, None)
            self._keep(tensor, tracked)
        return tensor

    def twin(self, tracked: Tracked) -> torch.Tensor:
        """Return the tensor itself if the recording made it, or else a meta tensor instead of the user's."""
        tensor = tracked.tensor
        if tracked.is_ours:
            return tensor
        twin = self._twins.tensor(tensor)
        if self._known.get(id(twin)) is not tracked:
            self._known[id(twin)] = tracked
            self._storages[storage_of(twin)] = tracked.storage
        return twin

    def _first_met(self, tensor: torch.Tensor) -> Tracked:
        if tensor.is_meta and id(tensor) not in self._attributes:
            original = self._by_storage.get(self._storages.get(storage_of(tensor), -1))
            if original is not None:
                return self._add_alias(tensor, original)
        name = self._attribute_name(tensor)
        if name is None and tensor.is_meta and self._device != "meta":
            raise StopRecording("a tensor was made outside the recording, such as in a thread or by pickle")
        if name is None:
            name = f"_tensor_constant{len(self.constants)}"
            self.constants[name] = tensor
        return self.add(tensor, name)

    def _add_alias(self, tensor: torch.Tensor, original: Tracked) -> Tracked:
        """Track another object for a known storage that no recorded call made, such as an ``nn.Parameter``."""
        alias = self.add(tensor, original.origin or original.attribute)
        if original.node is not None:
            alias.set_node(original.node)
        alias.version = original.version
        alias.assumed = original.assumed
        return alias

    def _attribute_name(self, tensor: torch.Tensor) -> str | None:
        return self._attributes.get(id(tensor)) or self._plain_attributes.get(id(tensor))

    @cached_property
    def _plain_attributes(self) -> dict[int, str]:
        """Names of tensors that are neither parameters nor buffers, by ``id``."""
        return {id(value): name for value, name in constants(modules_by_path(self._model)).items()}

    def rebuild(self, outcome: Outcome, node: fx.Node, given: list[Tracked]) -> object:
        """Return the result of an operation as meta tensors; ``given`` are the tensors among its arguments."""
        if type(outcome.value) is TensorSpec and not outcome.aliases:
            tensor = materialize(outcome.value)
            self.add(tensor, (node, ()), outcome.value)
            return tensor
        aliases = iter(outcome.aliases)

        def build(spec: object) -> object:
            return self._build(spec, next(aliases, None), outcome, given) if type(spec) is TensorSpec else spec

        value = map_structure(build, outcome.value)
        for index in outcome.writes:
            if isinstance(value, torch.Tensor) and self.get(value) is given[index]:
                given[index].set_node(node)
        return value

    def _build(self, spec: TensorSpec, alias: Alias | None, outcome: Outcome, given: list[Tracked]) -> torch.Tensor:
        if alias is None:
            return materialize(spec)
        if spec.is_quantized:  # which has no views on meta
            tensor = materialize(spec)
            self._number(tensor, True, given[alias.index].storage)
            return tensor
        original = self.twin(given[alias.index])
        if alias.offset is None and alias.index in outcome.writes:
            if original.shape != spec.shape:  # torch resizes an argument passed as out=
                original.resize_(spec.shape)
                given[alias.index].spec = spec
            return original
        if alias.offset is None:
            return original.detach()
        if spec.stride is None:
            return materialize(spec)
        return original.detach().as_strided(spec.shape, spec.stride, int(original.storage_offset()) + alias.offset)

    def track(self, value: object, node: fx.Node, place: Place = ()) -> None:
        """Track the tensors in a result, or in a part of it."""
        if isinstance(value, torch.Tensor):
            if self.get(value) is None:
                self.add(value, (node, place))
        elif isinstance(value, (tuple, list, dict)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                self.track(item, node, (*place, (operator.getitem, key)))
        elif not is_plain(value) and hasattr(value, "__dict__"):
            for key, item in vars(value).items():
                if isinstance(item, (torch.Tensor, tuple, list, dict)):
                    self.track(item, node, (*place, (getattr, key)))

    # --- nodes and storages --------------------------------------------------------------------

    def note(self, node: fx.Node, storage: int) -> None:
        """Note that a node returns or writes a storage."""
        known = self.memory.held.get(node, ())
        if storage not in known:
            self.memory.held[node] = (*known, storage)

    def write(self, node: fx.Node, storage: int) -> None:
        """Note that a node writes to a storage in place."""
        self.writers.setdefault(storage, []).append(node)
        self.note(node, storage)

    def version(self, storage: int) -> int:
        """Return how often a storage was written in place."""
        return len(self.writers.get(storage, ()))

    def holders(self) -> dict[int, list[fx.Node]]:
        """Return the nodes that return or write each storage."""
        found: dict[int, list[fx.Node]] = {}
        for node, storages in self.memory.held.items():
            for storage in storages:
                found.setdefault(storage, []).append(node)
        return found
