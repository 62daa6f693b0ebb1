"""Findings of a review: exceeded budgets, likely mistakes, changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding for the reader to look at.

    Attributes:
        rule: name of the budget or rule.
        message: the finding in one sentence.
        path: path of the module, parameter or operation, "" for the model itself.
        source: ``file:line`` in the model's code, "" if unknown.
        details: further lines, such as the largest contributors.
        remedy: how to fix it.
        level: error, warning or notice.
    """

    rule: str
    message: str
    path: str = ""
    source: str = ""
    details: tuple[str, ...] = ()
    remedy: str = ""
    level: str = "warning"

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"
