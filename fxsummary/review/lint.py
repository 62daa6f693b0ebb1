"""Lint: find likely mistakes in a model. `RULES` has the rules by name; `fxsummary.review.rules` explains them.

A rule is a function from a graph to findings. Advice, which good models may ignore, is reported only on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fxsummary.errors import InputError
from fxsummary.graph.findings import Finding, Findings
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.registry import Registry

Find = Callable[[ModelGraph], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that finds one kind of likely mistake.

    Attributes:
        name: name of the rule, such as "dead-operations".
        find: yields the findings in a graph.
        reason: why it is a mistake, in one sentence; the docstring of `find` says more.
        is_advice: whether the rule runs only if selected by name, because good models may have such findings.
    """

    name: str
    find: Callable[[ModelGraph], Iterable[Finding]]
    reason: str
    is_advice: bool = False


RULES: Registry[Rule] = Registry("lint rule", filled_by="fxsummary.review.rules")
"""Every rule by name."""


def rule(name: str, reason: str, *, is_advice: bool = False) -> Callable[[Find], Find]:
    """Register a function as the rule ``name``; `Rule` describes the other arguments."""

    def register(find: Find) -> Find:
        RULES.register(name, Rule(name, find, reason, is_advice))
        return find

    return register


def lint(graph: ModelGraph, *, ignore: Iterable[str] = (), select: Iterable[str] = ()) -> Findings:
    """Return likely mistakes in a model, rule by rule; see `ModelGraph.lint`."""
    ignored, asked = check_names(ignore, select)
    found: list[Finding] = []
    for name, rule in RULES.items():
        paths = [path for other, path in ignored if other == name]
        if "*" in paths or (rule.is_advice and not asked & {"all", name}):
            continue
        found += [each for each in rule.find(graph) if not any(fnmatchcase(each.path, path) for path in paths)]
    return Findings(found)


def check_names(ignore: Iterable[str], select: Iterable[str]) -> tuple[list[tuple[str, str]], set[str]]:
    """Return the rules with the paths to ignore, including selected advice; raises UnknownNameError for others."""
    asked = {name for name in _listed(select, "select") if name == "all" or RULES.get_or_raise(name)}
    entries = [entry.partition(":") for entry in _listed(ignore, "ignore")]
    return [(RULES.get_or_raise(name).name, path or "*") for name, _, path in entries], asked


def _listed(names: Iterable[str], option: str) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) for name in listed):
        raise InputError(f"{option}={names!r} is not a list of rule names.")
    return listed
