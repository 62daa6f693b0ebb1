"""A pass: arithmetic intensity of each operation, FLOPs per byte that it puts out."""

from fxsummary import ModelGraph


def annotate(graph: ModelGraph) -> None:
    """Set `intensity` on every node: FLOPs per output byte, None where one of them is not known."""
    for _, data in graph.nodes(data=True):
        flops, nbytes = data["flops"], data["output_bytes"]
        data["intensity"] = None if flops is None or not nbytes else flops / nbytes
