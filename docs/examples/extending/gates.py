"""An idiom of the picture: ``x * sigmoid(x)`` is SiLU, written out."""

from fxsummary.graph.labels import base, operator_of
from fxsummary.views.idioms import IDIOMS
from fxsummary.views.merger import Merger, is_plain


def merge_silu(merger: Merger) -> None:
    """Merge ``x * sigmoid(x)`` into one operation if nothing else reads the sigmoid."""
    for key, data in list(merger.graph.nodes(data=True)):
        factors = list(merger.graph.sources(key))
        if operator_of(data["label"]) != "mul" or len(factors) != 2:
            continue
        for x, gate in (factors, factors[::-1]):
            is_sigmoid = base(merger.node(gate)["label"]) == "sigmoid" and is_plain(merger.node(gate))
            if is_sigmoid and [*merger.graph.sources(gate)] == [x] and [*merger.graph.readers(gate)] == [key]:
                merger.merge({gate, key}, "operations of SiLU", main=key, label="silu", config="", kind="activation")
                break


IDIOMS.append(merge_silu)
