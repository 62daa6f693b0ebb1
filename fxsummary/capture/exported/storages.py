"""The memory of the values of an exported program. There is no Python in it, so that nothing tells when values die."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from torch import fx

from fxsummary.capture.exported.metadata import OUTCOME, with_values
from fxsummary.capture.nodes import AUTOCAST
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError
from fxsummary.capture.results import Storages
from fxsummary.capture.structures import has_unknown, walk
from fxsummary.capture.torch_internals import OpOverload
from fxsummary.graph.spec import leaves


def storages_of(
    flat: fx.Graph, written: Mapping[fx.Node, fx.Node], device: str
) -> tuple[Storages, dict[fx.Node, int | None]]:
    """Return the storages of the nodes of a graph, and what its operations hold for a time (None if unknown).

    Args:
        flat: the program as a flat graph, whose nodes have `OUTCOME`.
        written: the nodes of the graph that has one node per call of a leaf module, by flat node.
        device: the device of the program's tensors.
    """
    operations, numbers = Operations(device), count()
    found = Storages()
    results: dict[fx.Node, list[int]] = {}
    workspaces: dict[fx.Node, int | None] = {}
    for node in flat.nodes:
        outcome = _outcome(node, operations)
        given = [
            number for each in walk((node.args, node.kwargs)) if isinstance(each, fx.Node) for number in results[each]
        ]
        own = results[node] = []
        for place, spec in enumerate(leaves(node.meta[OUTCOME].value)):
            alias = outcome.aliases[place] if place < len(outcome.aliases) else None
            if alias is not None and alias.index < len(given):
                own.append(given[alias.index])
                continue
            own.append(next(numbers))
            found.nbytes[own[-1]] = spec.extent
        if node in written:
            found.held.setdefault(written[node], tuple(own))
            workspaces[written[node]] = outcome.workspace
    return found, workspaces


def _outcome(node: fx.Node, operations: Operations) -> Outcome:
    """Return the aliases of an operation, and what it holds for a time."""
    args, kwargs = with_values(node.args), with_values(node.kwargs)
    if node.op != "call_function" or has_unknown((args, kwargs)):
        return Outcome(None)
    if not isinstance(node.target, OpOverload) and getattr(node.target, "__name__", "") != "getitem":
        return Outcome(None, workspace=None)
    try:
        return operations.run(node.target, args, kwargs, node.meta[AUTOCAST])
    except (NoDataError, RefusedError):
        return Outcome(None, workspace=None)


def with_workspaces(
    outcomes: Mapping[fx.Node, Outcome], workspaces: Mapping[fx.Node, int | None]
) -> dict[fx.Node, Outcome]:
    """Return the outcomes with what each operation holds for a time; that of a module of several parts is unknown."""
    return {
        node: replace(outcome, workspace=workspaces.get(node)) if node.op.startswith("call_") else outcome
        for node, outcome in outcomes.items()
    }
