"""Reads an ExportedProgram: everything comes from the metadata that export stores, nothing is run or traced."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import fx

from fxsummary.capture.exported import grouping, settings
from fxsummary.capture.exported.flatten import Flat
from fxsummary.capture.exported.metadata import OUTCOME, dynamic_dimensions
from fxsummary.capture.exported.skeleton import Skeleton
from fxsummary.capture.exported.storages import storages_of, with_workspaces
from fxsummary.capture.inputs.example import model_device
from fxsummary.capture.nodes import SOURCE, function_name
from fxsummary.capture.restore.torch_state import preserved_globals
from fxsummary.capture.results import Capture, Propagation, Trace
from fxsummary.capture.source import at
from fxsummary.capture.structures import has_unknown
from fxsummary.capture.subject import Leaf, default_leaf

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def read(program: ExportedProgram, leaf: Leaf | None = None) -> Capture:
    """Return the graph of an exported program, with the same granularity as the other ways to capture.

    Args:
        leaf: further modules not to enter.
    """
    skeleton = Skeleton(program)
    device = model_device(skeleton.root)
    with preserved_globals(), torch.no_grad():
        flat = Flat(program, skeleton, device)

    @cache
    def is_leaf(path: str) -> bool:
        module = skeleton.modules[path]
        return default_leaf(module) or (leaf is not None and leaf(module, path))

    calls = grouping.leaf_calls(flat.graph, is_leaf)
    settings.fill_all(skeleton.modules, flat.graph)
    graph, outcomes, written = grouping.group(flat.graph, skeleton, calls)
    with preserved_globals(), torch.no_grad():
        storages, workspaces = storages_of(flat.graph, written, device)
    outcomes = with_workspaces(outcomes, workspaces)
    notes = [dynamic_dimensions(flat.inputs, program.range_constraints), *_notes(flat.graph, Propagation(outcomes))]
    return Capture(
        skeleton.root,
        "exported",
        Trace(graph, storages=storages),
        Propagation(outcomes),
        device,
        untold=skeleton.untold(),
        notes=[note for note in notes if note],
    )


def _notes(flat: fx.Graph, propagation: Propagation) -> Iterator[str]:
    unknown = [
        node
        for node, outcome in propagation.outcomes.items()
        if has_unknown(outcome.value) and node.op != "output" and function_name(node.target) != "item"
    ]
    for node in unknown[:1]:
        where = at(node.meta[SOURCE])
        yield f"shapes are unknown after {node.name}{where}: its size depends on tensor values"
    branching = [node.name for node in flat.nodes if node.meta[OUTCOME].assumed]
    if branching:
        names = ", ".join(branching[:4]) + (" and more" if len(branching) > 4 else "")
        yield f"one of the branches of torch.cond runs; the FLOPs of {names} are those of the most expensive branch"
