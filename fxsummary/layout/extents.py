"""How wide and high units are, about, before they are laid out."""

from __future__ import annotations

from dataclasses import replace
from operator import is_

from fxsummary.layout.boxes import Spacing
from fxsummary.layout.units import Unit

RAIL, BEND = 18.0, 44.0
"""Space for the wire beside branches that stand below each other, and the least between two columns of a U."""


def width_of(unit: Unit, spacing: Spacing) -> float:
    """Return about how wide a unit is."""
    if unit.kind == "leaf":
        return unit.box.width + sum(spacing.horizontal + box.width for _, box in unit.beside)
    widths = [width_of(inner, spacing) for inner in unit.units]
    if unit.kind == "branches":
        return max(widths) + 2 * RAIL if unit.rails else sum(widths) + spacing.horizontal * (len(widths) - 1)
    if unit.kind == "bend":
        *columns, middle, decoder = widths
        return max(middle, sum(columns) + decoder + BEND * len(columns))
    padding = unit.box.padding
    return max(max(widths, default=0.0) + padding.left + padding.right, sum(unit.box.header))


def height_of(unit: Unit, spacing: Spacing) -> float:
    """Return about how high a unit is."""
    if unit.kind == "leaf":
        return unit.box.height + spacing.vertical
    heights = [height_of(inner, spacing) for inner in unit.units]
    if (unit.kind == "branches" and not unit.rails) or unit.kind == "bend":
        return max(heights)
    return sum(heights) + unit.box.padding.top + unit.box.padding.bottom


def narrowest(unit: Unit) -> Unit:
    """Return a unit in which each leaf is as narrow as its texts allow."""
    if unit.kind == "leaf":
        return replace(unit, box=replace(unit.box, width=unit.box.least)) if unit.box.least else unit
    units = [narrowest(inner) for inner in unit.units]
    return unit if all(map(is_, units, unit.units)) else replace(unit, units=units)
