"""The heat scale: the ground of each row by its part of a cost, against the row that costs most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fxsummary.drawing.labels import Subject
from fxsummary.drawing.scene import HeatScale, Item, Row, Scene
from fxsummary.text import numbers as fmt

STEPS = (0.02, 0.15, 0.40, 0.75)
"""Shares of the largest row from which on the next colour is used."""
HEAT_STEPS = len(STEPS) + 1
UNKNOWN = "heat-unknown"


Cost = Literal["flops", "parameters", "output_bytes"]


@dataclass(frozen=True, slots=True)
class _Measure:
    """A cost: the node attribute, its name in the legend, its numbers as text."""

    attribute: Cost
    name: str
    text: Callable[[int | None], str]


MEASURES = {
    "flops": _Measure("flops", "FLOPs", fmt.short),
    "parameters": _Measure("parameters", "parameters", fmt.parameters),
    "memory": _Measure("output_bytes", "output memory", fmt.size),
}


def heat(scene: Scene, subject: Subject, color: str) -> None:
    """Give every row the step of the scale that it has, all copies counted, and the scene its legend."""
    measure = MEASURES[color]
    rows = [row for item in scene.items() if _is_heated(item) for row in item.rows if not row.is_tag]
    costs = [_cost(row, subject, measure.attribute) for row in rows]
    known = [cost for cost in costs if cost is not None]
    largest = max(known, default=0)
    for row, cost in zip(rows, costs, strict=True):
        row.heat = UNKNOWN if cost is None else f"heat{step(cost / largest if largest else 0.0)}"
    bound = "≥ " if len(known) < len(costs) else ""
    largest_text, whole = measure.text(largest), bound + measure.text(sum(known))
    scene.heat = HeatScale(measure.name, largest_text, whole, unknown=len(known) < len(costs))


def step(share: float) -> int:
    """Number of the colour of a share of the largest row, from 0 to 4.

    >>> [step(share) for share in (0, 0.02, 0.39, 0.74, 1)]
    [0, 1, 2, 3, 4]
    """
    return sum(share >= least for least in STEPS)


def _is_heated(item: Item) -> bool:
    return item.form != "terminal"


def _cost(row: Row, subject: Subject, attribute: Cost) -> int | None:
    total = 0
    for key in row.keys:
        data = subject.node(key)
        if attribute == "output_bytes" and data["op"] == "get_attr":
            continue  # a parameter is no activation
        number = data[attribute]
        if number is None:
            return None
        total += number * data["multiplicity"]
    return total
