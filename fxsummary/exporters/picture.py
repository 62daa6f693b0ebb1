"""What a picture shows: the graph simplified, repeats folded, small modules closed, composed to a scene."""

from __future__ import annotations

from functools import partial

from fxsummary import format as fmt
from fxsummary.drawing import MOST_CARDS, Composer, Part, Subject, cut_broadcasts, cut_outputs, dissolve
from fxsummary.drawing.labels import LONGEST_LABEL, shape_text, short
from fxsummary.exporters.fitting import Fitting, Picture
from fxsummary.modelgraph import ModelGraph, Totals
from fxsummary.views.blocks import Block, block_tree
from fxsummary.views.depth import close_small
from fxsummary.views.fold import fold_repeats
from fxsummary.views.idioms import merge_idioms
from fxsummary.views.simplify import simplify

MANY_ROWS = 250
MOST_INPUTS = 4


def picture(graph: ModelGraph, *, title: str | None = None, depth: int | None = None) -> Picture:
    """The scene of a graph, to be laid out and painted; the graph is not changed.

    Args:
        title: heading; the model's class name if None.
        depth: levels of modules to open; None for as much as fits a page.
    """
    fitting = Fitting(graph, shown(graph), partial(compose, graph))
    found = fitting.best() if depth is None else compose(graph, fitting.closed(depth))
    scene = found.scene
    scene.title = short(title if title is not None else graph.name, 80) or "model"
    scene.facts = " · ".join(_facts(graph, found))
    scene.description = _description(graph, found)
    return found


def shown(graph: ModelGraph) -> ModelGraph:
    """What a picture with everything open shows."""
    return merge_idioms(close_small(fold_repeats(simplify(graph))))


def compose(whole: ModelGraph, graph: ModelGraph, *, tips: bool = True, tight: bool = False) -> Picture:
    """The picture of a graph that was made of ``whole`` by views; with fewer frames if ``tight``."""
    subject = Subject(graph, whole, whole.totals)
    root = _part(block_tree(graph))
    dataflow = graph.captured_by != "modules"
    edges: list[tuple[str, str]] = list(graph.edges)
    composer = Composer(subject, edges, dataflow=dataflow)
    dissolve(root, composer.table_rows, tight=tight)
    edges, tags = cut_broadcasts(root, edges)
    subject.tags = {tag.key: tag.source for tag in tags}
    outputs = [key for key, op in graph.nodes(data="op") if op == "output"]
    edges, subject.returned = cut_outputs(
        root, edges, outputs, can_tell=lambda key: composer.form(key) in ("stack", "sign")
    )
    operations = sum(op not in ("placeholder", "output") for _, op in graph.nodes(data="op"))
    cards = dataflow and not root.parts() and operations <= MOST_CARDS
    scene = Composer(subject, edges, cards=cards, dataflow=dataflow, tips=tips).scene(root)
    return Picture(scene, graph, len(tags) + len(subject.returned), tight)


def _part(root: Block) -> Part:
    """A block with all inner ones as parts."""
    top = Part("")
    pending = [(root, top)]
    while pending:
        block, part = pending.pop()
        for item in block.items:
            if isinstance(item, str):
                part.items.append(item)
                continue
            pattern = item.call is None
            names = " · ".join(dict.fromkeys(item.type.split(" · ")))
            inner = Part(item.path, names, part.base if pattern else item.path, [], item.repeat, item.last)
            part.items.append(inner)
            pending.append((item, inner))
    return top


def _facts(graph: ModelGraph, picture: Picture) -> list[str]:
    """The muted line: totals, inputs, how much is drawn."""
    totals = graph.totals
    facts = [_parameters(totals)]
    flops = fmt.flops(totals.flops, lower_bound=bool(totals.unknown_flops) and totals.flops is not None)
    if graph.captured_by == "modules":
        facts += [flops, "module tree: no dataflow", f"{len(graph):,} modules, {len(picture.graph):,} drawn"]
    else:
        facts += [flops, *_inputs(graph), f"{len(graph):,} traced ops, {len(picture.graph):,} drawn"]
    if picture.rows > MANY_ROWS:
        facts.append(f"{picture.rows:,} rows: a smaller depth shows less")
    return facts


def _parameters(totals: Totals) -> str:
    bound = "≥ " if totals.unknown_parameters else ""
    return f"{bound}{fmt.short(totals.parameters)} parameters"


def _inputs(graph: ModelGraph) -> list[str]:
    names = [f"{short(name, 30)} {shape_text(spec)}".rstrip() for name, spec in graph.inputs.items()]
    if not names:
        return []
    more = f" and {len(names) - MOST_INPUTS} more" if len(names) > MOST_INPUTS else ""
    inferred = " (inferred)" if graph.inputs_inferred else ""
    return [", ".join(names[:MOST_INPUTS]) + more + inferred]


def _description(graph: ModelGraph, picture: Picture) -> str:
    """What the picture shows and what it hides, by kind."""
    hidden = [f"{count} {short(kind, LONGEST_LABEL)}" for kind, count in picture.graph.graph.get("hidden", {}).items()]
    nodes = [data for _, data in picture.graph.nodes(data=True)]
    if copies := sum((data["multiplicity"] - 1) * data.get("closed", 1) for data in nodes):
        hidden.append(f"{copies} operations in folded copies")
    if closed := [data["closed"] for data in nodes if "closed" in data]:
        hidden.append(f"{sum(closed)} operations in {len(closed)} closed modules")
    if picture.tags:
        hidden.append(f"{picture.tags} edges drawn as names")
    texts = [picture.scene.facts.replace(" · ", "; ")]
    if hidden:
        texts.append("Hidden: " + ", ".join(hidden))
    texts += graph.notes[:8]
    return ". ".join(text.rstrip(".") for text in texts) + "."
