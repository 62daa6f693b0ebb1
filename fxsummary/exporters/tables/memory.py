"""The memory of a forward pass as data for text, Markdown and LaTeX: what is in use at the peak, then the sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fxsummary.exporters.tables.listings import Names, check_no_columns
from fxsummary.exporters.tables.table import Column, Row, Table
from fxsummary.graph.attributes import own_path
from fxsummary.graph.memory import Memory
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.passes.memory import fused_layers, known_memory
from fxsummary.text.numbers import UNKNOWN, count, listed, shape, share, size

MOST_ROWS = 12
"""Number of rows of memory in use that are shown; smaller ones share a row."""
COLUMNS = 48
"""Number of bars of the timeline."""

_BARS = " ▁▂▃▄▅▆▇█"


def at_peak(graph: ModelGraph, depth: int | None, fold: Fold, columns: Names) -> Table:
    """List what is in use at the peak of the forward pass, the largest first, and why."""
    check_no_columns("memory", columns)
    memory = known_memory(graph)
    rows = [
        Row(each.name, (shape(each.shape) if each.shape is not None else "", size(each.nbytes),
            share(each.nbytes, memory.peak).removesuffix(" %"), each.reason))
        for each in memory.alive[:MOST_ROWS]
    ]  # fmt: skip
    if memory.inside:
        portion = share(memory.inside, memory.peak).removesuffix(" %")
        rows.append(Row(memory.name, ("", size(memory.inside), portion, "held only while it runs")))
    if rest := memory.alive[MOST_ROWS:]:
        nbytes = sum(each.nbytes for each in rest)
        portion = share(nbytes, memory.peak).removesuffix(" %")
        rows.append(Row(f"{len(rest)} more", ("", size(nbytes), portion, "")))
    right = (
        Column("Shape"),
        Column("Size", right=True),
        Column("%", right=True),
        Column("Why", shrinks=16, wraps=True),
    )
    given = f"input {'inferred: ' if graph.inputs_inferred else ''}{graph.inputs_text or 'none'}"
    return Table((Column("In use at the peak", shrinks=18), *right), rows, given, list(facts(graph, memory)))


def facts(graph: ModelGraph, memory: Memory) -> Iterator[tuple[str, str]]:
    """Yield the sizes of a forward pass, and what they leave out."""
    yield "Peak", peak(graph, memory)
    if memory.peak_at_last_use < memory.peak:
        less = share(memory.peak - memory.peak_at_last_use, memory.peak)
        yield "", f"{size(memory.peak_at_last_use)} (−{less}) if each value were freed after its last use"
    yield "Timeline", bars(memory.timeline)
    weights = UNKNOWN if memory.weights is None else size(memory.weights)
    yield "Besides", f"{weights} weights, {size(memory.buffers)} buffers, {size(memory.inputs)} inputs"
    mark = memory.peak_text.removesuffix(size(memory.peak))
    yield "Together", UNKNOWN if memory.total is None else f"{mark}{size(memory.total)}"
    yield "Outputs", f"{size(memory.outputs)} outlive forward"
    if memory.unknown:
        yield "Unknown", f"what {listed([_name(graph, key) for key in memory.unknown])} hold while they run"
    if fused := fused_layers(graph):
        yield "≈", f"without gradients, torch may run {listed(fused)} by a fused operator, which needs other memory"
    if not memory.is_recorded:
        yield "Note", "there is no Python in an exported program: each value is freed after its last use"
    yield "Counted", "tensors, not the workspaces of libraries, nor what the allocator keeps"


def peak(graph: ModelGraph, memory: Memory) -> str:
    """Return the peak with its operation, such as ``9.95 MiB of activations at layer1.0.bn1 (BatchNorm2d)``."""
    data = graph.nodes[memory.at] if memory.at in graph else None
    what = "" if data is None or data["label"] == memory.name else data["label"]
    where = "" if data is None or own_path(data) or not data["module"] else f"in {data['module']}"
    about = " ".join(filter(None, (what, where)))
    return f"{memory.peak_text} of activations at {memory.name}" + (f" ({about})" if about else "")


def bars(timeline: Sequence[int], columns: int = COLUMNS) -> str:
    """Draw numbers as a row of bars, each the largest of its part.

    >>> bars([0, 1, 4, 8, 2], 5)
    ' ▁▄█▂ over 5 operations'
    """
    most, step = max(timeline, default=0) or 1, max(len(timeline) / columns, 1)
    parts = [
        timeline[int(place * step) : max(int((place + 1) * step), 1)] for place in range(min(columns, len(timeline)))
    ]
    drawn = "".join(_BARS[-(-8 * max(part) // most)] for part in parts)
    return f"{drawn} over {count(len(timeline))} operations"


def _name(graph: ModelGraph, key: str) -> str:
    return (own_path(graph.nodes[key]) if key in graph else "") or key
