"""Time to draw made-up graphs of many operations, none folded: the layout must grow linearly.

Run it with ``python -m benchmarks.drawing [OPERATIONS ...]``; it prints operations, ms, and ms per 1,000.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from fxsummary.drawing.compose import compose
from fxsummary.drawing.svg_page import draw
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.graph.spec import TensorSpec
from fxsummary.support.gc_pause import paused

SIZES = (1_000, 5_000, 20_000)
SHAPE = TensorSpec((1, 64, 32, 32), "float32")
PER_BLOCK, BLOCKS_PER_STAGE = 10, 20


def node(label: str, stack: tuple[ModuleCall, ...]) -> dict[str, Any]:
    """Attributes of a made-up operation."""
    op = label if label in ("placeholder", "output") else "call_function"
    zero = ("parameters", "trainable_parameters", "parameter_bytes", "buffers", "buffer_bytes", "flops")
    empty = ("reads", "unknown_operators", "parameter_names", "parameter_dtypes")
    return {
        **dict.fromkeys(zero, 0), **dict.fromkeys(empty, ()), "op": op, "target": label, "label": label,
        "kind": "other", "config": "", "arguments": "%", "source": "", "module": stack[-1].path if stack else "",
        "module_type": "", "module_stack": stack, "multiplicity": 1, "outputs": SHAPE, "shape": SHAPE.shape,
        "dtype": SHAPE.dtype, "output_bytes": SHAPE.nbytes, "packed": False, "assumed": False, "trust": "exact",
    }  # fmt: skip


def flat(operations: int) -> ModelGraph:
    """A chain with skips in one module."""
    labels = [("add" if i % 4 == 3 else f"operation {i}") for i in range(operations)]
    return _graph([(label, ()) for label in labels])


def nested(operations: int) -> ModelGraph:
    """A chain with skips in blocks of blocks."""
    entries = []
    for i in range(operations):
        block = i // PER_BLOCK
        stage = f"stage{block // BLOCKS_PER_STAGE}"
        calls = ModuleCall(stage, "Stage"), ModuleCall(f"{stage}.block{block}", "Block")
        entries.append(("add" if i % 4 == 3 else f"operation {i}", calls))
    return _graph(entries)


def _graph(entries: list[tuple[str, tuple[ModuleCall, ...]]]) -> ModelGraph:
    graph = ModelGraph()
    graph.graph["name"] = "Made up"
    everything = [("placeholder", ()), *entries, ("output", ())]
    graph.add_nodes_from((f"n{i}", node(label, stack)) for i, (label, stack) in enumerate(everything))
    for i, (label, _) in enumerate(everything[1:], start=1):
        for place, source in enumerate((i - 1, i - 4) if label == "add" else (i - 1,)):
            edge = {"slots": (place,), "shape": SHAPE.shape, "dtype": SHAPE.dtype, "bytes": SHAPE.nbytes}
            graph.add_edge(f"n{max(0, source)}", f"n{i}", **edge)
    return graph


def main() -> None:
    """Draw graphs of the sizes given."""
    sizes = [int(argument.replace(",", "")) for argument in sys.argv[1:]] or SIZES
    print(f"{'graph':8} {'operations':>10} {'ms':>8} {'ms per 1,000':>14}")
    for make in (flat, nested):
        for size in sizes:
            graph = make(size)
            start = time.perf_counter()
            with paused():  # as `ModelGraph.to_svg` does
                draw(compose(graph, graph).scene)
            elapsed = 1000 * (time.perf_counter() - start)
            print(f"{make.__name__:8} {size:10,} {elapsed:8,.0f} {1000 * elapsed / size:14.0f}")


if __name__ == "__main__":
    main()
