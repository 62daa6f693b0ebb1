"""Export findings as JUnit XML, which CI servers show as failed tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fxsummary.exporters.reports.places import path_in_repository, split_source
from fxsummary.graph.findings import Finding
from fxsummary.text.numbers import clean


def junit(findings: Sequence[Finding], title: str) -> str:
    """Return a test suite with a failed test per finding; without findings, with one test that passed."""
    count = {"tests": str(len(findings) or 1), "failures": str(len(findings)), "errors": "0"}
    suites = Element("testsuites", {"name": "fxsummary", **count})
    suite = SubElement(suites, "testsuite", {"name": clean(title), **count})
    for finding in findings:
        _case(suite, finding)
    if not findings:
        SubElement(suite, "testcase", {"classname": "fxsummary", "name": clean(title)})
    indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suites, encoding="unicode")}\n'


def _case(suite: Element, finding: Finding) -> None:
    file, line = split_source(finding.source)
    place = {"file": clean(path_in_repository(file)), "line": str(line)} if line else {}
    name = " ".join(filter(None, (finding.rule, finding.path)))
    case = SubElement(
        suite, "testcase", {"classname": f"fxsummary.{clean(finding.rule)}", "name": clean(name), **place}
    )
    told = {"message": clean(finding.message), "type": finding.level}
    failure = SubElement(case, "failure", told)
    source = f"at {finding.source}" if finding.source else ""
    failure.text = "\n".join(map(clean, filter(None, (finding.message, *finding.details, source, finding.remedy))))
