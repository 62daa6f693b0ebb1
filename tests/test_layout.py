"""Laws of the layout over random nested graphs: nothing overlaps, no wires cross, every wire ends where it should."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsummary.layout import (
    Box,
    Edge,
    Header,
    Layout,
    Limits,
    Padding,
    Point,
    Rect,
    place,
    plan,
    turned,
    turned_back,
    walk,
)  # fmt: skip
from fxsummary.layout.body import Body
from fxsummary.layout.sides import are_uneven

EPS = 0.05
FRAME = Padding(26, 14, 8, 14)


@st.composite
def nested_graphs(draw: st.DrawFn) -> tuple[Box, list[Edge]]:
    """A random tree of boxes and random edges from earlier to later leaves.

    Leaves are numbered in random order over the tree, so the groups may form cycles.
    """
    leaves = draw(st.integers(2, 24))
    root = Box("root", children=[], padding=Padding(4, 4, 4, 4))
    groups = [root]
    for number in range(draw(st.integers(0, min(6, leaves - 1)))):
        overhang, header = draw(st.sampled_from([0.0, 8.0])), draw(st.sampled_from([Header(), Header(150, 90)]))
        groups.append(Box(f"g{number}", children=[], padding=FRAME, header=header, overhang=overhang))
        groups[draw(st.integers(0, len(groups) - 2))].children.append(groups[-1])  # type: ignore[union-attr]
    for number in range(leaves):
        leaf = Box(f"n{number}", draw(st.sampled_from([24.0, 60.0, 333.3])), draw(st.sampled_from([22.0, 110.0])))
        leaf.role = draw(st.sampled_from(["", "", "join", "source"]))
        leaf.rows = 0 if leaf.role else draw(st.sampled_from([0, 1, int(leaf.height / 22)]))
        leaf.entry = 11.0 if leaf.rows else None
        leaf.extent = str(draw(st.integers(0, 2)))
        home = groups[number] if number < len(groups) else groups[draw(st.integers(0, len(groups) - 1))]
        home.children.append(leaf)  # type: ignore[union-attr]
    pairs = draw(st.lists(st.tuples(st.integers(0, leaves - 1), st.integers(0, leaves - 1)), max_size=3 * leaves))
    edges = {Edge(f"n{min(a, b)}", f"n{max(a, b)}") for a, b in pairs if a != b}
    return root, sorted(edges)


def layout(
    root: Box, edges: list[Edge], limits: Limits | None = None, room: float = 600.0
) -> tuple[Layout, list[Edge]]:
    """Return the layout, and the edges in it: those that a plan names are left out."""
    while named := set(plan(root, edges, room=room).named):
        edges = [edge for edge in edges if edge not in named]
    return place(plan(root, edges, room=room), limits or Limits()), edges


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


def touches(point: Point, a: Point, b: Point) -> bool:
    """Whether a point lies on a segment."""
    across = min(a.x, b.x) - EPS <= point.x <= max(a.x, b.x) + EPS
    return across and min(a.y, b.y) - EPS <= point.y <= max(a.y, b.y) + EPS


def segments_of(placed: Layout, edge: Edge) -> list[tuple[Point, Point]]:
    """All segments of an edge."""
    wires = [wire for wire in placed.wires if wire.value == edge.source and edge.target in wire.targets]
    return [pair for wire in wires for pair in pairwise(wire.points)]


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


def check_edges(root: Box, edges: list[Edge], placed: Layout, *, merges: bool = True) -> None:
    """Every edge leads from its source to its target, through no box and no header."""
    parents = parents_of(root)
    headers = {box.key: box for _, box in walk(root) if box.children is not None}
    for edge in edges:
        segments = segments_of(placed, edge)
        source, target = placed.boxes[edge.source], placed.boxes[edge.target]
        trunk = [pair for wire in placed.wires if wire.value == edge.source for pair in pairwise(wire.points)]
        assert any(on_border(a, source) for a, _ in trunk), edge
        assert any(on_border(b, target) for _, b in segments), edge
        starts = [wire.points[0] for wire in placed.wires if wire.value == edge.source and edge.target in wire.targets]
        for start in starts:
            assert on_border(start, source) or any(touches(start, *pair) for pair in trunk if pair[0] != start), edge
        around = ancestors(edge.source, parents) | ancestors(edge.target, parents)
        for a, b in segments:
            assert abs(a.x - b.x) < EPS or abs(a.y - b.y) < EPS, (edge, a, b)
            assert inside(Rect(a.x, a.y, 0, 0), Rect(0, 0, placed.width, placed.height)), edge
            for key, box in placed.boxes.items():
                assert key in around or not runs_through(a, b, box), (edge, key)
                if key in headers and merges:
                    assert not any(runs_through(a, b, each) for each in texts_in(headers[key], box)), (edge, key)


def texts_in(group: Box, rect: Rect) -> Iterator[Rect]:
    """The parts of the header of a group that have texts."""
    if sum(group.header):
        yield Rect(rect.x, rect.y + 4, group.header.left - 1, group.padding.top - 8)
        yield Rect(rect.right - group.header.right + 1, rect.y + 4, group.header.right - 1, group.padding.top - 8)


def crossings(placed: Layout) -> list[tuple[str, str, float, float]]:
    """Where wires of different values cross."""
    found = []
    pieces = [(wire.value, *pair) for wire in placed.wires for pair in pairwise(wire.points)]
    upright = [piece for piece in pieces if abs(piece[1].x - piece[2].x) < EPS]
    level = [piece for piece in pieces if abs(piece[1].y - piece[2].y) < EPS]
    for value, a, b in upright:
        for other, c, d in level:
            across = min(c.x, d.x) + EPS < a.x < max(c.x, d.x) - EPS
            if value != other and across and min(a.y, b.y) + EPS < c.y < max(a.y, b.y) - EPS:
                found.append((value, other, a.x, c.y))
    return found


@settings(max_examples=250, deadline=None)
@given(nested_graphs(), st.sampled_from([0.0, 600.0, 5000.0]))
@pytest.mark.slow
def test_laws(graph: tuple[Box, list[Edge]], room: float) -> None:
    root, edges = graph
    placed, kept = layout(root, edges, room=room)
    check_boxes(root, placed)
    check_edges(root, kept, placed)
    assert not crossings(placed)
    assert layout(root, edges, room=room) == (placed, kept)


@settings(max_examples=120, deadline=None)
@given(nested_graphs(), st.sampled_from([60.0, 200.0]))
def test_laws_hold_in_parts(graph: tuple[Box, list[Edge]], height: float) -> None:
    root, edges = graph
    chain = [Box(f"c{i}", 60, 40) for i in range(12)]
    whole = Box("whole", children=[*chain[:6], root, *chain[6:]])
    edges = [*edges, *(Edge(a.key, b.key) for part in (chain[:6], chain[6:]) for a, b in pairwise(part))]
    placed, kept = layout(whole, edges, Limits(3000.0, height, 4))
    check_boxes(whole, placed)
    check_edges(whole, kept, placed)
    assert not crossings(placed)


@settings(max_examples=100, deadline=None)
@given(nested_graphs())
def test_laws_hold_from_left_to_right(graph: tuple[Box, list[Edge]]) -> None:
    root, edges = graph
    placed, kept = layout(turned(root), edges)
    placed = turned_back(placed)
    check_boxes(root, placed)
    check_edges(root, kept, placed, merges=False)
    assert not crossings(placed)


@pytest.mark.parametrize("encoders", [1, 2])
def test_a_u_is_drawn_as_a_u(encoders: int) -> None:
    root, edges = u_net(levels=3, encoders=encoders)
    planned = plan(root, edges)
    placed = place(planned)
    assert planned.shaped and not planned.named
    check_boxes(root, placed)
    check_edges(root, edges, placed)
    assert not crossings(placed)
    for encoder in range(encoders):
        for level in range(3):
            (a, b), *others = segments_of(placed, Edge(f"e{encoder}.{level}", f"d{level}"))
            assert not others and a.y == pytest.approx(b.y)
    assert placed.boxes["d0"].y < placed.boxes["d2"].y and "d0" in placed.upwards


@pytest.mark.parametrize("leaving", [(), ("e0.1",), ("d1", "middle")])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_u_inside_a_group_is_drawn_as_a_u(grouped: bool, leaving: tuple[str, ...]) -> None:
    u, edges = u_net(levels=3, encoders=1)
    x, *boxes, out = u.children or []
    if grouped:  # the bottleneck is much higher than the decoder, and a part of the encoder
        boxes[3] = replace(boxes[3], height=1000)
        boxes[:4] = [Box("encoder", children=boxes[:4], padding=FRAME)]
    root = Box("root", children=[x, Box("frame", children=boxes, padding=FRAME), out])
    more = [Edge(key, "out") for key in leaving]
    planned = plan(root, [*edges, *more])
    assert planned.shaped and {*planned.named} == {*more}
    placed = place(plan(root, edges))
    check_boxes(root, placed)
    check_edges(root, edges, placed)
    assert not crossings(placed) and "d0" in placed.upwards
    for level in range(3):
        (a, b), *others = segments_of(placed, Edge(f"e0.{level}", f"d{level}"))
        assert not others and a.y == pytest.approx(b.y)


def pyramid(levels: int) -> tuple[Box, list[Edge]]:
    """A backbone, and from its coarsest level up: a lateral on each skip, a sum, and a result of each level."""
    order = [*range(levels)]
    body = Box("body", children=[Box(f"c{n}", 200, 44, rows=2, extent=str(n)) for n in order], padding=FRAME)
    inner: list[Box] = []
    edges = [Edge(a, b) for a, b in pairwise(["x", *(f"c{n}" for n in order)])]
    for n in reversed(order):
        last = n == levels - 1
        inner.append(Box(f"lateral{n}", 120, 22, rows=1))
        edges.append(Edge(f"c{n}", f"lateral{n}"))
        if not last:
            inner += [Box(f"up{n}", 80, 22, rows=1), Box(f"+{n}", 23, 23, anchor=11.5, role="join")]
            above = f"lateral{n + 1}" if n == levels - 2 else f"+{n + 1}"
            edges += [Edge(above, f"up{n}"), Edge(f"up{n}", f"+{n}"), Edge(f"lateral{n}", f"+{n}")]
        inner.append(Box(f"result{n}", 120, 22, rows=1))
        edges += [Edge(f"lateral{n}" if last else f"+{n}", f"result{n}"), Edge(f"result{n}", "out")]
    neck = Box("neck", children=inner, padding=FRAME, header=Header(60, 60))
    return Box("root", children=[Box("x", 60, 26), body, neck, Box("out", 60, 26)]), edges


def test_a_feature_pyramid_has_laterals_on_its_skips_and_names_the_results_of_its_levels() -> None:
    root, edges = pyramid(levels=4)
    planned = plan(root, edges)
    assert planned.shaped and {*planned.named} == {Edge(f"result{n}", "out") for n in (1, 2, 3)}
    for box in root.children[2].children or [] if root.children else []:
        box.role = "aside" if box.key in ("result1", "result2", "result3") else box.role
    kept = [edge for edge in edges if edge not in planned.named]
    placed = place(plan(root, kept))
    check_boxes(root, placed)
    check_edges(root, kept, placed)
    assert not crossings(placed)
    for n in (0, 1, 2):
        (a, b), *others = segments_of(placed, Edge(f"c{n}", f"lateral{n}"))
        lateral, join = placed.boxes[f"lateral{n}"], placed.boxes[f"+{n}"]
        assert not others and a.y == pytest.approx(b.y) and lateral.right < join.x
        assert lateral.y + 11 == pytest.approx(join.y + 11.5) == pytest.approx(a.y)
    assert placed.boxes["result1"].x > placed.boxes["+1"].right and placed.boxes["out"].y < placed.boxes["+0"].y


@st.composite
def nested_us(draw: st.DrawFn) -> tuple[Box, list[Edge]]:
    """A U in frames between other boxes, with laterals on some skips, and edges anywhere downwards."""
    u, edges = u_net(levels=draw(st.integers(2, 4)), encoders=draw(st.integers(1, 2)))
    boxes = list(u.children or [])
    for box in boxes:
        box.height = max(box.height, draw(st.sampled_from([0.0, 0.0, 90.0, 400.0])))
    for skip in [edge for edge in edges if edge.source[0] == "e" and edge.target[0] == "d"]:
        if draw(st.integers(0, 3)) == 0:
            lateral = Box("-".join(skip), draw(st.sampled_from([40.0, 150.0])), 22, rows=1)
            boxes.insert(next(at for at, box in enumerate(boxes) if box.key == skip.target), lateral)
            edges = [edge for edge in edges if edge != skip]
            edges += [Edge(skip.source, lateral.key), Edge(lateral.key, skip.target)]
    order = [box.key for box in boxes]
    for _ in range(draw(st.integers(0, 3))):
        low, high = sorted(draw(st.sets(st.integers(0, len(order) - 1), min_size=2, max_size=2)))
        edges += {Edge(order[low], order[high])}.difference(edges)
    start, end = sorted(draw(st.sets(st.integers(0, len(boxes)), min_size=2, max_size=2)))
    header = Header(draw(st.sampled_from([0.0, 90.0])), 60.0)
    boxes[start:end] = [Box("inner", children=boxes[start:end], padding=FRAME, header=header)]
    if len(boxes) > 2 and draw(st.booleans()):
        boxes = [boxes[0], Box("outer", children=boxes[1:-1], padding=FRAME, header=header), boxes[-1]]
    return Box("root", children=boxes), edges


@settings(max_examples=300, deadline=None)
@given(nested_us())
@pytest.mark.slow
def test_laws_hold_for_us(graph: tuple[Box, list[Edge]]) -> None:
    root, edges = graph
    placed, kept = layout(root, edges)
    check_boxes(root, placed)
    check_edges(root, kept, placed)
    assert not crossings(placed)


def test_branches_into_a_join_are_no_laterals() -> None:
    """Both factors come from one value, so only one value skips."""
    root, edges = pyramid(levels=3)
    swapped = {Edge("lateral2", "up1"): Edge("c1", "up1")}
    edges = [swapped.get(edge, edge) for edge in edges]
    assert not plan(root, edges).shaped


def test_nested_bypasses_do_not_run_through_each_other() -> None:
    boxes = [Box(key, 200, 44, rows=2) for key in ("in", "a", "b", "c")]
    for n, width in enumerate((90, 300, 60)):
        boxes += [Box(f"by{n}", width, 22, rows=1), Box(f"+{n}", 23, 23, anchor=11.5, role="join")]
    spine = ["in", "a", "b", "c", "+0", "+1", "+2"]
    edges = [*(Edge(a, b) for a, b in pairwise(spine)), Edge("in", "b")]
    edges += [Edge(f"by{n}", f"+{n}") for n in range(3)] + [Edge(key, f"by{n}") for n, key in enumerate("cba")]
    root = Box("root", children=boxes)
    placed, kept = layout(root, edges)
    check_boxes(root, placed)
    check_edges(root, kept, placed)
    assert not crossings(placed)


def u_net(levels: int, encoders: int) -> tuple[Box, list[Edge]]:
    """Encoders of some levels, a bottleneck, and a decoder whose joins read the values of all encoders."""
    down = [[Box(f"e{e}.{n}", 200, 44, rows=2, extent=str(n)) for n in range(levels)] for e in range(encoders)]
    inputs, middle = [Box(f"x{e}", 60, 26) for e in range(encoders)], Box("middle", 200, 44, rows=2)
    up = [Box(f"d{n}", 200, 66, rows=3, role="join", entry=11.0) for n in reversed(range(levels))]
    rest = [Box("first", 60, 24, role="join")] if encoders > 1 else []
    order = [
        *inputs,
        *(box for boxes in zip(*down, strict=True) for box in boxes),
        *rest,
        middle,
        *up,
        Box("out", 60, 26),
    ]
    edges = [Edge(a.key, b.key) for e in range(encoders) for a, b in pairwise([inputs[e], *down[e]])]
    edges += [Edge(down[e][-1].key, rest[0].key if rest else "middle") for e in range(encoders)]
    edges += [Edge(a.key, b.key) for a, b in pairwise([*rest, middle, *up, order[-1]])]
    edges += [Edge(f"e{e}.{n}", f"d{n}") for e in range(encoders) for n in range(levels)]
    return Box("root", children=order), edges


def test_two_sides_stand_next_to_each_other() -> None:
    sides = {name: [Box(f"{name}{i}", 200, 44, rows=2, entry=11.0) for i in range(6)] for name in "ab"}
    edges = [Edge(a.key, b.key) for boxes in sides.values() for a, b in pairwise(boxes)]
    edges += [Edge("a5", "b2"), Edge("a5", "b4")]
    root = Box("root", children=[*sides["a"], *sides["b"]])
    placed = place(plan(root, edges, value="a5"))
    check_boxes(root, placed)
    check_edges(root, edges, placed)
    assert not crossings(placed)
    assert placed.boxes["a0"].right < placed.boxes["b0"].x


def test_a_tall_column_is_cut_into_parts() -> None:
    chain = [Box(f"c{i}", 100, 40) for i in range(60)]
    edges = [Edge(a.key, b.key) for a, b in pairwise(chain)]
    root = Box("root", children=chain)
    placed, _ = layout(root, edges, Limits(2000, 1000, 4))
    check_boxes(root, placed)
    check_edges(root, edges, placed)
    assert placed.parts == 4 and placed.height < 0.3 * placed.uncut[1]


def test_parts_that_are_too_wide_for_the_page_are_not_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[int]()
    placing = sys.modules["fxsummary.layout.place"]
    lay_out = placing.side_by_side
    monkeypatch.setattr(placing, "side_by_side", lambda bodies, *more: made.append(1) or lay_out(bodies, *more))
    for width in (500, 1500):
        chain = [Box(f"c{i}", width if i == 30 else 100, 40) for i in range(60)]
        edges = [Edge(a.key, b.key) for a, b in pairwise(chain)]
        placed, _ = layout(Box("root", children=chain), edges, Limits(1600, 1000, 4))
        assert (placed.parts > 1, bool(made)) == ((True, True) if width == 500 else (False, False))
        made.clear()


def test_a_chain_is_straight_and_a_skip_enters_from_the_side() -> None:
    keys = ["in", "a", "b", "c", "+", "out"]
    boxes = [Box(key, 60 + 20 * i, 30, role="join" if key == "+" else "") for i, key in enumerate(keys)]
    edges = [Edge(a, b) for a, b in pairwise(keys)] + [Edge("in", "+")]
    placed, _ = layout(Box("root", children=boxes), edges)
    assert all(len(segments_of(placed, Edge(a, b))) == 1 for a, b in pairwise(keys))
    skip, plus = segments_of(placed, Edge("in", "+")), placed.boxes["+"]
    assert len(skip) == 3 and skip[-1][1] == (plus.right, plus.y + 15)


def test_a_value_that_goes_round_leaves_below_and_enters_from_the_side_inside_its_frame() -> None:
    keys = ["in", "a", "b", "out"]
    boxes = {key: Box(key, 120, 22, rows=1, entry=11.0) for key in keys}
    frame = Box("frame", children=[boxes["a"], boxes["b"]], padding=FRAME)
    root = Box("root", children=[boxes["in"], frame, boxes["out"]])
    edges = [Edge(a, b) for a, b in pairwise(keys)]
    for loop in (Edge("b", "a"), Edge("b", "b")):
        placed = place(plan(root, edges, loops={loop: 200.0}))
        check_boxes(root, placed)
        (wire,) = [wire for wire in placed.wires if wire.value == "b" and wire.targets == (loop.target,)]
        (label,) = placed.labels
        end, around, lane = placed.boxes[loop.target], placed.boxes["frame"], wire.points[-2].x
        assert wire.points[-1] == (end.right, end.y + 11.0)
        assert placed.boxes["b"].bottom < wire.points[-3].y < around.bottom and end.right < lane < around.right
        assert label.target == loop.target and label.x + 100 < lane and label.x - 100 > placed.boxes["b"].x + 60


def test_a_low_branch_does_not_widen_a_tall_one() -> None:
    tall = [Box(f"t{i}", 300, 60, rows=3) for i in range(20)]
    low, end = [Box(key, 200, 22, rows=1) for key in ("c0", "c1")], Box("end", 100, 22, rows=1)
    edges = [Edge(a.key, b.key) for a, b in pairwise([*tall, end])] + [Edge("c0", "c1"), Edge("c1", "end")]
    placed, _ = layout(Box("root", children=[*tall, *low, end]), edges, room=2000)
    assert placed.width < 2 * 300


def test_leaves_in_branches_shrink_to_their_texts_without_changing_the_boxes() -> None:
    boxes = {key: Box(key, 200, 50, least=80 if key in "ab" else 0) for key in ("in", "a", "b", "out")}
    root = Box("root", children=[*boxes.values()])
    edges = [Edge("in", "a"), Edge("in", "b"), Edge("a", "out"), Edge("b", "out")]
    for room, width in ((600.0, 80), (100.0, 200)):
        placed, _ = layout(root, edges, room=room)
        assert placed.boxes["a"].width == placed.boxes["b"].width == width and placed.boxes["in"].width == 200
    assert {box.width for box in boxes.values()} == {200}


def test_two_sides_are_uneven_if_they_fill_too_little_of_their_ground() -> None:
    def side(width: float, height: float) -> Body:
        return Body(width / 2, width / 2, height)

    assert not are_uneven(side(100, 1000), side(100, 410)) and are_uneven(side(100, 1000), side(100, 390))
    assert not are_uneven(side(300, 1000), side(100, 100)) and are_uneven(side(100, 50), side(190, 1000))


def test_what_would_cross_is_named() -> None:
    """Three skips of which each crosses the others: two can be drawn, one on each side."""
    boxes = [Box(f"n{i}", 60, 30) for i in range(7)]
    edges = [Edge(f"n{i}", f"n{i + 1}") for i in range(6)]
    skips = [Edge("n0", "n4"), Edge("n1", "n5"), Edge("n2", "n6")]
    named = plan(Box("root", children=boxes), edges + skips).named
    assert len(named) == 1 and named[0] in skips


def test_no_more_than_three_lanes_are_side_by_side() -> None:
    boxes = [Box(f"n{i}", 60, 30) for i in range(20)]
    edges = [Edge(f"n{i}", f"n{i + 1}") for i in range(19)] + [Edge(f"n{i}", f"n{19 - i}") for i in range(8)]
    root = Box("root", children=boxes)
    planned = plan(root, edges)
    assert len(planned.named) == 2
    placed, kept = layout(root, edges)
    check_edges(root, kept, placed)
    assert not crossings(placed)


@pytest.mark.parametrize("depth", [1, 300])
@pytest.mark.slow
def test_long_chains_and_deep_nesting(depth: int) -> None:
    root = group = Box("root", children=[])
    for level in range(depth):
        inner = Box(f"g{level}", children=[], padding=Padding(2, 2, 2, 2))
        assert group.children is not None
        group.children.append(inner)
        group = inner
    group.children = [Box(f"n{i}", 50, 20) for i in range(1000)]
    edges = [Edge(f"n{i}", f"n{i + 1}") for i in range(999)] + [Edge(f"n{i}", f"n{i + 3}") for i in range(0, 990, 3)]
    placed, _ = layout(root, edges)
    assert len(placed.boxes) == 1000 + depth


def test_wrong_edges_are_refused() -> None:
    root = Box("root", children=[Box("a", 10, 10), Box("g", children=[Box("b", 10, 10)])])
    for edge in (Edge("a", "a"), Edge("a", "g"), Edge("a", "nothing")):
        with pytest.raises(ValueError, match="joins"):
            plan(root, [edge])
    with pytest.raises(ValueError, match="duplicate box key"):
        plan(Box("root", children=[Box("a"), Box("a")]), [])


def test_boxes_are_not_changed() -> None:
    root, edges = u_net(levels=3, encoders=2)
    before = [replace(box, children=None) for _, box in walk(root)]
    place(plan(root, edges), Limits(500, 300, 4))
    after = [replace(box, children=None) for _, box in walk(root)]
    names = ("key", "width", "height", "role", "rows", "entry", "anchor")
    assert [[getattr(box, name) for name in names] for box in before] == [
        [getattr(box, name) for name in names] for box in after
    ]


@pytest.mark.slow
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


def test_a_plan_is_the_same_for_each_room_in_its_range() -> None:
    root = Box("", children=[Box(key, 100, 20) for key in "xabz"])
    edges = [Edge("x", "a"), Edge("x", "b"), Edge("a", "z"), Edge("b", "z")]
    wide, narrow = plan(root, edges, room=600.0), plan(root, edges, room=200.0)
    assert wide.rooms == (222.0, float("inf")) and narrow.rooms == (0.0, 222.0)
    assert len(wide.units) < len(narrow.units)
