"""The commands for reviews: diff, check and lint.

Exit codes: 0 if the models are equal, all budgets are met, or lint finds nothing; 1 if not; 2 if the command failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fxsummary.cli.model_options import OF_MODELS, add_model_arguments, add_model_options, graph_of
from fxsummary.cli.terminal import width, write
from fxsummary.errors import InputError
from fxsummary.graph.findings import Findings
from fxsummary.loading.places import file_of, is_captured
from fxsummary.loading.revision import split
from fxsummary.review.pyproject import BUDGETS, KEYS, settings
from fxsummary.support.registry import exporter_for

if TYPE_CHECKING:
    from fxsummary.graph.findings import Finding
    from fxsummary.graph.modelgraph import ModelGraph

HOLDS, BROKEN = 0, 1
FORMATS = ("text", "markdown", "json", "github")
"""Formats of differences."""
OF_FINDINGS = (*FORMATS, "sarif", "junit")
SIDES = ("a", "b")

_CODES = "exit codes: 0 {}, 1 {}, 2 failed (stderr says why)"
_DIFF = f"""\
A and B are models, as for show, or graphs saved by `fxsummary render MODEL -o
graph.json`. REVISION:MODEL is a model as of a git revision: a branch, a tag, a
hash or HEAD~1. fxsummary checks the revision out to a temporary folder and runs
its code in a process of its own. --input, --arg and --config apply to both
models; --a-arg, --b-arg and so on apply to one.

  fxsummary diff main:models.py:CNN models.py:CNN
  fxsummary diff before.json models.py:CNN --format markdown
  fxsummary diff timm:create_model timm:create_model --a-arg model_name=resnet18
    --b-arg model_name=resnet34 -o diff.svg

MODEL is package.module:factory or path/file.py:factory, or as listed by
`fxsummary --help`.
{_CODES.format("equal", "different")}
"""
_CHECK = f"""\
Write numbers as 25M, 4.2G or 100MiB. BASE is a saved graph.json, or a model of a
git revision, such as main:models.py:CNN. Budgets that you do not give come from
[tool.fxsummary.check] in the nearest pyproject.toml.

MODEL is package.module:factory or path/file.py:factory.
{_CODES.format("all budgets are met", "a budget is exceeded")}
"""
_LINT = f"""\
Silence a rule with --ignore RULE, or for some paths with --ignore 'RULE:path.*',
or in [tool.fxsummary.lint] of the nearest pyproject.toml.

