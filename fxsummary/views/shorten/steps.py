"""What has become of the steps of loops in a folded graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod

from fxsummary.graph.attributes import NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall
from fxsummary.views.fold.symbols import RATES
from fxsummary.views.shorten.copies import Copies
from fxsummary.views.shorten.series import FIRST

Name = ModuleCall | str
"""The name of a run in ``graph.graph["repeats"]``."""
Members = Mapping[str, Sequence[str]]
"""The operations that each operation of a folded graph represents."""
Place = tuple[Copies, int, int]
"""Where an operation is: the series, the number of the copy among those that stay, and its number in the copy."""


@dataclass(frozen=True)
class Run:
    """The run that series became: its name, its copies, how many to add, its operations, and the series."""

    name: Name
    count: int
    left_out: int
    operations: Mapping[str, NodeData]
    series: Sequence[Copies]


class Steps:
    """Series of steps in a folded graph."""

    def __init__(self, folded: ModelGraph, members: Members, series: Sequence[Copies]) -> None:
        self._folded = folded
        self._series = series
        self._places: dict[str, Place] = {
            key: (copies, number, at)
            for copies in series
            for number, step in enumerate(copies.kept)
            for at, key in enumerate(step)
        }
        self._members = {key: each for key, each in members.items() if any(other in self._places for other in each)}
        self._runs: dict[Name, dict[str, list[Place]]] = {}

    def runs(self) -> Iterator[Run | None]:
        """Yield the runs; None if steps that were left out are not inside of one, as one copy each."""
        repeats = self._folded.graph.get("repeats", {})
        for key in self._members:
            for name in runs_around(self._folded, key):
                if gaps := self._gaps(key, name):
                    self._runs.setdefault(name, {})[key] = gaps
        for name, places in self._runs.items():
            series = list({id(copies): copies for each in places.values() for copies, _, _ in each}.values())
            left_out = {len(copies.series.inner) for copies in series}
            operations = {key: self._folded.data(key) for key in places}
            yield Run(name, repeats[name].count, left_out.pop(), operations, series) if len(left_out) == 1 else None
        if not all(map(self._is_in_one, self._series)):
            yield None

    def restore_settings(self) -> bool:
        """Restore the settings of the last steps that are outside of the runs; return whether that is possible."""
        inside = {key for run in self._runs.values() for key in run}
        for key in self._members.keys() - inside:
            data = self._folded.data(key)
            for copies, number, at in filter(None, map(self._places.get, self._members[key])):
                if number >= FIRST and at in copies.counted:
                    known, own = copies.settings(at, number), copies.settings(at, number + len(copies.series.inner))
                    if any(name in data.get("each_copy", {}) for name in RATES) or not known.items() <= data.items():
                        return False
                    data.update(own)
                    break
        return True

    def _gaps(self, key: str, name: Name) -> list[Place]:
        """Return the places before the steps that were left out, in all runs of a name; [] if one of them has none."""
        repeats, members = self._folded.graph["repeats"], self._members[key]
        count = repeats[name].count
        inner = prod(repeats[each].count for each in runs_around(self._folded, key, after=name))
        found: list[Place] = []
        for start in range(0, len(members), count * inner):
            places = [self._places.get(each) for each in members[start : start + count * inner : inner]]
            pairs = ((one, other) for one, other in pairwise(places) if one is not None and other is not None)
            gaps = [one for one, other in pairs if one[0] is other[0] and (one[1], other[1]) == (FIRST - 1, FIRST)]
            if len(gaps) != 1:
                return []
            found += gaps
        return found

    def _is_in_one(self, copies: Copies) -> bool:
        """Return whether all operations on both sides of the steps that were left out are in one run."""
        names = {
            name: {at for each in gaps.values() for series, _, at in each if series is copies}
            for name, gaps in self._runs.items()
        }
        found = [numbers for numbers in names.values() if numbers]
        sides = [{at for at, key in enumerate(copies.kept[side]) if key in self._all} for side in (FIRST - 1, FIRST)]
        return sides == [*found, *found] if found else not any(sides)

    @cached_property
    def _all(self) -> set[str]:
        return {key for members in self._members.values() for key in members}


def runs_around(folded: ModelGraph, key: str, *, after: Name | None = None) -> list[Name]:
    """Return the runs around an operation, outermost first, or those inside of the run ``after``."""
    names: list[Name] = [*folded.data(key)["module_stack"], key]
    start = 0 if after is None else names.index(after) + 1
    return [name for name in names[start:] if name in folded.graph.get("repeats", {})]
