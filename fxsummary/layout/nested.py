"""Find a U: an encoder, or several, whose values skip to a decoder in reverse order, with a bottleneck between them.

In a feature pyramid, a box stands on each skip: a lateral.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from fxsummary.layout.boxes import Box, Edge, leaves, walk
from fxsummary.layout.units import Flow

LEAST_LEVELS = 2
MOST_ENCODERS = 2
MOST_ARCS = 200
"""Number of arcs in a group from which it is no U."""
MOST_ROWS = 2
"""Maximum number of rows of a lateral."""


@dataclass(slots=True)
class Bend:
    """The children of a group as a U.

    Attributes:
        encoders: children of each encoder in order, from its input to its innermost level.
        middle: children of the bottleneck; decoder: children from the innermost level to the output.
        others: children that no value on the U comes from or goes to.
        skips: edges from an encoder to the decoder, the outermost first.
        laterals: boxes that skips lead to, each with the join that alone reads it.
    """

    encoders: list[list[Box]]
    middle: list[Box]
    decoder: list[Box]
    others: list[Box] = field(default_factory=list)
    skips: list[Edge] = field(default_factory=list)
    laterals: dict[str, str] = field(default_factory=dict)


def bend_of(group: Box, flow: Flow) -> Bend | None:
    """Return the children of a group as a U, or None if they are none.

    Skips are edges into joins that do not come from the box just before, from a value that is read elsewhere too. They
    are nested: the farther the target, the earlier its sources. A pyramid has values of several sizes.
    """
    laterals = _laterals(group, flow)
    bend = _bend_with(laterals, group, flow)
    if laterals and (bend is None or (bend.laterals and len(bend.encoders) > 1)):
        return _bend_with({}, group, flow)
    return bend


def _bend_with(laterals: dict[str, str], group: Box, flow: Flow) -> Bend | None:
    children = group.children or []
    child = {leaf.key: at for at, each in enumerate(children) for leaf in leaves(each)}
    boxes = {leaf.key: leaf for each in children for leaf in leaves(each)}
    skips = [edge for edge in _nested(boxes, child, flow, laterals) if flow.into(edge.source)]
    targets = list(dict.fromkeys(edge.target for edge in skips))
    extents = {boxes[edge.source].extent for edge in skips}
    if len(targets) < LEAST_LEVELS or len(extents) < LEAST_LEVELS or "" in extents:
        return None
    passed = {key: laterals[key] for key in targets if key in laterals}
    return _Graph(children, child, flow, skips, passed).bend()


def _laterals(group: Box, flow: Flow) -> dict[str, str]:
    """Return the small boxes with one source that only a join next to them reads, and these joins.

    A join that reads the source another way too has branches, not a lateral.
    """
    found: dict[str, str] = {}
    for parent in (group, *(box for _, box in walk(group) if box.children is not None)):
        children = {box.key: box for box in parent.children or [] if box.children is None}
        for join in children:
            sources = flow.into(join) if children[join].role == "join" else []
            single = {key: flow.into(key)[0] for key in sources if len(flow.into(key)) == len(flow.out_of(key)) == 1}
            read = Counter([*single.values(), *sources])
            found |= {
                key: join for key, source in single.items()
                if read[source] == 1 < len(sources) and key in children and children[key].rows <= MOST_ROWS
            }  # fmt: skip
    return found


def _nested(boxes: dict[str, Box], child: dict[str, int], flow: Flow, laterals: dict[str, str]) -> list[Edge]:
    """Return the largest nested set of skips, the outermost first."""
    order = {key: at for at, key in enumerate(boxes)}
    joins = {key: laterals.get(key, key) for key, box in boxes.items() if key in laterals or box.role == "join"}
    arcs = [
        Edge(source, target)
        for target, join in joins.items() if len(flow.into(join)) > 1
        for source in flow.into(target)
        if source in order and child[source] != child[join] and order[join] - order[source] > 1
        and len(flow.out_of(source)) > 1
    ]  # fmt: skip
    best: list[Edge] = []
    arcs = arcs if len(arcs) <= MOST_ARCS else []
    for middle in sorted({order[edge.source] for edge in arcs}):
        over = [edge for edge in arcs if order[edge.source] <= middle < order[joins[edge.target]]]
        kept: list[Edge] = []
        limit = len(order)
        for join in sorted({joins[edge.target] for edge in over}, key=order.__getitem__):
            into = [edge for edge in over if joins[edge.target] == join]
            origins = [flow.into(source)[0] if source in laterals else source for source in flow.into(join)]
            if not any(order.get(source, -1) > middle for source in origins):
                continue  # it joins the ends of encoders
            if max(order[edge.source] for edge in into) <= limit:
                kept += into
                limit = min(order[edge.source] for edge in into)
        if len({joins[edge.target] for edge in kept}) >= LEAST_LEVELS and len(kept) >= len(best):
            best = kept
    return sorted(best, key=lambda edge: (-order[joins[edge.target]], order[edge.source]))


class _Graph:
    """The children of a group, without skips."""

    def __init__(
        self, children: Sequence[Box], child: dict[str, int], flow: Flow, skips: list[Edge], laterals: dict[str, str]
    ) -> None:
        self.children, self.child, self.skips, self.laterals = children, child, skips, laterals
        self.sources: dict[int, set[int]] = {at: set() for at in range(len(children))}
        self.readers: dict[int, set[int]] = {at: set() for at in range(len(children))}
        skipping = set(skips)
        for key, at in child.items():
            for target in flow.out_of(key):
                to = child.get(target, at)
                if to != at and Edge(key, target) not in skipping:
                    self.readers[at].add(to)
                    self.sources[to].add(at)

    def bend(self) -> Bend | None:
        """Return the U, if every child has its place in it."""
        targets = list(dict.fromkeys(self.child[self._join(edge)] for edge in self.skips))
        if any(outer not in self._after(inner) for outer, inner in pairwise(targets)):
            return None
        encoders, seen = self._encoders()
        decoder = sorted(self._after(targets[-1]).union(self.child[edge.target] for edge in self.skips))
        if seen & set(decoder) or len(encoders) > MOST_ENCODERS:
            return None
        outermost = decoder.index(targets[0]) if targets[0] in decoder else 0
        if self._rows(decoder[outermost + 1 :]) > self._rows(decoder[: outermost + 1]):
            return None  # most of what is called a decoder comes after the U
        below = set.union(*(self._after(encoder[-1]) for encoder in encoders))
        middle = [at for at in self.sources if at in below and at not in seen and at not in decoder]
        if middle and targets[-1] not in self._after(middle[-1]):
            return None
        others = [at for at in self.sources if at not in seen and at not in decoder and at not in middle]
        if any((self.readers[at] | self.sources[at]) - set(others) for at in others):
            return None
        self._settle(encoders, middle, decoder)
        self._keep_straight(encoders)
        if len({edge.target for edge in self.skips}) < LEAST_LEVELS:
            return None
        down = [[self.children[at] for at in encoder] for encoder in encoders]
        rest = [[self.children[at] for at in part] for part in (middle, decoder, others)]
        up = [leaf.key for box in (*rest[0], *rest[1]) for leaf in leaves(box)]
        if len(encoders) > 1 and any(edge.target == up[0] for edge in self.skips):
            return None  # the ends of the encoders have nothing to join below the skips
        return Bend(down, rest[0], rest[1], rest[2], self.skips, self.laterals)

    def _join(self, skip: Edge) -> str:
        return self.laterals.get(skip.target, skip.target)

    def _keep_straight(self, encoders: list[list[int]]) -> None:
        """Keep one skip of each value, and one of each encoder into each join."""
        home = {at: number for number, encoder in enumerate(encoders) for at in encoder}
        sources: set[str] = set()
        targets: set[tuple[str, int]] = set()
        kept = []
        for edge in self.skips:
            target = self._join(edge), home[self.child[edge.source]]
            if edge.source not in sources and target not in targets:
                kept.append(edge)
            sources.add(edge.source)
            targets.add(target)
        self.skips = kept

    def _rows(self, children: list[int]) -> int:
        return sum(1 + leaf.rows for at in children for leaf in leaves(self.children[at]))

    def _encoders(self) -> tuple[list[list[int]], set[int]]:
        """Return the chains that lead to the innermost sources."""
        encoders: list[list[int]] = []
        seen: set[int] = set()
        for at in reversed(list(dict.fromkeys(self.child[edge.source] for edge in self.skips))):
            if at not in seen:
                chain = self._chain(at)
                encoders.append([each for each in chain if each not in seen])
                seen |= set(chain)
        return sorted(encoders), seen

    def _chain(self, end: int) -> list[int]:
        """Return the children from an input to a child, each the last source of the next one."""
        chain = [end]
        while before := self.sources[chain[-1]]:
            chain.append(max(before))
        return chain[::-1]

    def _after(self, start: int) -> set[int]:
        """Return a child and all that depend on it."""
        pending, seen = [start], {start}
        while pending:
            found = self.readers[pending.pop()] - seen
            seen |= found
            pending += found
        return seen

    def _settle(self, encoders: list[list[int]], middle: list[int], decoder: list[int]) -> None:
        """Give the leaves before the heaviest child of the bottleneck to the encoder, those after it to the decoder."""
        for encoder in encoders:
            for at in [*middle] if len(encoders) > 1 else ():
                if self.sources[at] == {encoder[-1]} and self.children[at].children is None:
                    encoder.append(at)
                    middle.remove(at)
        if len(encoders) > 1 or not middle:
            return
        heaviest = max(middle, key=lambda at: sum(1 + leaf.rows for leaf in leaves(self.children[at])))
        before = [at for at in middle if at < heaviest and self.children[at].children is None]
        after = [at for at in middle if at > heaviest and self.children[at].children is None]
        encoders[0] += before
        decoder[:0] = after
        middle[:] = [at for at in middle if at not in before and at not in after]
