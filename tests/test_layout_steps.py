"""The steps of the layout one by one, on levels small enough to check by eye; tests/test_layout.py has the laws."""

from __future__ import annotations

from itertools import pairwise

from fxsummary.layout.boxes import Spacing
from fxsummary.layout.coordinates import assign_x
from fxsummary.layout.layering import assign_layers
from fxsummary.layout.level import Level, Link, Node
from fxsummary.layout.ordering import _crossings, order_layers
from fxsummary.layout.routing import Router


def level_of(count: int, *edges: tuple[int, int]) -> Level:
    nodes = [Node(width=80, height=30, body_height=30, anchor=40) for _ in range(count)]
    level = Level(nodes, [Link(tail, head, tail) for tail, head in edges])
    assign_layers(level)
    return level


# --- layering --------------------------------------------------------------------------------------


def test_a_chain_has_one_node_in_each_layer() -> None:
    assert level_of(3, (0, 1), (1, 2)).layers == [[0], [1], [2]]


def test_a_link_over_two_layers_keeps_a_lane_between() -> None:
    level = level_of(3, (0, 1), (1, 2), (0, 2))
    (lane,) = [node for node in range(3, len(level.nodes)) if level.nodes[node].lane]
    assert level.layer[lane] == 1 and [segment.lower for segment in level.chains[2]] == [lane, 2]


def test_links_of_one_value_share_a_trunk_and_its_lanes() -> None:
    level = level_of(4, (0, 1), (1, 2), (2, 3), (0, 2), (0, 3))
    assert len({level.chains[link][0].trunk for link in (0, 3, 4)}) == 1
    assert len(level.nodes) == 4 + 2  # one lane in layer 1, one in layer 2


def test_a_cycle_is_broken_by_one_link_that_goes_up() -> None:
    level = level_of(3, (0, 1), (1, 2), (2, 0))
    assert level.upwards == {2} and level.layers[:3] != []
    assert [level.layer[node] for node in (0, 1, 2)] == [0, 1, 2]


def test_a_source_is_pulled_down_to_what_reads_it() -> None:
    level = level_of(4, (0, 1), (1, 2), (3, 2))
    assert level.layer[3] == level.layer[2] - 1


def test_the_spine_is_the_longest_chain() -> None:
    level = level_of(5, (0, 1), (1, 2), (2, 4), (0, 3), (3, 4))
    assert level.spine == {0, 1, 2}


# --- ordering --------------------------------------------------------------------------------------


def test_crossing_wires_are_put_in_order() -> None:
    level = level_of(6, (0, 1), (0, 2), (1, 4), (2, 3), (3, 5), (4, 5))
    level.layers[1].sort()
    level.layers[2].sort()
    assert _crossings(level, level.places()) > 0
    order_layers(level)
    assert _crossings(level, level.places()) == 0


def test_an_order_without_crossings_is_kept() -> None:
    level = level_of(4, (0, 1), (0, 2), (1, 3), (2, 3))
    before = [list(layer) for layer in level.layers]
    order_layers(level)
    assert level.layers == before


# --- coordinates -----------------------------------------------------------------------------------


def placed(count: int, *edges: tuple[int, int]) -> Level:
    level = level_of(count, *edges)
    order_layers(level)
    assign_x(level, Spacing())
    return level


def test_a_chain_is_straight() -> None:
    level = placed(4, (0, 1), (1, 2), (2, 3))
    assert len(set(level.x)) == 1


def test_neighbours_keep_their_distance() -> None:
    level = placed(4, (0, 1), (0, 2), (0, 3))
    for layer in level.layers:
        for left, right in pairwise(layer):
            assert level.x[right] - level.x[left] >= level.nodes[left].width + Spacing().horizontal - 1e-6


def test_the_spine_is_straight_and_what_is_beside_it_moves() -> None:
    level = placed(5, (0, 1), (1, 2), (2, 4), (0, 3), (3, 4))
    assert len({level.x[node] for node in (0, 1, 2, 4)}) == 1 and level.x[3] != level.x[0]


# --- routing ---------------------------------------------------------------------------------------


def routed(count: int, *edges: tuple[int, int]) -> tuple[Level, Router]:
    level = placed(count, *edges)
    router = Router(level, Spacing())
    router.run()
    return level, router


def test_layers_are_stacked_without_overlap() -> None:
    _, router = routed(4, (0, 1), (0, 2), (1, 3), (2, 3))
    result = router.result
    for bottom, top in zip(result.bottoms, result.tops[1:], strict=False):
        assert top >= bottom + 1
    assert result.height >= result.bottoms[-1]


def test_a_straight_wire_has_no_corner_between_its_ends() -> None:
    _, router = routed(2, (0, 1))
    (corners,) = router.result.corners
    assert len({point.x for _, point in corners}) == 1


def test_wires_that_turn_at_one_height_do_not_lie_on_each_other() -> None:
    level, router = routed(6, (0, 3), (0, 4), (1, 4), (1, 5), (2, 3), (2, 5))
    runs: dict[float, list[tuple[float, float, int]]] = {}
    for link, corners in zip(level.links, router.result.corners, strict=True):
        for (_, one), (_, other) in pairwise(corners):
            if one.y == other.y and one.x != other.x:
                runs.setdefault(one.y, []).append((min(one.x, other.x), max(one.x, other.x), link.value))
    assert runs
    for of_height in runs.values():
        for left, right in pairwise(sorted(of_height)):
            assert right[0] > left[1] or right[2] == left[2]
