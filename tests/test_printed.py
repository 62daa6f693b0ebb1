"""The law over what is printed: in every form, at every depth, the rows inside add up to the row around them."""

from __future__ import annotations

import json
import re
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
from zoo import ZOO

from fxsummary import ModelGraph
from fxsummary.errors import InputError, TooLargeError

every_model = pytest.mark.parametrize("name", ZOO)
DEPTHS = (0, 1, 2, 3, None)


def check_totals(graph: ModelGraph, root: Row) -> None:
    """At the top are the totals."""
    totals = graph.totals
    exact = Interval(totals.parameters, totals.parameters if not totals.unknown_parameters else float("inf"))
    assert root.value("parameters").meets(exact), (root.value("parameters"), exact)
    if root.flops is not None and totals.flops is not None:
        assert root.flops.meets(Interval(totals.flops, totals.flops if not totals.unknown_flops else float("inf")))


@pytest.mark.parametrize("fold", [True, False], ids=["folded", "unfolded"])
@every_model
def test_text_adds_up_at_every_depth(name: str, fold: bool) -> None:
    graph = graph_of(name)
    for depth in DEPTHS:
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
    """Give each row of a picture the share of FLOPs that its tooltip tells."""
    whole = graph.totals.flops
    todo = [(root, 1)]
    while todo:
        row, copies = todo.pop()
        copies *= row.copies
        if not row.inside and whole and row.flops is not None:
            part = row.flops.times(copies)
            row.share = Interval(100 * part.low / whole, 100 * part.high / whole)
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


@every_model
def test_pictures_of_modules_add_up(name: str) -> None:
    graph = graph_of(name)
    page = graph.to_html()
    data = json.loads(re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    pictures = {int(n): svg for n, svg in re.findall(r'<template id="picture-(\d+)">(.*?)</template>', page, re.DOTALL)}
    stage = re.search(r'data-picture="(\d+)"[^>]*>\s*(<svg.*?</svg>)', page, re.DOTALL)
    if stage is not None:
        pictures[int(stage[1])] = stage[2]
    modules = {module["path"]: module for module in data["modules"]}
    for path, view in data["views"].items():
        for level in view["levels"]:
            svg = pictures[level["picture"]]
            if "xmlns" not in svg[:200]:
                svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
            root = picture_rows(svg, tips=False)
            check(root)
            held = modules[path].get("parameters", 0)
            shown = root.value("parameters")
            if path and (shares(graph, path) or modules[path].get("unknown")):
                assert shown.low <= held
            else:
                assert shown.meets(Interval(held, held if not modules[path].get("unknown") else float("inf"))), (
                    path,
                    shown,
                    held,
                )


def shares(graph: ModelGraph, path: str) -> bool:
    """Whether a parameter of a module counts in another one, which reads it first."""
    inside = {inner: module for inner, module in graph.modules.items() if f"{inner}.".startswith(f"{path}.")}
    holders = [graph.modules[module.shared_with] if module.shared_with else module for module in inside.values()]
    names = {tensor.tied_to or tensor.name for module in holders for tensor in module.parameters}
    return any(
        names.intersection(data["parameter_names"])
        for _, data in graph.nodes(data=True)
        if not any(call.path == path for call in data["module_stack"])
    )


def test_a_printed_number_is_an_interval() -> None:
    assert count("1.84 M").meets(Interval(1_844_999, 1_844_999)) and not count("1.84 M").meets(Interval(1_845_001, 2e6))
    assert count("≥ 1 k").high == float("inf")
    assert total([count("9.41 k + 128")]).meets(count("9.54 k"))
    assert not count("1.84 M").meets(count("1.82 M + 2"))


@pytest.mark.parametrize("form", ["text", "markdown", "svg", "html", "mermaid", "latex"])
@pytest.mark.parametrize("depth", [-1, True, False, 1.0, 0.5, "1", "all", [1]], ids=repr)
def test_a_depth_that_is_no_number_of_levels_is_refused(form: str, depth: Any) -> None:
    with pytest.raises(InputError, match=r"^depth="):
        getattr(graph_of("CNN"), f"to_{form}")(depth=depth)
