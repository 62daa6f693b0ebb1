"""A convolution or linear layer with a bias right before a batch or instance norm.

The norm subtracts the mean of each channel, and with it the bias, which therefore has no effect on the result;
the norm's own bias takes its place. ``bias=False`` saves the parameters and the addition. torchvision's VGG with batch
norm has such biases, kept so that old checkpoints load. Group and layer norm subtract a mean over several
channels, before which a bias has an effect.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import is_batch_norm, is_instance_norm
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint.facts import only_source
from fxsummary.review.lint.rule import Rule
from fxsummary.text.numbers import count


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each layer."""
    seen: set[str] = set()
    for key, label in graph.nodes(data="label"):
        source = only_source(graph, key) if _subtracts_mean(label) else None
        data = graph.nodes[source] if source is not None else {}
        if not data or data["op"] != "call_module" or data["target"] in seen:
            continue
        biases = _biases(graph, data["target"])
        if not biases or not _per_channel(data["kind"], data["shape"]):
            continue
        seen.add(data["target"])
        who = f"the {count(biases)} biases of {data['target']}"
        message = f"{who} are redundant: in training, {label} subtracts the mean that they shift"
        yield Finding("bias-before-norm", message, data["target"], data["source"], remedy="Pass bias=False.")


def _subtracts_mean(label: str) -> bool:
    """Whether a norm subtracts the mean of each channel in training; a frozen one never does."""
    return (is_batch_norm(label) or is_instance_norm(label)) and "frozen" not in label.lower()


def _biases(graph: ModelGraph, path: str) -> int:
    module = graph.modules.get(path)
    return sum(p.numel or 0 for p in module.parameters if p.name == f"{path}.bias") if module else 0


def _per_channel(kind: str, shape: tuple[int, ...] | None) -> bool:
    """Whether there is a bias for each channel of the norm: the features of a linear layer are not always those."""
    return kind == "convolution" or (kind == "linear" and (shape is None or len(shape) == 2))


RULE = Rule("bias-before-norm", find, "A norm that subtracts the mean takes away the bias before it.")
