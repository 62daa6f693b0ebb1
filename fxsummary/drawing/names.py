"""Name values that are not drawn as wires: a dashed chip with the same name at both ends."""

from __future__ import annotations

from collections.abc import Iterable

from fxsummary.drawing.labels import short
from fxsummary.drawing.scene import Item, Row, Scene
from fxsummary.layout import Edge

NAME = "name"
"""Kind of the chip of a value that comes from elsewhere, or goes there."""
LONGEST = 18


def name_edges(scene: Scene, edges: Iterable[Edge]) -> None:
    """Replace edges by chips at their source and their target."""
    items = {item.key: item for item in scene.items()}
    named = set(edges)
    taken: dict[str, str] = {text: "" for row in scene.rows() for text, kind in row.chips if kind == NAME}
    chosen: dict[str, str] = {}
    for edge in sorted(named):
        source, target = items[edge.source], items[edge.target]
        if edge.source not in chosen:
            chosen[edge.source] = unique(name_of(source), taken)
            source.rows[-1].chips.append((chosen[edge.source], NAME))
        target.rows[0].chips.append((chosen[edge.source], NAME))
    scene.edges = [edge for edge in scene.edges if edge not in named]
    scene.named += len(named)


def name_of(item: Item) -> str:
    """Return the name of the value of an item: the end of its path, or the name of its operation."""
    row: Row = item.rows[-1]
    return short(row.path.rpartition(".")[2] or row.label, LONGEST)


def unique(name: str, taken: dict[str, str]) -> str:
    """Return the name, with a number if it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} {number}"
    taken[found] = ""
    return found
