"""Channel counts that are not multiples of 8 (advice).

Tensor cores work on tiles of 8 (float16) or more; a width of 100 costs as much as 104. Many good models go against
it (GoogLeNet, EfficientNet's squeeze layers), so this is advice. What the task gives is not looked at: the channels
of the inputs and of the outputs (3 colours, 1,000 classes), depthwise convolutions, and widths below 16.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint.rule import Rule

MULTIPLE = 8
LEAST = 16
"""Narrower layers are rarely worth it."""


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each convolution or linear layer whose outputs go on in the model."""
    for _, data in graph.nodes(data=True):
        if data["op"] != "call_module" or data["kind"] not in ("convolution", "linear"):
            continue
        width = _width(graph, data["target"])
        if width is None or width < LEAST or width % MULTIPLE == 0 or width in _given(graph):
            continue
        message = f"{data['target']} ({data['label']}) has {width} output channels, no multiple of {MULTIPLE}"
        remedy = f"Consider {MULTIPLE * -(-width // MULTIPLE)}: matrix units of GPUs work on multiples of {MULTIPLE}."
        yield Finding("channel-multiples", message, data["target"], data["source"], remedy=remedy, level="notice")


def _width(graph: ModelGraph, path: str) -> int | None:
    """Output channels by the weight, which has them first, but for transposed convolutions."""
    module = graph.modules.get(path)
    weights = [p for p in module.parameters if p.name == f"{path}.weight" and p.spec] if module else []
    if not weights or weights[0].spec is None or module is None or "Transpose" in module.type:
        return None
    shape = weights[0].spec.shape
    return None if len(shape) > 2 and shape[1] == 1 else shape[0]


def _given(graph: ModelGraph) -> set[int]:
    """Sizes of the outputs' dimensions: the number of classes and the like."""
    outputs = [data["shape"] for _, data in graph.nodes(data=True) if data["op"] == "output" and data["shape"]]
    return {size for shape in outputs for size in shape}


RULE = Rule("channel-multiples", find, "Tensor cores work on multiples of 8 channels.", is_advice=True)
