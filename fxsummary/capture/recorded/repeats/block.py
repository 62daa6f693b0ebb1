"""A recorded call of a block, which can be written again for another block."""

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
    """The call of a block cannot be copied for another block."""


class Argument(int):
    """The position of the argument that a block returns."""


class Block:
    """A call of a block; create it before the call, and call `finish` afterwards.

    Attributes:
        prefix: the block's path and a dot.
        given: the tensors among the arguments.
        sources: the arguments' nodes before the call; None for those that had none.
        depth: number of module calls around it.
        calls: number of earlier calls of each module, by path.
        nodes: the nodes that it wrote, in order.
        attributes: the path in the block of each parameter or buffer that it reads, by node.
        arguments: the position of each argument whose node it wrote, by node.
        writers: the nodes that write in place to each storage of its own.
        counts: number of calls of each module inside, by path in the block.
        deaths: the node after which each storage of its own was freed; none if the block returns it.
        returned, taken: the new entries of `Writer.returned` and `Writer.taken`.
        result: the result, with `Tracked` and `Argument` for tensors.
    """

    def __init__(self, writer: Writer, path: str, given: Sequence[Tracked]) -> None:
        self._writer = writer
        self.prefix = f"{path}."
        self.given = given
        self.sources = [each.node for each in given]
        self.depth = len(writer.stack)
        self.calls = dict(writer.calls)
        tensors = writer.tensors
        self._start = (
            len(tensors.order),
            len(tensors.made),
            len(tensors.constants),
            len(writer.returned),
            len(writer.taken),
        )

    def finish(self, result: list[object]) -> None:
        """Read what the call wrote; raises NotRepeatableError if it did more.

        Args:
            result: its result, in a list that holds the only reference; gets new tensors.
        """
        writer = self._writer
        first, tensors, constants, returned, taken = self._start
        if len(writer.tensors.constants) > constants:
            raise NotRepeatableError("it uses a constant")
        self.nodes = list(islice(writer.tensors.order, first, None))
        self._read_sources()
        counts = {path: number - self.calls.get(path, 0) for path, number in writer.calls.items()}
        self.counts = {self.inside(path): number for path, number in counts.items() if number}
        self.returned = list(islice(writer.returned.items(), returned, None))
        self.taken = list(islice(writer.taken.items(), taken, None))
        self.writers = dict(self._writes())
        returned_storages: set[int] = set()
        own = self._origins(result[0], returned_storages)
        result.clear()
        made = islice(writer.tensors.made, tensors, None)
        held = any(each.is_ours and each.reference() is not None for each in made)
        memory = writer.tensors.memory
        storages = {each for node in self.nodes for each in memory.held.get(node, ())} - returned_storages
        self.deaths = {each: memory.deaths[each] for each in sorted(storages) if each in memory.deaths}
        self.result = map_structure(lambda each: copy(each) if type(each) is Tracked else each, own)
        result.append(map_structure(self._tensor, own))
        if held:
            raise NotRepeatableError("something keeps one of its tensors")

    def inside(self, path: str) -> str:
        """Return a path relative to the block."""
        if not path.startswith(self.prefix):
            raise NotRepeatableError(f"{path} is outside the block")
        return path[len(self.prefix) :]

    def entry(self, key: str, entry: tuple[str, type]) -> tuple[str, type, int]:
        """Return an entry of a module stack as relative path, class, and number of the call within the block."""
        path, kind = entry
        return self.inside(path), kind, int(key[len(path) + 1 :] or 0) - self.calls.get(path, 0)

    def description(self) -> list[object]:
        """Return everything that the call wrote, with numbered nodes and storages; equal for calls that are alike."""
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
            numbered = map(number, (*meta.get(AFTER, ()), *memory.memory.held.get(node, ()), node))
            parts += [node.op, self.inside(str(node.target)) if is_relative else node.target, *numbered]
            parts += [memo.key_of(map_structure(lambda each: each, (node.args, node.kwargs)), key), outcomes[node]]
            parts += [self.entry(*each) for each in islice(meta[STACK].items(), self.depth, None)]
            parts += [self.arguments.get(node), *[meta.get(name) for name in (SOURCE, AUTOCAST, NO_GRAD)]]
        parts += [(number(storage), *map(number, nodes)) for storage, nodes in self.writers.items()]
        parts += [(number(storage), number(node)) for storage, node in self.deaths.items()]
        parts += [(self.entry(key, entry), value) for key, (entry, value) in self.returned]
        return [*parts, self.counts, map_structure(described, self.result)]

    def _read_sources(self) -> None:
        """Find the nodes outside the block that it reads, which must be arguments or attributes of the block."""
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
                if source.op != "get_attr" or len(self._writer.tensors.memory.held.get(source, ())) != 1:
                    raise NotRepeatableError(f"it reads {source.name}, which is not an attribute of the block")
                self.attributes[source] = self.inside(str(source.target))
                known.add(source)

    def fixed_storages(self) -> list[int]:
        """Return the storages of the arguments and attributes, in order."""
        memory = self._writer.tensors
        return [each.storage for each in self.given] + [memory.memory.held[node][0] for node in self.attributes]

    def _writes(self) -> Iterator[tuple[int, list[fx.Node]]]:
        memory, fixed, own = self._writer.tensors, set(self.fixed_storages()), set(self.nodes)
        for storage in dict.fromkeys(storage for node in self.nodes for storage in memory.memory.held.get(node, ())):
            writers = [each for each in memory.writers.get(storage, ()) if each in own]
            if writers and storage in fixed:
                raise NotRepeatableError("it writes to an argument or attribute in place")
            if writers:
                yield storage, writers

    def _origins(self, value: object, seen: set[int]) -> object:
        """Return a result with `Tracked` and `Argument` for tensors; adds their storages to ``seen``."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if isinstance(value, tuple) and kind is tuple:
            return tuple([self._origins(item, seen) for item in value])
        if not isinstance(value, torch.Tensor) or kind is not torch.Tensor:
            raise NotRepeatableError(f"it returns a {kind.__name__}")
        for index, each in enumerate(self.given):
            if each.tensor is value:
                return Argument(index)
        tracked, own = self._writer.tensors.get(value), {None, *self.nodes}
        if tracked is None or tracked.origin is None or tracked.origin[0] not in own or tracked.node not in own:
            raise NotRepeatableError("it returns a tensor of another block")
        if tracked.storage in {*seen, *self.fixed_storages()}:
            raise NotRepeatableError("it returns tensors that share memory")
        seen.add(tracked.storage)
        return tracked

    def _tensor(self, value: object) -> object:
        if type(value) is Tracked:
            return self._writer.tensors.revived(value)
        return self.given[value].tensor if type(value) is Argument else value
