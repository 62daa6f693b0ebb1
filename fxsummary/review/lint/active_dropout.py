"""Dropout that is active while the model is in eval mode.

``F.dropout(x)`` drops by default, also in eval mode: it must be told ``training=self.training``. Results then differ
from call to call, and are worse than they need to be. A model in train mode is not reported: there dropout is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.passes.notes import active_dropout
from fxsummary.review.lint.facts import name_of
from fxsummary.review.lint.rule import Rule


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each dropout."""
    root = graph.modules.get("")
    if graph.captured_by == "modules" or root is None or root.training:
        return
    for key in active_dropout(graph):
        data, name = graph.nodes[key], name_of(graph, key)
        message = f"{data['label']} ({name}) is active, though the model is in eval mode"
        is_module = data["op"] == "call_module"
        remedy = "Call model.eval() on all of it." if is_module else "Pass training=self.training."
        yield Finding("active-dropout", message, name, data["source"], remedy=remedy)


RULE = Rule("active-dropout", find, "Dropout in eval mode makes results random.")
