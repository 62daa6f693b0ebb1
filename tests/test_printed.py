"""The law over what is printed: in every form, at every depth, the rows inside add up to the row around them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from graphs import graph_of
from printed import (
    Interval,
    Row,
    check,
    count,
    dot_rows,
    markdown_rows,
    mermaid_rows,
    picture_rows,
    text_rows,
    total,
)

from fxsummary import ModelGraph
from fxsummary.errors import InputError, TooLargeError
from zoo import ZOO

every_model = pytest.mark.parametrize("name", ZOO)
DEPTHS = (0, 1, 2, 3, None)


def check_totals(graph: ModelGraph, root: Row) -> None:
    """At the top are the totals."""
    totals = graph.totals
    exact = Interval(totals.parameters, totals.parameters if not totals.unknown_parameters else float("inf"))
    assert root.value("parameters").meets(exact), (root.value("parameters"), exact)
    if root.flops is not None and totals.flops is not None:
        assert root.flops.meets(Interval(totals.flops, totals.flops if not totals.unknown_flops else float("inf")))


@every_model
def test_text_adds_up_at_every_depth(name: str) -> None:
    graph = graph_of(name)
    for depth, fold in [*((depth, "similar") for depth in DEPTHS), (None, "exact"), (None, False)]:
        root = text_rows(graph.to_text(width=1000, depth=depth, fold=fold))
        check(root)
        check_totals(graph, root)
        if depth == 0:
            assert not root.inside


@every_model
def test_markdown_adds_up(name: str) -> None:
    graph = graph_of(name)
    root = markdown_rows(graph.to_markdown())
    check(root)
    check_totals(graph, root)


@every_model
def test_pictures_add_up_at_every_depth(name: str) -> None:
    graph = graph_of(name)
    for depth in DEPTHS:
        root = picture_rows(graph.to_svg(depth=depth, theme="light"))
        with_shares(root, graph)
        check(root)
        check_totals(graph, root)


def with_shares(root: Row, graph: ModelGraph) -> None:
    """Give each row of a picture the share of FLOPs that its tooltip tells, each header that of what is known."""
    whole = graph.totals.flops
    todo = [(root, 1)]
    while todo:
        row, copies = todo.pop()
        copies *= row.copies
        if row.known_flops is not None and whole:
            row.share = Interval(100 * row.known_flops.low / whole, 100 * row.known_flops.high / whole)
        if not row.inside and whole and row.flops is not None:
            low, high = row.flops.times(copies).whole()
            row.share = Interval(100 * low / whole, 100 * high / whole)
        todo += [(inner, copies) for inner in row.inside]


@every_model
def test_flowcharts_add_up(name: str) -> None:
    graph = graph_of(name)
    for depth in DEPTHS:
        with suppress(TooLargeError):
            check_totals(graph, mermaid_rows(graph.to_mermaid(depth=depth)))


@every_model
def test_dot_adds_up(name: str) -> None:
    graph = graph_of(name)
    root = dot_rows(graph.to_dot())
    check_totals(graph, root)
    if graph.totals.flops is not None:
        assert root.value("flops").meets(
            Interval(graph.totals.flops, graph.totals.flops if not graph.totals.unknown_flops else float("inf"))
        )


def test_a_printed_number_is_an_interval() -> None:
    assert count("1.84 M").meets(Interval(1_844_999, 1_844_999)) and not count("1.84 M").meets(Interval(1_845_001, 2e6))
    assert count("≥ 1 k").high == float("inf")
    assert count("Σ 448 + 2").times(3).meets(count("454")) and not count("Σ 448").times(3).meets(count("1,344"))
    assert total([count("9.41 k + 128")]).meets(count("9.54 k"))
    assert not count("1.84 M").meets(count("1.82 M + 2"))


@pytest.mark.parametrize("form", ["text", "markdown", "svg", "html", "mermaid", "latex"])
@pytest.mark.parametrize("depth", [-1, True, False, 1.0, 0.5, "1", "all", [1]], ids=repr)
def test_a_depth_that_is_no_number_of_levels_is_refused(form: str, depth: Any) -> None:
    with pytest.raises(InputError, match=r"^depth="):
        getattr(graph_of("CNN"), f"to_{form}")(depth=depth)
