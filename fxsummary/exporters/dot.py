"""The graph in the DOT language, with the `graphviz` package: one cluster per module, repeats folded.

A value that many blocks read (a mask, a rotary embedding) would pull a layered layout apart, so it is
drawn once more beside each block that reads it. The `dot` program is not needed to write DOT.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fxsummary.changes import SIGNS
from fxsummary.drawing.style import LIGHT, colour_of
from fxsummary.format import clean, count, relative_path, run_name, short, shorten
from fxsummary.format import shape as shape_text
from fxsummary.modelgraph import ModelGraph
from fxsummary.spec import leaves
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.fold import fold_repeats
from fxsummary.views.scalars import hide_scalars

if TYPE_CHECKING:
    import graphviz

MAX_LABEL = 60
MANY = 4
"""A value read by this many sibling blocks is drawn in each of them."""


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

    shown = hide_scalars(graph)
    shown = fold_repeats(shown) if fold else shown
    drawing = graphviz.Digraph(
        name=quoted(graph.name or "model"),
        graph_attr={"rankdir": direction, "fontname": "Helvetica", "label": quoted(title(graph), 200), "labelloc": "t"},
        node_attr={
            "shape": "box", "style": "rounded,filled", "fontname": "Helvetica", "fontsize": "11", "color": LIGHT.border,
        },
        edge_attr={"color": LIGHT.edge, "arrowsize": "0.7"},
    )  # fmt: skip
    writer = _Writer(shown)
    writer.place(block_tree(shown))
    writer.write(drawing, writer.root)
    for source, target in writer.edges:
        drawing.edge(source, target)
    return drawing


def title(graph: ModelGraph) -> str:
    """Name, parameters, FLOPs and inputs on one line."""
    totals = graph.totals
    inputs = ", ".join(f"{name} {shape_text(s.shape) if s else '?'}" for name, s in graph.inputs.items())
    parameters = ("≥ " if totals.unknown_parameters else "") + short(totals.parameters)
    cost = ("≥ " if totals.unknown_flops and totals.flops is not None else "") + short(totals.flops)
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


@dataclass
class _Cluster:
    """A block as it is written: its number, its own nodes, and clusters inside."""

    block: Block
    parent: str
    number: int
    nodes: list[tuple[str, str]] = field(default_factory=list)
    inner: list[_Cluster] = field(default_factory=list)


class _Writer:
    """Gives nodes short ids (names may hold anything), clones what many read, and writes clusters."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._ids = {key: f"n{index}" for index, key in enumerate(graph)}
        self._chain: dict[str, tuple[int, ...]] = {}
        self._clusters: list[_Cluster] = []
        self._clones: dict[tuple[str, int], str] = {}
        self.edges: list[tuple[str, str]] = []

    @property
    def root(self) -> _Cluster:
        return self._clusters[0]

    def place(self, root: Block) -> None:
        """Build the clusters, then the edges, with a clone per reading block where many read."""
        self._place(root, "", ())
        for source in self._graph:
            self._place_edges(source)

    def _place(self, block: Block, parent: str, chain: tuple[int, ...]) -> _Cluster:
        cluster = _Cluster(block, parent, len(self._clusters))
        chain = (*chain, len(self._clusters))
        self._clusters.append(cluster)
        for item in block.items:
            if isinstance(item, Block):
                cluster.inner.append(self._place(item, block.path or parent, chain))
            else:
                cluster.nodes.append((self._ids[item], item))
                self._chain[item] = chain
        return cluster

    def _place_edges(self, source: str) -> None:
        groups: dict[int, list[str]] = {}
        for target in self._graph.succ[source]:
            groups.setdefault(self._reading_block(source, target), []).append(target)
        many = len([group for group in groups if group >= 0]) >= MANY
        for group, targets in groups.items():
            start = self._clone(source, group) if many and group >= 0 else self._ids[source]
            for target in targets:
                self.edges.append((start, self._ids[target]))

    def _reading_block(self, source: str, target: str) -> int:
        """The outermost cluster that holds the target and not the source; -1 if there is none."""
        own = self._chain[source]
        return next((each for depth, each in enumerate(self._chain[target]) if own[depth : depth + 1] != (each,)), -1)

    def _clone(self, source: str, cluster: int) -> str:
        clone = self._clones.get((source, cluster))
        if clone is None:
            clone = self._clones[source, cluster] = f"c{len(self._clones)}"
            self._clusters[cluster].nodes.append((clone, source))
        return clone

    def write(self, drawing: graphviz.Digraph, cluster: _Cluster) -> None:
        for identity, key in cluster.nodes:
            drawing.node(identity, **_node_attributes(self._graph, key, clone=identity.startswith("c")))
        for inner in cluster.inner:
            with drawing.subgraph(name=f"cluster_{inner.number}") as part:
                part.attr(label=quoted(_block_label(inner)), style="rounded", color="#94a3b8", fontsize="11")
                self.write(part, inner)


def _block_label(cluster: _Cluster) -> str:
    block = cluster.block
    name = relative_path(block.path, cluster.parent)
    if block.repeat > 1:
        name = run_name(name, relative_path(block.last, cluster.parent))
    return f"{name}  {block.type}" + (f"  ×{block.repeat}" if block.repeat > 1 else "")


def _node_attributes(graph: ModelGraph, key: str, *, clone: bool) -> dict[str, str]:
    data = graph.nodes[key]
    if clone:
        return {"label": quoted(key), "style": "rounded,dashed", "shape": "box", "tooltip": quoted(f"value of {key}")}
    change = data.get("change", "")
    lines = [data["label"] if data["op"] != "call_module" else f"{data['label']}  {data['target'].rpartition('.')[2]}"]
    lines[0] = f"{SIGNS.get(change, '')} {lines[0]}".lstrip()
    lines += [data["config"]] if data["config"] else []
    shapes = [shape_text(spec.shape) for spec in leaves(data["outputs"])][:2]
    lines += [", ".join(shapes)] if shapes else []
    costs = [f"{count(data['parameters'])} params"] if data["parameters"] or data["parameters"] is None else []
    costs += [f"{short(data['flops'])} FLOPs"] if data["flops"] or data["flops"] is None else []
    lines += [" · ".join(costs)] if costs else []
    colour = colour_of(data["kind"])
    terminal = colour == "terminal"
    return {
        "label": "\\n".join(quoted(line) for line in lines),
        "fillcolor": LIGHT.changes[change][0] if change and not terminal else LIGHT.kinds[colour][0],
        **({"color": LIGHT.changes[change][1], "penwidth": "2"} if SIGNS.get(change) else {}),
        "fontcolor": LIGHT.terminal_text if terminal else LIGHT.text,
        "tooltip": quoted(f"{key} {data['source']}"),
    }
