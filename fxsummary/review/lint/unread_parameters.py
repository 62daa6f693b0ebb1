"""Parameters that forward never reads.

They take memory, appear in checkpoints, and have no gradient: ``DistributedDataParallel`` stops at them unless
``find_unused_parameters`` is set. Usually a layer was replaced and the old parameter stayed, or a branch depends on
an option. One that only train mode or an optional input needs is reported, too (wav2vec's ``masked_spec_embed``,
XLNet's segment embeddings): give that input, or ignore it. Those of modules that are never called at all are told by
`uncalled_modules`. An expert that the example did not choose is not reported: which one is chosen was assumed.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint.facts import is_choice, knows_dataflow, uncalled
from fxsummary.review.lint.rule import Rule
from fxsummary.text.numbers import count


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each parameter."""
    if not knows_dataflow(graph):
        return
    silent = {module.path for module in uncalled(graph)}
    for path, module in graph.modules.items():
        inside = any(path == each or path.startswith(f"{each}.") for each in silent)
        if inside or is_choice(graph, path):
            continue
        for parameter in module.parameters:
            if not parameter.buffer and not parameter.read and parameter.tied_to is None:
                message = f"{parameter.name} ({count(parameter.numel)} parameters) is never read in this forward"
                yield Finding("unread-parameters", message, parameter.name, remedy=REMEDY)


REMEDY = "Remove it, or read it in forward."
RULE = Rule("unread-parameters", find, "A parameter that forward never reads is not trained.")
