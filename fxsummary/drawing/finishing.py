"""Finish a scene: remove the facts that the reader did not choose, and add heat and links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fxsummary.drawing.labels import Subject
from fxsummary.drawing.look import FACTS, Look, address
from fxsummary.drawing.scene import HeatScale, Item, Row, Scene
from fxsummary.drawing.shapes import PEAK
from fxsummary.graph.records import is_unknown, over_copies
from fxsummary.text import numbers as fmt

STEPS = (0.02, 0.15, 0.40, 0.75)
"""Shares of the largest row at which the next colour starts."""
HEAT_STEPS = len(STEPS) + 1
UNKNOWN = "heat-unknown"
Cost = Literal["flops", "parameters", "in_use", "seconds"]
MEASURES: dict[str, tuple[Cost, str, Callable[[Any], str]]] = {
    "flops": ("flops", "FLOPs", fmt.short),
    "parameters": ("parameters", "parameters", fmt.parameters),
    "memory": ("in_use", "memory in use", fmt.size),
    "time": ("seconds", "time at best", fmt.duration),
}
"""Costs that colours can show: the node attribute, its name in the legend, its number format."""


def finish(scene: Scene, subject: Subject, look: Look) -> None:
    """Apply a look to a composed scene."""
    scene.direction, scene.page = look.direction, look.page
    if look.color != "kind":
        _heat(scene, subject, look.color)
    for row in scene.rows():
        for fact in set(FACTS) - look.show:
            if fact == "flops":
                row.share = 0.0
            else:
                setattr(row, fact, "")
        if look.source_url:
            row.link = address(look.source_url, subject.node(row.keys[0])["source"])
    for group in scene.groups() if look.source_url else ():  # a group links to the line of its first operation
        rows = (row for inner in group.walk() if isinstance(inner, Item) for row in inner.rows)
        group.link = next((row.link for row in rows if row.link), "")


def _heat(scene: Scene, subject: Subject, color: str) -> None:
    """Colour every row by its cost relative to the most expensive row; its bar and the legend show that cost too."""
    attribute, name, text = MEASURES[color]
    rows = [row for item in scene.items() for row in item.rows if item.form != "terminal"]
    costs = [_cost(row, subject, attribute) for row in rows]
    known = [cost for cost in costs if cost is not None]
    largest = max(known, default=0)
    for row in scene.rows():
        row.share = 0.0
    for row, cost in zip(rows, costs, strict=True):
        share = (cost or 0) / largest if largest else 0.0
        row.heat = UNKNOWN if cost is None else f"heat{sum(share >= least for least in STEPS)}"
        row.share = None if cost is None and known else share
    scene.largest = 1.0
    bound = "≥ " if len(known) < len(costs) else ""
    whole = "" if attribute == "in_use" else bound + text(sum(known))
    scene.heat = HeatScale(name, text(largest), whole, unknown=len(known) < len(costs))
    if attribute == "in_use":
        _mark_peak(scene, subject)


def _cost(row: Row, subject: Subject, attribute: Cost) -> float | None:
    """Return the cost of a row over all copies; the most memory that is in use in any of them."""
    nodes = [subject.node(key) for key in row.keys]
    if any(is_unknown(each, attribute) for each in nodes):
        return None
    costs = [each["in_use"] or 0 if attribute == "in_use" else over_copies(each, attribute) for each in nodes]
    return max(costs) if attribute == "in_use" else sum(costs)


def _mark_peak(scene: Scene, subject: Subject) -> None:
    """Give the row in which the peak occurs a chip: the one with that operation, or the first that uses as much."""
    memory = subject.whole.memory
    if memory is None:
        return
    rows = [row for row in scene.rows() if _cost(row, subject, "in_use") == memory.peak]
    own = [row for row in rows if any(memory.at in (key, *subject.node(key).get("absorbed", ())) for key in row.keys)]
    for row in (own or rows)[:1]:
        row.chips.append((PEAK, PEAK))
        row.tips.append(f"{memory.peak_text} of activations in use, the most of the forward pass")
