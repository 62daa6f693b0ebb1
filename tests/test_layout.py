"""Laws of the layout over random nested graphs: nothing overlaps, every wire ends where it should."""

from __future__ import annotations

import sys
from itertools import combinations, pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsummary.layout import Box, Edge, Layout, Memo, Padding, Planner, Point, Rect, Shape, walk

EPS = 0.05


@st.composite
def nested_graphs(draw: st.DrawFn) -> tuple[Box, list[Edge]]:
    """A random tree of boxes and random edges from earlier to later leaves.

    Leaves are numbered in random order over the tree, so the groups may form cycles.
    """
    leaves = draw(st.integers(2, 24))
    root = Box("root", children=[], padding=Padding(4, 4, 4, 4))
    groups = [root]
    for number in range(draw(st.integers(0, 6))):
        parent = groups[draw(st.integers(0, len(groups) - 1))]
        padding = Padding(26, 14, 8, 14)
        overhang = draw(st.sampled_from([0.0, 8.0]))
        width = draw(st.sampled_from([0.0, 400.0]))
        group = Box(f"g{number}", width=width, children=[], padding=padding, overhang=overhang)
        assert parent.children is not None
        parent.children.append(group)
        groups.append(group)
    for number in range(leaves):
        side = draw(st.booleans())
        width = draw(st.sampled_from([24.0, 60.0, 333.3]))
        leaf = Box(f"n{number}", width, draw(st.sampled_from([22.0, 110.0])), weight=draw(st.integers(1, 5)))
        leaf.side_entry, leaf.pin_gap = side, 0.0 if side else 26.0
        children = groups[draw(st.integers(0, len(groups) - 1))].children
        assert children is not None
        children.append(leaf)
    pairs = draw(st.lists(st.tuples(st.integers(0, leaves - 1), st.integers(0, leaves - 1)), max_size=3 * leaves))
    edges = {Edge(f"n{min(a, b)}", f"n{max(a, b)}") for a, b in pairs if a != b}
    return root, sorted(edges)


def parents_of(root: Box) -> dict[str, str]:
    return {child.key: parent.key for parent, child in walk(root)}


def ancestors(key: str, parents: dict[str, str]) -> set[str]:
    found = set()
    while key in parents:
        key = parents[key]
        found.add(key)
    return found


def overlap(a: Rect, b: Rect) -> bool:
    return a.x < b.right - EPS and b.x < a.right - EPS and a.y < b.bottom - EPS and b.y < a.bottom - EPS


def inside(inner: Rect, outer: Rect) -> bool:
    return (
        inner.x >= outer.x - EPS
        and inner.y >= outer.y - EPS
        and inner.right <= outer.right + EPS
        and inner.bottom <= outer.bottom + EPS
    )


def runs_through(a: Point, b: Point, box: Rect) -> bool:
    low, high = Point(min(a.x, b.x), min(a.y, b.y)), Point(max(a.x, b.x), max(a.y, b.y))
    return low.x < box.right - EPS and high.x > box.x + EPS and low.y < box.bottom - EPS and high.y > box.y + EPS


def on_border(point: Point, box: Rect) -> bool:
    across = box.x - EPS <= point.x <= box.right + EPS
    along = box.y - EPS <= point.y <= box.bottom + EPS
    at_side = min(abs(point.x - box.x), abs(point.x - box.right)) < EPS
    at_end = min(abs(point.y - box.y), abs(point.y - box.bottom)) < EPS
    return across and along and (at_side or at_end)


def layout(root: Box, edges: list[Edge], *, shape: Shape | None = None, inner: float | None = None) -> Layout:
    return Planner(root, edges).layout(shape, inner)


def route_of(placed: Layout, edge: Edge) -> list[Point]:
    """All corners of an edge, from the border of its source to that of its target."""
    points: list[Point] = []
    for index in placed.paths[edge]:
        points += [p for p in placed.wires[index].points if not points or p != points[-1]]
    return points


def check_boxes(root: Box, placed: Layout) -> None:
    whole = Rect(0, 0, placed.width, placed.height)
    siblings: dict[str, list[str]] = {}
    for parent, child in walk(root):
        outer = whole if parent is root else placed.boxes[parent.key]
        assert inside(placed.boxes[child.key], outer), (child.key, parent.key)
        siblings.setdefault(parent.key, []).append(child.key)
    for keys in siblings.values():
        for a, b in combinations(keys, 2):
            assert not overlap(placed.boxes[a], placed.boxes[b]), (a, b)


