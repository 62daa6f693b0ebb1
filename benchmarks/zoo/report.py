"""The report: one line per family and check, then every failure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.zoo.check import CHECKS, MISSING, NO_DATAFLOW, Result

_TITLES = {"captured": "captured", "inferred": "without inputs"}


def table(results: Sequence[Result]) -> str:
    """Families against checks, in percent of the models for which a check could be made."""
    titles = ["family", "n", *(f"{_TITLES.get(check, check)} %" for check in CHECKS), "median ms"]
    families = list(dict.fromkeys(_family(result) for result in results))
    rows = [_row(family, [r for r in results if _family(r) == family]) for family in families]
    if len(families) > 1:
        rows.append(_row("all", results))
    return aligned([titles, *rows])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left.

    >>> print(aligned([["a", "b"], ["long", "1"]]))
    a     b
    long  1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(_padded, row, widths, range(len(row)))) for row in rows)


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def _family(result: Result) -> str:
    return result.name.partition("/")[0]


def _row(family: str, results: Sequence[Result]) -> list[str]:
    percents = [_percent(getattr(result, check) for result in results) for check in CHECKS]
    seconds = [result.seconds for result in results if result.seconds is not None]
    median = f"{statistics.median(seconds) * 1e3:.0f}" if seconds else MISSING
    return [family, str(len(results)), *percents, median]


def _percent(answers: Iterable[str]) -> str:
    made = [answer for answer in answers if answer != MISSING]
    return f"{100 * made.count('') / len(made):.1f}" if made else MISSING


def failures(results: Sequence[Result]) -> list[str]:
    """Every failure in one line: model, check, reason; what follows from "not captured" is not said again."""
    return [
        f"{result.name}: {check}: {reason}"
        for result in results
        for check in CHECKS
        if (reason := getattr(result, check)) not in ("", MISSING, NO_DATAFLOW)
    ]
