"""An embedding and an output layer of the same shape that are not tied (advice).

Language models up to a few billion parameters often share these two, which saves a large part of them; a tie that was
meant is lost by assigning a new weight, by ``copy.deepcopy`` of a part, or by building the head after tying. A graph
does not tell what was meant, and large models (Llama) leave them apart on purpose: so this is advice.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo, ParameterInfo
from fxsummary.review.lint.rule import Rule
from fxsummary.text.numbers import count


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each linear layer with the shape of an embedding before it."""
    embeddings = [found for module in graph.modules.values() if (found := _weight(module, "Embedding")) is not None]
    linear = [found for module in graph.modules.values() if (found := _weight(module, "Linear")) is not None]
    tied = {each.tied_to for module in graph.modules.values() for each in module.parameters}
    for head in linear:
        twins = [each for each in embeddings if each.spec and head.spec and each.spec.shape == head.spec.shape]
        if twins and head.tied_to is None and head.name not in tied and head.read:
            message = f"{head.name} and {twins[0].name} have the same shape, and are not tied"
            remedy = f"If they are meant to be one, tie them: it saves {count(head.numel)} parameters."
            yield Finding("untied-weights", message, head.name, remedy=remedy)


def _weight(module: ModuleInfo, kind: str) -> ParameterInfo | None:
    own = [each for each in module.parameters if each.name.endswith("weight")]
    return own[0] if own and module.type == kind and module.called else None


RULE = Rule("untied-weights", find, "Embedding and output layer may be meant to be one.", is_advice=True)
