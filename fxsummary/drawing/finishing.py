"""Finish a scene: remove the facts that the reader did not choose, and add heat and links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fxsummary.drawing.labels import Subject
from fxsummary.drawing.look import FACTS, Look, address
from fxsummary.drawing.scene import HeatScale, Item, Row, Scene
from fxsummary.graph.records import is_unknown, over_copies
from fxsummary.text import numbers as fmt

STEPS = (0.02, 0.15, 0.40, 0.75)
"""Shares of the largest row at which the next colour starts."""
HEAT_STEPS = len(STEPS) + 1
UNKNOWN = "heat-unknown"
Cost = Literal["flops", "parameters", "output_bytes"]
MEASURES: dict[str, tuple[Cost, str, Callable[[int | None], str]]] = {
    "flops": ("flops", "FLOPs", fmt.short),
    "parameters": ("parameters", "parameters", fmt.parameters),
    "memory": ("output_bytes", "output memory", fmt.size),
}
"""Costs that colours can show: the node attribute, its name in the legend, its number format."""


def finish(scene: Scene, subject: Subject, look: Look) -> None:
    """Apply a look to a composed scene."""
    scene.direction = look.direction
    if look.color != "kind":
        _heat(scene, subject, look.color)
    for row in scene.rows():
        for fact in set(FACTS) - look.show:
            if fact == "flops":
                row.share = 0.0
            else:
                setattr(row, fact, "")
        if look.source_url and not row.is_tag:
            row.link = address(look.source_url, subject.node(row.keys[0])["source"])
    for group in scene.groups() if look.source_url else ():  # a group links to the line of its first operation
        rows = (row for inner in group.walk() if isinstance(inner, Item) for row in inner.rows)
        group.link = next((row.link for row in rows if row.link), "")


def _heat(scene: Scene, subject: Subject, color: str) -> None:
    """Colour every row by its cost relative to the most expensive row, and set the legend of the scene."""
    attribute, name, text = MEASURES[color]
    rows = [row for item in scene.items() for row in item.rows if item.form != "terminal" and not row.is_tag]
    costs = [_cost(row, subject, attribute) for row in rows]
    known = [cost for cost in costs if cost is not None]
    largest = max(known, default=0)
    for row, cost in zip(rows, costs, strict=True):
        share = (cost or 0) / largest if largest else 0.0
        row.heat = UNKNOWN if cost is None else f"heat{sum(share >= least for least in STEPS)}"
    bound = "≥ " if len(known) < len(costs) else ""
    scene.heat = HeatScale(name, text(largest), bound + text(sum(known)), unknown=len(known) < len(costs))


def _cost(row: Row, subject: Subject, attribute: Cost) -> int | None:
    nodes = [data for key in row.keys if (data := subject.node(key))["op"] != "get_attr" or attribute != "output_bytes"]
    # a parameter is not an activation
    return None if any(is_unknown(each, attribute) for each in nodes) else sum(over_copies(e, attribute) for e in nodes)
