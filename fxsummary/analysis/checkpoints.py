"""What ``torch.utils.checkpoint`` of a block saves: what only the block keeps, less the inputs that it then keeps."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from fxsummary.analysis.step import Step
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import ModuleCall, summed
from fxsummary.graph.training import Checkpoint


class Blocks:
    """The calls of modules that are not leaves, by path pattern and class."""

    def __init__(self, graph: ModelGraph, names: Sequence[str]) -> None:
        data = [graph.data(name) for name in names]
        order = {name: place for place, name in enumerate(names)}
        self._flops: list[int | None] = [each["flops"] for each in data]
        self._around = [tuple(_blocks(each)) for each in data]
        self._calls: dict[tuple[str, str], dict[ModuleCall, None]] = defaultdict(dict)
        self._sources: dict[ModuleCall, dict[int, None]] = defaultdict(dict)
        for name, blocks in zip(names, self._around, strict=True):
            for block in blocks:
                self._calls[_pattern(block), block.type][block] = None
                for source in map(order.__getitem__, graph.sources(name)):
                    if block not in self._around[source]:
                        self._sources[block][source] = None

        for block, taken in graph.program.taken.items() if graph.program is not None else ():
            for source in [order[name] for name in taken if name in order]:
                if block in self._calls.get((_pattern(block), block.type), ()):
                    self._sources[block][source] = None

    @property
    def noted(self) -> set[int]:
        """The operations whose results are inputs of blocks."""
        return {place for places in self._sources.values() for place in places}

    def checkpoints(self, step: Step) -> tuple[Checkpoint, ...]:
        """Return what checkpointing saves for each pattern, the most first; the step must have the `noted` results."""
        saving = {block for place in step.saving for block in self._around[place]}
        found = [self._checkpoint(pattern, list(calls), saving, step) for (pattern, _), calls in self._calls.items()]
        return tuple(sorted(found, key=lambda each: -each.saves))

    def _checkpoint(self, pattern: str, calls: list[ModuleCall], saving: set[ModuleCall], step: Step) -> Checkpoint:
        """Compute what changes if all these calls are checkpointed; one that saves nothing keeps no inputs either."""
        wanted = set(calls)
        inside = {place for place, blocks in enumerate(self._around) if not wanted.isdisjoint(blocks)}
        sources = [place for call in calls if call in saving for place in self._sources[call]]
        inputs = dict(each for place in sources for each in step.results.get(place, ()))
        gone = 0
        for each in step.kept:
            if each.number not in inputs and not each.is_held and inside.issuperset(each.savers):
                gone += each.nbytes
        for each in step.kept:
            inputs.pop(each.number, None)
        flops = summed(self._flops[place] for place in inside)
        return Checkpoint(pattern, calls[0].type, len(calls), gone - sum(inputs.values()), flops)


def _blocks(data: NodeData) -> Iterator[ModuleCall]:
    """Yield the module calls around an operation, without that of a leaf."""
    for call in data["module_stack"]:
        if not (data["op"] == "call_module" and call.path == data["target"]):
            yield call


def _pattern(call: ModuleCall) -> str:
    """Return a module path with ``*`` for numbers, as in ``layers.0`` and ``layer_0``."""
    return re.sub(r"(?<![^._])\d+(?![^.])", "*", call.path)
