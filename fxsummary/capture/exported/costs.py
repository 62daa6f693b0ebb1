"""FLOPs of the operations of an exported program, from specs alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import fx

from fxsummary.capture.exported.hints import VALUE, value_of
from fxsummary.capture.operations.autocast import Casting
from fxsummary.capture.operations.flop_count import costs_nothing, formula
from fxsummary.capture.operations.run import NoDataError, Operations, RefusedError
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
"""Higher-order operations that run their graph once, as if it stood there itself."""
_BRANCH = "cond"
_LOOPS = frozenset({"while_loop", "scan", "associative_scan", "map_impl", "map"})


class Cost(NamedTuple):
    """FLOPs, None where not known; the operators whose FLOPs are not known; whether a branch was assumed."""

    flops: int | None
    unknown: tuple[str, ...] = ()
    assumed: bool = False

    def over(self, times: int) -> Cost:
        """That of as many calls."""
        return self if self.flops is None else self._replace(flops=times * self.flops)


def times_mapped(graph: fx.Graph) -> dict[fx.Node, int]:
    """Over how many slices each operation is mapped: what ``vmap`` runs is exported as it runs on one."""
    sizes: dict[fx.Node, dict[object, int]] = {}
    for node in graph.nodes:
        found = {level: size for source in node.all_input_nodes for level, size in sizes[source].items()}
        name = getattr(node.target, "__name__", "")
        if name == "_add_batch_dim":
            source, dim, level = node.args[:3]
            found = {**found, level: source.meta[VALUE].shape[dim]}
        elif name == "_remove_batch_dim":
            found = {level: size for level, size in found.items() if level != node.args[1]}
        sizes[node] = found
    return {node: math.prod(found.values()) for node, found in sizes.items()}


FREE = Cost(0)


def add_up(costs: Iterable[Cost]) -> Cost:
    """The sum; not known where a part is not.

    >>> add_up([Cost(2), Cost(3, assumed=True)])
    Cost(flops=5, unknown=(), assumed=True)
    >>> add_up([Cost(2), Cost(None, ("zoo.op",))])
    Cost(flops=None, unknown=('zoo.op',), assumed=False)
    """
    parts = list(costs)
    unknown = dict.fromkeys(name for cost in parts for name in cost.unknown)
    is_known = all(cost.flops is not None for cost in parts)
    flops = sum(cost.flops or 0 for cost in parts) if is_known else None
    return Cost(flops, tuple(unknown), any(cost.assumed for cost in parts))


_DERIVATIVES = {"_jvp_increment_nesting": "jvp", "_grad_increment_nesting": "grad"}
"""What opens a transform that computes derivatives, beside the operations that are seen."""

_RUNS_OVER = {"map_impl": 1, "scan": 2}
"""The position of what a loop runs over among its arguments: its body runs once for each slice."""


class Costs:
    """Counts for one program.

    Args:
        device: the device that its tensors are on.
    """

    def __init__(self, device: str) -> None:
        self._operations = Operations(device)

    def of(self, target: Any, args: Args, kwargs: Kwargs, casting: Casting | None = None) -> Cost:
        """The cost of one call.

        Args:
            target: an ATen operator, a higher-order operation, or a function on numbers.
            args, kwargs: specs for tensors, graph modules, and literals.
            casting: the state of autocast.
        """
        if isinstance(target, HigherOrderOperator):
            return self._of_higher_order(target, args, kwargs)
        name = getattr(target, "__name__", "")
        if name in _DERIVATIVES:
            return Cost(None, (_DERIVATIVES[name],))
        if not isinstance(target, OpOverload) or costs_nothing(target):
            return FREE
        if has_unknown(args) or has_unknown(kwargs):
            return Cost(None)
        if casting is None:
            args, kwargs = map_structure(lambda v: META if isinstance(v, torch.device) else v, (args, kwargs))
        try:
            outcome = self._operations.run(target, args, kwargs, casting)
        except (RefusedError, NoDataError):
            return Cost(None, (str(target._overloadpacket),))
        return Cost(None if outcome.unknown else outcome.flops, outcome.unknown)

    def _of_higher_order(self, target: Any, args: Args, kwargs: Kwargs) -> Cost:
        name, count = target.__name__, formula(target)
        if count is not None and not has_unknown(args):
            return Cost(count(*args, **kwargs))  # of the shapes
        costs = [self._of_graph(body) for body in args if isinstance(body, fx.GraphModule)]
        if name in RUN_ONCE:
            return add_up(costs)
        if name == _BRANCH and all(cost.flops is not None for cost in costs):
            most = max(costs, key=lambda cost: cost.flops or 0)
            return most._replace(assumed=len({cost.flops for cost in costs}) > 1 or most.assumed)
        first = next(leaves(args[_RUNS_OVER[name]]), None) if name in _RUNS_OVER else None
        if first is not None and first.shape and len(costs) == 1 and costs[0].flops is not None:
            return costs[0].over(first.shape[0])
        is_free = name in _LOOPS and all(cost == FREE for cost in costs)
        return FREE if is_free else Cost(None, (name,))

    def _of_graph(self, body: fx.GraphModule) -> Cost:
        """The cost of running a graph inside the graph once."""

        def load(node: object) -> object:
            if not isinstance(node, fx.Node):
                return node
            if node.op == "get_attr" and isinstance(getattr(body, str(node.target), None), fx.GraphModule):
                return getattr(body, str(node.target))
            return value_of(node.meta.get("val", UNKNOWN))

        calls = [node for node in body.graph.nodes if node.op == "call_function"]
        return add_up(self.of(n.target, map_structure(load, n.args), map_structure(load, n.kwargs)) for n in calls)
