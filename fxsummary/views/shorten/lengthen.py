"""Set the number of copies in a folded graph to that of the whole series."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any, cast

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.fold.copies import one_for_all
from fxsummary.views.fold.items import WRITTEN
from fxsummary.views.shorten.copies import Copies
from fxsummary.views.shorten.counted import counted
from fxsummary.views.shorten.series import FIRST
from fxsummary.views.shorten.steps import Members, Run, Steps, runs_around


def lengthened(
    folded: ModelGraph, members: Members, steps: Sequence[Copies], blocks: Sequence[Copies]
) -> ModelGraph | None:
    """Return the folded graph with all copies of each series counted; None if a series did not become one run.

    None also if anything refers to single copies. The folded graph is changed.
    """
    inside = Steps(folded, members, steps)
    runs = [*map(partial(_run_of_blocks, folded), blocks), *inside.runs()]
    if not all(run is not None and _lengthen(folded, run) for run in runs) or not inside.restore_settings():
        return None
    return folded


def _lengthen(folded: ModelGraph, run: Run) -> bool:
    """Add the copies that were left out to a run; return whether that was possible."""
    exits = {reader: each for copies in run.series for reader, each in copies.exits.items()}
    if _has_own_values(folded, run) or not _renumber(folded, run, exits):
        return False
    times = dict.fromkeys(run.operations, run.count)
    if not all(each.lengthen(folded, times, run.left_out) for each in exits.values()):
        return False
    if not all(_add_copies(folded, key, data, run) for key, data in run.operations.items()):
        return False
    repeats = folded.graph["repeats"]
    folded.graph["repeats"] = {**repeats, run.name: replace(repeats[run.name], count=run.count + run.left_out)}
    return True


def _has_own_values(folded: ModelGraph, run: Run) -> bool:
    """Return whether the copies in a run read values of their own, or are such values for others."""
    own_values = folded.graph["own_values"]
    if any(key in run.operations for key, _ in own_values):
        return True
    return any(start in run.operations for values in own_values.values() for start, _, _ in values)


def _renumber(folded: ModelGraph, run: Run, exits: Container[str]) -> bool:
    """Renumber the last copy for its readers, except for the ``exits``; return False if one reads another copy."""
    copies_read, count = folded.graph["copies_read"], run.count
    for key in run.operations:
        others = (each for each in folded.readers(key) if each not in run.operations and each not in exits)
        numbered = [
            (reader, slot)
            for reader in others
            for slot in folded.sources(reader)[key]["slots"] or (WRITTEN,)
            if (reader, slot) in copies_read
        ]
        for where in numbered:
            around, number = divmod(copies_read[where], count)
            if number != count - 1 or runs_around(folded, key, after=run.name):
                return False
            copies_read[where] = (around + 1) * (count + run.left_out) - 1
    return True


# --- blocks ----------------------------------------------------------------------------------------


def _run_of_blocks(folded: ModelGraph, copies: Copies) -> Run | None:
    """Return the run of blocks, with all their paths in ``module_copies``; None if they did not become one run."""
    calls, inner = copies.series.calls, copies.series.inner
    repeats, module_copies = folded.graph.get("repeats", {}), folded.graph.get("module_copies", {})
    name = next((call for call in (*calls[:FIRST], *calls[inner.stop :]) if call in repeats), None)
    paths = [call.path for call in calls]
    shown = module_copies.get(name.path, ()) if name else ()
    if name is None or len(shown) != repeats[name].count or not {paths[FIRST - 1], paths[inner.stop]} <= {*shown}:
        return None
    if any(each.each for each in folded.returned.values()):
        return None
    at = shown.index(paths[FIRST - 1]) + 1
    every = (*shown[:at], *paths[FIRST : inner.stop], *shown[at:])
    folded.graph["module_copies"] = {
        path: _copied(each, name.path, shown, every) for path, each in module_copies.items()
    }
    inside = {key: data for key, data in folded.nodes(data=True) if name in data["module_stack"]}
    return Run(name, len(shown), len(inner), inside, [copies])


def _copied(paths: tuple[str, ...], first: str, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the copies of a module in the ``new`` copies of a block, from those in the ``old`` ones.

    >>> _copied(("a.0.fc", "a.3.fc"), "a.0", ("a.0", "a.3"), ("a.0", "a.1", "a.3"))
    ('a.0.fc', 'a.1.fc', 'a.3.fc')
    """
    inner = [path[len(first) :] for path in paths if f"{path}.".startswith(f"{first}.")]
    if tuple([copy + path for copy in old for path in inner]) != paths:
        return paths
    return tuple([copy + path for copy in new for path in inner])


# --- more copies -----------------------------------------------------------------------------------


def _add_copies(folded: ModelGraph, key: str, data: NodeData, run: Run) -> bool:
    """Let an operation count in the copies that were left out; return whether it is known what differs in them."""
    repeats = folded.graph["repeats"]
    inner = prod(repeats[each].count for each in runs_around(folded, key, after=run.name))
    data["multiplicity"] = data["multiplicity"] // run.count * (run.count + run.left_out)
    longer = {
        name: _longer(values, run.count, inner, run.left_out) for name, values in data.get("each_copy", {}).items()
    }
    known = {name: values for name, values in longer.items() if values is not None}
    if len(known) < len(longer):
        return False
    if known:
        data["each_copy"] = known
        shown = cast("dict[str, Any]", data)
        shown |= {name: one_for_all(name, values, known) for name, values in known.items()}
    return True


def _longer(values: Sequence[Any], count: int, inner: int, left_out: int) -> tuple[Any, ...] | None:
    """Return the values of all copies of a run with more copies; None if they do not go on in a known way.

    Args:
        values: those of the operation in the copies of all runs, inner ones first.
        count: number of copies of the run; inner: of the runs inside of it; left_out: number of copies to add.

    >>> _longer(("a, 1", "b", "a, 2", "b"), 2, 2, 1), _longer((3, 4), 2, 1, 1)
    (('a, 1', 'b', 'a, 2', 'b', 'a, 3', 'b'), None)
    """
    found: list[Any] = []
    for start in range(0, len(values), count * inner):
        columns = [_goes_on(values[start + at : start + count * inner : inner], left_out) for at in range(inner)]
        known = [column for column in columns if column is not None]
        if len(known) < inner:
            return None
        found += [value for copy in zip(*known, strict=True) for value in copy]
    return tuple(found)


def _goes_on(values: Sequence[Any], more: int) -> Sequence[Any] | None:
    """Return values with more of them, which are the same or count up; None if they do neither."""
    if all(value == values[0] for value in values):
        return [values[0]] * (len(values) + more)
    series = counted(values[0], values[1]) if isinstance(values[0], str) else None
    if series is None or any(series.at(number) != value for number, value in enumerate(values)):
        return None
    return [series.at(number) for number in range(len(values) + more)]
