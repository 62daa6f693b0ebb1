"""Counts the FLOPs of the operations of an exported program, from specs only."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from fxsummary.capture.exported.metadata import OUTCOME, value_of, with_values
from fxsummary.capture.nodes import AUTOCAST
from fxsummary.capture.operations.autocast import Casting
from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError
from fxsummary.capture.operations.traits import costs_nothing, formula
from fxsummary.capture.operations.twins import META
from fxsummary.capture.structures import UNKNOWN, Args, Kwargs, has_unknown
from fxsummary.capture.torch_internals import HigherOrderOperator, OpOverload
from fxsummary.graph.spec import leaves, map_structure

RUN_ONCE = frozenset(
    {
        "wrap_with_set_grad_enabled", "wrap_with_autocast", "tag_activation_checkpoint", "wrap_activation_checkpoint",
        "wrap", "strict_mode", "invoke_subgraph", "hints_wrapper",
    }
)  # fmt: skip
"""Higher-order operators that run their graph once, so that its operations can replace them."""
_BRANCH = "cond"
_LOOPS = frozenset({"while_loop", "scan", "associative_scan", "map_impl", "map"})


FREE = Outcome(None)


def over(cost: Outcome, times: int) -> Outcome:
    """Return the cost of several calls."""
    return cost if cost.flops is None else replace(cost, flops=times * cost.flops)


def add_up(costs: Iterable[Outcome]) -> Outcome:
    """Return the sum of costs; unknown if one of them is.

    >>> add_up([Outcome(None, 2), Outcome(None, 3, assumed=True)]).flops
    5
    >>> add_up([Outcome(None, 2), Outcome(None, None, ("zoo.op",))]).unknown
    ('zoo.op',)
    """
    parts = list(costs)
    unknown = dict.fromkeys(name for cost in parts for name in cost.unknown)
    is_known = all(cost.flops is not None for cost in parts)
    flops = sum(cost.flops or 0 for cost in parts) if is_known else None
    return Outcome(None, flops, tuple(unknown), assumed=any(cost.assumed for cost in parts))


_DERIVATIVES = {"_jvp_increment_nesting": "jvp", "_grad_increment_nesting": "grad"}
"""Functions that start a derivative, whose backward operations the export does not show."""

_RUNS_OVER = {"map_impl": 1, "scan": 2}
"""Loops that run their body once per slice, with the position of the sliced argument."""


class Costs:
    """Counts the FLOPs of one program.

    Args:
        device: the device of the program's tensors.
    """

    def __init__(self, device: str) -> None:
        self._operations = Operations(device)
        self._mapped: dict[fx.Node, dict[object, int]] = {}

    def of_node(self, node: fx.Node) -> Outcome:
        """Return the cost of a node of a flat graph."""
        times = math.prod(self._mapped_sizes(node).values())
        return over(self.of(node.target, with_values(node.args), with_values(node.kwargs), node.meta[AUTOCAST]), times)

    def _mapped_sizes(self, node: fx.Node) -> dict[object, int]:
        """Return the number of slices that each ``vmap`` runs a node on, by level; the export shows only one slice."""
        mapped = self._mapped
        found = {level: size for source in node.all_input_nodes for level, size in mapped.get(source, {}).items()}
        name = getattr(node.target, "__name__", "")
        if name == "_add_batch_dim":
            source, dim, level = node.args[:3]
            found[level] = source.meta[OUTCOME].value.shape[dim]  # type: ignore[union-attr]
        elif name == "_remove_batch_dim":
            found.pop(node.args[1], None)
        mapped[node] = found
        return found

    def of(self, target: object, args: Args, kwargs: Kwargs, casting: Casting | None = None) -> Outcome:
        """Return the cost of one call.

        Args:
            target: an ATen operator, a higher-order operator, or a function on numbers.
            args, kwargs: specs for tensors, graph modules, and literals.
            casting: the state of autocast.
        """
        if isinstance(target, HigherOrderOperator):
            return self._of_higher_order(target, args, kwargs)
        if (name := getattr(target, "__name__", "")) in _DERIVATIVES:
            return Outcome(None, None, (_DERIVATIVES[name],))
        if not isinstance(target, OpOverload) or costs_nothing(target):
            return FREE
        if has_unknown(args) or has_unknown(kwargs):
            return Outcome(None, None)
        if casting is None:
            args, kwargs = map_structure(lambda v: META if isinstance(v, torch.device) else v, (args, kwargs))
        try:
            outcome = self._operations.run(target, args, kwargs, casting)
        except (RefusedError, NoDataError):
            return Outcome(None, None, (str(target._overloadpacket),))
        return Outcome(None, None if outcome.unknown else outcome.flops, outcome.unknown)

    def _of_higher_order(self, target: Any, args: Args, kwargs: Kwargs) -> Outcome:
        name, count = target.__name__, formula(target)
        if count is not None and not has_unknown(args):
            return Outcome(None, count(*args, **kwargs))  # the formula needs only shapes
        costs = [self._of_graph(body) for body in args if isinstance(body, fx.GraphModule)]
        if name in RUN_ONCE:
            return add_up(costs)
        if name == _BRANCH and all(cost.flops is not None for cost in costs):
            most = max(costs, key=lambda cost: cost.flops or 0)
            return replace(most, assumed=len({cost.flops for cost in costs}) > 1 or most.assumed)
        first = next(leaves(args[_RUNS_OVER[name]]), None) if name in _RUNS_OVER else None
        if first is not None and first.shape and len(costs) == 1 and costs[0].flops is not None:
            return over(costs[0], first.shape[0])
        is_free = name in _LOOPS and all(cost == FREE for cost in costs)
        return FREE if is_free else Outcome(None, None, (name,))

    def _of_graph(self, body: fx.GraphModule) -> Outcome:
        """Return the cost of running a nested graph once."""

        def load(node: object) -> object:
            if not isinstance(node, fx.Node):
                return node
            if node.op == "get_attr" and isinstance(getattr(body, str(node.target), None), fx.GraphModule):
                return getattr(body, str(node.target))
            return value_of(node.meta.get("val", UNKNOWN))

        calls = [node for node in body.graph.nodes if node.op == "call_function"]
        return add_up(self.of(n.target, map_structure(load, n.args), map_structure(load, n.kwargs)) for n in calls)
