"""Modules with parameters that forward never calls, and of which it reads nothing.

Their parameters are not trained, but take memory and must be in every checkpoint. Usually a layer was left behind.
Auxiliary heads, such as that of Inception, run in train mode only: look at the model in train mode
(``--train``), or ignore them by their path. An expert that the example did not choose is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint.facts import knows_dataflow, uncalled
from fxsummary.review.lint.rule import Rule
from fxsummary.text.numbers import count


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each of the outermost such modules."""
    if not knows_dataflow(graph):
        return
    for module in uncalled(graph):
        held = [m for path, m in graph.modules.items() if path == module.path or path.startswith(f"{module.path}.")]
        number = sum(p.numel or 0 for m in held for p in m.parameters if not p.buffer and p.tied_to is None)
        message = f"{module.path} ({module.type}, {count(number)} parameters) is never called in this forward"
        remedy = "Remove it, or call it in forward" + ("." if module.training else "; does it run in train mode only?")
        yield Finding("uncalled-modules", message, module.path, remedy=remedy)


RULE = Rule("uncalled-modules", find, "A module that forward never calls is not trained.")
