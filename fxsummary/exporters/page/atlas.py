"""The pictures of a page: each module at several depths; equal pictures are stored once."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fxsummary.drawing.choose import DEEPEST
from fxsummary.drawing.compose import Picture, compose
from fxsummary.drawing.element_ids import OPEN
from fxsummary.drawing.fitting import MOST_ROWS, Fitting
from fxsummary.drawing.labels import closed_inside
from fxsummary.drawing.svg_page import draw_fragment
from fxsummary.exporters.page.outline import Outline
from fxsummary.graph.attributes import NO_COSTS, NodeData, edge_from
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import of_each_copy, over_copies
from fxsummary.text.numbers import common
from fxsummary.views.blocks import Block
from fxsummary.views.costs import one_copy
from fxsummary.views.depth import close_small

MANY_ROWS = 250
MOST_BYTES = 600_000
"""Maximum size of all pictures other than the initial ones."""


class Level(NamedTuple):
    """One way to show a module.

    Attributes:
        picture: number of the picture.
        operations: meaning of each numbered row: the number of an operation, -1 minus that of a module, or None.
        frames: number of the module of each numbered frame; 0 if it has none.
    """

    picture: int
    operations: tuple[int | None, ...]
    frames: tuple[int, ...]


@dataclass(slots=True)
class View:
    """A module's levels, from everything closed to the largest sensible size, and the initial level."""

    levels: list[Level] = field(default_factory=list)
    start: int = 0


@dataclass(slots=True)
class Atlas:
    """All pictures, the views of modules by path, and the initial picture."""

    first: Picture
    pictures: dict[str, int] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)


def draw_atlas(outline: Outline, depth: int | None = None) -> Atlas:
    """Return the pictures of the model and of each module in it that has more than one row.

    Args:
        depth: levels of modules to open in the initial picture; None for as many as fit.
    """
    choices = dict(_choices(outline, depth))
    pictures, start = choices[""]
    atlas = Atlas(pictures[start])
    first = {path: _drawn(atlas, outline, choices, pictures[start]) for path, (pictures, start) in choices.items()}
    room = MOST_BYTES + sum(map(len, atlas.pictures))
    for path, (pictures, start) in choices.items():  # further levels, of outer modules first
        view = atlas.views[path] = View()
        for at, picture in enumerate(pictures):
            if at == start:
                view.start = len(view.levels)
                view.levels.append(first[path])
            elif sum(map(len, atlas.pictures)) <= room:
                view.levels.append(_drawn(atlas, outline, choices, picture))
    return atlas


def _choices(outline: Outline, depth: int | None) -> Iterator[tuple[str, tuple[list[Picture], int]]]:
    """Yield for each module its levels as unpainted pictures, and the initial level."""
    for path, block in outline.blocks.items():
        levels = list(levels_of(outline, path, block, 0 if depth == 0 and not path else 1))
        pictures = [picture for _, picture in levels]
        terminals = sum(item.form == "terminal" for item in pictures[-1].scene.items())
        if not path or pictures[-1].rows > 1 + terminals:  # a single row is not worth a picture
            fits = [picture.rows <= MOST_ROWS if path or depth is None else level <= depth for level, picture in levels]
            yield path, (pictures, max((at for at, good in enumerate(fits) if good), default=0))


def levels_of(outline: Outline, path: str, block: Block, least: int) -> Iterator[tuple[int, Picture]]:
    """Yield distinct pictures of a module with their depths, in ascending order from ``least``."""
    focus = focused(outline.folded, block)
    fitting = Fitting(outline.graph, close_small(focus), outline.totals)
    before: list[str] = []
    for depth in range(least, min(fitting.nesting(), DEEPEST) + 1):
        picture = compose(outline.graph, fitting.closed(depth), base=path, totals=outline.totals)
        if before and picture.rows > MANY_ROWS:
            return
        drawn = [key for row in picture.scene.rows() for key in row.keys]
        if drawn != before:
            yield depth, picture
        before = drawn


