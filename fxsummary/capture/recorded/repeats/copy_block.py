"""Writes a `Template` into a recording again, for another block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn

from fxsummary.capture.nodes import AFTER, STACK, new_node
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.repeats.template import Entry, Operation, Read, Ref, Result, Template
from fxsummary.capture.recorded.tensor_origins import Tracked


class Copy:
    """One more call of a block.

    Args:
        given: the tensors among its arguments.
    """

    def __init__(
        self, writer: Writer, template: Template, module: nn.Module, path: str, given: Sequence[Tracked]
    ) -> None:
        self._writer = writer
        self._template = template
        self._prefix = f"{path}."
        self._given = given
        self._nodes: list[fx.Node | None] = [each.node_if_made for each in given]
        self._storages: list[int] = []
        self._attributes: dict[str, Tracked] = {}
        self._module = module

    def fits(self) -> bool:
        """Whether the parameters and buffers are read as in the template, and share memory as there."""
        template = self._template
        memory = [each.storage for each in self._given]
        for path, is_made in (
            *[(path, True) for path in template.attributes],
            *[(item.what, False) for item in template.items if type(item) is Read and isinstance(item.what, str)],
        ):
            tracked = self._attribute(path)
            if tracked is None or (tracked.node_if_made is not None) != is_made:
                return False
            self._attributes[path] = tracked
            memory.append(tracked.storage)
        numbers = {storage: number for number, storage in enumerate(dict.fromkeys(memory))}
        self._storages = list(numbers)
        return tuple([numbers[storage] for storage in memory]) == template.memory

    def _attribute(self, path: str) -> Tracked | None:
        """What is known of a parameter or buffer; None where it is no longer what it was."""
        *names, last = path.split(".")
        holder: Any = self._module
        for name in names:
            holder = holder._modules.get(name)
            if holder is None:
                return None
        value = getattr(holder, last, None)
        if not isinstance(value, torch.Tensor):
            return None
        tracked = self._writer.tensors.of(value)
        node = tracked.node_if_made
        is_read = tracked.attribute == self._prefix + path and (node is None or node.op == "get_attr")
        return tracked if is_read and tracked.storage not in self._writer.versions else None

    def write(self) -> Any:
        """Write it; returns what the call returns."""
        writer, template = self._writer, self._template
        table = [*self._nodes, *[self._attributes[path].node_if_made for path in template.attributes]]
        self._storages += [writer.tensors.new_storage() for _ in range(template.storages - len(self._storages))]
        stacks = [self._stack(entries) for entries in template.stacks]
        writer.returned |= {
            key: (entry, value) for each, value in template.returned for key, entry in [self._entry(each)]
        }
        for path, number in template.calls:
            writer.calls[self._prefix + path] = writer.calls.get(self._prefix + path, 0) + number
        self._write_items(table, stacks)
        for number, writers in template.writes:
            storage = self._storages[number]
            writer.writes.writers[storage] = [_node(table, ref) for ref in writers]
            writer.versions[storage] = len(writers)
        return self._result(template.result, table)

    def _write_items(self, table: list[Any], stacks: Sequence[dict[str, Any]]) -> None:
        start, template = len(table), self._template
        for item in template.items:
            stack = stacks[item.stack]
            table.append(self._read(item, stack) if isinstance(item, Read) else self._operation(item, table, stack))
        self._writer.writes.note_all(table[start:], template.places, self._storages)

    def _operation(self, item: Operation, table: Sequence[Any], stack: dict[str, Any]) -> fx.Node:
        writer, kwargs = self._writer, item.kwargs
        target = self._prefix + item.target if item.is_relative else item.target
        if item.is_flat:
            args: Any = tuple([table[arg] if type(arg) is Ref else arg for arg in item.args])
        else:
            args, kwargs = _with_nodes(item.args, table), _with_nodes(kwargs, table)
        node = new_node(writer.graph, item.op, target, args, kwargs, item.name)
        meta = node.meta  # to set the attribute itself takes torch.fx ten times as long
        meta.update(item.meta)
        meta[STACK] = stack
        if item.after:
            meta[AFTER] = tuple([table[ref] for ref in item.after])
        writer.writes.nodes.append(node)
        writer.propagation.outcomes[node] = item.outcome
        if item.is_element:
            writer.tensors.note_item(node)
        return node

    def _stack(self, entries: Sequence[Entry]) -> dict[str, Any]:
        stack = dict(self._writer.stack)
        stack.update(map(self._entry, entries))
        return stack

    def _entry(self, entry: Entry) -> tuple[str, tuple[str, Any]]:
        """An entry of a module stack, with its key."""
        relative, kind, offset = entry
        path = self._prefix + relative
        call = self._writer.calls.get(path, 0) + offset
        return f"{path}@{call}" if call else path, (path, kind)

    def _read(self, item: Read, stack: Any) -> fx.Node:
        what = item.what
        tracked = self._attributes[what] if isinstance(what, str) else self._given[what]
        return self._writer.node_like(item.node, tracked, stack)

    def _result(self, value: Any, table: Sequence[fx.Node | None]) -> Any:
        kind = type(value)
        if kind is Ref:
            return self._given[value].tensor
        if kind is Result:
            tracked = self._writer.tensors.add_copy(
                value.spec,
                (_node(table, value.node), value.place),
                None if value.made is None else _node(table, value.made),
                self._storages[value.storage],
            )
            tracked.version, tracked.assumed = value.version, value.assumed
            return tracked.tensor
        if kind in (tuple, list):
            return kind([self._result(item, table) for item in value])
        if kind is dict:
            return {key: self._result(item, table) for key, item in value.items()}
        return value


def _node(table: Sequence[fx.Node | None], ref: int) -> fx.Node:
    node = table[ref]
    assert node is not None
    return node


def _with_nodes(value: Any, table: Sequence[Any]) -> Any:
    kind = type(value)
    if kind is Ref:
        return table[value]
    if kind is tuple or kind is list:
        return kind([_with_nodes(item, table) for item in value])
    if kind is dict:
        return {key: _with_nodes(item, table) for key, item in value.items()}
    if kind is slice:
        return slice(*[_with_nodes(item, table) for item in (value.start, value.stop, value.step)])
    return value
