"""The laws over models made at random: counts, both ways, what is printed, what is folded, what is saved."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import pytest
import torch
from printed import check, dot_rows, markdown_rows, mermaid_rows, picture_rows, text_rows
from test_laws import named_edges
from test_printed import DEPTHS, check_totals, with_shares
from test_unfolding import assert_unfolds
from torch.utils.flop_counter import FlopCounterMode

import fxsummary
from fxsummary import ModelGraph
from fxsummary.errors import TooLargeError
from fxsummary.graph.saved import dumps, loads
from fxsummary.views.simplify import simplify
from zoo.random_models import SHAPE, RandomModel

pytestmark = pytest.mark.slow
every_seed = pytest.mark.parametrize("seed", [2, 3, 4, 11, 12, 15, 16, 17, 22, 23, 36, 37])
every_way = pytest.mark.parametrize("trace", ["symbolic", "record"])


@cache
def graph_of(seed: int, trace: str) -> ModelGraph:
    return fxsummary.graph(RandomModel(seed).eval(), torch.ones(SHAPE), trace=trace)


@every_seed
@every_way
def test_counts_are_those_of_the_model(seed: int, trace: str) -> None:
    model, graph = RandomModel(seed).eval(), graph_of(seed, trace)
    with FlopCounterMode(display=False) as counter:
        model(torch.ones(SHAPE))
    assert graph.totals.flops == counter.get_total_flops()
    assert graph.totals.parameters == sum(each.numel() for each in model.parameters())


@every_seed
def test_edges_are_those_of_a_recording(seed: int) -> None:
    assert named_edges(graph_of(seed, "symbolic")) == named_edges(graph_of(seed, "record"))


@every_seed
def test_copied_blocks_are_like_recorded_ones(seed: int) -> None:
    whole = fxsummary.graph(RandomModel(seed).eval(), torch.ones(SHAPE), trace="record", replay=False)
    assert whole.to_json() == graph_of(seed, "record").to_json()


@every_seed
@every_way
def test_what_is_printed_adds_up(seed: int, trace: str) -> None:
    graph = graph_of(seed, trace)
    for depth in DEPTHS:
        rows = [
            text_rows(graph.to_text(width=1000, depth=depth)), markdown_rows(graph.to_markdown(depth=depth)),
            picture_rows(graph.to_svg(depth=depth, theme="light")),
        ]  # fmt: skip
        with_shares(rows[-1], graph)
        for root in rows:
            check(root)
            check_totals(graph, root)
        with suppress(TooLargeError):
            check_totals(graph, mermaid_rows(graph.to_mermaid(depth=depth)))
    check_totals(graph, dot_rows(graph.to_dot()))


@every_seed
@every_way
def test_unfolding_gives_the_graph(seed: int, trace: str) -> None:
    assert_unfolds(graph_of(seed, trace))
    assert_unfolds(simplify(graph_of(seed, trace)))


@every_seed
@every_way
def test_a_saved_graph_is_the_same(seed: int, trace: str) -> None:
    assert dumps(loads(dumps(graph_of(seed, trace)))) == dumps(graph_of(seed, trace))
