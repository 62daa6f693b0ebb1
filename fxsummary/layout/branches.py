"""Find parallel branches among the children of a group by series-parallel reduction, and what stands beside a join.

Chains of children merge into one; chains from one value to one leaf are its branches, and become one unit.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

from fxsummary.layout.boxes import Spacing
from fxsummary.layout.extents import height_of, narrowest, width_of
from fxsummary.layout.units import Flow, Unit

MOST_BESIDE = 2
MOST_GROUND = 1.5
"""Ground that branches take next to each other, as a multiple of what they take below each other: for two of the same
width, the lower one is a third as high as the other."""
BESIDE_BYPASS = 26.0
"""Space for the wire that leads to a bypass."""
LEAST_WIDEST = 400.0
"""Width of the contents of a page that its heading needs."""
NOTHING = "", ""
"""The source of chains that start with an input."""

_Node = Hashable
"""The number of a child, or a value from outside as ("", key)."""


@dataclass(slots=True)
class Room:
    """The maximum width of branches placed next to each other, and which other widths would hold the same.

    Attributes:
        least: the largest width that it was asked for and holds; below: the smallest one that it does not hold.
    """

    width: float
    least: float = 0.0
    below: float = float("inf")

    def holds(self, width: float) -> bool:
        """Return whether it is at least as wide."""
        if width <= self.width:
            self.least = max(self.least, width)
        else:
            self.below = min(self.below, width)
        return width <= self.width


@dataclass(frozen=True)
class Surroundings:
    """What the reduction of a group needs to know of its surroundings.

    Attributes:
        around: width of the padding of the frames around it.
        value: a value that comes from the left side.
        laterals: leaves that stand beside their only reader, with that.
        skipping: leaves at the ends of the skips of a U, which stand on its spines, not in branches.
    """

    flow: Flow
    spacing: Spacing
    room: Room
    around: float
    value: str = ""
    laterals: Mapping[str, str] = field(default_factory=dict)
    skipping: Collection[str] = ()


def reduced(units: list[Unit], surroundings: Surroundings) -> list[Unit]:
    """Return the units of a group with their branches as one unit each, in order."""
    return _Reduction(units, surroundings).run()


class _Reduction:
    """The reduction of one group; nodes are chains of units."""

    def __init__(self, units: list[Unit], given: Surroundings) -> None:
        self.flow, self.spacing, self.room = given.flow, given.spacing, given.room
        self.around, self.value = given.around, given.value
        self.laterals, self.skipping = given.laterals, given.skipping
        self.chains: dict[_Node, list[Unit]] = {}
        self.place: dict[int, float] = {}
        self.sources: dict[_Node, set[_Node]] = {}
        self.readers: dict[_Node, set[_Node]] = {}
        self._link([*units])
        self._put_beside()
        self._put_aside()

    def _link(self, units: list[Unit]) -> None:
        number = {leaf.key: at for at, unit in enumerate(units) for leaf in unit.leaves()}
        for at, unit in enumerate(units):
            self.chains[at] = [unit]
            self.place[id(unit)] = at
        for at, unit in enumerate(units):
            self.readers.setdefault(at, set())
            sources = self.sources.setdefault(at, set())
            for leaf in unit.leaves():
                sources |= {number.get(key, ("", key)) for key in self.flow.into(leaf.key)} - {at}
                if any(key not in number for key in self.flow.out_of(leaf.key)):
                    self.readers[at].add(NOTHING)
            for source in sources or {NOTHING}:
                self.readers.setdefault(source, set()).add(at)
        for at in range(len(units)):
            first = min((reader for reader in self.readers[at] if isinstance(reader, int)), default=None)
            if not self.sources[at] and first is not None and self.chains[at][0].kind == "leaf":
                self.place[id(self.chains[at][0])] = first - 0.25  # just before its first reader
            self.sources[at] = self.sources[at] or {NOTHING}

    def _put_aside(self) -> None:
        """Put what nothing reads, but by its name, beside its only source, or beside a neighbour if it has none.

        The end of a chain goes beside it only if the group then takes no more space.
        """
        ending: list[tuple[Unit, _Node]] = []
        for at, (unit,) in list(self.chains.items()):
            if unit.kind != "leaf" or unit.box.role != "aside" or unit.beside or len(self.sources[at]) != 1:
                continue
            (source,) = self.sources[at]
            near: list[_Node] = [
                each for each in self.chains if self.place[id(unit)] in (self._first(each) - 1, self._first(each) + 1)
            ]
            around = [source] if source in self.chains else near if source == NOTHING else []
            hosts = [self.chains[each][0] for each in around if each in self.chains and each != at]
            for host in hosts:
                fits = self._holds(width_of(host, self.spacing) + self.spacing.horizontal + unit.box.width)
                if not fits or host.kind != "leaf" or host.right is not None or host.box.role == "aside":
                    continue
                if self.readers[source] == {at} and source in self.chains:
                    ending.append((host, at))
                else:
                    self._put_at(host, at)
                break
        if ending:
            self._put_ends(ending)

    def _put_ends(self, ending: list[tuple[Unit, _Node]]) -> None:
        """Put the ends of chains beside what they read if that makes the group smaller."""
        units = [unit for chain in self.chains.values() for unit in chain]
        widest = max(LEAST_WIDEST, *(width_of(unit, self.spacing) for unit in units))
        right = max(LEAST_WIDEST / 2, *(self._right(unit) for unit in units))
        height = sum(height_of(unit, self.spacing) for unit in units)
        saved = sum(height_of(self.chains[at][0], self.spacing) for _, at in ending)
        for host, at in ending:
            beside = self.spacing.horizontal + self.chains[at][0].box.width
            if (host.box.width / 2 + beside - right) * height <= widest * saved:
                self._put_at(host, at)

    def _right(self, unit: Unit) -> float:
        """Return about how far a unit reaches to the right of the spine."""
        if unit.kind == "leaf" and unit.right is not None:
            return unit.box.width / 2 + self.spacing.horizontal + unit.right.width
        return width_of(unit, self.spacing) / 2

    def _put_at(self, host: Unit, at: _Node) -> None:
        host.put_beside(self.chains[at][0].box, rightwards=True)
        self._remove(at)

    def _put_beside(self) -> None:
        """Place a source at the side of its only reader, if the reader has another source."""
        for at, (unit,) in list(self.chains.items()):
            is_lateral = unit.kind == "leaf" and unit.box.key in self.laterals
            is_source = unit.kind == "leaf" and unit.box.role == "source" and self.sources[at] == {NOTHING}
            if len(self.readers[at]) != 1 or not (is_lateral or is_source):
                continue
            target = next(iter(self.readers[at]))
            host = self.chains.get(target, [None])[0]
            if host is None or host.kind != "leaf" or (is_source and len(self.flow.out_of(unit.box.key)) != 1):
                continue
            others = self.sources[target] - {at}
            if others and len(host.beside) < MOST_BESIDE and not (host.box.rows and self._all_bare(others)):
                host.put_beside(unit.box)
                self._remove(at)

    def _all_bare(self, nodes: set[_Node]) -> bool:
        """Return whether all nodes are sources themselves, so that none leads to a box."""
        bare = [node in self.chains and self.sources[node] == {NOTHING} for node in nodes]
        return all(bare)

    def run(self) -> list[Unit]:
        """Reduce, and return the remaining units in reading order."""
        pending = [*self.chains]
        while pending:
            node = pending.pop()
            if node in self.chains:
                pending += self._step(node)
        units = [unit for chain in self.chains.values() for unit in chain]
        return sorted(units, key=lambda unit: self.place[id(unit)])

    def _step(self, node: _Node) -> list[_Node]:
        """Apply one rule at a node, and return the nodes at which another may apply."""
        if len(self.readers[node]) != 1:
            return []
        (target,) = self.readers[node]
        if target not in self.chains or target == node:
            return []
        if self.sources[target] == {node}:
            return self._merge(node, target)
        if len(self.sources[node]) != 1:
            return []
        (source,) = self.sources[node]
        if target in self.readers[source] and source in self.sources[target]:
            self._cut(source, target)
            return [source, target, node]
        single = [each for each in self.sources[target] if self.readers.get(each) == {target} and each in self.chains]
        branches = sorted((each for each in single if self.sources[each] == {source}), key=self._first)
        beside = ("", self.value)
        others = sorted((each for each in single if self.sources[each] == {beside}), key=self._first)
        if self.value and others and source != beside and self._are_tables([*branches, *others]):
            branches += others
        return self._parallel(source, target, branches) if len(branches) > 1 else []

    def _first(self, node: _Node) -> float:
        return self.place[id(self.chains[node][0])]

    def _merge(self, node: _Node, target: _Node) -> list[_Node]:
        self.chains[target] = [*self.chains[node], *self.chains[target]]
        self.sources[target] = self.sources[node]
        for source in self.sources[node]:
            self.readers[source] = self.readers[source] - {node} | {target}
        del self.chains[node], self.sources[node], self.readers[node]
        return [target]

    def _cut(self, source: _Node, target: _Node) -> None:
        self.readers[source].discard(target)
        self.sources[target].discard(source)

    def _remove(self, node: _Node) -> None:
        for source in [*self.sources[node]]:
            self.readers[source].discard(node)
        for target in self.readers[node]:
            self.sources[target].discard(node)
        del self.chains[node], self.sources[node], self.readers[node]

    def _parallel(self, source: _Node, target: _Node, branches: list[_Node]) -> list[_Node]:
        """Make branches one unit, or one of two a bypass beside their join; return what to look at next."""
        join = self.chains[target][0]
        inputs = {leaf.key for leaf in join.inputs()}
        ends = [leaf.key for branch in branches for leaf in self.chains[branch][-1].outputs()]
        if any(reader not in inputs for key in ends for reader in self.flow.out_of(key)):
            return []
        units = [self.chains[branch] for branch in branches]
        if any(leaf.key in self.skipping for chain in units for unit in chain for leaf in unit.leaves()):
            return []
        tables = self._are_tables(branches)
        rows = [sum(unit.box.rows for unit in chain) for chain in units]
        two = join.kind == "leaf" and join.box.role == "join" and len(self.sources[target]) == len(branches) == 2
        bypasses = two and not (tables and rows == [1, 1]) and source != NOTHING
        if bypasses and (bypass := self._bypass(join, branches)):
            self._remove(bypass[0])
            return [source, target]
        columns = [Unit("column", units=[narrowest(unit) for unit in chain]) for chain in units]
        made = Unit("branches", units=columns, value=self.value)
        made.rails = tables and source != NOTHING and all(len(chain) == 1 for chain in units)
        if not made.rails and (not self._holds(width_of(made, self.spacing)) or self._wastes(made)):
            return []
        self.place[id(made)] = self.place[id(join)] - 0.5
        self.chains[branches[0]] = [made]
        for branch in branches[1:]:
            self._remove(branch)
        return [branches[0], source]

    def _holds(self, width: float) -> bool:
        return self.room.holds(width + self.around)

    def _wastes(self, branches: Unit) -> bool:
        """Return whether branches take much more ground than if they stood below each other."""
        sizes = [(width_of(each, self.spacing), height_of(each, self.spacing)) for each in branches.units]
        widths, heights = [width for width, _ in sizes], [height for _, height in sizes]
        return sum(widths) * max(heights) > MOST_GROUND * max(widths) * sum(heights)

    def _are_tables(self, nodes: list[_Node]) -> bool:
        units = [unit for node in nodes for unit in self.chains[node]]
        return all(unit.kind == "leaf" and unit.box.rows and not unit.beside for unit in units)

    def _bypass(self, join: Unit, branches: list[_Node]) -> list[_Node]:
        """Put one of two branches beside their join, if it is a small table and fits; return it."""
        single = [each for each in branches if len(self.chains[each]) == 1 and self.chains[each][0].kind == "leaf"]
        small = [each for each in reversed(single) if 0 < self.chains[each][0].box.rows <= 2]
        small = [each for each in small if not self.chains[each][0].beside]
        for each in small:
            box = self.chains[each][0].box
            (other,) = [branch for branch in branches if branch != each]
            half = max(width_of(unit, self.spacing) for unit in self.chains[other]) / 2
            around = self.spacing.horizontal + join.box.width / 2 + BESIDE_BYPASS
            if self._holds(box.width + around + half) and not join.beside:
                join.put_beside(box)
                return [each]
        return []
