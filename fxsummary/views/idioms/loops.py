"""Unrolled loops: merge many consecutive copies of a few operations, such as the steps of a scan, into one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby

from fxsummary.graph.labels import JOINS, RESHAPES, base
from fxsummary.views.merger import Merger

LONGEST_PERIOD = 24
FEWEST_COPIES, FEWEST_OPERATIONS = 6, 32


def merge_loops(merger: Merger) -> None:
    """Merge runs of copies of up to `LONGEST_PERIOD` functions within one module."""
    nodes = list(merger.graph.nodes(data=True))
    for _, block in groupby(nodes, key=lambda node: node[1]["module_stack"]):
        keys, labels = [], list[Hashable]()
        for place, (key, data) in enumerate(block):
            plain = data["op"] in ("call_function", "call_method") and not data["reads"]
            keys.append(key)
            labels.append((data["label"], data["shape"], data["flops"]) if plain else place)
        if len(keys) >= FEWEST_OPERATIONS:
            for start, period, copies in runs_in(labels):
                _merge_run(merger, keys[start : start + period * copies], copies)


def runs_in(labels: Sequence[Hashable]) -> list[tuple[int, int, int]]:
    """Return start, period and number of copies of the longest runs that do not overlap.

    >>> runs_in([0, *"ab" * 20, 1, *"c" * 40])
    [(1, 2, 20), (42, 1, 40)]
    """
    found: list[tuple[int, int, int]] = []
    for period in range(1, LONGEST_PERIOD + 1):
        same = [a == b for a, b in zip(labels, labels[period:], strict=False)]
        start = 0
        for equal, group in groupby(same):
            length = len(list(group))
            copies = (length + period) // period
            if equal and copies >= FEWEST_COPIES and copies * period >= FEWEST_OPERATIONS:
                found.append((start, period, copies))
            start += length
    chosen: list[tuple[int, int, int]] = []
    for start, period, copies in sorted(found, key=lambda run: (-run[1] * run[2], run[1])):
        if all(start >= s + p * c or s >= start + period * copies for s, p, c in chosen):
            chosen.append((start, period, copies))
    return sorted(chosen)


def _merge_run(merger: Merger, keys: list[str], copies: int) -> None:
    graph, members = merger.graph, set(keys)
    for reader in {r for key in keys for r in graph.readers(key) if r not in members}:
        data, sources = merger.node(reader), graph.sources(reader)
        collects = base(data["label"]) in JOINS and not data["reads"]
        if collects and len(sources) >= copies - 1 and sources.keys() <= members:
            members.add(reader)
    names = [merger.node(key)["label"] for key in keys[: len(keys) // copies]]
    names = [name for name in dict.fromkeys(names) if base(name) not in RESHAPES | {"index"}]
    config = f"{copies} × ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
    kind = "linear" if any(merger.node(key)["kind"] == "linear" for key in keys) else "arithmetic"
    merger.merge(members, "operations of loops", label="loop", config=config, kind=kind, op="call_function")
