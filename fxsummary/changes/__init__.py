"""What a comparison of two graphs says: records on its nodes and beside them, and their words."""

from fxsummary.changes.records import COSTS, SIGNS, Comparison, Difference, ModuleChange, Run, before, joined
from fxsummary.changes.wording import BECAME, describe, follows

__all__ = [
    "BECAME",
    "COSTS",
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
