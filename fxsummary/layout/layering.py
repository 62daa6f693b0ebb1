"""Assign the layers of a level: break cycles, find longest paths, pull sources down, add lanes for long links."""

from __future__ import annotations

import heapq
from collections.abc import Container
from itertools import pairwise

from fxsummary.layout.level import Level, Segment

THROUGH = 1e6
"""Weight of a port, so large that a chain from port to port outweighs all others."""
TALL = 300.0
MOST_PARTED = 8


def assign_layers(level: Level) -> None:
    """Assign nodes to layers, and give every link a chain of segments between neighbouring layers."""
    nodes, links = level.nodes, level.links
    order, against = _topological(level)
    before, after = _neighbours(level, against)
    level.spine = _spine(level, order, after, against)
    level.layer = _ranks(level, order, before, after)
    # A link against the order may still go down, after free nodes were pulled down.
    level.upwards = {i for i in against if level.layer[links[i].head] <= level.layer[links[i].tail]}
    level.layers = [[] for _ in range(max(level.layer, default=0) + 1)]
    ends = {end for i in level.spine for end in (links[i].tail, links[i].head)}
    for node in sorted(range(len(nodes)), key=lambda n: nodes[n].end != 0 and n not in ends):
        level.layers[level.layer[node]].append(node)
    level.gaps = [[] for _ in range(len(level.layers) + 1)]
    _add_chains(level)


def _neighbours(level: Level, without: Container[int] = ()) -> tuple[list[list[int]], list[list[int]]]:
    """Return the predecessors and successors of each node, not over the links in ``without``."""
    before: list[list[int]] = [[] for _ in level.nodes]
    after: list[list[int]] = [[] for _ in level.nodes]
    for i, link in enumerate(level.links):
        if i not in without:
            before[link.head].append(link.tail)
            after[link.tail].append(link.head)
    return before, after


def _topological(level: Level) -> tuple[list[int], set[int]]:
    """Return the nodes in topological order (stable), and the links against it, which close cycles."""
    before, after = _neighbours(level)
    waiting = [len(items) for items in before]
    ready = [node for node, number in enumerate(waiting) if not number]
    rest = iter(range(len(waiting)))
    place: dict[int, int] = {}
    while len(place) < len(waiting):
        node = heapq.heappop(ready) if ready else next(n for n in rest if n not in place)
        if node in place:
            continue
        place[node] = len(place)
        for head in after[node]:
            waiting[head] -= 1
            if not waiting[head] and head not in place:
                heapq.heappush(ready, head)
    return list(place), {i for i, link in enumerate(level.links) if place[link.tail] > place[link.head]}


def _spine(level: Level, order: list[int], after: list[list[int]], against: Container[int]) -> set[int]:
    """Return the links of the heaviest chain, from port to port if there are ports; the middle one of equal chains."""
    nodes, links = level.nodes, level.links
    below = [0.0] * len(nodes)
    for node in reversed(order):
        port = THROUGH if nodes[node].end else 0.0
        below[node] = port + nodes[node].weight + max((below[head] for head in after[node]), default=0.0)
    chain = {}
    node = max(order, key=lambda n: (below[n], nodes[n].value), default=-1)
    while node >= 0 and after[node]:
        best = max(below[head] for head in after[node])
        ties = sorted({head for head in after[node] if below[head] == best})
        chain[node] = node = ties[(len(ties) - 1) // 2]
    on = [i for i, link in enumerate(links) if i not in against and chain.get(link.tail) == link.head]
    return set({links[i].tail: i for i in sorted(on, key=lambda i: links[i].value)}.values())


def _ranks(level: Level, order: list[int], before: list[list[int]], after: list[list[int]]) -> list[int]:
    """Return longest-path layers; pull down nodes that do not depend on the spine's first node or on a port."""
    nodes = level.nodes
    rank = [0] * len(nodes)
    tops = any(node.end < 0 for node in nodes)
    for node in order:
        rank[node] = max((rank[tail] + 1 for tail in before[node]), default=int(tops and nodes[node].end >= 0))
    first = {level.links[i].tail for i in level.spine} - {level.links[i].head for i in level.spine}
    free = [False] * len(nodes)
    for node in order:
        free[node] = nodes[node].end == 0 and node not in first and all(free[tail] for tail in before[node])
    movable = [node for node in reversed(order) if free[node] and after[node]]
    _pull_down(rank, movable, after)
    for _ in range(MOST_PARTED):  # sources beside a tall box move to extra layers below it, next to their readers
        tall = {rank[n] for n, node in enumerate(nodes) if node.height > TALL and not free[n]}
        beside = [n for n in movable if rank[n] in tall and nodes[n].height <= TALL]
        if not beside:
            break
        layer = max(rank[n] for n in beside)
        rank = [at + (at > layer or (at == layer and n in beside)) for n, at in enumerate(rank)]
        _pull_down(rank, movable, after)
    last = max((r for n, r in enumerate(rank) if nodes[n].end <= 0), default=-1) + 1
    return [last if nodes[n].end > 0 else r for n, r in enumerate(rank)]


def _pull_down(rank: list[int], nodes: list[int], after: list[list[int]]) -> None:
    for node in nodes:
        rank[node] = min(rank[head] for head in after[node]) - 1


def _add_chains(level: Level) -> None:
    """Create lanes and segments for all links; links of one node and value share a trunk."""
    level.chains = [[] for _ in level.links]
    trunks: dict[tuple[int, int], int] = {}
    steps: dict[tuple[int, int], Segment] = {}  # by trunk and lower node
    lanes: dict[tuple[int, int], int] = {}
    forward = [i for i in range(len(level.links)) if i not in level.upwards]
    for i in sorted(forward, key=lambda i: level.layer[level.links[i].head]):
        link = level.links[i]
        trunk = trunks.setdefault((link.tail, link.value), len(trunks))
        upper = link.tail
        for layer in range(level.layer[link.tail] + 1, level.layer[link.head] + 1):
            if layer < level.layer[link.head] and (trunk, layer) not in lanes:
                lanes[trunk, layer] = level.add_lane(layer)
            lower = lanes[trunk, layer] if layer < level.layer[link.head] else link.head
            if (trunk, lower) not in steps:
                steps[trunk, lower] = Segment(upper, lower, link.value, trunk, layer)
                level.gaps[layer].append(steps[trunk, lower])
            segment = steps[trunk, lower]
            both = level.nodes[upper].lane and level.nodes[lower].lane
            segment.priority = max(segment.priority, 3 if i in level.spine else 2 if both else 1)
            level.chains[i].append(segment)
            upper = lower
    for trunk, i in enumerate(sorted(level.upwards), len(trunks)):
        _add_upward(level, i, trunk)


def _add_upward(level: Level, i: int, trunk: int) -> None:
    """Create an upward link: out of the tail's bottom, up a lane next to it, into the head's top.

    The first and the last segment of its chain are not in a gap; those between lead downwards, like all segments.
    """
    link = level.links[i]
    top, bottom = level.layer[link.head], level.layer[link.tail]
    lanes = [level.add_lane(layer) for layer in range(top, bottom + 1)]
    out = Segment(link.tail, lanes[-1], link.value, trunk, bottom + 1)
    into = Segment(lanes[0], link.head, link.value, trunk, top)
    steps = [Segment(*ends, link.value, trunk, gap, 2) for gap, ends in enumerate(pairwise(lanes), top + 1)]
    for segment in steps:
        level.gaps[segment.gap].append(segment)
    level.chains[i] = [out, *reversed(steps), into]
