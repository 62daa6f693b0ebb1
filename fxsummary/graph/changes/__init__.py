"""What a comparison of two graphs says: records on its nodes and beside them, and their words."""

from fxsummary.graph.changes.describe import BECAME, describe, follows
from fxsummary.graph.changes.records import SIGNS, Comparison, Difference, ModuleChange, Run, before, joined

__all__ = [
    "BECAME",
    "SIGNS",
    "Comparison",
    "Difference",
    "ModuleChange",
    "Run",
    "before",
    "describe",
    "follows",
    "joined",
]
