"""Budgets: upper limits for a model's costs, and properties that it must not have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fxsummary.compare import changed_lines, compare
from fxsummary.errors import BudgetError, InputError
from fxsummary.graph.attributes import own_path
from fxsummary.graph.findings import Finding, Findings
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import Totals, over_copies
from fxsummary.graph.training import Training
from fxsummary.review.pyproject import BUDGETS
from fxsummary.support.registry import unknown
from fxsummary.text import numbers as fmt
from fxsummary.text.parse import fraction, quantity
from fxsummary.views.fold import fold_repeats

CONTRIBUTORS = 5
"""Number of the largest contributors that an exceeded budget names."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """A cost that can have a limit: an attribute of totals and operations."""

    attribute: str
    title: str
    text: Callable[[int | None], str]
    unknown: str  # the attribute of the totals that lists what is missing from the number


COSTS = {
    "max_parameters": _Cost("parameters", "parameters", fmt.count, "unknown_parameters"),
    "max_trainable_parameters": _Cost("trainable_parameters", "trainable parameters", fmt.count, "unknown_parameters"),
    "max_flops": _Cost("flops", "FLOPs", fmt.count, "unknown_flops"),
    "max_parameter_bytes": _Cost("parameter_bytes", "of parameters", fmt.size, "unknown_parameters"),
}


def check(graph: ModelGraph, **budgets: Any) -> None:
    """Raise if a budget is exceeded; see `ModelGraph.check`."""
    if found := exceeded(graph, **budgets):
        lines = [line for finding in found for line in (str(finding), *(f"  {text}" for text in finding.details))]
        are = "budget of {} is" if len(found) == 1 else "budgets of {} are"
        title = f"{len(found)} {are.format(graph.name)} exceeded."
        raise BudgetError("\n".join([title, *lines]), Findings(found))


def exceeded(graph: ModelGraph, *, training: Mapping[str, Any] | None = None, **budgets: Any) -> tuple[Finding, ...]:
    """Return the exceeded budgets; see `check`."""
    given = {name: value for name, value in parsed(budgets).items() if value is not None and value is not False}
    most = given.pop("max_training_memory", None)
    in_training = () if most is None else _over_training(graph.training(**(training or {})), most)
    return (*_exceeded(graph, graph.totals, given), *in_training)


def parsed(budgets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the budgets with numbers for texts; raises InputError for an unknown budget or an invalid number."""
    values = dict(budgets)
    for name, value in budgets.items():
        if name not in BUDGETS:
            raise InputError(unknown("budget", name, BUDGETS))
        try:
            if name == "tolerance":
                values[name] = fraction(value)
            elif name.startswith("max_") and value is not None:
                values[name] = quantity(value, of_bytes=not name.endswith(("parameters", "flops")))
        except ValueError as error:
            raise InputError(f"{name}: {error}.") from None
    return values


def _exceeded(graph: ModelGraph, totals: Totals, given: dict[str, Any]) -> Iterator[Finding]:
    for name, cost in COSTS.items():
        if name in given:
            yield from _over(graph, totals, name, cost, given[name])
    if "max_peak_memory" in given:
        yield from _over_memory(graph, given["max_peak_memory"])
    if given.get("no_unread_parameters") and totals.unread_parameters:
        unread = [p for m in graph.modules.values() for p in m.parameters if not p.read and not p.buffer]
        details = tuple(f"{fmt.count(p.numel)} {p.name}" for p in unread if p.tied_to is None)
        message = f"{fmt.count(totals.unread_parameters)} parameters are never read"
        yield _finding("no_unread_parameters", message, _first(details))
    if given.get("no_unknown"):
        for title, names in (("FLOPs", totals.unknown_flops), ("size", totals.unknown_parameters)):
            if names:
                yield _finding("no_unknown", f"unknown {title} of {len(names)}", _first(names))
    if "baseline" in given:
        yield from _grown(graph, totals, _baseline(given["baseline"]), given.get("tolerance", 0))


def _over(graph: ModelGraph, totals: Totals, name: str, cost: _Cost, most: float) -> Iterator[Finding]:
    number, unknown = getattr(totals, cost.attribute), getattr(totals, cost.unknown)
    limit = cost.text(round(most))
    if number is not None and number > most:
        bound = "at least " if unknown else ""
        more = cost.text(number - round(most))
        message = f"{bound}{cost.text(number)} {cost.title}, {more} more than the {limit} allowed"
        yield _finding(name, message, contributors(graph, cost.attribute, number))
    elif number is None or unknown:
        known = "nothing is known" if number is None else f"at least {cost.text(number)}"
        message = f"{known} of at most {limit} {cost.title}: unknown parts may exceed the limit"
        yield _finding(name, message, _first(tuple(f"unknown: {each}" for each in unknown)))


