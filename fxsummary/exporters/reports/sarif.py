"""Export findings as SARIF 2.1.0, which GitHub code scanning and editors read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fxsummary.exporters.reports.places import path_in_repository, split_source
from fxsummary.graph.findings import Finding
from fxsummary.review.lint import RULES
from fxsummary.review.pyproject import BUDGETS
from fxsummary.text.numbers import clean

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"notice": "note"}
"""Levels that SARIF calls otherwise."""


def sarif(findings: Sequence[Finding], title: str) -> str:
    """Return a log with one run, whose rules are those of the findings."""
    names = list(dict.fromkeys(clean(finding.rule) for finding in findings))
    driver = {"name": "fxsummary", "rules": [_rule(name) for name in names]}
    run = {
        "tool": {"driver": driver},
        "results": [_result(finding, names) for finding in findings],
        "columnKind": "unicodeCodePoints",
        "properties": {"title": clean(title)},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(name: str) -> dict[str, Any]:
    reason = RULES[name].reason if name in RULES else BUDGETS.get(name, name).replace("%%", "%")
    return {"id": name, "shortDescription": {"text": reason}}


def _result(finding: Finding, names: list[str]) -> dict[str, Any]:
    rule = clean(finding.rule)
    return {
        "ruleId": rule,
        "ruleIndex": names.index(rule),
        "level": _LEVELS.get(finding.level, finding.level),
        "message": {"text": "\n".join(map(clean, filter(None, (finding.message, *finding.details, finding.remedy))))},
        "locations": [place] if (place := _location(finding)) else [],
    }


def _location(finding: Finding) -> dict[str, Any]:
    """Return the line of code and the path in the model, as far as they are known."""
    file, line = split_source(finding.source)
    place: dict[str, Any] = {}
    if file:
        place["physicalLocation"] = {
            "artifactLocation": _artifact(file),
            **({"region": {"startLine": line}} if line else {}),
        }
    if finding.path:
        place["logicalLocations"] = [{"fullyQualifiedName": clean(finding.path), "kind": "module"}]
    return place


def _artifact(file: str) -> dict[str, str]:
    path = clean(path_in_repository(file))
    if os.path.isabs(path):
        return {"uri": Path(path).as_uri()}
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
