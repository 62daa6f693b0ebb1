"""An activation right after an activation.

``relu(relu(x))`` is ``relu(x)``; ``log_softmax(softmax(x))`` and ``sigmoid(sigmoid(x))`` run and train, but badly:
a classical slip is a softmax in front of another head that has one of its own. Between them only what changes
no value is looked through (views, dropout). ``tanh(softplus(x))`` is part of Mish and meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import DROPOUTS, IDENTITIES, VIEWS, base
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint.facts import name_of
from fxsummary.review.lint.rule import Rule

_PASSED = DROPOUTS | IDENTITIES | VIEWS
_MEANT = frozenset({("softplus", "tanh"), ("logsigmoid", "softplus")})


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each second activation."""
    seen: set[tuple[str, str]] = set()
    for key, data in graph.nodes(data=True):
        first = _activation_before(graph, key) if data["kind"] == "activation" else None
        if first is None:
            continue
        before = graph.nodes[first]
        labels = before["label"].lower().rstrip("_"), data["label"].lower().rstrip("_")
        names = name_of(graph, first), name_of(graph, key)
        if labels in _MEANT or names in seen:
            continue
        seen.add(names)
        message = f"{data['label']} ({names[1]}) follows {before['label']} ({names[0]})"
        yield Finding("double-activation", message, names[1], data["source"], remedy="Remove one of them.")


def _activation_before(graph: ModelGraph, key: str) -> str | None:
    while len(graph.sources(key)) == 1:
        (key,) = graph.sources(key)
        data = graph.nodes[key]
        if data["kind"] == "activation":
            return key
        if base(data["label"]) not in _PASSED:
            return None
    return None


RULE = Rule("double-activation", find, "An activation of an activation does nothing, or harm.")