MODEL is package.module:factory or path/file.py:factory.
{_CODES.format("no findings", "findings")}
"""


def add_commands(commands: Any) -> None:
    """Add the three commands to the parser."""
    raw = argparse.RawDescriptionHelpFormatter
    diff = commands.add_parser("diff", help="compare two models", epilog=_DIFF, formatter_class=raw)
    for side in SIDES:
        diff.add_argument(side, metavar=side.upper(), help="a model, or a saved graph.json")
    add_model_options(diff)
    for side in SIDES:
        for name in ("arg", "config_arg", "input"):
            text = f"--{name.replace('_', '-')} for {side.upper()} only"
            diff.add_argument(f"--{side}-{name.replace('_', '-')}", action="append", default=[], help=text, metavar="…")
    diff.add_argument("-o", "--output", help="also write the comparison to this file; the suffix selects the format")
    diff.set_defaults(run=_diff)
    check = commands.add_parser("check", help="check budgets", epilog=_CHECK, formatter_class=raw)
    add_model_arguments(check)
    for name in BUDGETS:
        option = f"--{name.replace('_', '-')}"
        if name.startswith("no_"):
            check.add_argument(option, action="store_const", const=True, help=BUDGETS[name])
        else:
            metavar = "BASE" if name == "baseline" else "N"
            check.add_argument(option, metavar=metavar, help=BUDGETS[name])
    check.set_defaults(run=_check)
    lint = commands.add_parser("lint", help="find likely mistakes", epilog=_LINT, formatter_class=raw)
    add_model_arguments(lint)
    lint.add_argument("--ignore", action="append", metavar="RULE[:PATH]", help="a rule to skip; repeatable")
    lint.add_argument("--select", action="append", metavar="RULE", help="an optional rule to check, or all; repeatable")
    lint.set_defaults(run=_lint)
    for parser in (diff, check, lint):
        formats = FORMATS if parser is diff else OF_FINDINGS
        parser.add_argument("--format", default="text", choices=formats, help="output format (default: text)")


def _diff(options: argparse.Namespace) -> int:
    if options.output:
        exporter_for(options.output).check_packages()  # before the work, not after
    graphs = [graph_of(_side(options, side)) for side in SIDES]
    from fxsummary.compare import compare

    compared = compare(graphs[0], graphs[1], (options.a, options.b))
    assert compared.comparison is not None
    write(_compared(compared, options))
    if options.output:
        compared.render(options.output)
    return HOLDS if compared.comparison.equal else BROKEN


def _side(options: argparse.Namespace, side: str) -> argparse.Namespace:
    """Return the options of one model: the common ones, if they apply to it, and its own."""
    model = getattr(options, side)
    values = {**vars(options), "model": model}
    for name in OF_MODELS:
        if is_captured(model):
            values[name] = [] if isinstance(values[name], list) else None
    for name in ("arg", "config_arg", "input"):
        values[name] = [*values[name], *getattr(options, f"{side}_{name}")]
    return argparse.Namespace(**values)


def _compared(graph: ModelGraph, options: argparse.Namespace) -> str:
    from fxsummary.exporters.reports import comparison, findings

    assert graph.comparison is not None
    if options.format == "markdown":
        return comparison.markdown(graph)
    if options.format == "json":
        return json.dumps(comparison.data(graph), indent=1, ensure_ascii=False) + "\n"
    if options.format == "github":
        return findings.github(comparison.notices(graph), comparison.title(graph.comparison))
    return graph.to_text(width=width(), depth=options.depth) + "\n"


def _check(options: argparse.Namespace) -> int:
    budgets = settings("check")
    budgets |= {name: value for name in KEYS["check"] if (value := getattr(options, name)) is not None}
    given = [name for name, value in budgets.items() if value is not False and name != "tolerance"]
    if not given:
        raise InputError("no budget is given: pass one, such as --max-parameters 25M, or set [tool.fxsummary.check].")
    from fxsummary.review.budgets import exceeded, parsed

    parsed(budgets)  # before the work, not after
    graph = graph_of(options)
    if split(str(baseline := budgets.get("baseline"))):
        budgets["baseline"] = graph_of(argparse.Namespace(**{**vars(options), "model": baseline}))
    found = exceeded(graph, **budgets)
    rules = {finding.rule for finding in found}
    return _tell(found, f"{graph.name}: {_outcome(len(rules), len(given))}", options)


def _outcome(exceeded: int, budgets: int) -> str:
    if not exceeded:
        return "all budgets met" if budgets > 1 else "budget met"
    if exceeded == budgets:
        return "all budgets exceeded" if budgets > 1 else "budget exceeded"
    return f"{exceeded} of {budgets} budgets exceeded"


def _lint(options: argparse.Namespace) -> int:
    given = settings("lint")
    chosen = {name: [*given.get(name, ()), *(getattr(options, name) or ())] for name in KEYS["lint"]}
    from fxsummary.review.lint import check_names

    check_names(**chosen)  # before the work, not after
    graph = graph_of(options)
    found = graph.lint(**chosen)
    title = f"{graph.name}: {len(found) or 'no'} finding{'s' * (len(found) != 1)}"
    return _tell(found, title, options)


def _tell(found: tuple[Finding, ...], title: str, options: argparse.Namespace) -> int:
    from fxsummary.exporters.reports.findings import FORMATS

    if options.format == "sarif":  # code scanning refuses findings without a file
        file = _file_of(options.model)
        found = Findings(each if each.source else replace(each, source=file) for each in found)
    write(FORMATS[options.format](found, title))
    return BROKEN if found else HOLDS


def _file_of(model: str) -> str:
    """Return the file that MODEL names or that its module was imported from; "" if there is none."""
    named = split(model)
    rest = named[1] if named else model
    place = rest if rest.endswith(".py") else rest.rpartition(":")[0]
    imported = getattr(sys.modules.get(place), "__file__", None)
    return file_of(model) or (place if place.endswith(".py") else imported) or ""
