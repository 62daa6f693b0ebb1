"""What a rule is, and the registry of all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.registry import Registry


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that looks like a mistake.

    Attributes:
        name: such as "dead-operations".
        find: yields what it finds in a graph.
        reason: why it is a mistake, in one sentence; the module of the rule says more.
        is_advice: whether it is asked for only by name, because good models may have it.
    """

    name: str
    find: Callable[[ModelGraph], Iterable[Finding]]
    reason: str
    is_advice: bool = False


RULES: Registry[Rule] = Registry("lint rule", filled_by="fxsummary.review.lint")
"""Every rule by name."""
