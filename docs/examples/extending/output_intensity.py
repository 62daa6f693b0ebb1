"""A pass: arithmetic intensity of each operation, FLOPs per byte that it puts out."""

from collections.abc import Mapping
from typing import Any

from fxsummary import ModelGraph
from fxsummary.graph.attributes import NODE, Attribute
from fxsummary.graph.fields import NUMBER_OR_UNKNOWN
from fxsummary.passes import PASSES


def output_intensity(data: Mapping[str, Any]) -> float | None:
    """FLOPs per output byte of an operation; None where one of them is not known."""
    flops, nbytes = data["flops"], data["output_bytes"]
    if flops == 0:
        return 0.0
    return None if flops is None or not nbytes else flops / nbytes


def annotate(graph: ModelGraph) -> None:
    """Set `output_intensity` on every node."""
    for _, data in graph.nodes(data=True):
        data["output_intensity"] = output_intensity(data)


NODE.register(
    "output_intensity",
    Attribute(
        NUMBER_OR_UNKNOWN,
        "FLOPs per byte of output; None where one of them is not known",
        default=0.0,
        title="FLOPs/B",
        text="{:.1f}".format,
        adds=output_intensity,  # a quotient does not add up: it is computed again from what does
        rests_on=("flops", "outputs"),
    ),
)
PASSES.register("output_intensity", annotate)
