"""Lint: what looks like a mistake in a model; `RULES` has the rules by name, `fxsummary.review.rules` says why.

A rule is a function from a graph to findings. Advice, which good models may go against, is given only if asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fxsummary.errors import InputError
from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.registry import Registry


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that looks like a mistake.

    Attributes:
        name: such as "dead-operations".
        find: yields what it finds in a graph.
        reason: why it is a mistake, in one sentence; the docstring of `find` says more.
        is_advice: whether it is asked for only by name, because good models may have it.
    """

    name: str
    find: Callable[[ModelGraph], Iterable[Finding]]
    reason: str
    is_advice: bool = False


RULES: Registry[Rule] = Registry("lint rule", filled_by="fxsummary.review.rules")
"""Every rule by name."""


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
    """Rules with the paths to ignore, and advice asked for; raises UnknownNameError if there is no such rule."""
    asked = {name for name in _listed(select, "select") if name == "all" or RULES.get_or_raise(name)}
    entries = [entry.partition(":") for entry in _listed(ignore, "ignore")]
    return [(RULES.get_or_raise(name).name, path or "*") for name, _, path in entries], asked


def _listed(names: Iterable[str], option: str) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) for name in listed):
        raise InputError(f"{option}={names!r} is not a list of names of rules.")
    return listed
