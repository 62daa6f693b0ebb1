"""One recorded call of a block: what it wrote, so that the same can be written for another block."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from copy import copy
from itertools import islice

import torch
from torch import fx

from fxsummary.capture.nodes import AFTER, AUTOCAST, NO_GRAD, SOURCE, STACK
from fxsummary.capture.operations import memo
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.capture.structures import ATOMS
from fxsummary.graph.spec import map_structure


class NotRepeatableError(Exception):
    """A block did something that cannot be written again for another one."""


class Argument(int):
    """In place of a tensor that a block returns: which of its arguments it is."""


class Block:
    """A call of a block, made before it runs; `finish` reads what it wrote.

    Args:
        path: of the block.
        given: the tensors among its arguments.

    Attributes:
        prefix: the block's path and a dot.
        sources: the nodes of the arguments; None if there was none yet.
        depth: how many calls of modules it lies in.
        calls: how often each module had been called before.
        nodes: what it wrote, in order.
        attributes: the nodes of the block's parameters and buffers that it read, with their paths in the block.
        arguments: the nodes that arguments got here, with the positions of these.
        writers: by number of its own memory, the nodes that write it in place.
        counts: how often it called each module in it.
        returned: the calls of modules in it, and what they returned, as in `Writer.returned`.
        result: what it returned, with `Tracked` and `Argument` for tensors.
    """

    def __init__(self, writer: Writer, path: str, given: Sequence[Tracked]) -> None:
        self._writer = writer
        self.prefix = f"{path}."
        self.given = given
        self.sources = [each.node for each in given]
        self.depth = len(writer.stack)
        self.calls = dict(writer.calls)
        tensors = writer.tensors
        self._start = len(tensors.order), len(tensors), len(tensors.constants), len(writer.returned)

    def finish(self, result: list[object]) -> None:
        """Read what the call wrote.

        Args:
            result: what it returned, in a list that alone holds it; its tensors are made again.

        Raises:
            NotRepeatableError: it did more than write nodes.
        """
        writer = self._writer
        first, tensors, constants, returned = self._start
        if len(writer.tensors.constants) > constants:
            raise NotRepeatableError("a constant")
        self.nodes = list(islice(writer.tensors.order, first, None))
        self._read_sources()
        counts = {path: number - self.calls.get(path, 0) for path, number in writer.calls.items()}
        self.counts = {self.inside(path): number for path, number in counts.items() if number}
        self.returned = list(islice(writer.returned.items(), returned, None))
        self.writers = dict(self._writes())
        own = self._origins(result[0], set())
        result.clear()
        held = writer.tensors.let_go(list(islice(writer.tensors, tensors, None)))
        self.result = map_structure(lambda each: copy(each) if type(each) is Tracked else each, own)
        result.append(map_structure(self._tensor, own))
        if held:
            raise NotRepeatableError("a tensor is kept somewhere")

    def inside(self, path: str) -> str:
        """A path relative to the block."""
        if not path.startswith(self.prefix):
            raise NotRepeatableError(f"{path} is outside of the block")
        return path[len(self.prefix) :]

    def entry(self, key: str, entry: tuple[str, type]) -> tuple[str, type, int]:
        """An entry of a module stack: relative path, class, and which call of the module since the block's began."""
        path, kind = entry
        return self.inside(path), kind, int(key[len(path) + 1 :] or 0) - self.calls.get(path, 0)

    def description(self) -> list[object]:
        """All that the call wrote, in terms that are equal for calls that wrote the same.

        Nodes and memory are numbered in the order in which they are met.
        """
        memory, outcomes = self._writer.tensors, self._writer.propagation.outcomes
        numbers: dict[object, int] = {}

        def number(item: object) -> int:
            return numbers.setdefault(item, len(numbers))

        def key(value: object) -> Hashable:
            return (fx.Node, number(value)) if isinstance(value, fx.Node) else (type(value), id(value))

        def described(value: object) -> object:
            if not isinstance(value, Tracked) or value.origin is None:
                return type(value), value
            numbered = map(number, (value.origin[0], value.node, value.storage))
            return *numbered, value.origin[1], value.spec, value.version, value.assumed

        parts: list[object] = [*map(number, (*self.sources, *self.fixed_storages())), *self.attributes.values()]
        for node in self.nodes:
            meta, is_relative = node.meta, node.op in ("call_module", "get_attr")
            numbered = map(number, (*meta.get(AFTER, ()), *memory.storages.get(node, ()), node))
            parts += [node.op, self.inside(str(node.target)) if is_relative else node.target, *numbered]
            parts += [memo.key_of(map_structure(lambda each: each, (node.args, node.kwargs)), key), outcomes[node]]
            parts += [self.entry(*each) for each in islice(meta[STACK].items(), self.depth, None)]
            parts += [self.arguments.get(node), *[meta.get(name) for name in (SOURCE, AUTOCAST, NO_GRAD)]]
        parts += [(number(storage), *map(number, nodes)) for storage, nodes in self.writers.items()]
        parts += [(self.entry(key, entry), value) for key, (entry, value) in self.returned]
        return [*parts, self.counts, map_structure(described, self.result)]

    def _read_sources(self) -> None:
        """See what the nodes read: of what is outside, only arguments, and attributes of the block."""
        self.attributes: dict[fx.Node, str] = {}
        given = zip(self.given, self.sources, strict=True)
        self.arguments = {
            each.node: index for index, (each, source) in enumerate(given) if source is None and each.node is not None
        }
        known = {*self.nodes, *self.sources}
        for node in self.nodes:
            if node.op == "call_module":
                self.inside(str(node.target))
            outside = [each for each in (*node.all_input_nodes, *node.meta.get(AFTER, ())) if each not in known]
            for source in [*outside, node] if node.op == "get_attr" else outside:
                if source.op != "get_attr" or len(self._writer.tensors.storages.get(source, ())) != 1:
                    raise NotRepeatableError(f"{source.name} is no attribute")
                self.attributes[source] = self.inside(str(source.target))
                known.add(source)

    def fixed_storages(self) -> list[int]:
        """The numbers of the memory of arguments and attributes, in order."""
        memory = self._writer.tensors
        return [each.storage for each in self.given] + [memory.storages[node][0] for node in self.attributes]

    def _writes(self) -> Iterator[tuple[int, list[fx.Node]]]:
        memory, fixed, own = self._writer.tensors, set(self.fixed_storages()), set(self.nodes)
        for storage in dict.fromkeys(storage for node in self.nodes for storage in memory.storages.get(node, ())):
            writers = [each for each in memory.writers.get(storage, ()) if each in own]
            if writers and storage in fixed:
                raise NotRepeatableError("an argument or attribute is written in place")
            if writers:
                yield storage, writers

    def _origins(self, value: object, seen: set[int]) -> object:
        """A result with `Tracked` and `Argument` for tensors.

        Args:
            seen: the numbers of the memory of what is returned; grows.
        """
        kind = type(value)
        if kind in ATOMS:
            return value
        if isinstance(value, tuple) and kind is tuple:
            return tuple([self._origins(item, seen) for item in value])
        if not isinstance(value, torch.Tensor) or kind is not torch.Tensor:
            raise NotRepeatableError(f"a {kind.__name__} is returned")
        for index, each in enumerate(self.given):
            if each.tensor is value:
                return Argument(index)
        tracked, own = self._writer.tensors.get(value), {None, *self.nodes}
        if tracked is None or tracked.origin is None or tracked.origin[0] not in own or tracked.node not in own:
            raise NotRepeatableError("what is returned does not come from the block")
        if tracked.storage in {*seen, *self.fixed_storages()}:
            raise NotRepeatableError("what is returned shares memory")
        seen.add(tracked.storage)
        return tracked

    def _tensor(self, value: object) -> object:
        if type(value) is Tracked:
            return self._writer.tensors.revived(value)
        return self.given[value].tensor if type(value) is Argument else value
