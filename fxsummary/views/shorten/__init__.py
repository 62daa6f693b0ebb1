"""Simplify and fold a graph with long series of equal blocks or steps by a few of them, which takes less time.

The first copies and the last ones stay. What happens to them would happen to the whole series: all copies are the same
except for integers that count up, they read the same values or those of the copy before, and they are read in the same
way. If that is not certain, `by_few` returns None.
"""

from __future__ import annotations

from collections.abc import Sequence

from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.views.fold import fold_with_members
from fxsummary.views.fold.copies import largest
from fxsummary.views.shorten.copies import Copies
from fxsummary.views.shorten.exits import Exits
from fxsummary.views.shorten.lengthen import lengthened
from fxsummary.views.shorten.series import FIRST, Series, blocks, loops
from fxsummary.views.simplify import simplify


def without_steps(graph: ModelGraph) -> tuple[ModelGraph, Sequence[Copies]]:
    """Return the graph with a few steps of each long loop, and the loops; the graph itself is not changed.

    A graph with a long series of blocks keeps its steps, because `by_few` leaves out most of them.
    """
    if not _has_series(graph) or blocks(graph):
        return graph, []
    found = _equal(graph, loops(graph))
    return _shortened(graph, found) if found else graph, found


def by_few(graph: ModelGraph, steps: Sequence[Copies], *, similar: bool) -> ModelGraph | None:
    """Return the graph simplified and folded, if a few copies of its series show what becomes of it; else None.

    Args:
        graph: the graph without the inner ``steps`` of its loops, which is changed if there are any.
        similar: whether to fold similar copies, too.
    """
    if not _has_series(graph):
        return None
    found = _equal(graph, blocks(graph))
    if not found and not steps:
        return None
    simple = simplify(_shortened(graph, found) if found else graph, own=True)
    for _, data in simple.nodes(data=True):
        data["multiplicity"] = 1
    folded, members = fold_with_members(simple, similar=similar)
    return lengthened(folded, members, steps, found)


def _has_series(graph: ModelGraph) -> bool:
    return graph.comparison is None and "repeats" not in graph.graph


def _equal(graph: ModelGraph, series: Sequence[Series]) -> list[Copies]:
    """Return those series whose copies are equal; no operation reads all copies of two of them."""
    if not series:
        return []
    keys, nodes = list(graph), [data for _, data in graph.nodes(data=True)]
    place = {key: number for number, key in enumerate(keys)}
    found: list[Copies] = []
    readers = set[str]()
    for each in series:
        copies = Copies(graph, each, keys, nodes, place)
        if readers.isdisjoint(copies.exits) and copies.are_equal():
            found.append(copies)
            readers |= {*copies.exits}
    return found


def _shortened(graph: ModelGraph, found: Sequence[Copies]) -> ModelGraph:
    """Return the graph without the inner copies; the multiplicity of the last one before them counts them, too."""
    left_out = {key for each in found for number in each.series.inner for key in each.keys(number)}
    nodes = {key: graph.data(key).copy() for key in graph if key not in left_out}
    next_ones: dict[str, str] = {}
    exits: dict[str, Exits] = {}
    for each in found:
        for key, others in zip(each.keys(FIRST - 1), zip(*map(each.keys, each.series.inner), strict=True), strict=True):
            nodes[key]["multiplicity"] *= 1 + len(each.series.inner)
            nodes[key] |= largest([graph.data(other) for other in (key, *others)])
        end = each.series.inner.stop
        next_ones |= zip(each.keys(FIRST), each.keys(end), strict=True)
        for copy, number in enumerate(range(end, each.series.copies), start=FIRST):
            for at in each.counted:
                nodes[each.keys(number)[at]].update(each.settings(at, copy))
        exits |= each.exits
    edges = (
        (source, target, exits[target].shortened(edge) if target in exits else edge.copy())
        for source in nodes
        for reader, edge in graph.readers(source).items()
        if (target := next_ones.get(reader, reader)) in nodes
    )
    return graph.derived(nodes.items(), edges)
