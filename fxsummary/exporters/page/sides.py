"""Both models of a comparison, side by side: pictures of each whose rows have the numbers of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fxsummary.drawing.compose import Picture
from fxsummary.drawing.fitting import MOST_ROWS
from fxsummary.exporters.page.atlas import Atlas, Level, draw_level, levels_of, mark_openable
from fxsummary.exporters.page.outline import Outline, outline
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.text.html import escape


class Pairs(NamedTuple):
    """The old and the new model.

    Attributes:
        levels: both models at several depths.
        start: the initial one of these.
        inside: for each model, what opens in its pictures: the inside of modules, by their number on the page.
        names: the names of both as markup.
        models: the outlines of both, with the page's numbers for what is in them.
    """

    levels: list[tuple[Level, Level]]
    start: int
    inside: tuple[dict[int, Level], dict[int, Level]]
    names: dict[str, str]
    models: tuple[tuple[Outline, Numbers], tuple[Outline, Numbers]]


def draw_pairs(page: Outline, atlas: Atlas) -> Pairs | None:
    """Add the pictures of both models of a comparison to the others; return None if there is none, or no graphs.

    An operation or module has the same number in both pictures, so that a page finds its counterpart.
    """
    compared = page.graph.comparison
    if compared is None or compared.sides is None:
        return None
    before, after, keys = compared.sides
    paths = {old.path: new.path for new, old in compared.calls.items()}
    models = (
        (outline(_marked(before, page.graph, keys)), Numbers(page, keys, paths)),
        (outline(_marked(after, page.graph, {})), Numbers(page, {}, {})),
    )
    (old, old_inside), (new, new_inside) = (_drawn(found, atlas, numbers) for found, numbers in models)
    depths = sorted({*old, *new})
    levels = [(_at(old, depth)[0], _at(new, depth)[0]) for depth in depths]
    fits = [max(_at(old, depth)[1], _at(new, depth)[1]) <= MOST_ROWS for depth in depths]
    names = dict(zip(("before", "after"), map(escape, compared.names), strict=True))
    start = max((at for at, good in enumerate(fits) if good), default=0)
    return Pairs(levels, start, (old_inside, new_inside), names, models)


def _at(levels: dict[int, tuple[Level, int]], depth: int) -> tuple[Level, int]:
    """Return the picture of a model with so many levels open, or all that it has, and the number of its rows."""
    return levels[max((each for each in levels if each <= depth), default=min(levels))]


def _marked(side: ModelGraph, result: ModelGraph, keys: Mapping[str, str]) -> ModelGraph:
    """Return one of the two graphs with the change of each operation, but its own values only."""
    nodes: dict[str, NodeData] = {}
    for key, data in side.nodes(data=True):
        change: str = result.nodes[keys.get(key, key)]["change"]
        nodes[key] = {**data, "change": change, "differences": (), "was": ""}
    edges = ((source, target, edge.copy()) for source, target, edge in side.links())
    return side.derived(nodes.items(), edges, comparison=result.comparison)


class Numbers:
    """The numbers of the page's operations and modules, for the keys and paths of one of the two graphs."""

    def __init__(self, page: Outline, keys: Mapping[str, str], paths: Mapping[str, str]) -> None:
        self.page, self._keys, self._paths = page, keys, paths
        nodes = page.folded.nodes
        self._shown = {
            part: number for key, number in page.operations.items() for part in (*nodes[key].get("absorbed", ()), key)
        }

    def operation(self, key: str) -> int | None:
        """Return the number of an operation, or -1 minus that of the module around it."""
        key = self._keys.get(key, key)
        return self._shown[key] if key in self._shown else self.page.number(key)

    def module(self, path: str) -> int | None:
        """Return the number of a module; None if the page has none."""
        return self.page.modules.get(self.page.drawn(self._paths.get(path, path)))


def _drawn(found: Outline, atlas: Atlas, numbers: Numbers) -> tuple[dict[int, tuple[Level, int]], dict[int, Level]]:
    """Return the pictures of a model by depth, each with its number of rows, and those of its modules by number."""
    shown = {numbers.page.modules[path] for path in atlas.views if path}
    blocks = {path: block for path, block in found.blocks.items() if numbers.module(path) in shown}

    def drawn(picture: Picture) -> Level:
        mark_openable(picture, blocks)
        return draw_level(atlas, picture, numbers.operation, numbers.module)

    whole = {depth: (drawn(picture), picture.rows) for depth, picture in levels_of(found, "", found.blocks[""], 1)}
    closed = ((numbers.module(path), next(levels_of(found, path, block, 1))[1]) for path, block in blocks.items())
    return whole, {number: drawn(picture) for number, picture in closed if number is not None}
