"""Where forward goes by values: they are computed from the graph so far, and handed to Python or to the operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import fx, nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, observe_real
from fxsummary.capture.recorded.budget import Budget
from fxsummary.capture.recorded.graph_builder import Call, Writer
from fxsummary.capture.recorded.real_values import Evaluator, NoValueError, off_meta
from fxsummary.capture.recorded.tensor_origins import StopRecording
from fxsummary.capture.recorded.torch_calls import Assemble
from fxsummary.capture.structures import UNKNOWN, is_limit_of_meta, load
from fxsummary.graph.spec import map_structure


class Demand:
    """Answers what only values can tell.

    Attributes:
        assuming: whether Python has gone by values that were assumed; all that follows rests on them.
        asked: how often values were needed.
    """

    def __init__(self, model: nn.Module, writer: Writer, operations: Operations, budget: Budget | None = None) -> None:
        self.assuming = False
        self.asked = 0
        self.evaluator = Evaluator(
            model, writer.propagation.outcomes, writer.inputs, writer.tensors.constants, writer.memory, budget
        )
        self._writer = writer
        self._operations = operations
        self._assumed_at: dict[str, None] = {}
        self._without_fake: dict[str, None] = {}

    def values(self, structure: Any) -> Any:
        """The structure with the real values of its tensors, for Python to go by."""
        self.asked += 1

        def value(item: Any) -> Any:
            if not isinstance(item, torch.Tensor):
                return item
            node = self._writer.node_of(self._writer.tensors.of(item))
            result = self._value(node)
            if node in self.evaluator.assumed:
                self.assuming = True
                self._assumed_at.setdefault(self._writer.source())
            return result

        return map_structure(value, structure)

    def outcome(self, call: Call, error: NoDataError) -> tuple[Outcome, Any]:
        """The outcome of a call that meta tensors do not tell, and its result.

        The values of its indices and masks are tried first, then those of all its tensors.
        """
        self.asked += 1
        if "fake impl" in str(error):
            named = re.match(r"\w+::\w+", str(error))
            self._without_fake.setdefault(named[0] if named else str(call.callee), None)
        everything = [True] * len(call.given)
        indices = [each.spec.is_index for each in call.given]
        for chosen in [indices, everything] if any(indices) and not all(indices) else [everything]:
            nodes = [self._writer.node_of(each) for each, wanted in zip(call.given, chosen, strict=True) if wanted]
            for node in nodes:
                self._value(node)
            is_assumed = not self.evaluator.assumed.isdisjoint(nodes)
            try:
                outcome, result = self._run(call, chosen)
            except Exception as reason:  # torch's kernels raise of every kind
                if chosen is not everything:
                    continue
                is_limit = is_limit_of_meta(reason)
                if not is_limit and not is_assumed:
                    raise
                self._writer.write(call, Outcome(UNKNOWN, None))
                first = str(reason).strip().partition("\n")[0][:200]  # without the values of tensors that follow it
                name = getattr(call.callee, "__name__", str(call.callee))
                self.stop(str(error) if is_limit else f"{name} refuses values that were assumed: {first}")
            if is_assumed:
                self._assumed_at.setdefault(self._writer.source())
            return self.marked(outcome, call, is_assumed), result
        raise AssertionError("the last choice returns or raises")

    def keep(self, node: fx.Node, result: Any) -> None:
        """Remember the values of a call that was computed, or those of its results that were."""
        self.evaluator.put(node, result, self.evaluator.rests_on_assumed(node))

    def marked(self, outcome: Outcome, call: Call, is_assumed: bool = False) -> Outcome:
        """The outcome, marked if it rests on values that were assumed."""
        if is_assumed or self.assuming or any(each.assumed for each in call.given):
            return replace(outcome, assumed=True)
        return outcome

    def stop(self, reason: str) -> NoReturn:
        """End the recording here."""
        raise StopRecording(reason, self._writer.source())

    def notes(self) -> Iterator[str]:
        """Where values were assumed, and what ran because it says nothing without them."""
        if self._without_fake:
            yield (
                f"no fake kernel is registered for {', '.join(self._without_fake)}: what calls it ran on values; "
                "torch.library.register_fake adds one"
            )
        places = list(filter(None, self._assumed_at))
        if self._assumed_at:
            more = f" and {len(places) - 3} more places" if len(places) > 3 else ""
            where = f" at {', '.join(places[:3])}{more}" if places else ""
            yield (
                f"forward depends on the values of tensors{where}, but inputs or weights hold no data: values were "
                "assumed, and what depends on them is marked ≈"
            )

    def _value(self, node: fx.Node) -> Any:
        try:
            return self.evaluator.value(node)
        except NoValueError as error:
            self.stop(f"the value of {node.name} is needed, and {error}")

    def _run(self, call: Call, chosen: list[bool]) -> tuple[Outcome, Any]:
        """Run a call with real values for the chosen tensors, and the others on meta."""
        tensors: dict[fx.Node, Any] = {}
        for each, wanted in zip(call.given, chosen, strict=True):
            node = self._writer.node_of(each)
            if node not in tensors:
                tensors[node] = self._value(node) if wanted else self._operations.twins.of_spec(each.spec)
        callee = call.callee
        if isinstance(callee, nn.Module):
            callee = self.evaluator.module(callee) if all(chosen) else self._operations.twins.module(callee)
        nodes: list[fx.Node] = []
        fx.map_arg(call.nodes, nodes.append)
        for node in nodes:
            if isinstance(node.target, Assemble):  # an object that is assembled of them
                tensors.setdefault(node, node.target(*[tensors[each] for each in node.all_input_nodes]))
            elif node not in tensors:
                tensors[node] = self.evaluator.value(node)
        args, kwargs = load(call.nodes, tensors)
        given = [tensors[self._writer.node_of(each)] for each in call.given]
        with off_meta() if all(chosen) else nullcontext():
            return observe_real(callee, args, kwargs, given, self._operations.device)
