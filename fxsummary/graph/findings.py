"""Findings of a review: exceeded budgets, likely mistakes, changes."""

from __future__ import annotations

from dataclasses import dataclass

from fxsummary.text import html


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

    @property
    def place(self) -> str:
        """The line in the code, or else the path in the model."""
        return self.source or self.path

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


class Findings(tuple[Finding, ...]):
    """Findings, which notebooks show as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        rows = [
            (f"{each.level}: {each.rule}", "\n".join((each.message, *each.details)), each.place, each.remedy)
            for each in self
        ]
        titles = ("Rule", "What", "Where", "Remedy") if rows else ("",) * 4
        return html.table(titles, rows, [False] * 4, () if rows else ["no findings"])
