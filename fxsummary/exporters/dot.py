"""Export to the DOT language with the `graphviz` package: one cluster per module, repeats folded.

A value that many blocks read (a mask, a rotary embedding) would distort a layered layout, so each of these
blocks gets a stand-in for it. Writing DOT does not need the `dot` program.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from fxsummary.drawing.style import LIGHT, colour_of
from fxsummary.graph.attributes import NODE
from fxsummary.graph.changes import SIGNS
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.graph.records import differing
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt
from fxsummary.text.numbers import clean, short, shorten
from fxsummary.text.numbers import shape as shape_text
from fxsummary.text.series import in_one
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.broadcast import cut_broadcasts, original_name
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.shown import check_fold, shown
from fxsummary.views.unread import with_unread

if TYPE_CHECKING:
    import graphviz

MAX_LABEL = 60
_COSTS = (("parameters", "params"), ("flops", "FLOPs"))


def to_dot(graph: ModelGraph, **options: Any) -> str:
    """Return the DOT source of `to_graphviz`, with the same options."""
    source: str = to_graphviz(graph, **options).source
    return source


def to_graphviz(graph: ModelGraph, *, fold: Fold = "similar", direction: str = "TB") -> graphviz.Digraph:
    """Return the graph as a `graphviz.Digraph`; see `ModelGraph.to_graphviz`."""
    import graphviz

    view = cut_broadcasts(shown(graph, fold=fold) if check_fold(fold) else hide_scalars(with_unread(graph)))
    drawing = graphviz.Digraph(
        name=quoted(graph.name or "model"),
        graph_attr={"rankdir": direction, "fontname": "Helvetica", "labelloc": "t"},
        node_attr={
            "shape": "box", "style": "rounded,filled", "fontname": "Helvetica", "fontsize": "11", "color": LIGHT.border,
        },
        edge_attr={"color": LIGHT.edge, "arrowsize": "0.7"},
    )  # fmt: skip
    own, others = count(), count()  # short ids, because names may contain any character; c for a stand-in
    ids = {
        key: f"n{next(own)}" if stands_for is None else f"c{next(others)}"
        for key, stands_for in view.nodes(data="stands_for")
    }
    _write(drawing, view, ids, block_tree(view), "", count(1))
    for source, target in view.edges:
        drawing.edge(ids[source], ids[target])
    lines = [quoted(title(graph), 200)]
    for mark in fmt.marks_in("".join([lines[0], *drawing.body]), repeated=bool(view.graph.get("repeats"))):
        lines.append(quoted(f"{mark}: {fmt.MARKS[mark]}", 200))
    drawing.graph_attr["label"] = "\\n".join(lines)
    return drawing


def title(graph: ModelGraph) -> str:
    """Return name, parameters, FLOPs and inputs on one line."""
    totals = graph.totals
    parameters = ("≥ " if totals.unknown_parameters else "") + fmt.parameters(totals.parameters)
    cost = "≥ " if totals.unknown_flops and totals.flops is not None else ""
    cost += fmt.about(short(totals.flops), bool(totals.assumed_flops))
    return f"{graph.name} · {parameters} parameters · {cost} FLOPs · {graph.inputs_text}"


def quoted(text: str, limit: int = MAX_LABEL) -> str:
    """Escape a text so that DOT shows it literally: cleaned, cut to ``limit``, backslashes doubled, never HTML.

    The `graphviz` package does the other quoting, but it reads a text in angle brackets as HTML.

    >>> quoted("a" + chr(92) + "b") == "a" + 2 * chr(92) + "b", quoted("<b>"), len(quoted("x" * 100))
    (True, ' <b>', 60)
    """
    import graphviz

    short_text = shorten(clean(text), limit)
    literal: str = graphviz.escape(short_text)
    return f" {literal}" if short_text.startswith("<") else literal


def _write(
    drawing: graphviz.Digraph, graph: ModelGraph, ids: dict[str, str], block: Block, path: str, numbers: Iterator[int]
) -> None:
    """Add the operations of a block, then a cluster for each block in it; ``path`` is that of the outer cluster."""
    for key in block.items:
        if isinstance(key, str):
            drawing.node(ids[key], **_node_attributes(graph, key))
    for inner in block.blocks():
        with drawing.subgraph(name=f"cluster_{next(numbers)}") as cluster:
            label = f"{inner.name_from(path)}  {inner.type}{inner.again}" + inner.copied.replace(" ", "  ", 1)
            cluster.attr(label=quoted(label), style="rounded", color="#94a3b8", fontsize="11")
            _write(cluster, graph, ids, inner, inner.path or path, numbers)


def _node_attributes(graph: ModelGraph, key: str) -> dict[str, str]:
    data = graph.nodes[key]
    if data.get("stands_for"):
        name = original_name(graph, data)
        return {"label": quoted(name), "style": "rounded,dashed", "shape": "box", "tooltip": quoted(f"value of {name}")}
    change = data.get("change", "")
    own = f"  {data['target'].rpartition('.')[2]}" if data["op"] == "call_module" else ""
    repeat = graph.graph.get("repeats", {}).get(key)
    copies = f"  {repeat.copied}" if repeat else ""
    each = differing(data, "outputs") or (data["outputs"],)
    copies_of = zip(*[[shape_text(spec.shape) for spec in leaves(outputs)] for outputs in each], strict=True)
    shapes = [fmt.about(in_one(texts, as_ranges=True), data["assumed"]) for texts in copies_of]
    lines = [
        f"{SIGNS.get(change, '')} {data['label']}{own}{copies}".lstrip(),
        data["config"],
        ", ".join(shapes[:2]) + (f" +{len(shapes) - 2}" if len(shapes) > 2 else ""),
        " · ".join(f"{text} {unit}" for name, unit in _COSTS if (text := NODE.cell(name, data))),
    ]
    colour = colour_of(data["kind"])
    terminal = colour == "terminal"
    added = [f"{NODE[name].label}: {text}" for name in NODE.added if (text := NODE.tip(name, data))]
    return {
        "label": "\\n".join(quoted(line) for line in lines if line),
        "fillcolor": LIGHT.changes[change][0] if change and not terminal else LIGHT.kinds[colour][0],
        **({"color": LIGHT.changes[change][1], "penwidth": "2"} if SIGNS.get(change) else {}),
        "fontcolor": LIGHT.terminal_text if terminal else LIGHT.text,
        "tooltip": "\\n".join(quoted(line) for line in [f"{key} {data['source']}", *added]),
    }
