"""Writes the nodes of a recorded block again, for another block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from itertools import islice

import torch
from torch import fx, nn

from fxsummary.capture.module_index import submodule
from fxsummary.capture.nodes import AFTER, LIKE, SOURCE, STACK, new_node
from fxsummary.capture.recorded.graph_builder import Stack, Writer
from fxsummary.capture.recorded.repeats.block import Argument, Block
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.graph.spec import map_structure


class Copy:
    """A copy of a recorded block for another module; ``given`` are the tensors among the arguments of its call."""

    def __init__(self, writer: Writer, block: Block, module: nn.Module, path: str, given: Sequence[Tracked]) -> None:
        self._writer = writer
        self._block = block
        self._module = module
        self._prefix = f"{path}."
        self._given = given
        pairs = zip(block.sources, [each.node for each in given], strict=True)
        self._nodes = {a: b for a, b in pairs if a is not None and b is not None}
        self._read = {node: given[index] for node, index in block.arguments.items()}
        self._storages: dict[int, int] = defaultdict(writer.tensors.new_storage)

    def fits(self) -> bool:
        """Whether the module has the same parameters and buffers, with nodes and shared memory as in the block."""
        own = set(self._block.nodes)
        memory = [each.storage for each in self._given]
        for source, path in self._block.attributes.items():
            tracked = self._attribute(path)
            if tracked is None or (tracked.node is None) != (source in own):
                return False
            if tracked.node is not None:
                self._nodes[source] = tracked.node
            self._read[source] = tracked
            memory.append(tracked.storage)
        pairs = set(zip(self._block.fixed_storages(), memory, strict=True))
        self._storages.update(pairs)
        return len(pairs) == len(self._storages) == len(set(memory))

    def _attribute(self, path: str) -> Tracked | None:
        """Return a parameter or buffer of the module; None if it was replaced or written in place."""
        name, _, last = path.rpartition(".")
        try:
            value = getattr(submodule(self._module, name), last, None)
        except KeyError:
            return None
        if not isinstance(value, torch.Tensor):
            return None
        tracked = self._writer.tensors.of(value)
        is_here = tracked.attribute == self._prefix + path
        is_read = is_here and (tracked.node is None or tracked.node.op == "get_attr")
        return tracked if is_read and tracked.storage not in self._writer.tensors.writers else None

    def write(self) -> object:
        """Write the nodes, and return the result of the call."""
        writer, block = self._writer, self._block
        outer = writer.stack
        stacks: dict[int, Stack] = {}
        for node in block.nodes:
            entries = node.meta[STACK]
            if id(entries) not in stacks:
                inside = [self._entry(*each) for each in islice(entries.items(), block.depth, None)]
                stacks[id(entries)] = {**outer, **dict(inside)}
            writer.stack = stacks[id(entries)]
            self._nodes[node] = self._write(node)
        writer.stack = outer
        for key, (entry, value) in block.returned:
            key, entry = self._entry(key, entry)
            writer.returned[key] = entry, value
        for key, (entry, given) in block.taken:
            key, entry = self._entry(key, entry)
            writer.taken[key] = entry, tuple([self._nodes[each] for each in given if each in self._nodes])
        for path, number in block.counts.items():
            writer.calls[self._prefix + path] = writer.calls.get(self._prefix + path, 0) + number
        for storage, nodes in block.writers.items():
            writer.tensors.writers[self._storages[storage]] = [self._nodes[each] for each in nodes]
        memory = writer.tensors.memory
        for storage, number in self._storages.items():
            if storage in memory.nbytes:
                memory.nbytes[number] = memory.nbytes[storage]
            if storage in block.deaths:
                memory.deaths[number] = self._nodes[block.deaths[storage]]
        return map_structure(self._tensor, block.result)

    def _entry(self, key: str, entry: tuple[str, type]) -> tuple[str, tuple[str, type]]:
        """Return an entry of the module stack for this module, with its key."""
        inside, kind, offset = self._block.entry(key, entry)
        path = self._prefix + inside
        call = self._writer.calls.get(path, 0) + offset
        return f"{path}@{call}" if call else path, (path, kind)

    def _write(self, node: fx.Node) -> fx.Node:
        writer, meta, like = self._writer, node.meta, node.meta.get(LIKE, node)
        if node in self._read:
            made = writer.node_of(self._read[node])
            made.meta[SOURCE], made.meta[LIKE] = like.meta[SOURCE], like
            return made
        is_module = node.op == "call_module"
        target = self._prefix + self._block.inside(str(node.target)) if is_module else node.target
        args = fx.map_arg(node.args, self._nodes.__getitem__)
        kwargs = fx.map_arg(node.kwargs, self._nodes.__getitem__) if node.kwargs else {}
        made = new_node(writer.graph, node.op, target, args, kwargs, None if is_module else like.name)
        copied = made.meta  # faster than setting the attribute, which torch.fx intercepts
        copied.update(meta)
        copied[STACK], copied[LIKE] = writer.stack, like
        if AFTER in meta:
            copied[AFTER] = tuple(map(self._nodes.__getitem__, meta[AFTER]))
        writer.propagation.outcomes[made] = writer.propagation.outcomes[node]
        writer.tensors.order[made] = len(writer.tensors.order)
        held = writer.tensors.memory.held
        if node in held:
            held[made] = tuple([self._storages[each] for each in held[node]])
        if writer.is_element(made):
            writer.items.setdefault((made.args[0], made.args[1]), made)
        return made

    def _tensor(self, value: object) -> object:
        if type(value) is Argument:
            return self._given[value].tensor
        if not isinstance(value, Tracked) or value.origin is None:
            return value
        tracked = copy(value)
        tracked.origin = self._nodes[value.origin[0]], value.origin[1]
        tracked.node = None if value.node is None else self._nodes[value.node]
        tracked.storage = self._storages[value.storage]
        return self._writer.tensors.revived(tracked)