def check_edges(root: Box, edges: list[Edge], placed: Layout) -> None:
    parents = parents_of(root)
    for edge in edges:
        route = route_of(placed, edge)
        assert on_border(route[0], placed.boxes[edge.source]), edge
        assert on_border(route[-1], placed.boxes[edge.target]), edge
        around = ancestors(edge.source, parents) | ancestors(edge.target, parents)
        for a, b in pairwise(route):
            assert abs(a.x - b.x) < EPS or abs(a.y - b.y) < EPS, (edge, a, b)
            assert inside(Rect(a.x, a.y, 0, 0), Rect(0, 0, placed.width, placed.height)), edge
            for key, box in placed.boxes.items():
                assert key in around or not runs_through(a, b, box), (edge, key)


@settings(max_examples=250, deadline=None)
@given(nested_graphs())
@pytest.mark.slow
def test_laws(graph: tuple[Box, list[Edge]]) -> None:
    root, edges = graph
    placed = layout(root, edges)
    check_boxes(root, placed)
    check_edges(root, edges, placed)
    assert layout(root, edges) == placed


@settings(max_examples=120, deadline=None)
@given(nested_graphs(), st.sampled_from([None, 60.0, 200.0]))
def test_laws_hold_in_columns(graph: tuple[Box, list[Edge]], inner: float | None) -> None:
    root, edges = graph
    chain = [Box(f"c{i}", 60, 40) for i in range(12)]
    whole = Box("whole", children=[*chain[:6], root, *chain[6:]])
    edges = [*edges, *(Edge(a.key, b.key) for part in (chain[:6], chain[6:]) for a, b in pairwise(part))]
    placed = layout(whole, edges, shape=Shape(tallest=100.0), inner=inner)
    check_boxes(whole, placed)
    check_edges(whole, edges, placed)


def test_a_link_against_the_order_that_goes_down_after_all() -> None:
    """g1 and n8 form a cycle; g0, given first, is not in it and ends up below g1."""
    padding = Padding(26, 14, 8, 14)
    leaves = {name: Box(name, 24, 22) for name in ("n0", "n7", "n8", "n9", "n11")}
    groups = [
        Box("g0", children=[leaves["n11"]], padding=padding),
        Box("g1", children=[leaves["n7"], leaves["n9"]], padding=padding),
    ]
    root = Box("root", children=[*groups, leaves["n0"], leaves["n8"]])
    edges = [Edge("n0", "n11"), Edge("n7", "n11"), Edge("n7", "n8"), Edge("n8", "n9")]
    placed = layout(root, edges)
    check_boxes(root, placed)
    check_edges(root, edges, placed)


def test_columns_are_cut() -> None:
    chain = [Box(f"c{i}", 100, 40) for i in range(60)]
    edges = [Edge(a.key, b.key) for a, b in pairwise(chain)]
    root = Box("root", children=chain)
    placed = layout(root, edges)
    check_boxes(root, placed)
    check_edges(root, edges, placed)
    assert 0.8 < placed.width / placed.height < 2.5


def test_the_heaviest_chain_is_straight() -> None:
    keys = ["in", "a", "b", "c", "+", "out"]
    root = Box("root", children=[Box(key, 60 + 20 * i, 30) for i, key in enumerate(keys)])
    edges = [Edge(a, b) for a, b in pairwise(keys)] + [Edge("in", "+")]
    placed = layout(root, edges)
    assert all(len(route_of(placed, Edge(a, b))) == 2 for a, b in pairwise(keys))


def test_a_skip_enters_from_the_side() -> None:
    boxes = [Box("in", 60, 30), Box("a", 200, 30), Box("b", 200, 30), Box("+", 24, 24, side_entry=True, pin_gap=0)]
    edges = [Edge("in", "a"), Edge("a", "b"), Edge("b", "+"), Edge("in", "+")]
    placed = layout(Box("root", children=boxes), edges)
    end = route_of(placed, Edge("in", "+"))[-1]
    plus = placed.boxes["+"]
    assert end.y == pytest.approx(plus.y + 12)
    assert min(abs(end.x - plus.x), abs(end.x - plus.right)) < EPS
    assert len(route_of(placed, Edge("in", "+"))) == 5


@pytest.mark.parametrize("depth", [1, 400])
def test_long_chains_and_deep_nesting(depth: int) -> None:
    root = group = Box("root", children=[])
    for level in range(depth):
        inner = Box(f"g{level}", children=[], padding=Padding(2, 2, 2, 2))
        assert group.children is not None
        group.children.append(inner)
        group = inner
    group.children = [Box(f"n{i}", 50, 20) for i in range(3000)]
    edges = [Edge(f"n{i}", f"n{i + 1}") for i in range(2999)] + [Edge(f"n{i}", f"n{i + 3}") for i in range(0, 2990, 3)]
    placed = layout(root, edges)
    assert len(placed.boxes) == 3000 + depth


