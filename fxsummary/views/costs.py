"""The costs of several operations as those of one: every attribute adds up as the table says."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from fxsummary.graph.attributes import NO_COSTS, NODE
from fxsummary.graph.changes import Difference, before, joined
from fxsummary.graph.records import TRUST, known

_SUMS = tuple(name for name in NODE.sums if name in NO_COSTS)
_costs = itemgetter(*_SUMS)
_NOTHING = (0,) * len(_SUMS)


def carry_costs(source: dict[str, Any], target: dict[str, Any], times: int = 1) -> None:
    """Add the costs of a node's attributes, ``times`` over, to those of another.

    Unknown stays unknown; what is known then is in `at_least`.
    """
    compared = "change" in source
    was = {name: _sum(before(target, name), before(source, name), times) for name in NODE.sums} if compared else {}
    for name in NODE.sums:
        if (number := source.get(name, 0)) != 0:
            _add(name, number, target, known(source, name) if number is None else number, times)
    for name in NODE.unions:
        if more := source.get(name):
            target[name] = (*target.get(name, ()), *more)
    for name in NODE.flags:
        target[name] = target.get(name, False) or source.get(name, False)
    for name in NODE.largest:
        target[name] = _larger(source.get(name, 0), target.get(name, 0))
    if source["trust"] != target["trust"]:
        target["trust"] = max(target["trust"], source["trust"], key=TRUST.index)
    if compared:
        _carry_change(source, target, was)
    if times > 1:
        extra = tuple((dtype, numel * (times - 1)) for dtype, numel in source["parameter_dtypes"])
        target["parameter_dtypes"] += extra
    recompute(target)


def recompute(data: dict[str, Any]) -> None:
    """Compute again what does not add up, after the costs or the result of an operation have changed."""
    for name, compute in NODE.recomputed.items():
        data[name] = compute(data)


def is_weightless(data: dict[str, Any]) -> bool:
    """Whether an operation costs nothing."""
    return bool(_costs(data) == _NOTHING) and not any(data.get(name) for name in NODE.added if name in NODE.sums)


def _add(name: str, number: int | None, target: dict[str, Any], least: int, times: int) -> None:
    """Add a cost, of which ``least`` is known, to that of another node."""
    whole = target.get(name, 0)
    if number is None or whole is None:
        target["at_least"] = {**target.get("at_least", {}), name: known(target, name) + times * least}
    target[name] = None if number is None or whole is None else whole + times * number


def _sum(one: int | None, other: int | None, times: int) -> int | None:
    return None if one is None or other is None else one + times * other


def _larger(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


def _carry_change(source: dict[str, Any], target: dict[str, Any], was: dict[str, int | None]) -> None:
    """Of a comparison: the change of both together, and what they cost before."""
    others = [each for each in target["differences"] if each.attribute not in was]
    costs = [Difference(name, n, target.get(name, 0)) for name, n in was.items() if n != target.get(name, 0)]
    target["differences"] = (*others, *costs)
    target["change"] = joined((source["change"], target["change"]))
