"""What a review finds: exceeded budgets, likely mistakes, changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a reader should look at.

    Attributes:
        rule: name of the budget or rule.
        message: what was found, in one sentence.
        path: of the module, parameter or operation, "" for the model itself.
        source: ``file:line`` in the model's code, "" where it is not known.
        details: further lines, such as the largest contributors.
        remedy: what to do.
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
