"""One capture as numbers: what each module costs, and what has to be the same at all sizes."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import nn

from fxsummary.analysis.formulas.sizes import Named, Sizes
from fxsummary.analysis.generation import cache_names, cache_nbytes
from fxsummary.api import graph
from fxsummary.errors import FxsummaryError
from fxsummary.graph.attributes import own_path
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import leaves
from fxsummary.passes.memory import lives

Key = tuple[str, str]
"""A quantity, and the path of a module."""

Extra = Callable[[ModelGraph], "tuple[tuple[int, ...], Mapping[Key, int]]"]
"""What is saved for backward: by operation, and by module."""


@dataclass(frozen=True)
class Observation:
    """What a capture shows.

    Attributes:
        structure: the operations in order.
        dims: the dimensions of all results, in order.
        parts: numbers of each operation by quantity, which add up over the operations of a module.
        workspaces: bytes that each operation holds only while it runs.
        lives: bytes that operations make, by the positions of the first and the last operation that they live through.
        paths: the modules that each operation runs in.
        doubts: whether the FLOPs of each operation are unknown, and whether it depends on assumed values.
        whole: numbers that are no sums over operations, by quantity and module path.
        peak_mark: the mark of the peak.
        names: the operations as they are shown.
        arguments: their arguments as text.
        modules: class names by module path.
        model: class name of the model.
    """

    structure: tuple[tuple[str, str], ...]
    dims: tuple[int, ...]
    parts: Mapping[str, tuple[int, ...]]
    workspaces: tuple[int, ...]
    lives: Mapping[tuple[int, int], int]
    paths: tuple[frozenset[str], ...]
    doubts: tuple[tuple[bool, bool], ...]
    whole: Mapping[Key, int]
    peak_mark: str
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    modules: Mapping[str, str]
    model: str

    @cached_property
    def values(self) -> Mapping[Key, int]:
        """All numbers by quantity and module path; the peak only of the model."""
        found: dict[Key, int] = defaultdict(int)
        for quantity in ("flops", "output_bytes"):
            for number, paths in zip(self.parts[quantity], self.paths, strict=True):
                for path in paths:
                    found[quantity, path] += number
        return {**found, **self.whole}

    @cached_property
    def marks(self) -> Mapping[Key, str]:
        """The marks "≥" and "≈" of the numbers that are not exact."""
        found: dict[Key, str] = {("peak", ""): self.peak_mark}
        for (is_unknown, is_assumed), paths in zip(self.doubts, self.paths, strict=True):
            for path in paths if is_unknown or is_assumed else ():
                found["flops", path] = "≥" if is_unknown else found.get(("flops", path), "≈")
                if is_assumed:
                    found["output_bytes", path] = "≈"
        return found


class Observer:
    """Captures a model at sizes, each once.

    Args:
        saved: what a graph saves for backward; None if that is not asked for.

    Attributes:
        count: number of captures.
        refusals: what forward says to sizes that it does not accept.
    """

    def __init__(self, model: nn.Module, named: Named, options: Mapping[str, Any], saved: Extra | None = None) -> None:
        self.named = named
        self.count = 0
        self.refusals: list[FxsummaryError] = []
        self._model, self._options, self._saved = model, dict(options), saved
        self._known: dict[tuple[tuple[int, ...], ...], Observation | None] = {}

    def at(self, sizes: Sizes) -> Observation | None:
        """Return what a capture with these sizes shows; None if forward refuses them."""
        key = self.named.key(sizes)
        if key not in self._known:
            self.count += 1
            self._known[key] = self._captured(sizes)
        return self._known[key]

    def has(self, sizes: Sizes) -> bool:
        """Whether the model was captured with these sizes."""
        return self.named.key(sizes) in self._known

    def keep(self, captured: ModelGraph) -> None:
        """Take a graph that was captured before for the capture at the sizes of its inputs."""
        self.count += 1
        self._known[self.named.key(self.named.start)] = self.observed(captured)

    def again(self) -> bool:
        """Capture at the first sizes again, now from shapes alone; return whether the operations are the same."""
        before = self.at(self.named.start)
        self.count += 1
        after = self._known[self.named.key(self.named.start)] = self._captured(self.named.start)
        return before is not None and after is not None and before.structure == after.structure

    def _captured(self, sizes: Sizes) -> Observation | None:
        try:
            captured = graph(self._model, **self.named.at(sizes), **self._options)
        except FxsummaryError as error:
            self.refusals.append(error)
            return None
        found = self.observed(captured)
        del captured
        gc.collect(1)  # what a capture leaves in reference cycles is freed faster while it is young
        return found

    def observed(self, captured: ModelGraph) -> Observation | None:
        """Return what a graph shows; None if it is not the whole of forward, with all shapes."""
        if captured.captured_by == "recorded":
            self._options["trace"] = "record"  # to try symbolic tracing again takes time
        self.named = self.named.typed(captured)
        if captured.is_partial or captured.memory is None:
            return None
        memory, nodes = captured.memory, [data for _, data in captured.nodes(data=True)]
        names = cache_names(self._model, captured)
        cached = {("kv_cache", ""): cache_nbytes(captured, names)} if names else {}
        saved: dict[str, tuple[int, ...]] = {}
        by_module: Mapping[Key, int] = {}
        if self._saved is not None:
            saved["saved_bytes"], by_module = self._saved(captured)
        return Observation(
            structure=tuple([(data["module"], data["target"]) for data in nodes]),
            dims=tuple([size for data in nodes for spec in leaves(data["outputs"]) for size in spec.shape]),
            parts={
                "flops": tuple([data["flops"] or 0 for data in nodes]),
                "output_bytes": tuple([data["output_bytes"] or 0 for data in nodes]),
                **saved,
            },
            workspaces=memory.workspaces,
            lives=_lives(captured),
            paths=tuple([frozenset(["", *[each.path for each in data["module_stack"]]]) for data in nodes]),
            doubts=tuple([(data["flops"] is None, data["assumed"] or data["trust"] == "assumed") for data in nodes]),
            whole={**cached, ("peak", ""): memory.peak, **by_module},
            peak_mark="≥" if memory.unknown else "≈" if memory.is_assumed else "",
            names=tuple([own_path(data) or key for key, data in captured.nodes(data=True)]),
            arguments=tuple([data["arguments"] for data in nodes]),
            modules={path: each.type for path, each in captured.modules.items()},
            model=captured.name,
        )


def _lives(captured: ModelGraph) -> dict[tuple[int, int], int]:
    """Return the bytes that operations make, by their first and last operation."""
    found: dict[tuple[int, int], int] = defaultdict(int)
    for storage, (birth, death) in zip(captured.storages, lives(captured), strict=True):
        if storage.kind == "activation" and birth <= death:
            found[birth, death] += storage.nbytes
    return found


def saved_for_backward(captured: ModelGraph, device: str) -> tuple[tuple[int, ...], dict[Key, int]]:
    """Return the bytes that each operation is the first to save for backward, and those that each module saves."""
    found = captured.training(device=device, optimizer=None)
    by_module = {("saved_bytes", path): each.inclusive for path, each in found.saved_by_module.items() if path}
    return tuple([found.saved_by_operation.get(key, 0) for key in captured]), {
        ("saved_bytes", ""): found.saved,
        **by_module,
    }
