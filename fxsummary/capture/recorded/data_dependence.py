"""Computes tensor values when forward branches on them, or when an operation needs more than meta tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch import fx, nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.run import NoDataError, Operations, observe_real
from fxsummary.capture.recorded.budget import Budget
from fxsummary.capture.recorded.graph_builder import Call, Writer
from fxsummary.capture.recorded.real_values import Evaluator, NoValueError, off_meta
from fxsummary.capture.recorded.stop import StopRecording
from fxsummary.capture.recorded.torch_calls import Assemble
from fxsummary.capture.structures import UNKNOWN, is_limit_of_meta, load
from fxsummary.graph.spec import map_structure


class Demand:
    """Computes values on demand.

    Attributes:
        assuming: whether Python has used an assumed value, on which everything after it depends.
        asked: number of times that values were needed.
    """

    def __init__(self, writer: Writer, operations: Operations, budget: Budget | None = None) -> None:
        self.assuming = False
        self.asked = 0
        self.writer = writer
        self.evaluator = Evaluator(writer, budget)
        self._operations = operations
        self._assumed_at: dict[str, None] = {}
        self._without_fake: dict[str, None] = {}

    def values(self, structure: Any) -> Any:
        """Return a structure with the real values of its tensors, for Python to use."""
        self.asked += 1

        def value(item: Any) -> Any:
            if not isinstance(item, torch.Tensor):
                return item
            node = self.writer.node_of(self.writer.tensors.of(item))
            result = self._value(node)
            if node in self.evaluator.assumed:
                self.assuming = True
                self._assumed_at.setdefault(self.writer.source())
            return result

        return map_structure(value, structure)

    def outcome(self, call: Call, error: NoDataError) -> tuple[Outcome, Any]:
        """Run a call with the values of its indices and masks; if it raises, with those of all its tensors."""
        self.asked += 1
        if "fake impl" in str(error):
            named = re.match(r"\w+::\w+", str(error))
            self._without_fake.setdefault(named[0] if named else str(call.callee), None)
        nodes = [self.writer.node_of(each) for each in call.given]
        indices = {node for node, each in zip(nodes, call.given, strict=True) if each.spec.is_index}
        if indices and not indices.issuperset(nodes):
            with suppress(Exception):  # torch's kernels raise exceptions of every kind
                return self._run(call, nodes, indices)
        try:
            return self._run(call, nodes, set(nodes))
        except Exception as reason:
            is_limit = is_limit_of_meta(reason)
            if not is_limit and self.evaluator.assumed.isdisjoint(nodes):
                raise
            self.writer.write(call, Outcome(UNKNOWN, None))
            first = str(reason).strip().partition("\n")[0][:200]  # without the tensor values in later lines
            name = getattr(call.callee, "__name__", type(call.callee).__name__)
            self.stop(str(error) if is_limit else f"{name} rejects assumed values: {first}")

    def marked(self, outcome: Outcome, call: Call, is_assumed: bool = False) -> Outcome:
        """Return the outcome, marked if it depends on assumed values."""
        if is_assumed or self.assuming or any(each.assumed for each in call.given):
            return replace(outcome, assumed=True)
        return outcome

    def stop(self, reason: str) -> NoReturn:
        """End the recording here."""
        raise StopRecording(reason, self.writer.source())

    def notes(self) -> Iterator[str]:
        """Yield the notes on assumed values and on operators without a fake kernel."""
        if self._without_fake:
            yield (
                f"no fake kernel is registered for {', '.join(self._without_fake)}, so its calls ran on real values; "
                "to add one, use torch.library.register_fake"
            )
        places = list(filter(None, self._assumed_at))
        if self._assumed_at:
            more = f" and {len(places) - 3} more places" if len(places) > 3 else ""
            where = f" at {', '.join(places[:3])}{more}" if places else ""
            yield (
                f"forward depends on tensor values{where}, but the inputs or weights hold no data; values were "
                "assumed, and what depends on them is marked ≈"
            )

    def _value(self, node: fx.Node) -> Any:
        try:
            return self.evaluator.value(node)
        except NoValueError as error:
            self.stop(f"the value of {node.name} is needed, but {error}")

    def _run(self, call: Call, nodes: list[fx.Node], chosen: set[fx.Node]) -> tuple[Outcome, Any]:
        """Run a call with real values for the chosen nodes, and with meta tensors for the other nodes."""
        twins, is_real = self._operations.twins, chosen.issuperset(nodes)
        tensors: dict[fx.Node, Any] = {
            node: self._value(node) if node in chosen else twins.of_spec(each.spec)
            for node, each in zip(nodes, call.given, strict=True)
        }
        callee = call.callee
        if isinstance(callee, nn.Module):
            callee = self.evaluator.module(callee) if is_real else twins.module(callee)

        def assemble(node: fx.Node) -> fx.Node:
            if isinstance(node.target, Assemble):
                tensors[node] = node.target(*load(node.args, tensors))
            return node

        args, kwargs = load(fx.map_arg(call.nodes, assemble), tensors)
        with off_meta() if is_real else nullcontext():
            outcome, result = observe_real(callee, args, kwargs, [tensors[node] for node in nodes], self.writer.device)
        is_assumed = not self.evaluator.assumed.isdisjoint(chosen)
        if is_assumed:
            self._assumed_at.setdefault(self.writer.source())
        return self.marked(outcome, call, is_assumed), result
