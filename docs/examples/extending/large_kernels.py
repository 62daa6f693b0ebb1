"""A lint rule: large kernels, which an accelerator of ours does not have."""

from collections.abc import Iterator

from fxsummary import ModelGraph
from fxsummary.graph.findings import Finding
from fxsummary.review.lint import RULES, Rule


def find(graph: ModelGraph) -> Iterator[Finding]:
    """One finding for each convolution with a kernel of 7×7."""
    for _, data in graph.nodes(data=True):
        if data["label"] == "Conv2d" and "7×7" in data["config"]:
            message = f"{data['target']} has a kernel of 7×7"
            yield Finding("large-kernels", message, data["target"], data["source"], remedy="Use three of 3×3.")


RULES.register("large-kernels", Rule("large-kernels", find, "Our accelerator has none.", is_advice=True))
