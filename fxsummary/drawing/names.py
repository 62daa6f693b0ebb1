"""Name values that are not drawn as wires: a dashed chip with the same name at both ends."""

from __future__ import annotations

from collections.abc import Iterable

from fxsummary.drawing.labels import short
from fxsummary.drawing.scene import Item, Row, Scene
from fxsummary.layout import Edge

NAME = "name"
"""Kind of the chip of a value that comes from elsewhere, or goes there."""
RETURNED = ("→ output", "reshape")
"""The chip for a value that the model returns, if no edge shows it."""
LIKE = "like"
"""Start of the chip of a closed module, before the path of an open one with the same operations."""
LONGEST, LONG = 18, 10
MOST_NAMES = 4
"""Maximum number of names in a row, beyond which only the number of further ones is given."""


def name_edges(scene: Scene, edges: Iterable[Edge]) -> None:
    """Replace edges by chips at their source and their target; at the source only if that is the output."""
    items = {item.key: item for item in scene.items()}
    named = set(edges)
    taken: dict[str, str] = {text: "" for row in scene.rows() for text, kind in row.chips if kind == NAME}
    chosen: dict[str, str] = {}
    for edge in sorted(named):
        source, target = items[edge.source], items[edge.target]
        if target.form == "terminal":
            source.rows[-1].chips += [RETURNED] * (RETURNED not in source.rows[-1].chips)
            continue
        if edge.source not in chosen:
            chosen[edge.source] = unique(name_of(source), taken)
            source.rows[-1].chips.append((chosen[edge.source], NAME))
        _read(target.rows[0], chosen[edge.source])
    scene.edges = [edge for edge in scene.edges if edge not in named]
    scene.named += len(named)


def _read(row: Row, name: str) -> None:
    """Add the name of a value that a row reads; if there are many, only their number."""
    names = [chip for chip in row.chips if chip[1] == NAME]
    if len(names) < MOST_NAMES:
        row.chips.append((name, NAME))
    else:
        more = names[-1][0] if names[-1][0].startswith("+") else ""
        if more:
            row.chips.remove(names[-1])
        row.chips.append((f"+{int(more or 0) + 1}", NAME))


def name_of(item: Item) -> str:
    """Return the name of the value of an item: the end of its path, or the name of its operation."""
    row: Row = item.rows[-1]
    return short(end_of(row.path) or row.label, LONGEST)


def end_of(path: str) -> str:
    """Return the last name of a path, with numbers after it.

    >>> end_of("encoder.layer_norm"), end_of("decoder.blocks.3.1"), end_of("")
    ('layer_norm', 'blocks.3.1', '')
    """
    parts = path.split(".")
    at = len(parts) - 1
    while at > 0 and parts[at].isdigit():
        at -= 1
    return ".".join(parts[at:])


def unique(name: str, taken: dict[str, str]) -> str:
    """Return the first word of a long name, or the name, with a number if it is taken.

    >>> unique("time_embedding", {}), unique("time_embedding", {"time": ""}), unique("x", {"x": ""})
    ('time', 'time_embedding', 'x 2')
    """
    first = name.partition("_")[0]
    if len(name) > LONG and first and not first.isdigit() and first not in taken:
        name = first
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} {number}"
    taken[found] = ""
    return found
