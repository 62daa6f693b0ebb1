"""Reads what the call of a block wrote into a recording as a `Template`."""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import fx

from fxsummary.capture.nodes import AFTER, AUTOCAST, LIKE, NO_GRAD, SOURCE, STACK
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.repeats.template import Entry, Operation, Read, Ref, Result, Template
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.capture.structures import ATOMS, tensors_in
from fxsummary.graph.spec import TensorSpec


class NotRepeatableError(Exception):
    """A block did something that cannot be written again for another one."""


class Block:
    """One call of a block, from before it runs.

    Args:
        path: of the block.
        given: the tensors among its arguments.
    """

    def __init__(self, writer: Writer, path: str, given: Sequence[Tracked]) -> None:
        self._writer = writer
        self._prefix = f"{path}."
        self._given = given
        self._nodes = [each.node_if_made for each in given]
        self._start = len(writer.writes.nodes)
        self._tensors = len(writer.tensors)
        self._constants = len(writer.tensors.constants)
        self._depth = len(writer.stack)
        self._calls = dict(writer.calls)
        self._returned = len(writer.returned)
        self._refs: dict[fx.Node, Ref] = {}
        self._storages: dict[int, int] = {}
        self._memory: list[int] = []
        self._stacks: dict[tuple[Entry, ...], int] = {}
        self._own_storages: set[int] = set()

    def template(self, result: list[Any]) -> Template:
        """What it wrote.

        Args:
            result: what it returned, in a list that alone holds it.

        Raises:
            NotRepeatableError: it did more than that.
        """
        writer = self._writer
        if len(writer.tensors.constants) > self._constants:
            raise NotRepeatableError("a constant")
        nodes = writer.writes.nodes[self._start :]
        for index, known in enumerate(self._nodes):
            self._number(self._given[index].storage)
            if known is not None:
                self._refs.setdefault(known, Ref(index))
        attributes = self._known_attributes(nodes)
        first = len(self._given) + len(attributes)
        self._refs.update((node, Ref(first + index)) for index, node in enumerate(nodes))
        reads: dict[fx.Node, int | str] = {node: self._relative(node) for node in nodes if node.op == "get_attr"}
        for index, each in enumerate(self._given):
            if self._nodes[index] is None and each.node_if_made is not None:
                reads[each.node_if_made] = index
        for node in nodes:
            if node.op == "get_attr":
                self._add_storages(node)
        memory, fixed = tuple(self._memory), len(self._storages)
        places = tuple([() if node in reads else self._places(node) for node in nodes])
        self._check_leaks(result)
        returned = self._result(result[0], fixed)
        writes = tuple(self._writes(fixed))
        items = tuple([self._read(node, reads[node]) if node in reads else self._operation(node) for node in nodes])
        return Template(
            attributes,
            memory,
            len(self._storages),
            items,
            places,
            tuple(self._stacks),
            writes,
            tuple(self._calls_since()),
            tuple([(self._entry(key, *entry), value) for key, (entry, value) in self._returned_since()]),
            returned,
        )

    def _number(self, storage: int) -> None:
        self._memory.append(self._storages.setdefault(storage, len(self._storages)))

    def _known_attributes(self, nodes: Sequence[fx.Node]) -> tuple[str, ...]:
        own = set(nodes)
        paths = []
        for node in nodes:
            for source in node.all_input_nodes:
                if source not in own and source not in self._refs:
                    paths.append(self._relative(source))
                    self._refs[source] = Ref(len(self._given) + len(paths) - 1)
                    self._add_storages(source)
        return tuple(paths)

    def _relative(self, node: fx.Node) -> str:
        target = str(node.target)
        if node.op not in ("get_attr", "call_module") or not target.startswith(self._prefix):
            raise NotRepeatableError(f"{node.name} is outside of the block")
        return target[len(self._prefix) :]

    def _add_storages(self, node: fx.Node) -> None:
        storages = self._writer.writes.storages_of(node)
        if node.op != "get_attr" or len(storages) != 1:
            raise NotRepeatableError(f"{node.name} is no attribute")
        self._number(*storages)

    def _read(self, node: fx.Node, what: int | str) -> Read:
        return Read(what, node.meta.get(LIKE, node), self._stack(node.meta[STACK]))

    def _operation(self, node: fx.Node) -> Operation:
        is_relative = node.op == "call_module"
        args, kwargs = self._argument(node.args), self._argument(node.kwargs)
        like, meta = node.meta.get(LIKE, node), node.meta
        after = meta.get(AFTER, ())
        return Operation(
            like,
            node.op,
            None if is_relative else like.name,
            {SOURCE: meta[SOURCE], AUTOCAST: meta.get(AUTOCAST), LIKE: like, NO_GRAD: meta.get(NO_GRAD, False)},
            self._relative(node) if is_relative else node.target,
            is_relative,
            args,
            kwargs,
            not kwargs and all(type(arg) is Ref or type(arg) in ATOMS for arg in args),
            self._stack(node.meta[STACK]),
            tuple([self._ref(each) for each in after]),
            self._is_element(node),
            self._writer.propagation.outcomes[node],
        )

    def _places(self, node: fx.Node) -> tuple[int, ...]:
        storages = self._writer.writes.storages_of(node)
        return tuple(sorted([self._storages.setdefault(each, len(self._storages)) for each in storages]))

    def _is_element(self, node: fx.Node) -> bool:
        if node.target not in (operator.getitem, getattr) or not isinstance(node.args[0], fx.Node):
            return False
        return type(self._writer.propagation.outcomes[node.args[0]].value) is not TensorSpec

    def _ref(self, node: fx.Node) -> Ref:
        ref = self._refs.get(node)
        if ref is None:
            raise NotRepeatableError(f"{node.name} is outside of the block")
        return ref

    def _argument(self, value: Any) -> Any:
        kind = type(value)
        if kind is fx.Node:
            return self._ref(value)
        if isinstance(value, tuple) and not isinstance(value, torch.Size):
            return tuple([self._argument(item) for item in value])
        if isinstance(value, list):
            return [self._argument(item) for item in value]
        if isinstance(value, dict):
            return {key: self._argument(item) for key, item in value.items()}
        if kind is slice:
            return slice(*map(self._argument, (value.start, value.stop, value.step)))
        return value

    def _stack(self, stack: Mapping[str, Any]) -> int:
        entries = tuple([self._entry(key, *entry) for key, entry in islice(stack.items(), self._depth, None)])
        return self._stacks.setdefault(entries, len(self._stacks))

    def _entry(self, key: str, path: str, kind: Any) -> Entry:
        """An entry of a module stack, relative to the block."""
        if not path.startswith(self._prefix):
            raise NotRepeatableError(f"{path} is outside of the block")
        call = int(key[len(path) + 1 :] or 0) if key.startswith(f"{path}@") else 0
        return path[len(self._prefix) :], kind, call - self._calls.get(path, 0)

    def _returned_since(self) -> Iterable[tuple[str, tuple[Any, Any]]]:
        return islice(self._writer.returned.items(), self._returned, None)

    def _writes(self, fixed: int) -> Iterable[tuple[int, tuple[int, ...]]]:
        first = len(self._given)
        for storage, number in self._storages.items():
            writers = [self._refs[each] for each in self._writer.writes.writers.get(storage, ()) if each in self._refs]
            inside = tuple([ref for ref in writers if ref >= first])
            if inside and number < fixed:
                raise NotRepeatableError("an argument or attribute is written in place")
            if inside:
                yield number, inside

    def _calls_since(self) -> Iterable[tuple[str, int]]:
        for path, number in self._writer.calls.items():
            if path.startswith(self._prefix) and number != self._calls.get(path, 0):
                yield path[len(self._prefix) :], number - self._calls.get(path, 0)

    def _check_leaks(self, result: list[Any]) -> None:
        """Whether somebody else than the recording and the result holds one of its tensors."""
        held = Counter([id(tensor) for tensor in tensors_in(result)])
        for tracked in self._writer.tensors.since(self._tensors):
            if tracked.is_ours and sys.getrefcount(tracked.tensor) > _OWN_REFERENCES + held[id(tracked.tensor)]:
                raise NotRepeatableError("a tensor is kept somewhere")

    def _result(self, value: Any, fixed: int) -> Any:
        kind = type(value)
        if kind in ATOMS:
            return value
        if kind in (tuple, list):
            return kind([self._result(item, fixed) for item in value])
        if kind is dict:
            return {key: self._result(item, fixed) for key, item in value.items()}
        if kind is not torch.Tensor:
            raise NotRepeatableError(f"a {kind.__name__} is returned")
        return self._result_tensor(value, fixed)

    def _result_tensor(self, tensor: torch.Tensor, fixed: int) -> Any:
        for index, each in enumerate(self._given):
            if each.tensor is tensor:
                return Ref(index)
        tracked = self._writer.tensors.get(tensor)
        if tracked is None or tracked.origin is None or tracked.origin[0] not in self._refs:
            raise NotRepeatableError("what is returned does not come from the block")
        number = self._storages.get(tracked.storage, -1)
        if number < fixed or tracked.storage in self._own_storages:
            raise NotRepeatableError("what is returned shares memory")
        self._own_storages.add(tracked.storage)
        node, place = tracked.origin
        made = tracked.node_if_made
        refs = self._refs[node], None if made is None else self._ref(made)
        return Result(
            refs[0],
            place,
            refs[1],
            tracked.spec,
            number,
            tracked.version,
            tracked.assumed,
        )


_OWN_REFERENCES = 2
"""To a tensor that only the recording has: that of its `Tracked`, and the argument of ``getrefcount``."""
