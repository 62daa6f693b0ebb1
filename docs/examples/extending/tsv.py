"""An exporter: one line for each operation, values separated by tabs."""

from fxsummary import ModelGraph
from fxsummary.support.registry import EXPORTERS, Exporter
from fxsummary.text.numbers import clean


def to_tsv(graph: ModelGraph, *, header: bool = True) -> str:
    """Name, label and FLOPs of every operation.

    Args:
        header: whether the first line names the columns.
    """
    lines = ["name\tlabel\tflops"] if header else []
    for key, data in graph.nodes(data=True):
        cost = "?" if data["flops"] is None else str(data["flops"])
        lines.append("\t".join([clean(key), clean(data["label"]), cost]))
    return "\n".join(lines) + "\n"


EXPORTERS.register("tsv", Exporter("tsv", f"{__name__}:to_tsv", ".tsv"))