def _over_memory(graph: ModelGraph, most: float) -> Iterator[Finding]:
    memory, limit = graph.memory, fmt.size(round(most))
    if memory is None:
        yield _finding("max_peak_memory", f"nothing is known of at most {limit}: pass example inputs", ())
    elif memory.peak > most:
        bound = "at least " if memory.unknown else ""
        more = fmt.size(memory.peak - round(most))
        message = (
            f"{bound}{fmt.size(memory.peak)} of activations at {memory.name}, {more} more than the {limit} allowed"
        )
        details = tuple(fmt.clean(f"{fmt.size(each.nbytes)} {each.name}: {each.reason}") for each in memory.alive)
        yield _finding("max_peak_memory", message, details[:CONTRIBUTORS])
    elif memory.unknown:
        known = f"at least {fmt.size(memory.peak)} of at most {limit}: unknown parts may exceed the limit"
        yield _finding("max_peak_memory", known, _first(tuple(f"unknown: {each}" for each in memory.unknown)))


def _over_training(training: Training, most: float) -> Iterator[Finding]:
    limit, at_least = fmt.size(round(most)), "at least " if training.unknown else ""
    told = f"{at_least}{fmt.size(training.peak)} of tensors in a step on {training.device}"
    details = tuple(fmt.clean(f"{name}: {text}") for name, text in training.parts().items())
    if training.peak > most:
        message = f"{told}, {fmt.size(training.peak - round(most))} more than the {limit} allowed"
        yield _finding("max_training_memory", message, details)
    elif training.unknown:
        yield _finding("max_training_memory", f"{told} of at most {limit}: unknown parts may exceed the limit", details)


def _grown(graph: ModelGraph, totals: Totals, baseline: ModelGraph, tolerance: float) -> Iterator[Finding]:
    before = baseline.totals
    grown = []
    for cost in COSTS.values():
        was, now = getattr(before, cost.attribute), getattr(totals, cost.attribute)
        if was is not None and now is None:
            grown.append(f"unknown {cost.title}, {cost.text(was)} in the baseline")
        elif was is not None and now > was * (1 + tolerance):
            percent = fmt.growth(was, now) or "none before"
            grown.append(f"{cost.text(now)} {cost.title}, {cost.text(now - was)} more than the baseline ({percent})")
    if grown:
        details = [*grown[1:], *growth(baseline, graph)]
        yield _finding("baseline", grown[0], tuple(details))


def growth(before: ModelGraph, after: ModelGraph) -> Iterator[str]:
    """Describe the modules that contribute most to a difference."""
    lines = [line for line in changed_lines(compare(before, after)) if line.change]
    deltas = [(fmt.delta(*line.parameters, fmt.parameters), fmt.delta(*line.flops, fmt.flops), line) for line in lines]
    for parameters, flops, line in deltas[:CONTRIBUTORS]:
        costs = [f"{parameters} parameters" if parameters else "", flops]
        yield fmt.clean(f"{line.name} {line.text}: {', '.join(filter(None, costs)) or 'no cost'}".strip())


def contributors(graph: ModelGraph, attribute: str, whole: int) -> tuple[str, ...]:
    """Describe the operations with the largest share of a cost, all copies together."""
    nodes: Iterable[tuple[str, Mapping[str, Any]]] = fold_repeats(graph).nodes(data=True)
    costs = [(over_copies(data, attribute), key) for key, data in nodes]
    largest = sorted(costs, key=lambda item: -item[0])[:CONTRIBUTORS]
    text = fmt.size if attribute.endswith("bytes") else fmt.count
    return tuple(
        fmt.clean(f"{text(number)} ({fmt.share(number, whole)}) {own_path(data) or key} {data['label']}")
        for number, key in largest
        if number and (data := graph.nodes[key])
    )


def _baseline(baseline: object) -> ModelGraph:
    if isinstance(baseline, ModelGraph):
        return baseline
    if isinstance(baseline, (str, os.PathLike)):
        from fxsummary.graph.saved import load

        return load(baseline)
    raise InputError(f"baseline={baseline!r} is neither a ModelGraph nor the path of a saved graph.")


def _finding(rule: str, message: str, details: tuple[str, ...]) -> Finding:
    return Finding(rule, message, details=details, level="error")


def _first(names: tuple[str, ...]) -> tuple[str, ...]:
    more = (f"and {len(names) - CONTRIBUTORS} more",) if len(names) > CONTRIBUTORS else ()
    return (*map(fmt.clean, names[:CONTRIBUTORS]), *more)
