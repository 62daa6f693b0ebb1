"""The public methods tell their options: completion and `help` show them."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
import torch

import fxsummary
from fxsummary.errors import FxsummaryError, InputError
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.support.registry import EXPORTERS

FUNCTIONS = {f"to_{name}": exporter.function for name, exporter in EXPORTERS.items() if name != "csv"} | {
    "show": "fxsummary.exporters.notebook:show",
    "check": "fxsummary.review.budgets:check",
    "lint": "fxsummary.review.lint:lint",
    "training": "fxsummary.analysis.training:training",
    "roofline": "fxsummary.passes.roofline:roofline",
    "receptive_field": "fxsummary.analysis.receptive:receptive_field",
}


def options_of(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_method_has_the_options_of_what_it_calls(name: str) -> None:
    module, _, function = FUNCTIONS[name].partition(":")
    own, called = options_of(getattr(ModelGraph, name)), getattr(import_module(module), function)
    assert options_of(called).items() <= own.items()
    takes_others = any(each.kind is each.VAR_KEYWORD for each in inspect.signature(called).parameters.values())
    assert takes_others or own.keys() == options_of(called).keys()


@pytest.mark.parametrize("name", ["to_png", "to_pdf", "to_tikz"])
def test_other_pictures_have_the_options_of_svg(name: str) -> None:
    svg = options_of(ModelGraph.to_svg) | {"theme": "light"}
    assert options_of(getattr(ModelGraph, name)) == svg | ({"scale": 1.0} if name == "to_png" else {})
    assert {*svg} <= options_of(ModelGraph.render).keys()


def test_every_public_name_has_a_docstring_and_no_other_name_is_seen() -> None:
    assert dir(fxsummary) == sorted(fxsummary.__all__)
    for name in {*fxsummary.__all__} - {"__version__"}:
        assert inspect.getdoc(getattr(fxsummary, name)), name
    for name, each in inspect.getmembers(ModelGraph, callable):
        if not name.startswith("_") and each.__module__.startswith("fxsummary"):
            assert inspect.getdoc(each), name
    assert issubclass(fxsummary.errors.ForwardError, FxsummaryError)


def test_render_refuses_an_option_that_the_format_does_not_have(tmp_path: Any) -> None:
    graph = fxsummary.graph(torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"pages= is no option of .svg. Did you mean 'page'\? its options"):
        graph.render(tmp_path / "x.svg", pages="column")
    with pytest.raises(InputError, match=r"page= is no option of .txt"):
        graph.render(tmp_path / "x.txt", page="column")
    assert not [*tmp_path.iterdir()]
