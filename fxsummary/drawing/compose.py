"""Compose a picture: simplify the graph, fold repeats, close small modules, and build the scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fxsummary.drawing.finishing import finish
from fxsummary.drawing.labels import LONGEST_LABEL, Subject, shape_text, short
from fxsummary.drawing.look import Look
from fxsummary.drawing.rows import MOST_CARDS, Composer
from fxsummary.drawing.scene import Scene
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.text import numbers as fmt
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.broadcast import cut_broadcasts
from fxsummary.views.dissolve import WRAPPERS, dissolve
from fxsummary.views.sides import apart, encoded

MOST_INPUTS = 4
SMALL_TABLE = 3
"""Number of rows up to which a container that is one table has no frame."""
DEEP = 4
"""Nesting depth of a value, including the page, from which its edge to the output is not drawn."""
PLAIN = Look()


@dataclass(slots=True)
class Picture:
    """A scene, its graph, and the drawn part of the graph.

    Attributes:
        closed: which modules are closed, with the depth that opens them; "" if none are, or the reader gave a depth.
        excess: note on a picture larger than a page, with the depth that fits; "" if it fits.
    """

    scene: Scene
    graph: ModelGraph
    subject: Subject
    closed: str = ""
    excess: str = ""

    @property
    def rows(self) -> int:
        """Number of rows, signs and pills."""
        return sum(len(item.rows) for item in self.scene.items())

    def closed_nodes(self) -> list[NodeData]:
        """Return the attributes of the modules that are one row."""
        return [data for _, data in self.graph.nodes(data=True) if "closed" in data]


def compose(
    whole: ModelGraph,
    graph: ModelGraph,
    tight: bool = False,
    *,
    look: Look = PLAIN,
    base: str = "",
    totals: Totals | None = None,
) -> Picture:
    """Return the picture of a graph that views made of ``whole``; rows have no tooltips yet.

    Args:
        tight: whether to draw fewer frames: none around a single table in a container.
        look: colours, direction, facts and links.
        base: path to which the paths in the picture are relative.
        totals: totals for shares; those of ``whole`` if None.
    """
    rough = Composer(Subject(graph, whole, totals or whole.totals))

    def says_nothing(block: Block) -> bool:
        rows = rough.table_rows(block)
        return rows == 1 or (rows > 1 and block.type in WRAPPERS and (tight or rows <= SMALL_TABLE))

    drawn = dissolve(graph, says_nothing)
    value = encoded(drawn) if look.direction == "TB" else None
    drawn = cut_broadcasts(apart(drawn, value) if value else drawn, value)
    subject = replace(rough.subject, graph=drawn, show=look.show)
    root = block_tree(drawn)
    edges, subject.returned = _cut_outputs(root, drawn, rough)
    operations = sum(op not in ("placeholder", "output") for _, op in graph.nodes(data="op"))
    few = rough.dataflow and not any(root.blocks()) and operations <= MOST_CARDS
    cards = few or look.direction == "LR"
    scene = Composer(subject, edges, cards=cards, chips=not few).scene(root, base)
    scene.encoded = next((item.key for item in scene.items() if value in item.keys), "")
    finish(scene, subject, look)
    return Picture(scene, graph, subject)


def _cut_outputs(root: Block, graph: ModelGraph, rough: Composer) -> tuple[list[tuple[str, str]], frozenset[str]]:
    """Remove edges to the outputs from values that are read elsewhere too, or made deep inside or in every copy.

    Return the remaining edges, and the sources of the removed ones, whose rows must show that the model returns
    them. Only sources that are drawn as rows or signs can. At least one edge to an output stays.
    """
    edges = [(source, target) for source, target, _ in graph.links()]
    ends = [edge for edge in edges if graph.nodes[edge[1]]["op"] == "output"]
    deep = {
        item for chain in root.chains() if len(chain) >= DEEP and all(block.repeat == 1 for block in chain)
        for item in chain[-1].items
        if isinstance(item, str)
    }  # fmt: skip
    inside = [
        edge
        for edge in ends
        if edge[0] in deep or graph.sources(edge[1])[edge[0]].get("each") or len(graph.readers(edge[0])) > 1
    ]
    cut = {edge for edge in inside if rough.form(edge[0]) in ("stack", "sign")}
    if len(cut) == len(ends) and ends:
        cut.discard(ends[-1])
    return [edge for edge in edges if edge not in cut], frozenset(source for source, _ in cut)


def set_texts(graph: ModelGraph, picture: Picture, title: str | None) -> None:
    """Set the heading, the muted line and the description of a picture."""
    scene = picture.scene
    comparison = graph.comparison
    if title is None:
        names = dict.fromkeys(comparison.names) if comparison is not None else [graph.name]
        title = " → ".join(short(name, 38 if len(names) > 1 else 80) for name in names)
    scene.title = short(title, 80) or "model"
    scene.changes = {} if comparison is None else comparison.counts
    scene.facts = " · ".join(_facts(graph, picture))
    scene.description = _description(graph, picture)


def inputs_text(graph: ModelGraph) -> str:
    """Return the first inputs with their shapes; "" if there are none."""
    names = [f"{short(name, 30)} {shape_text(spec)}".rstrip() for name, spec in graph.inputs.items()]
    return fmt.listed(names, MOST_INPUTS) + (" (inferred)" if names and graph.inputs_inferred else "")


def _facts(graph: ModelGraph, picture: Picture) -> list[str]:
    """Return the muted line: totals (in a comparison before and after), inputs, number of drawn operations."""
    inputs = list(filter(None, [inputs_text(graph)]))
    totals = picture.subject.totals if graph.comparison is None else graph.comparison.after
    parameters = f"{'≥ ' if totals.unknown_parameters else ''}{fmt.parameters(totals.parameters)} parameters"
    if graph.comparison is not None:
        texts = [parameters, fmt.flops(totals.flops)]
        if graph.comparison.equal:
            return ["no differences", *texts, *inputs]
        old = graph.comparison.before
        was = fmt.parameters(old.parameters), fmt.short(old.flops)
        changes = fmt.delta(old.parameters, totals.parameters, fmt.parameters), fmt.delta(old.flops, totals.flops)
        return [*(f"{a} → {b} ({c or '='})" for a, b, c in zip(was, texts, changes, strict=True)), *inputs]
    rows = fmt.plural(picture.rows, "row")
    bound = bool(totals.unknown_flops) and totals.flops is not None
    facts = [parameters, fmt.flops(totals.flops, lower_bound=bound, assumed=bool(totals.assumed_flops))]
    if graph.captured_by == "modules":
        facts += ["module tree: no dataflow", f"{fmt.plural(len(graph), 'module')}, drawn as {rows}"]
    else:
        facts += [*inputs, f"{fmt.plural(len(graph), 'operation')}, drawn as {rows}"]
    return [*facts, *filter(None, (picture.closed, picture.excess))]


def _description(graph: ModelGraph, picture: Picture) -> str:
    hidden = [f"{count} {short(kind, LONGEST_LABEL)}" for kind, count in picture.graph.graph.get("hidden", {}).items()]
    nodes = [data for _, data in picture.graph.nodes(data=True)]
    if copies := sum((data["multiplicity"] - 1) * data.get("closed", 1) for data in nodes):
        hidden.append(f"{copies} operations in folded copies")
    if closed := [data["closed"] for data in nodes if "closed" in data]:
        hidden.append(f"{sum(closed)} operations in {len(closed)} closed modules")
    if names := picture.scene.named + len(picture.subject.returned):
        hidden.append(f"{names} edges drawn as names")
    texts = [picture.scene.facts.replace(" · ", "; ")]
    if hidden:
        texts.append("Hidden: " + ", ".join(hidden))
    texts += graph.notes[:8]
    return ". ".join(text.rstrip(".") for text in texts) + "."
