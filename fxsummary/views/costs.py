"""Combine the costs of several operations, each attribute by the rule in its table."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, cast

from fxsummary.graph.attributes import NO_COSTS, NODE, NodeData
from fxsummary.graph.changes import Difference, before, joined
from fxsummary.graph.records import TRUST, differing, is_unknown, known

_SUMS = tuple(name for name in NODE.sums if name in NO_COSTS)
_costs = itemgetter(*_SUMS)
_NOTHING = (0,) * len(_SUMS)


def carry_costs(source: NodeData, target: NodeData, times: int = 1) -> None:
    """Add the costs of one node, multiplied by ``times``, to those of another.

    Unknown stays unknown; `at_least` then holds the known part.
    """
    compared = "change" in source
    was = {name: _sum(before(target, name), before(source, name), times) for name in NODE.sums} if compared else {}
    apart = _carry_differing(source, target, source["multiplicity"] // times)
    part, whole = cast("dict[str, Any]", source), cast("dict[str, Any]", target)
    if _costs(source) != _NOTHING or "unread" in source or "moved" in source or NODE.added:
        for name in NODE.sums:
            if part.get(name, 0) != 0 and name not in apart:
                _add(name, source, target, times)
    for name in NODE.unions:
        if name not in apart and (more := part.get(name)):
            whole[name] = (*whole.get(name, ()), *more)
    for name in NODE.flags:
        if part.get(name):
            whole[name] = True
    for name in NODE.largest:
        one, other = part.get(name, 0), whole.get(name, 0)
        whole[name] = None if one is None or other is None else max(one, other)
    if source["trust"] != target["trust"]:
        target["trust"] = max(target["trust"], source["trust"], key=TRUST.index)
    if compared:
        _carry_change(source, target, was)
    if times > 1 and source["parameter_dtypes"] and "parameter_dtypes" not in apart:
        extra = tuple((dtype, numel * (times - 1)) for dtype, numel in source["parameter_dtypes"])
        target["parameter_dtypes"] += extra
    for name, compute in NODE.recomputed.items():
        whole[name] = compute(target)


def _carry_differing(source: NodeData, target: NodeData, copies: int) -> list[str]:
    """Add the costs that differ from copy to copy in one of two operations; return their names.

    Args:
        copies: number of copies of ``target``.
    """
    both = {**source.get("each_copy", {}), **target.get("each_copy", {})}
    if not both:
        return []
    names = [name for name in (*NODE.sums, "parameter_dtypes") if name in both]
    one: NodeData = {**target, "multiplicity": copies}
    whole, each_copy = cast("dict[str, object]", target), dict(target.get("each_copy", {}))
    for name in names:
        values = [a + b for a, b in zip(in_groups(one, name, copies), in_groups(source, name, copies), strict=True)]
        each_copy.pop(name, None)
        whole[name] = values[0]
        if name in NODE.sums and (is_unknown(one, name) or is_unknown(source, name)):
            whole[name] = None
            target["at_least"] = {**target.get("at_least", {}), name: min(values)}
        elif any(value != values[0] for value in values):
            each_copy[name] = tuple(values)
            if name in NODE.sums:
                whole[name] = None
    target["each_copy"] = each_copy
    return names


def in_groups(data: NodeData, name: str, groups: int) -> list[Any]:
    """Return the known part of a cost in each of several equal groups of the copies of an operation.

    The copies of a run are in order, those of the innermost run side by side.
    """
    each = differing(data, name)
    if each is None:
        value: Any = data["parameter_dtypes"] if name == "parameter_dtypes" else known(data, name)
        return [value * (data["multiplicity"] // groups)] * groups
    size = len(each) // groups
    parts = [each[start : start + size] for start in range(0, len(each), size)]
    return [sum(part, ()) if name == "parameter_dtypes" else sum(part) for part in parts]


def one_copy(data: NodeData, copies: int) -> NodeData:
    """Return an operation with the costs in the first of the ``copies`` of the blocks around it."""
    if "each_copy" not in data:
        return data
    first = {name: each[: len(each) // copies] for name, each in data["each_copy"].items()}
    alike = {name: each[0] for name, each in first.items() if len(each) == 1}
    others = {name: each for name, each in first.items() if len(each) > 1}
    return cast(NodeData, {**data, **alike, "each_copy": others})


def is_free(data: NodeData) -> bool:
    """Return whether an operation has no parameters, buffers or FLOPs."""
    return bool(_costs(data) == _NOTHING)


def is_weightless(data: NodeData) -> bool:
    """Return whether an operation has no costs at all, including those of registered passes."""
    is_costly = bool(data.get("moved")) or any(data.get(name, 0) != 0 for name in NODE.added if name in NODE.sums)
    return is_free(data) and not is_costly


def _add(name: str, source: NodeData, target: NodeData, times: int) -> None:
    """Add a cost of one node to that of another; if one is unknown, the sum of the known parts."""
    part, whole = cast("dict[str, Any]", source), cast("dict[str, Any]", target)
    number = _sum(whole.setdefault(name, 0), part[name], times)
    if number is None:
        least = known(target, name) + times * known(source, name)
        target["at_least"] = {**target.get("at_least", {}), name: least}
    whole[name] = number


def _sum(one: int | None, other: int | None, times: int) -> int | None:
    return None if one is None or other is None else one + times * other


def _carry_change(source: NodeData, target: NodeData, was: dict[str, int | None]) -> None:
    """Combine the changes and old costs of two operations of a comparison."""
    others = [each for each in target["differences"] if each.attribute not in was]
    now = {name: target.get(name, 0) for name in was}
    costs = [Difference(name, number, now[name]) for name, number in was.items() if number != now[name]]
    target["differences"] = (*others, *costs)
    target["change"] = joined((source["change"], target["change"]))
