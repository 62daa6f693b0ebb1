"""Export findings as text, Markdown, JSON and GitHub annotations; SARIF and JUnit XML have modules of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from fxsummary.exporters.reports.comparison import _code, _escaped
from fxsummary.exporters.reports.junit import junit
from fxsummary.exporters.reports.places import path_in_repository, split_source
from fxsummary.exporters.reports.sarif import sarif
from fxsummary.exporters.tables.table import wrap
from fxsummary.graph.findings import Finding
from fxsummary.support.registry import Registry
from fxsummary.text.numbers import clean

MOST_ROWS = 200
WIDTH = 100


def text(findings: Sequence[Finding], title: str) -> str:
    """Return a line per finding with its place, then details and remedy."""
    lines = wrap(title, WIDTH, "  ")
    for finding in findings:
        lines += ["", *wrap(f"{finding.level}: {finding}", WIDTH, "  ")]
        lines += [f"  {line}" for detail in finding.details for line in wrap(detail, WIDTH - 2, "  ")]
        lines += [f"  at {clean(finding.source)}"] if finding.source else []
        lines += [f"  {line}" for line in wrap(finding.remedy, WIDTH - 2, "  ")] if finding.remedy else []
    return "\n".join(lines) + "\n"


def markdown(findings: Sequence[Finding], title: str) -> str:
    """Return the findings as a Markdown table."""
    lines = [f"### {_escaped(title)}"]
    if findings:
        lines += ["", "| | What | Where | Remedy |", "|:--|:--|:--|:--|"]
    for finding in findings[:MOST_ROWS]:
        what = "<br>".join(map(_escaped, (finding.message, *finding.details)))
        where = _code(finding.place)
        lines.append(f"| {_code(finding.rule)} | {what} | {where} | {_escaped(finding.remedy)} |")
    lines += ["", f"… and {len(findings) - MOST_ROWS} more."] if len(findings) > MOST_ROWS else []
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding], title: str) -> str:
    """Return a JSON object with the title and the list of findings."""
    records = [
        {
            name: [clean(each) for each in value] if isinstance(value, tuple) else clean(value)
            for name in ("rule", "level", "message", "path", "source", "details", "remedy")
            for value in (getattr(finding, name),)
        }
        for finding in findings
    ]
    return json.dumps({"title": clean(title), "findings": records}, indent=1, ensure_ascii=False) + "\n"


def github(findings: Sequence[Finding], title: str) -> str:
    """Return workflow commands, which GitHub shows at the source line, then the title."""
    told = clean(title).replace("::", ": :").replace("##[", "# #[")  # a line of the log that is no workflow command
    return "".join([f"{annotation(finding)}\n" for finding in findings]) + f"{told}\n"


def annotation(finding: Finding) -> str:
    """Return one workflow command.

    >>> print(annotation(Finding("float64", "100%", "fc", "net.py:12", remedy="Cast: it.")))
    ::warning file=net.py,line=12,title=fxsummary float64::100%25%0ACast: it.
    >>> print(annotation(Finding("a,b:c", "::error::x")))
    ::warning title=fxsummary a%2Cb%3Ac::::error::x
    """
    file, line = split_source(finding.source)
    values = {"title": f"fxsummary {finding.rule}"}
    if line:
        values = {"file": path_in_repository(file), "line": str(line)} | values
    escaped = {name: _data(value).replace(":", "%3A").replace(",", "%2C") for name, value in values.items()}
    properties = ",".join(f"{name}={value}" for name, value in escaped.items())
    body = "%0A".join(map(_data, filter(None, (finding.message, *finding.details, finding.remedy))))
    return f"::{finding.level} {properties}::{body}"


def _data(text: str) -> str:
    """Escape a text for a workflow command; line breaks and control characters are already removed."""
    return clean(text).replace("%", "%25")


FORMATS: Registry[Callable[[Sequence[Finding], str], str]] = Registry("format")
"""The formats for a list of findings with a title, by name."""
for _name, _format in {
    "text": text, "markdown": markdown, "json": as_json, "github": github, "sarif": sarif, "junit": junit
}.items():  # fmt: skip
    FORMATS.register(_name, _format)