def focused(folded: ModelGraph, block: Block) -> ModelGraph:
    """Return the contents of one copy of a block as a graph; its inputs have the keys of the operations outside."""
    if block.call is None:
        return folded
    inside = dict.fromkeys(block.operations())
    level = folded.nodes[next(iter(inside))]["module_stack"].index(block.call) + 1
    dataflow = folded.captured_by != "modules"
    edges = [
        (source, key, edge.copy())
        for key in inside
        for source, edge in folded.sources(key).items()
        if dataflow or source in inside
    ]
    nodes = {source: _terminal(folded, source, block.path) for source, _, _ in edges if source not in inside}
    for key in inside:
        data = folded.nodes[key]
        stack, times = data["module_stack"][level:], data["multiplicity"] // block.copies
        nodes[key] = _of_one(data, block.copies) | {"module_stack": stack, "multiplicity": times}
    graph = folded.derived(nodes.items(), edges)
    if dataflow:
        _add_output(graph, folded, inside)
    return graph


def _of_one(data: NodeData, copies: int) -> NodeData:
    """Return an operation with the costs in the first of some copies, but the FLOPs of all, which shares count."""
    one = one_copy(data, copies)
    if copies == 1 or not over_copies(data, "flops"):
        return one
    return {**one, "each_copy": {**one.get("each_copy", {}), "flops": of_each_copy(data, "flops")}}


def _terminal(folded: ModelGraph, key: str, path: str) -> NodeData:
    """Return an input of a block: the value of an outside operation."""
    data = folded.nodes[key]
    name = data["target"]
    if data["op"] not in ("call_module", "placeholder", "get_attr"):
        name = data["label"] if f"{path}.".startswith(f"{data['module']}.") or not data["module"] else data["module"]
    parts = name.split(".")  # drop the prefix that the name shares with the path, except for the last part
    return {
        **data, **NO_COSTS, "op": "placeholder", "kind": "input", "module_stack": (), "multiplicity": 1,
        "target": ".".join(parts[common(path.split("."), parts[:-1]) :]), "absorbed": (),
    }  # fmt: skip


def _add_output(graph: ModelGraph, folded: ModelGraph, inside: dict[str, None]) -> None:
    """Add one output that reads all values that are read outside, or that nothing reads."""
    leaving = [key for key in inside if not folded.readers(key) or any(to not in inside for to in folded.readers(key))]
    if not leaving:
        return
    name = folded.new_key("output")
    specs = tuple(folded.nodes[key]["outputs"] for key in leaving)
    data: NodeData = {**_terminal(folded, leaving[-1], ""), "op": "output", "kind": "output", "label": "output"}
    data["outputs"] = specs[0] if len(specs) == 1 else None if None in specs else specs
    graph.fill([(name, data)], ())
    for slot, key in enumerate(leaving):
        graph.link(key, name, edge_from(folded.nodes[key], (slot,), folded.nodes[key]["output_bytes"]))


def _drawn(atlas: Atlas, outline: Outline, views: Container[str], picture: Picture) -> Level:
    mark_openable(picture, views)
    return draw_level(atlas, picture, outline.operations.get, outline.modules.get)


def mark_openable(picture: Picture, views: Container[str]) -> None:
    """Give rows of closed modules that have a view a chip that opens them."""
    nodes = picture.subject.graph.nodes
    for row in picture.scene.rows():
        data = nodes[row.keys[0]]
        if closed_inside(data) and data["module"] in views:
            row.chips.append(OPEN)


def draw_level(
    atlas: Atlas, picture: Picture, operation: Callable[[str], int | None], module: Callable[[str], int | None]
) -> Level:
    """Add a picture to the others; its rows and frames have the numbers of the page's operations and modules."""
    nodes = picture.subject.graph.nodes
    svg, marks = draw_fragment(picture.scene)

    def number(key: str) -> int | None:
        if not nodes[key].get("closed"):
            return operation(nodes[key].get("stands_for", key))
        at = module(nodes[key]["module"])
        return None if at is None else -1 - at

    rows, frames = tuple(map(number, marks.operations)), tuple(module(path) or 0 for path in marks.frames)
    return Level(atlas.pictures.setdefault(svg, len(atlas.pictures)), rows, frames)
