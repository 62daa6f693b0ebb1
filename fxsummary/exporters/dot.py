"""The graph in the DOT language, with the `graphviz` package: one cluster per module, repeats folded.

A value that many blocks read (a mask, a rotary embedding) would pull a layered layout apart, so it is
drawn once more beside each block that reads it. The `dot` program is not needed to write DOT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from fxsummary.drawing.style import LIGHT, colour_of
from fxsummary.graph.attributes import NODE
from fxsummary.graph.changes import SIGNS
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt
from fxsummary.text.numbers import clean, relative_path, run_name, short, shorten
from fxsummary.text.numbers import shape as shape_text
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.broadcast import cut_broadcasts
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars
from fxsummary.views.unread import with_unread

if TYPE_CHECKING:
    import graphviz

MAX_LABEL = 60


def to_dot(graph: ModelGraph, **options: Any) -> str:
    """The source of `to_graphviz`, with the same options."""
    source: str = to_graphviz(graph, **options).source
    return source


def to_graphviz(graph: ModelGraph, *, fold: bool = True, direction: str = "TB") -> graphviz.Digraph:
    """The graph as a `graphviz.Digraph`.

    Args:
        fold: draw a run of identical blocks once, with ``×N``.
        direction: Graphviz's ``rankdir``: TB, LR, BT or RL.
    """
    import graphviz

    shown = hide_scalars(with_unread(graph))
    shown = cut_broadcasts(fold_repeats(shown) if fold else shown)
    drawing = graphviz.Digraph(
        name=quoted(graph.name or "model"),
        graph_attr={"rankdir": direction, "fontname": "Helvetica", "labelloc": "t"},
        node_attr={
            "shape": "box", "style": "rounded,filled", "fontname": "Helvetica", "fontsize": "11", "color": LIGHT.border,
        },
        edge_attr={"color": LIGHT.edge, "arrowsize": "0.7"},
    )  # fmt: skip
    ids = _ids(shown)
    _write(drawing, shown, ids, block_tree(shown), "", count(1))
    for source, target in shown.edges:
        drawing.edge(ids[source], ids[target])
    _explain(drawing, graph, bool(shown.graph.get("repeats")))
    return drawing


def _explain(drawing: graphviz.Digraph, graph: ModelGraph, repeated: bool) -> None:
    """Below the title, what the marks on numbers and shapes mean."""
    lines = [quoted(title(graph), 200)]
    for mark in fmt.marks_in("".join([lines[0], *drawing.body]), repeated=repeated):
        lines.append(quoted(f"{mark}: {fmt.MARKS[mark]}", 200))
    drawing.graph_attr["label"] = "\\n".join(lines)


def title(graph: ModelGraph) -> str:
    """Name, parameters, FLOPs and inputs on one line."""
    totals = graph.totals
    inputs = ", ".join(f"{name} {shape_text(s.shape) if s else '?'}" for name, s in graph.inputs.items())
    parameters = ("≥ " if totals.unknown_parameters else "") + fmt.parameters(totals.parameters)
    cost = "≥ " if totals.unknown_flops and totals.flops is not None else ""
    cost += fmt.about(short(totals.flops), bool(totals.assumed_flops))
    return f"{graph.name} · {parameters} parameters · {cost} FLOPs · {inputs}"


def quoted(text: str, limit: int = MAX_LABEL) -> str:
    """Text that DOT takes literally: cleaned, cut to ``limit``, backslashes doubled, never HTML.

    The `graphviz` package quotes the rest; what begins and ends with angle brackets it would take for HTML.

    >>> quoted("a" + chr(92) + "b") == "a" + 2 * chr(92) + "b", quoted("<b>"), len(quoted("x" * 100))
    (True, ' <b>', 60)
    """
    import graphviz

    short_text = shorten(clean(text), limit)
    literal: str = graphviz.escape(short_text)
    return f" {literal}" if short_text.startswith("<") else literal


def _ids(graph: ModelGraph) -> dict[str, str]:
    """A short id for each node, because names may hold anything: n and a number, c and a number for a stand-in."""
    operations, stand_ins = count(), count()
    return {
        key: f"n{next(operations)}" if stands_for is None else f"c{next(stand_ins)}"
        for key, stands_for in graph.nodes(data="stands_for")
    }


def _write(
    drawing: graphviz.Digraph, graph: ModelGraph, ids: dict[str, str], block: Block, path: str, numbers: Iterator[int]
) -> None:
    """The operations of a block, then a cluster for each block in it; ``path`` is that of the cluster around."""
    for key in block.items:
        if isinstance(key, str):
            drawing.node(ids[key], **_node_attributes(graph, key))
    for inner in block.blocks():
        with drawing.subgraph(name=f"cluster_{next(numbers)}") as cluster:
            cluster.attr(label=quoted(_block_label(inner, path)), style="rounded", color="#94a3b8", fontsize="11")
            _write(cluster, graph, ids, inner, inner.path or path, numbers)


def _block_label(block: Block, parent: str) -> str:
    name = relative_path(block.path, parent)
    if block.repeat > 1:
        name = run_name(name, relative_path(block.last, parent))
    return f"{name}  {block.type}{block.again}" + (f"  ×{block.repeat}" if block.repeat > 1 else "")


def _node_attributes(graph: ModelGraph, key: str) -> dict[str, str]:
    data = graph.nodes[key]
    if name := data.get("stands_for"):
        return {"label": quoted(name), "style": "rounded,dashed", "shape": "box", "tooltip": quoted(f"value of {name}")}
    change = data.get("change", "")
    lines = [data["label"] if data["op"] != "call_module" else f"{data['label']}  {data['target'].rpartition('.')[2]}"]
    lines[0] = f"{SIGNS.get(change, '')} {lines[0]}".lstrip()
    lines += [data["config"]] if data["config"] else []
    shapes = [fmt.about(shape_text(spec.shape), data["assumed"]) for spec in leaves(data["outputs"])]
    more = f" +{len(shapes) - 2}" if len(shapes) > 2 else ""
    lines += [", ".join(shapes[:2]) + more] if shapes else []
    costs = [f"{fmt.count(data['parameters'])} params"] if data["parameters"] or data["parameters"] is None else []
    costs += (
        [f"{fmt.about(short(data['flops']), data['trust'] == 'assumed')} FLOPs"]
        if data["flops"] or data["flops"] is None
        else []
    )
    lines += [" · ".join(costs)] if costs else []
    colour = colour_of(data["kind"])
    terminal = colour == "terminal"
    return {
        "label": "\\n".join(quoted(line) for line in lines),
        "fillcolor": LIGHT.changes[change][0] if change and not terminal else LIGHT.kinds[colour][0],
        **({"color": LIGHT.changes[change][1], "penwidth": "2"} if SIGNS.get(change) else {}),
        "fontcolor": LIGHT.terminal_text if terminal else LIGHT.text,
        "tooltip": "\\n".join(quoted(line) for line in [f"{key} {data['source']}", *_more(data)]),
    }


def _more(data: Mapping[str, Any]) -> list[str]:
    """The attributes that are not fxsummary's own, as lines."""
    return [f"{NODE[name].label}: {text}" for name in NODE.added if (text := NODE.tip(name, data))]
