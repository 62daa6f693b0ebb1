"""What a block wrote in terms of another block: to write it again there, or to compare the two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from itertools import islice

import torch
from torch import fx, nn

from fxsummary.capture.literals import ATOMS
from fxsummary.capture.module_index import submodule
from fxsummary.capture.nodes import AFTER, AUTOCAST, LIKE, NO_GRAD, SOURCE, STACK, named_node, new_name
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.repeats.block import Argument, Block, map_result
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.graph.spec import TensorSpec


class Correspondence:
    """The nodes, paths, memory and calls of one block in terms of another.

    Args:
        block: what was recorded.
        prefix: the other block's path and a dot.
        calls: how often each module had been called before the other one.
        new_storage: a number for memory of the other one.
    """

    def __init__(
        self, block: Block, prefix: str, calls: Mapping[str, int], new_storage: Callable[[], int] | None = None
    ) -> None:
        self.block = block
        self.prefix = prefix
        self._calls = dict(calls)
        self.nodes: dict[fx.Node, fx.Node] = {}
        self.storages: dict[int, int] = defaultdict(new_storage)
        self._entries: dict[int, list[tuple[str, tuple[str, type]]]] = {}

    def match(self, sources: Sequence[fx.Node | None], fixed: Sequence[int]) -> bool:
        """Start with the nodes of the arguments, and the memory of arguments and attributes."""
        pairs = zip(self.block.sources, sources, strict=True)
        self.nodes.update({a: b for a, b in pairs if a is not None and b is not None})
        pairs = set(zip(self.block.fixed_storages(), fixed, strict=True))
        self.storages.update(pairs)
        return len(pairs) == len(self.storages) == len(set(self.storages.values()))

    def target(self, node: fx.Node) -> fx.node.Target:
        """What a node calls or reads."""
        is_relative = node.op in ("call_module", "get_attr")
        return self.prefix + self.block.inside(str(node.target)) if is_relative else node.target

    def stack(self, stack: Mapping[str, tuple[str, type]]) -> list[tuple[str, tuple[str, type]]]:
        """The entries of a module stack inside of the block."""
        found = self._entries.get(id(stack))
        if found is None:
            entries = islice(stack.items(), self.block.depth, None)
            found = self._entries[id(stack)] = [self.entry(*each) for each in entries]
        return found

    def entry(self, key: str, entry: tuple[str, type]) -> tuple[str, tuple[str, type]]:
        """A call of a module: its key in the stack, path and class."""
        path, kind = entry
        call = int(key[len(path) + 1 :] or 0) - self.block.calls.get(path, 0)
        path = self.prefix + self.block.inside(path)
        call += self._calls.get(path, 0)
        return f"{path}@{call}" if call else path, (path, kind)

    def tracked(self, value: object) -> object:
        """A part of the result; of a tensor without the tensor itself."""
        if type(value) is not Tracked or value.origin is None:
            return value
        found = copy(value)
        node, place = value.origin
        found.origin = self.nodes[node], place
        found.node = None if value.node is None else self.nodes[value.node]
        found.storage = self.storages[value.storage]
        return found


def wrote_the_same(a: Block, b: Block, writer: Writer) -> bool:
    """Whether the calls of two blocks did the same."""
    to = Correspondence(a, b.prefix, b.calls)
    if [*a.attributes.values()] != [*b.attributes.values()] or len(a.nodes) != len(b.nodes) or a.counts != b.counts:
        return False
    if not to.match(b.sources, b.fixed_storages()):
        return False
    known = {*a.nodes}
    to.nodes.update({x: y for x, y in zip(a.attributes, b.attributes, strict=True) if x not in known})
    if not all(_is_same_node(to, x, y, b, writer) for x, y in zip(a.nodes, b.nodes, strict=True)):
        return False
    if len(set(to.storages.values())) != len(to.storages):
        return False
    writers = {to.storages[storage]: [to.nodes[each] for each in nodes] for storage, nodes in a.writers.items()}
    returned = [(*to.entry(key, entry), value) for key, (entry, value) in a.returned]
    return (
        writers == b.writers
        and returned == [(key, *value) for key, value in b.returned]
        and _same(map_result(a.result, lambda value: _facts(to.tracked(value))), map_result(b.result, _facts))
    )


def _is_same_node(to: Correspondence, x: fx.Node, y: fx.Node, b: Block, writer: Writer) -> bool:
    """Whether two nodes, after those before them, are the same in their blocks."""
    if x.op != y.op or to.target(x) != y.target or to.block.arguments.get(x) != b.arguments.get(y):
        return False
    known = all(each in to.nodes for each in (*x.all_input_nodes, *x.meta.get(AFTER, ())))
    if not known or not _same(fx.map_arg((x.args, x.kwargs), to.nodes.__getitem__), (y.args, y.kwargs)):
        return False
    if tuple([to.nodes[each] for each in x.meta.get(AFTER, ())]) != y.meta.get(AFTER, ()):
        return False
    to.nodes[x] = y
    outcomes, memory = writer.propagation.outcomes, writer.memory
    storages = memory.storages_of(x), memory.storages_of(y)
    return (
        len(storages[0]) == len(storages[1])
        and all(to.storages.setdefault(s, t) == t for s, t in zip(*storages, strict=True))
        and outcomes[x] == outcomes[y]
        and all(x.meta.get(name) == y.meta.get(name) for name in (SOURCE, AUTOCAST, NO_GRAD))
        and to.stack(x.meta[STACK]) == list(islice(y.meta[STACK].items(), b.depth, None))
    )


_FACTS = ("node", "origin", "spec", "storage", "version", "assumed")


def _facts(value: object) -> object:
    """What is compared of a part of a result."""
    return [getattr(value, name) for name in _FACTS] if type(value) is Tracked else value


def _same(a: object, b: object) -> bool:
    """Whether two arguments are the same; ``1`` and ``True`` are not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(map(_same, a.values(), b.values()))
    if isinstance(a, slice) and isinstance(b, slice):
        return _same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return a is b or ((type(a) in ATOMS or isinstance(a, (str, TensorSpec))) and bool(a == b))