def test_wrong_edges_are_refused() -> None:
    root = Box("root", children=[Box("a", 10, 10), Box("g", children=[Box("b", 10, 10)])])
    for edge in (Edge("a", "a"), Edge("a", "g"), Edge("a", "nothing")):
        with pytest.raises(ValueError, match="joins"):
            layout(root, [edge])
    with pytest.raises(ValueError, match="duplicate box key"):
        layout(Box("root", children=[Box("a"), Box("a")]), [])


@st.composite
def chains_with_skips(draw: st.DrawFn) -> tuple[Box, list[Edge]]:
    """A tall chain with long edges over it, in a group that values enter and leave in the middle."""
    length = draw(st.integers(6, 18))
    skips = draw(st.lists(st.tuples(st.integers(0, length - 1), st.integers(0, length - 1)), max_size=10))
    chain = [Box(f"c{i}", draw(st.sampled_from([40.0, 180.0])), 40, side_entry=i % 3 == 0) for i in range(length)]
    group = Box("g", children=chain, padding=Padding(26, 14, 8, 14))
    ends = [Box(name, 60, 26) for name in ("in", "late", "out")]
    edges = {Edge(a.key, b.key) for a, b in pairwise(chain)}
    edges |= {Edge(f"c{min(a, b)}", f"c{max(a, b)}") for a, b in skips if a != b}
    edges |= {Edge("in", "c0"), Edge(f"c{length - 1}", "out")}
    edges |= {Edge("late", f"c{draw(st.integers(0, length - 1))}"), Edge(f"c{draw(st.integers(0, length - 1))}", "out")}
    return Box("root", children=[*ends[:2], group, ends[2]]), sorted(edges)


@settings(max_examples=150, deadline=None)
@given(chains_with_skips(), st.sampled_from([120.0, 300.0]))
def test_laws_hold_where_many_wires_go_to_the_next_column(graph: tuple[Box, list[Edge]], inner: float) -> None:
    root, edges = graph
    placed = layout(root, edges, shape=Shape(tallest=100.0), inner=inner)
    check_boxes(root, placed)
    check_edges(root, edges, placed)


@settings(max_examples=100, deadline=None)
@given(nested_graphs())
def test_a_planner_with_a_memo_gives_the_same(graph: tuple[Box, list[Edge]]) -> None:
    root, edges = graph
    memo = Memo()
    for inner in (None, 100.0, None):
        planner = Planner(root, edges, memo=memo)
        size = planner.size(Shape(tallest=100.0), inner)
        placed = planner.layout(Shape(tallest=100.0), inner)
        assert size == (placed.width, placed.height)
        assert placed == layout(root, edges, shape=Shape(tallest=100.0), inner=inner)


def test_modules_are_cut_into_columns() -> None:
    chain = [Box(f"c{i}", 100, 40) for i in range(30)]
    edges = [Edge("in", "c0"), *(Edge(a.key, b.key) for a, b in pairwise(chain)), Edge("c9", "out"), Edge("c29", "out")]
    group = Box("g", children=chain, padding=Padding(26, 14, 8, 14))
    root = Box("root", children=[Box("in", 60, 26), group, Box("out", 60, 26)])
    plain, cut = layout(root, edges), layout(root, edges, inner=800.0)
    check_boxes(root, cut)
    check_edges(root, edges, cut)
    assert cut.height < 0.6 * plain.height


def test_boxes_that_values_leave_on_the_other_side_make_no_staircase() -> None:
    groups = []
    for i in range(8):
        inner = [Box(f"a{i}", 200, 40), Box(f"b{i}", 200, 900), Box(f"c{i}", 200, 900)]
        groups.append(Box(f"g{i}", children=inner, padding=Padding(26, 14, 8, 14)))
    edges = [Edge(f"{a}{i}", f"{b}{i}") for i in range(8) for a, b in ("ab", "bc")]
    edges += [Edge(f"c{i}", f"a{i + 1}") for i in range(7)]
    placed = layout(Box("root", children=groups), edges, shape=Shape(tallest=float("inf")), inner=1000.0)
    assert placed.width < 2.5 * max(placed.boxes[group.key].width for group in groups)


def test_work_grows_linearly() -> None:
    def calls(blocks: int) -> int:
        groups = [
            Box(f"g{i}", children=[Box(f"n{i}.{j}", 50 + i % 7 + j, 20) for j in range(10)]) for i in range(blocks)
        ]
        edges = [Edge(f"n{i}.{j}", f"n{i}.{j + 1}") for i in range(blocks) for j in range(9)]
        edges += [Edge(f"n{i}.0", f"n{i}.9") for i in range(blocks)]
        edges += [Edge(f"n{i}.9", f"n{i + 1}.0") for i in range(blocks - 1)]
        count = 0

        def counted(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            layout(Box("root", children=groups), edges)
        finally:
            sys.setprofile(None)
        return count

    assert calls(400) < 20 * calls(40)
