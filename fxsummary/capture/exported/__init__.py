"""An ExportedProgram as input: nothing is run or traced, everything is read from what export has noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from fxsummary.capture import aten
from fxsummary.capture.exported import grouping, settings
from fxsummary.capture.exported.costs import Cost, Costs, times_mapped
from fxsummary.capture.exported.flatten import Flat
from fxsummary.capture.exported.hints import dynamic_dimensions
from fxsummary.capture.exported.skeleton import Skeleton
from fxsummary.capture.inputs.example import model_device
from fxsummary.capture.nodes import AUTOCAST, SOURCE
from fxsummary.capture.operations.propagate import Propagation
from fxsummary.capture.restore.torch_state import preserved_globals
from fxsummary.capture.structures import has_unknown
from fxsummary.capture.symbolic.trace import Trace
from fxsummary.capture.symbolic.tracer import Leaf, default_leaf
from fxsummary.graph.spec import map_structure

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass
class Exported:
    """What an exported program tells.

    Attributes:
        model: its module tree, see `fxsummary.capture.exported.skeleton`.
        trace: its graph, with a call_module node for each call of a leaf module.
        propagation: specs and FLOPs by node.
        untold: paths of modules of which it cannot be told whether they were called.
        notes: what a reader must know.
    """

    model: nn.Module
    trace: Trace
    propagation: Propagation
    untold: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def read(program: ExportedProgram, leaf: Leaf | None = None) -> Exported:
    """The graph of an exported program at the granularity of the other ways to capture.

    Args:
        leaf: further modules not to enter.
    """
    skeleton = Skeleton(program)
    flat = Flat(program, skeleton)
    costs = _costs(flat, skeleton)
    calls = grouping.leaf_calls(flat, _leaf_test(skeleton, leaf))
    _fill_settings(flat, skeleton)
    grouped = grouping.group(flat, skeleton, calls, costs)
    notes = [
        dynamic_dimensions(flat.inputs, program.range_constraints),
        _unknown_note(grouped),
        _branch_note(flat, costs),
    ]
    return Exported(
        skeleton.root,
        Trace(grouped.graph),
        Propagation(grouped.outcomes),
        skeleton.untold(),
        [note for note in notes if note],
    )


def _costs(flat: Flat, skeleton: Skeleton) -> dict[fx.Node, Cost]:
    costs = Costs(model_device(skeleton.root))

    def load(value: Any) -> Any:
        return flat.values[value] if isinstance(value, fx.Node) else value

    times = times_mapped(flat.graph, flat.values)
    with preserved_globals(), torch.no_grad():
        return {
            node: costs.of(
                node.target, map_structure(load, node.args), map_structure(load, node.kwargs), node.meta[AUTOCAST]
            ).over(times[node])
            for node in flat.graph.nodes
            if node.op == "call_function"
        }


def _leaf_test(skeleton: Skeleton, leaf: Leaf | None) -> Any:
    known: dict[str, bool] = {}

    def is_leaf(path: str) -> bool:
        if path not in known:
            module = skeleton.modules[path]
            known[path] = default_leaf(module) or (leaf is not None and leaf(module, path))
        return known[path]

    return is_leaf


def _fill_settings(flat: Flat, skeleton: Skeleton) -> None:
    """Set what the first call of each module of torch.nn shows of it, and which modules were in training mode."""
    first = _first_calls(flat, skeleton)
    training = {path: settings.is_training(called) for path, called in first.items()}
    is_any_training = any(training.values())
    for path, module in skeleton.modules.items():
        told = training.get(path)
        module.training = is_any_training if told is None else told
        if type(module).__module__.startswith("torch."):
            settings.fill(module, first.get(path, ()))


def _first_calls(flat: Flat, skeleton: Skeleton) -> dict[str, list[settings.Called]]:
    """The operations in the first call of each module that has settings, by its path."""
    described = {path for path, module in skeleton.modules.items() if settings.has_settings(module)}
    first: dict[str, tuple[int, list[settings.Called]]] = {}
    for node in flat.graph.nodes:
        for path, _, number in flat.entries[node]:
            if path in described and node.op == "call_function" and first.setdefault(path, (number, []))[0] == number:
                first[path][1].append(_called(flat, node))
    return {path: called for path, (_, called) in first.items()}


def _called(flat: Flat, node: fx.Node) -> settings.Called:
    args = map_structure(lambda value: flat.values[value] if isinstance(value, fx.Node) else value, node.args)
    return settings.Called(aten.function_name(node.target), args, flat.values[node], node.target)


def _unknown_note(grouped: grouping.Grouped) -> str:
    unknown = [
        node
        for node, outcome in grouped.outcomes.items()
        if has_unknown(outcome.value) and node.op != "output" and aten.function_name(node.target) != "item"
    ]
    if not unknown:
        return ""
    where = f" at {unknown[0].meta[SOURCE]}" if unknown[0].meta[SOURCE] else ""
    return f"shapes are not known after {unknown[0].name}{where}: its size depends on the values of tensors"


def _branch_note(flat: Flat, costs: dict[fx.Node, Cost]) -> str:
    branching = [node for node in flat.graph.nodes if node in costs and costs[node].assumed]
    if not branching:
        return ""
    names = ", ".join(node.name for node in branching[:4]) + (" and more" if len(branching) > 4 else "")
    return f"one of the branches of torch.cond runs; the FLOPs of {names} are those of the branch with the most"
