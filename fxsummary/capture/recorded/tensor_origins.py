"""The tensors that a recording knows: which node each comes from, and which memory it shares."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.module_index import modules_by_path, tensor_names
from fxsummary.capture.operations.run import Alias, Outcome
from fxsummary.capture.operations.twins import Twins, materialize, spec_of
from fxsummary.capture.structures import NESTED, is_plain
from fxsummary.capture.torch_internals import storage_of
from fxsummary.graph.spec import TensorSpec, map_structure

NewNode = Callable[[str, Any, Any, Any], fx.Node]
"""Makes a node: opcode, target, args, kwargs."""

Source = "str | tuple[fx.Node, tuple[Any, ...]]"
"""Name of an attribute or constant, or a node and the place in its result."""


class Tracked:
    """A tensor and where its value comes from.

    Attributes:
        tensor: the tensor that the model's code holds.
        spec: its spec, on the device that it claims to be on.
        storage: the same number for all tensors that share its memory.
        is_ours: whether the recording made it; False for parameters, buffers and constants.
        version: how often that memory had been written when its node was made.
        assumed: whether its shape rests on values that were assumed.
        origin: the node that yields it, and its place in the result there; None for attributes.
    """

    __slots__ = ("_node", "assumed", "attribute", "is_ours", "origin", "spec", "storage", "tensor", "version")

    def __init__(self, tensor: torch.Tensor, spec: TensorSpec, storage: int, source: Any) -> None:
        self.tensor = tensor
        self.spec = spec
        self.storage = storage
        self.version = 0
        self.assumed = False
        self.attribute = source if isinstance(source, str) else ""
        self.is_ours = not self.attribute
        self.origin = None if isinstance(source, str) else source
        self._node = self.origin[0] if self.origin is not None and not self.origin[1] else None

    @property
    def is_made(self) -> bool:
        """Whether its node exists; those of attributes and of elements of a result are made when needed."""
        return self._node is not None

    def node(self, new_node: NewNode, items: dict[tuple[fx.Node, Any], fx.Node]) -> fx.Node:
        """Its node.

        Args:
            items: the nodes of elements of results, so that there is one for each.
        """
        if self._node is None:
            self._node = self._make(new_node, items)
        return self._node

    def _make(self, new_node: NewNode, items: dict[tuple[fx.Node, Any], fx.Node]) -> fx.Node:
        if self.origin is None:
            return new_node("get_attr", self.attribute, (), {})
        current, place = self.origin
        for key in place:
            item = items.get((current, key))
            if item is None:
                get = getattr if isinstance(key, AttributeName) else operator.getitem
                item = items[current, key] = new_node("call_function", get, (current, key), {})
            current = item
        return current  # type: ignore[no-any-return]

    @property
    def node_if_made(self) -> fx.Node | None:
        """Its node, if it exists."""
        return self._node

    def place_at(self, node: fx.Node) -> None:
        """Its node, made elsewhere."""
        self._node = node

    def set_node(self, node: fx.Node) -> None:
        """A later node wrote it."""
        self._node = node
        if self.is_ours:
            self.origin = node, ()


class AttributeName(str):
    """A step into a result by attribute name, where others are by index or key."""

    __slots__ = ()


def element(value: Any, key: Any) -> Any:
    """One step into a result."""
    return getattr(value, key) if isinstance(key, AttributeName) else value[key]


class Tensors:
    """All tensors met in a recording, by identity."""

    def __init__(self, model: nn.Module, device: str) -> None:
        self.constants: dict[str, torch.Tensor] = {}
        self._model = model
        self._device = device
        self._twins = Twins()
        self._known: dict[int, Tracked] = {}
        self._attributes = tensor_names(modules_by_path(model))
        self._by_storage: dict[int, Tracked] = {}
        self._storages: dict[int, int] = {}
        self._items: dict[tuple[fx.Node, Any], fx.Node] = {}
        self._unseen = 0
        self._scanned = False

    def __iter__(self) -> Iterator[Tracked]:
        return iter(self._known.values())

    def __len__(self) -> int:
        return len(self._known)

    def since(self, count: int) -> Iterator[Tracked]:
        """Those met after the first ``count``."""
        return islice(self._known.values(), count, None)

    def get(self, tensor: torch.Tensor) -> Tracked | None:
        """What is known of a tensor, if it was met."""
        return self._known.get(id(tensor))

    def of(self, tensor: torch.Tensor) -> Tracked:
        """What is known of a tensor; one that was never met is an attribute, an alias or a constant."""
        known = self._known.get(id(tensor))
        return known if known is not None else self._first_met(tensor)

    def is_named(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor was met, or is an attribute of the model."""
        return id(tensor) in self._known or self._attribute_name(tensor) is not None

    def is_ours(self, tensor: torch.Tensor) -> bool:
        """Whether the recording made a tensor; others are not to be touched."""
        known = self._known.get(id(tensor))
        return known is not None and known.is_ours

    def data_of(self, tensor: torch.Tensor) -> torch.Tensor:
        """``tensor.data`` of an attribute: the same value under the same name."""
        tracked, data = self.of(tensor), tensor.data
        alias = self.add(data, tracked.attribute)
        alias.spec, alias.version = tracked.spec, tracked.version
        if tracked.is_made:
            alias.place_at(tracked.node(_no_node, self._items))
        return data

    def clear(self) -> None:
        """Let go of all tensors."""
        self._known.clear()
        self._by_storage.clear()
        self._twins = Twins()

    def node(self, tracked: Tracked, new_node: NewNode) -> fx.Node:
        """The node of a tracked tensor."""
        return tracked.node(new_node, self._items)

    def add(self, tensor: torch.Tensor, source: Any, spec: TensorSpec | None = None) -> Tracked:
        """A new tensor: that of an attribute by name, or of a node at a place in its result."""
        if tensor.is_nested:
            raise NotImplementedError(NESTED)
        storage = storage_of(tensor)
        spec = spec or spec_of(tensor, self._device)
        tracked = Tracked(tensor, spec, self._storages.get(storage, storage), source)
        self._known[id(tensor)] = tracked
        self._by_storage[tracked.storage] = tracked
        return tracked

    def add_copy(
        self, spec: TensorSpec, origin: tuple[fx.Node, tuple[Any, ...]], node: fx.Node | None, storage: int
    ) -> Tracked:
        """A new tensor that a copy of a module's call yields.

        Args:
            origin: the node that yields it, and the place in its result.
            node: its own node, if there is one.
            storage: the number of its memory.
        """
        tensor = materialize(spec)
        tracked = Tracked(tensor, spec, storage, origin)
        if node is not None:
            tracked.place_at(node)
        self._known[id(tensor)] = tracked
        self._by_storage[storage] = tracked
        self._storages[storage_of(tensor)] = storage
        return tracked

    def new_storage(self) -> int:
        """A number for memory that no tensor has."""
        self._unseen -= 1
        return self._unseen

    def note_item(self, node: fx.Node) -> None:
        """A node for an element of a result, by which others find it."""
        self._items.setdefault((node.args[0], node.args[1]), node)  # type: ignore[arg-type]

    def twin(self, tracked: Tracked) -> torch.Tensor:
        """A meta tensor that stands for a tracked one: itself, unless it is the user's."""
        tensor = tracked.tensor
        if tracked.is_ours:
            return tensor
        twin = self._twins.tensor(tensor)
        if id(twin) not in self._known:
            self._known[id(twin)] = tracked
            self._storages[storage_of(twin)] = tracked.storage
        return twin

    def _first_met(self, tensor: torch.Tensor) -> Tracked:
        if tensor.is_meta and id(tensor) not in self._attributes:
            original = self._by_storage.get(self._storages.get(storage_of(tensor), storage_of(tensor)))
            if original is not None:
                return self._as_alias(tensor, original)
        name = self._attribute_name(tensor)
        if name is None:
            name = f"_tensor_constant{len(self.constants)}"
            self.constants[name] = tensor
        return self.add(tensor, name)

    def _as_alias(self, tensor: torch.Tensor, original: Tracked) -> Tracked:
        """Another object for the same memory, made where no call was seen, such as an ``nn.Parameter``."""
        alias = self.add(tensor, original.origin or original.attribute)
        if original.is_made:
            alias.set_node(original.node(_no_node, self._items))
        alias.version = original.version
        alias.assumed = original.assumed
        return alias

    def _attribute_name(self, tensor: torch.Tensor) -> str | None:
        name = self._attributes.get(id(tensor))
        if name is None and not self._scanned:
            self._scanned = True
            for path, module in modules_by_path(self._model).items():
                for key, value in vars(module).items():
                    if isinstance(value, torch.Tensor):
                        self._attributes.setdefault(id(value), f"{path}.{key}" if path else key)
            name = self._attributes.get(id(tensor))
        return name

    def rebuild(self, outcome: Outcome, node: fx.Node, given: list[Tracked]) -> Any:
        """The result of an operation as meta tensors, each tracked.

        Args:
            given: the tensors among its arguments, in order.
        """
        if type(outcome.value) is TensorSpec and not outcome.aliases:
            tensor = materialize(outcome.value)
            self.add(tensor, (node, ()), outcome.value)
            return tensor
        aliases = iter(outcome.aliases)

        def build(spec: Any) -> Any:
            return self._build(spec, next(aliases, None), outcome, given) if type(spec) is TensorSpec else spec

        value = map_structure(build, outcome.value)
        self._track(value, outcome, node, given)
        return value

    def _build(self, spec: TensorSpec, alias: Alias | None, outcome: Outcome, given: list[Tracked]) -> torch.Tensor:
        if alias is None:
            return materialize(spec)
        original = self.twin(given[alias.index])
        if alias.offset is None:
            return original if alias.index in outcome.writes else original.detach()
        if spec.stride is None:
            return materialize(spec)
        offset = int(original.storage_offset()) + alias.offset
        return original.detach().as_strided(spec.shape, spec.stride, offset)

    def track(self, value: Any, node: fx.Node) -> None:
        """Track the tensors of a result of a kind that specs cannot stand for."""
        self._track_items(value, node, ())

    def _track(self, value: Any, outcome: Outcome, node: fx.Node, given: list[Tracked]) -> None:
        for index in outcome.writes:
            written = given[index]
            if isinstance(value, torch.Tensor) and self._known.get(id(value)) is written:
                written.set_node(node)
        self._track_items(value, node, ())

    def _track_items(self, value: Any, node: fx.Node, place: tuple[Any, ...]) -> None:
        if isinstance(value, torch.Tensor):
            if id(value) not in self._known:
                self.add(value, (node, place))
        elif isinstance(value, (tuple, list)):
            for index, item in enumerate(value):
                self._track_items(item, node, (*place, index))
        elif isinstance(value, dict):
            for key, item in value.items():
                self._track_items(item, node, (*place, key))
        elif not is_plain(value) and hasattr(value, "__dict__"):
            for key, item in vars(value).items():
                if isinstance(item, (torch.Tensor, tuple, list, dict)):
                    self._track_items(item, node, (*place, AttributeName(key)))


def _no_node(*_: Any) -> fx.Node:
    raise AssertionError("the node is there")