class Copy:
    """One more call of a block.

    Args:
        given: the tensors among its arguments.
    """

    def __init__(self, writer: Writer, block: Block, module: nn.Module, path: str, given: Sequence[Tracked]) -> None:
        self._writer = writer
        self._block = block
        self._module = module
        self._given = given
        self._to = Correspondence(block, f"{path}.", writer.calls, writer.tensors.new_storage)
        self._read: dict[fx.Node, Tracked] = {node: given[index] for node, index in block.arguments.items()}

    def fits(self) -> bool:
        """Whether the parameters and buffers are read as in the recorded call, and share memory as there."""
        own = set(self._block.nodes)
        for source, path in self._block.attributes.items():
            tracked = self._attribute(path)
            if tracked is None or (tracked.node is None) != (source in own):
                return False
            self._read[source] = tracked
            if tracked.node is not None:
                self._to.nodes[source] = tracked.node
        fixed = [each.storage for each in (*self._given, *map(self._read.__getitem__, self._block.attributes))]
        return self._to.match([each.node for each in self._given], fixed)

    def _attribute(self, path: str) -> Tracked | None:
        """What is known of a parameter or buffer; None if it is no longer what it was."""
        name, _, last = path.rpartition(".")
        try:
            value = getattr(submodule(self._module, name), last, None)
        except KeyError:
            return None
        if not isinstance(value, torch.Tensor):
            return None
        tracked = self._writer.tensors.of(value)
        is_here = tracked.attribute == self._to.prefix + path
        is_read = is_here and (tracked.node is None or tracked.node.op == "get_attr")
        return tracked if is_read and tracked.storage not in self._writer.memory.writers else None

    def write(self) -> object:
        """Write it; returns what the call returns."""
        writer, block, to = self._writer, self._block, self._to
        stack = dict(writer.stack)
        stacks: dict[int, dict[str, tuple[str, type]]] = {}
        for node in block.nodes:
            entries = node.meta[STACK]
            if id(entries) not in stacks:
                stacks[id(entries)] = stack | dict(to.stack(entries))
            to.nodes[node] = self._write(node, stacks[id(entries)])
        for key, (entry, value) in block.returned:
            key, entry = to.entry(key, entry)
            writer.returned[key] = entry, value
        for path, number in block.counts.items():
            writer.calls[to.prefix + path] = writer.calls.get(to.prefix + path, 0) + number
        for storage, nodes in block.writers.items():
            writer.memory.writers[to.storages[storage]] = [to.nodes[each] for each in nodes]
        return map_result(block.result, self._tensor)

    def _write(self, node: fx.Node, stack: dict[str, tuple[str, type]]) -> fx.Node:
        writer, nodes, meta, op = self._writer, self._to.nodes, node.meta, node.op
        like = meta.get(LIKE, node)
        if node in self._read:
            return writer.node_like(like, self._read[node], stack)
        args = fx.map_arg(node.args, nodes.__getitem__)
        kwargs = fx.map_arg(node.kwargs, nodes.__getitem__) if node.kwargs else {}
        target = node.target if op != "call_module" else self._to.target(node)
        name = new_name(writer.graph, target, None if op == "call_module" else like.name)
        made = named_node(writer.graph, name, op, target, args, kwargs)
        made.meta.update({**meta, STACK: stack, LIKE: like})  # to set it takes torch.fx ten times as long
        if AFTER in meta:
            made.meta[AFTER] = tuple([nodes[each] for each in meta[AFTER]])
        writer.propagation.outcomes[made] = writer.propagation.outcomes[node]
        writer.memory.add(made)
        storages = self._to.storages
        writer.memory.note(made, *[storages[each] for each in writer.memory.storages_of(node)])
        if writer.is_element(made):
            writer.tensors.note_item(made)
        return made

    def _tensor(self, value: object) -> object:
        if type(value) is Argument:
            return self._given[value].tensor
        tracked = self._to.tracked(value)
        return self._writer.tensors.revived(tracked) if type(tracked) is Tracked else tracked
