"""Lint: what looks like a mistake in a model. One file for each rule; `RULES` has them by name.

A rule is a function from a graph to findings. Advice, which good models may go against, is given only if asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from fxsummary.errors import InputError
from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.review.lint import (
    active_dropout,
    bias_before_norm,
    channel_multiples,
    dead_operations,
    double_activation,
    float64,
    uncalled_modules,
    unread_parameters,
    untied_weights,
)
from fxsummary.review.lint.rule import RULES, Rule

__all__ = ["RULES", "Rule", "lint"]

for _rule in (
    unread_parameters.RULE,
    uncalled_modules.RULE,
    dead_operations.RULE,
    bias_before_norm.RULE,
    double_activation.RULE,
    active_dropout.RULE,
    float64.RULE,
    untied_weights.RULE,
    channel_multiples.RULE,
):
    RULES.register(_rule.name, _rule)


def lint(graph: ModelGraph, *, ignore: Iterable[str] = (), select: Iterable[str] = ()) -> tuple[Finding, ...]:
    """What looks like a mistake in a model, rule by rule.

    Args:
        ignore: rules not to look at, or ``rule:path`` for what a rule says of some paths, with ``*`` and ``?``.
        select: rules of advice to look at too; "all" for all of them.

    Raises:
        UnknownNameError: no such rule; the message lists those there are.

    >>> import torch, fxsummary
    >>> block = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
    >>> for finding in fxsummary.graph(block).lint():
    ...     print(finding)
    bias-before-norm: the 8 biases of 0 are redundant: in training, BatchNorm2d subtracts the mean that they shift
    >>> fxsummary.graph(block).lint(ignore=["bias-before-norm:0"])
    ()
    """
    ignored, asked = check_names(ignore, select)
    found: list[Finding] = []
    for name, rule in RULES.items():
        paths = [path for other, path in ignored if other == name]
        if "*" in paths or (rule.is_advice and not asked & {"all", name}):
            continue
        found += [each for each in rule.find(graph) if not any(fnmatchcase(each.path, path) for path in paths)]
    return tuple(found)


def check_names(ignore: Iterable[str], select: Iterable[str]) -> tuple[list[tuple[str, str]], set[str]]:
    """Rules and paths to ignore, and advice asked for; raises UnknownNameError if there is no such rule."""
    asked = {name for name in _listed(select, "select") if name == "all" or RULES.get_or_raise(name)}
    return [_ignored(entry) for entry in _listed(ignore, "ignore")], asked


def _listed(names: Iterable[str], option: str) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) for name in listed):
        raise InputError(f"{option}={names!r} is not a list of names of rules.")
    return listed


def _ignored(entry: str) -> tuple[str, str]:
    """A rule and the paths of which it is not to speak."""
    name, _, path = entry.partition(":")
    RULES.get_or_raise(name)
    return name, path or "*"
