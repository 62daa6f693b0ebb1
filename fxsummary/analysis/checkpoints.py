"""What ``torch.utils.checkpoint`` of a block would save: what only the block keeps, less the inputs that it then keeps."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from fxsummary.analysis.saved import Kept
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import ModuleCall
from fxsummary.graph.training import Checkpoint


class Blocks:
    """The calls of modules that are not leaves, by path pattern.

    Attributes:
        sources: for each pattern, the operations outside of a block that it reads.
    """

    def __init__(self, graph: ModelGraph, names: Iterable[str]) -> None:
        data = [graph.data(name) for name in names]
        place = {name: number for number, name in enumerate(names)}
        self.sources: dict[str, dict[int, None]] = defaultdict(dict)
        self._calls: dict[str, dict[ModuleCall, None]] = defaultdict(dict)
        self._patterns: list[frozenset[str]] = []
        self._flops: list[int | None] = [each["flops"] for each in data]
        around = [list(_blocks(each)) for each in data]
        for number, (name, blocks) in enumerate(zip(names, around, strict=True)):
            self._patterns.append(frozenset(map(_pattern, blocks)))
            for block in blocks:
                self._calls[_pattern(block)][block] = None
            for source in map(place.__getitem__, graph.sources(name)):
                for block in blocks:
                    if block not in around[source]:
                        self.sources[_pattern(block)][source] = None

    @property
    def noted(self) -> set[int]:
        """The operations whose results are inputs of blocks."""
        return {place for places in self.sources.values() for place in places}

    def checkpoints(self, kept: list[Kept], results: Mapping[int, list[tuple[int, int]]]) -> tuple[Checkpoint, ...]:
        """Return what checkpointing saves for each pattern, the most first.

        Args:
            kept: the storages at the end of forward.
            results: number and size of the storages of the `noted` operations.
        """
        found = [self._checkpoint(pattern, kept, results) for pattern in self._calls]
        return tuple(sorted(found, key=lambda each: -each.saves))

    def _checkpoint(self, pattern: str, kept: list[Kept], results: Mapping[int, list[tuple[int, int]]]) -> Checkpoint:
        inside = {place for place, patterns in enumerate(self._patterns) if pattern in patterns}
        inputs = dict(each for place in self.sources[pattern] for each in results.get(place, ()))
        gone = sum(
            each.nbytes
            for each in kept
            if not each.is_output and each.number not in inputs and inside.issuperset(each.savers)
        )
        for each in kept:
            inputs.pop(each.number, None)
        calls = self._calls[pattern]
        costs = [self._flops[place] for place in inside]
        flops = None if None in costs else sum(filter(None, costs))
        return Checkpoint(pattern, next(iter(calls)).type, len(calls), gone - sum(inputs.values()), flops)


def _blocks(data: NodeData) -> Iterator[ModuleCall]:
    """Yield the module calls around an operation, without that of a leaf."""
    for call in data["module_stack"]:
        if not (data["op"] == "call_module" and call.path == data["target"]):
            yield call


def _pattern(call: ModuleCall) -> str:
    """Return a module path with ``*`` for numbers."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", call.path)
