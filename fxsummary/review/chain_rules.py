"""The lint rules for chains of operations: one that has no effect, or a wrong one, after the one before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import DROPOUTS, IDENTITIES, VIEWS, base
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint import rule
from fxsummary.review.queries import before, knows_dataflow, name_of
from fxsummary.text.numbers import listed
from fxsummary.views.ghosts import dead

_PASSED = DROPOUTS | IDENTITIES | VIEWS
_CROSS_ENTROPIES = frozenset({"cross_entropy", "crossentropyloss"})
_SOFTMAXES = frozenset({"softmax", "softmax2d"})
_LOG_SOFTMAXES = frozenset({"log_softmax", "logsoftmax"})
_MEANT = frozenset({("softplus", "tanh"), ("logsigmoid", "softplus")})


@rule("dead-operations", "The work is wasted if nothing reads the result.")
def dead_operations(graph: ModelGraph) -> Iterator[Finding]:
    """Chains of operations whose result nothing reads; each once, at its end.

    If nothing reads the result of a matrix product, a convolution or a module with parameters, or what is computed
    from it, the work is wasted: usually a ``return`` lacks it, or a variable was overwritten. Only chains with FLOPs or
    parameters are reported. Unneeded sizes, views, masks and positions cost next to nothing, and libraries keep them on
    purpose, so that one forward serves several configurations.
    """
    if not knows_dataflow(graph):
        return
    found = dead(graph)
    operations = [key for key in graph if key in found and graph.nodes[key]["op"].startswith("call_")]
    told: set[str] = set()
    for end in [key for key in reversed(operations) if not graph.readers(key)]:
        chain = _leading_to(graph, end, operations) - told
        told |= chain
        in_order = [key for key in operations if key in chain]
        costly = [key for key in in_order if graph.nodes[key]["flops"] or graph.nodes[key]["parameters"]]
        if costly:
            data, name = graph.nodes[end], name_of(graph, end)
            message = f"nothing reads the result of {name} ({data['label']})"
            if len(chain) > 1:
                work = listed([f"{name_of(graph, key)} ({graph.nodes[key]['label']})" for key in costly], 3)
                message += f", so {len(chain)} operations have no effect, among them {work}"
            source = data["source"] or graph.nodes[costly[-1]]["source"]
            yield Finding("dead-operations", message, name, source, remedy="Remove it, or use its result.")


def _leading_to(graph: ModelGraph, end: str, among: Collection[str]) -> set[str]:
    """Return an operation and those among others that it depends on."""
    chain, pending, allowed = {end}, [end], set(among)
    while pending:
        more = (graph.sources(pending.pop()).keys() & allowed) - chain
        chain |= more
        pending += more
    return chain


@rule("double-activation", "A second activation right after the first has no effect, or a harmful one.")
def double_activation(graph: ModelGraph) -> Iterator[Finding]:
    """An activation right after an activation.

    ``relu(relu(x))`` is ``relu(x)``; ``log_softmax(softmax(x))`` and ``sigmoid(sigmoid(x))`` run and train, but badly:
    a classic slip is a softmax in front of a head that has its own. The rule looks through operations between them
    that change no values (views, dropout). It accepts ``tanh(softplus(x))``, which is part of Mish.
    """
    seen: set[tuple[str, str]] = set()
    for key, data in graph.nodes(data=True):
        first = before(graph, graph.only_source(key), _PASSED) if data["kind"] == "activation" else None
        if first is None or graph.nodes[first]["kind"] != "activation":
            continue
        earlier = graph.nodes[first]
        labels = earlier["label"].lower().rstrip("_"), data["label"].lower().rstrip("_")
        names = name_of(graph, first), name_of(graph, key)
        if labels not in _MEANT and names not in seen:
            seen.add(names)
            message = f"{data['label']} ({names[1]}) follows {earlier['label']} ({names[0]})"
            yield Finding("double-activation", message, names[1], data["source"], remedy="Remove one of them.")


@rule("consecutive-linear", "Two linear layers with nothing between them are one linear layer.")
def consecutive_linear(graph: ModelGraph) -> Iterator[Finding]:
    """A linear layer right after a linear layer.

    The product of both weights is the weight of one layer that computes the same with fewer operations and often fewer
    parameters: usually an activation is missing. A layer whose output is narrower than its input and than the output
    of the next one is a low-rank factorisation (LoRA), which is deliberate. The rule looks only at results that nothing
    else reads, and not across dropout, a residual sum or a reshape.
    """
    seen: set[tuple[str, str]] = set()
    for key in graph:
        source = _linear_input(graph, key)
        first = before(graph, source, IDENTITIES, alone=True)
        start = _linear_input(graph, first) if first is not None else None
        if first is None or start is None:
            continue
        width, rank, result = (graph.nodes[each]["shape"] for each in (start, first, key))
        names = name_of(graph, first), name_of(graph, key)
        if not width or not rank or not result or rank[-1] < min(width[-1], result[-1]) or names in seen:
            continue
        seen.add(names)
        if names[0] != names[1]:
            message = (
                f"{names[1]} (linear, {rank[-1]}→{result[-1]}) follows {names[0]} (linear, {width[-1]}→{rank[-1]}) "
                f"with nothing between them: together they are one linear layer, {width[-1]}→{result[-1]}"
            )
            remedy = "Put an activation between them, or replace them by one layer."
            yield Finding("consecutive-linear", message, names[1], graph.nodes[key]["source"], remedy=remedy)


def _linear_input(graph: ModelGraph, key: str) -> str | None:
    """Return the value that a linear layer is applied to; None for other operations."""
    data = graph.nodes[key]
    is_layer = data["kind"] == "linear" and (data["op"] == "call_module" or base(data["label"]) == "linear")
    values = [each for each in graph.sources(key) if graph.nodes[each]["op"] != "get_attr"] if is_layer else []
    return values[0] if len(values) == 1 else None


@rule("softmax-before-loss", "cross_entropy applies log_softmax itself: it expects logits.", is_advice=True)
def softmax_before_loss(graph: ModelGraph) -> Iterator[Finding]:
    """A softmax in front of ``cross_entropy``, or at the end of the model (advice).

    ``cross_entropy`` and ``CrossEntropyLoss`` apply ``log_softmax`` themselves. After a softmax the gradients are
    small, and training is slow and bad, without an error. A model that ends in a softmax is right if its loss expects
    probabilities, or if it is used for inference only, and the graph does not show the loss: so this is advice.
    """
    remedy = "Pass logits to cross_entropy, and apply softmax only where probabilities are needed."
    for key, data in graph.nodes(data=True):
        for first in _before_loss(graph, key) if base(data["label"]) in _CROSS_ENTROPIES else ():
            label, name = graph.nodes[first]["label"], name_of(graph, first)
            if base(label) in _SOFTMAXES | _LOG_SOFTMAXES:
                message = f"{data['label']} ({name_of(graph, key)}) reads the result of {label} ({name})"
                yield Finding("softmax-before-loss", message, name, data["source"], remedy=remedy, level="notice")
        for each in graph.sources(key) if data["op"] == "output" else ():
            last = before(graph, each, _PASSED, alone=True)
            if last is not None and base(graph.nodes[last]["label"]) in _SOFTMAXES:
                name, source = name_of(graph, last), graph.nodes[last]["source"]
                what = f"the model returns the result of {graph.nodes[last]['label']} ({name})"
                message = f"{what}; cross_entropy as its loss would apply log_softmax to it"
                yield Finding("softmax-before-loss", message, name, source, remedy=remedy, level="notice")


def _before_loss(graph: ModelGraph, key: str) -> Iterator[str]:
    """Yield the value that the first input of a loss is made from by views."""
    for source, edge in graph.sources(key).items():
        if 0 in edge["slots"] and (found := before(graph, source, _PASSED)) is not None:
            yield found
