"""Findings as text, Markdown, JSON and GitHub annotations."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from fxsummary.exporters.reports.comparison import _code, _escaped
from fxsummary.exporters.reports.repository import path_in_repository
from fxsummary.exporters.tables.table import wrap
from fxsummary.graph.findings import Finding
from fxsummary.support.registry import Registry
from fxsummary.text.numbers import clean

MOST_ROWS = 200
WIDTH = 100


def text(findings: Sequence[Finding], title: str) -> str:
    """A line for each, with its place, then details and remedy."""
    lines = wrap(title, WIDTH, "  ")
    for finding in findings:
        lines += ["", *wrap(f"{finding.level}: {finding}", WIDTH, "  ")]
        lines += [f"  {line}" for detail in finding.details for line in wrap(detail, WIDTH - 2, "  ")]
        lines += [f"  at {clean(finding.source)}"] if finding.source else []
        lines += [f"  {line}" for line in wrap(finding.remedy, WIDTH - 2, "  ")] if finding.remedy else []
    return "\n".join(lines) + "\n"


def markdown(findings: Sequence[Finding], title: str) -> str:
    """A table."""
    lines = [f"### {_escaped(title)}"]
    if findings:
        lines += ["", "| | What | Where | Remedy |", "|:--|:--|:--|:--|"]
    for finding in findings[:MOST_ROWS]:
        what = "<br>".join(map(_escaped, (finding.message, *finding.details)))
        where = _code(finding.source or finding.path)
        lines.append(f"| {_code(finding.rule)} | {what} | {where} | {_escaped(finding.remedy)} |")
    lines += ["", f"… and {len(findings) - MOST_ROWS} more."] if len(findings) > MOST_ROWS else []
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding], title: str) -> str:
    """An object with the title and the list of findings."""
    records = [
        {
            "rule": clean(each.rule),
            "level": each.level,
            "message": clean(each.message),
            "path": clean(each.path),
            "source": clean(each.source),
            "details": [clean(detail) for detail in each.details],
            "remedy": clean(each.remedy),
        }
        for each in findings
    ]
    return json.dumps({"title": clean(title), "findings": records}, indent=1, ensure_ascii=False) + "\n"


def github(findings: Sequence[Finding], title: str) -> str:
    """Workflow commands, which GitHub shows at the line of the source; the title alone if there is nothing."""
    return "".join([f"{annotation(finding)}\n" for finding in findings]) + f"{_of_command(title)}\n"


def annotation(finding: Finding) -> str:
    """One workflow command.

    >>> print(annotation(Finding("float64", "100%", "fc", "net.py:12", remedy="Cast: it.")))
    ::warning file=net.py,line=12,title=fxsummary float64::100%25%0ACast: it.
    >>> print(annotation(Finding("a,b:c", "::error::x")))
    ::warning title=fxsummary a%2Cb%3Ac::::error::x
    """
    file, _, line = finding.source.rpartition(":")
    values = {"title": f"fxsummary {finding.rule}"}
    if file and line.isdigit():
        values = {"file": path_in_repository(file), "line": line} | values
    properties = ",".join(f"{name}={_property(value)}" for name, value in values.items())
    body = "%0A".join(map(_data, filter(None, (finding.message, *finding.details, finding.remedy))))
    return f"::{finding.level} {properties}::{body}"


def _data(text: str) -> str:
    """Text in a workflow command; line breaks and control characters are gone already."""
    return clean(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _of_command(text: str) -> str:
    """A line of the log that is no workflow command."""
    return clean(text).replace("::", ": :").replace("##[", "# #[")


FORMATS: Registry[Callable[[Sequence[Finding], str], str]] = Registry("format")
"""The forms of a list of findings with a title, by name."""
FORMATS.register("text", text)
FORMATS.register("markdown", markdown)
FORMATS.register("json", as_json)
FORMATS.register("github", github)
