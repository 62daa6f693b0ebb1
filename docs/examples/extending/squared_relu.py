"""An idiom: ``relu(x) ** 2`` is a squared ReLU, written out."""

from fxsummary.graph.labels import base
from fxsummary.views.idioms import IDIOMS
from fxsummary.views.merger import Merger, is_plain


def merge_squared_relu(merger: Merger) -> None:
    """Merge a ReLU and the square of its result into one operation if nothing else reads the ReLU."""
    for key, data in merger.nodes({"square", "pow"}):
        relu = merger.graph.only_source(key)
        is_square = base(data["label"]) == "square" or data["config"] == "2"
        if relu is None or not is_square or not is_plain(data) or list(merger.graph.readers(relu)) != [key]:
            continue
        if base(merger.node(relu)["label"]) == "relu" and is_plain(merger.node(relu)):
            merger.merge({relu, key}, "operations of squared ReLU", label="relu²", config="", kind="activation")


IDIOMS.append(merge_squared_relu)
